package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// object is a version that was read for an answer, with what is needed to open its body.
type object struct {
	*version

	bucket *bucket
	parts  []part // of a multipart object, in order
	seal   *sealing
	// current tells that it is the version that reads without an id, as far as lifecycle rules need to know.
	current bool
}

// source names what is read: an object, or one version of it, and the customer's key where it is encrypted with one.
type source struct {
	bucket, key string
	owner, id   *string
	customer    customerKey
	// head tells that the body is not wanted.
	head bool
}

// read returns a version of an object. A caller who may not list the bucket is told "access denied" for a missing one,
// so that names are not given away (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, permissions).
func (s *Service) read(ctx context.Context, from source) (*object, error) {
	if err := checkKey(from.key); err != nil {
		return nil, err
	}
	if from.id != nil && *from.id == "" {
		return nil, invalidValue("versionId", "", "Version id cannot be the empty string")
	}
	if err := checkVersionID(from.id); err != nil {
		return nil, err
	}
	b, err := s.lookUp(ctx, from.bucket, from.owner)
	if err != nil {
		return nil, err
	}
	o := &object{bucket: b, current: true}
	err = s.store.View(ctx, func(r store.Reader) error {
		v, err := pick(r, b, from.key, from.id)
		if err != nil {
			return err
		}
		v.inline = bytes.Clone(v.inline)
		o.version, o.parts = v, nil
		if from.id != nil && b.Lifecycle {
			now, _, err := getCurrent(r, b, from.key)
			if err != nil {
				return err
			}
			o.current = now.Seq == v.Seq
		}
		if v.Upload != "" {
			o.parts, err = tableParts(r, b, v.Upload)
		}
		return err
	})
	if code := service.Code(err); code == "NoSuchKey" || code == "NoSuchVersion" {
		t, denied := s.bucketTarget(ctx, from.bucket)
		if denied == nil {
			t.Action = "s3:ListBucket"
			denied = s.allow(ctx, t)
		}
		if denied != nil {
			return nil, denied
		}
	}
	if err != nil {
		return nil, fromStore(err)
	}
	switch {
	case !from.head && o.archived(s.now()):
		return nil, invalidState(o.Class)
	case !from.head && o.Damaged:
		return nil, damaged()
	}
	if from.head && o.Seal != nil && o.Seal.CustomerMD5 == "" && !from.customer.given() {
		return o, nil // what is told of an object needs no key
	}
	if o.seal, err = s.unseal(ctx, b, o.Seal, from.customer); err != nil {
		return nil, err
	}
	return o, nil
}

// span is a part of a body: length bytes from offset on.
type span struct{ offset, length int64 }

// open returns the bytes of span. The error is one for the client.
func (s *Service) open(ctx context.Context, o *object, at span) (r io.ReadCloser, err error) {
	switch {
	case at.length == 0:
		return io.NopCloser(strings.NewReader("")), nil
	case o.Upload != "":
		r, err = s.openParts(ctx, o, at)
	default:
		r, err = s.openBody(ctx, o.body(), o.seal, at)
	}
	if errors.Is(err, blob.ErrDamaged) || errors.Is(err, seal.ErrDamaged) {
		s.log.ErrorContext(ctx, "damaged object was refused", slog.String("bucket", o.bucket.Name), slog.Uint64("version", o.Seq), slog.Any("error", err))
		err = damaged()
	}
	return r, fromStore(err)
}

// body returns the body of an object that is no multipart one.
func (o *object) body() part {
	return part{Size: o.Size, Sum: o.Sum, Blob: o.Blob, Blocks: o.Blocks, inline: o.inline}
}

// openBody opens a part of one body, which is a blob or inline. What it gives out is proven: by the seal, by block sums, or by the store for what is inline.
func (s *Service) openBody(ctx context.Context, p part, l *sealing, at span) (io.ReadCloser, error) {
	if p.Blob == "" {
		if l != nil {
			return openSealed(bytes.NewReader(p.inline), io.NopCloser(nil), l, p.Size, at)
		}
		if at.offset+at.length > int64(len(p.inline)) {
			return nil, fmt.Errorf("open object: %w", blob.ErrDamaged)
		}
		return io.NopCloser(bytes.NewReader(p.inline[at.offset : at.offset+at.length])), nil
	}
	if l != nil {
		f, err := s.openBlob(ctx, p.Blob, span{seal.Start(at.offset), seal.End(p.Size, at.offset+at.length) - seal.Start(at.offset)})
		if err != nil {
			return nil, err
		}
		return openSealed(f, f, l, p.Size, at)
	}
	f, err := s.openBlob(ctx, p.Blob, aligned(p.Size, at))
	if err != nil {
		return nil, err
	}
	return s.prove(f, p, at)
}

func (s *Service) openBlob(ctx context.Context, id blob.ID, want span) (blob.ReadSeekCloser, error) {
	f, err := s.blobs.Open(ctx, id, blob.Span{Offset: want.offset, Length: want.length})
	if err != nil {
		return nil, fmt.Errorf("open body %s: %w", id, err)
	}
	return f, nil
}

// unsealed is the plain text of an encrypted body.
type unsealed struct {
	*seal.Reader
	io.Closer
}

func openSealed(src io.ReaderAt, c io.Closer, l *sealing, size int64, at span) (io.ReadCloser, error) {
	r, err := seal.NewReader(src, l.key, size, at.offset, at.length)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open encrypted body: %w", err), c.Close())
	}
	return unsealed{r, c}, nil
}

// openParts returns a reader that opens one part after the other.
func (s *Service) openParts(ctx context.Context, o *object, at span) (io.ReadCloser, error) {
	q := &partReader{open: func(p part, sp span) (io.ReadCloser, error) {
		return s.openBody(ctx, p, o.seal, sp)
	}}
	start := int64(0)
	for _, p := range o.parts {
		lo, hi := max(at.offset-start, 0), min(at.offset+at.length-start, p.Size)
		if lo < hi {
			q.rest = append(q.rest, piece{p, span{lo, hi - lo}})
		}
		start += p.Size
	}
	return q, q.next() // the first part is opened now, so that a missing one is an error and no cut answer
}

type piece struct {
	part part
	at   span
}

type partReader struct {
	open func(part, span) (io.ReadCloser, error)
	rest []piece
	cur  io.ReadCloser
}

func (q *partReader) next() error {
	if err := q.Close(); err != nil {
		return err
	}
	if len(q.rest) == 0 {
		return io.EOF
	}
	var err error
	q.cur, err = q.open(q.rest[0].part, q.rest[0].at)
	q.rest = q.rest[1:]
	return err
}

func (q *partReader) Read(p []byte) (int, error) {
	for {
		if q.cur == nil {
			return 0, io.EOF
		}
		n, err := q.cur.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := q.next(); err != nil {
			return 0, err
		}
	}
}

func (q *partReader) Close() error {
	if q.cur == nil {
		return nil
	}
	c := q.cur
	q.cur = nil
	return c.Close()
}

// openRead reads an object and opens the wanted part of its body. It tries again when the body was replaced and collected in between.
func (s *Service) openRead(ctx context.Context, q query) (*answer, error) {
	if q.part != nil {
		if err := checkPartNumber(*q.part); err != nil {
			return nil, err
		}
		if q.rangeHeader != nil {
			return nil, invalidRequest("Cannot specify both Range header and partNumber query parameter")
		}
	}
	for try := 0; ; try++ {
		o, err := s.read(ctx, q.source)
		if err != nil {
			return nil, about(ctx, q.bucket, err)
		}
		a, err := q.answer(o, s.now())
		if err != nil || q.head {
			return a, err
		}
		a.body, err = s.open(ctx, o, a.at)
		if errors.Is(err, blob.ErrNotFound) && try < 3 {
			continue
		}
		return a, err
	}
}

// query is a GetObject or HeadObject.
type query struct {
	source

	conditions  readConditions
	rangeHeader *string
	ifRange     string
	part        *int32
}

// answer is what a query found.
type answer struct {
	*object
	at           span
	contentRange *string
	body         io.ReadCloser
}

// sum returns the checksum of what is answered: of the object or of one of its parts. A range that is not all of it has none.
func (a *answer) sum(mode string, number *int32) (checksum, bool) {
	switch {
	case !strings.EqualFold(mode, "ENABLED"):
		return checksum{}, false
	case number != nil && a.Upload != "":
		// The default checksum of an upload for which none was asked is of the object alone.
		p := a.parts[*number-1]
		return p.Sum, p.Sum.Value != "" && p.Sum.Algorithm != integrity.CRC64NVME
	}
	return a.Sum, number != nil || a.at.length == a.Size
}

func (q query) answer(o *object, now time.Time) (*answer, error) {
	if err := q.conditions.check(o.version, now); err != nil {
		return nil, err
	}
	a := &answer{object: o, at: span{0, o.Size}}
	if q.part != nil {
		at, err := partSpan(o, *q.part)
		if err != nil {
			return nil, err
		}
		a.at, a.contentRange = at, contentRange(at, o.Size)
		return a, nil
	}
	if q.rangeHeader == nil || q.ifRange != "" && !rangeApplies(q.ifRange, o.version) {
		return a, nil
	}
	at, partial, ok := parseRange(*q.rangeHeader, o.Size)
	if !ok {
		return nil, fail("InvalidRange", http.StatusRequestedRangeNotSatisfiable, "The requested range is not satisfiable").
			WithDetail(&RefusedRange{RangeRequested: *q.rangeHeader, ActualObjectSize: strconv.FormatInt(o.Size, 10)})
	}
	if partial {
		a.at, a.contentRange = at, contentRange(at, o.Size)
	}
	return a, nil
}

// RefusedRange is what S3 tells of a range beside the error's message.
type RefusedRange struct{ RangeRequested, ActualObjectSize string }

func contentRange(at span, size int64) *string {
	if at.length == 0 {
		return nil
	}
	return ptr(fmt.Sprintf("bytes %d-%d/%d", at.offset, at.offset+at.length-1, size))
}

func partSpan(o *object, number int32) (span, error) {
	if o.Upload == "" {
		if number == 1 {
			return span{0, o.Size}, nil
		}
	} else if int(number) <= len(o.parts) {
		start := int64(0)
		for _, p := range o.parts[:number-1] {
			start += p.Size
		}
		return span{start, o.parts[number-1].Size}, nil
	}
	return span{}, fail("InvalidPartNumber", http.StatusRequestedRangeNotSatisfiable, "The requested partnumber is not satisfiable.").
		WithDetail(&RefusedPart{PartNumberRequested: itoa(number), ActualPartCount: itoa(max(o.Parts, 1))})
}

// RefusedPart is what S3 tells of the number of a part beside the error's message.
type RefusedPart struct{ PartNumberRequested, ActualPartCount string }

// rangeApplies decides If-Range: RFC 9110, section 13.1.5.
func rangeApplies(ifRange string, v *version) bool {
	if t, err := http.ParseTime(ifRange); err == nil {
		return !v.Modified.After(t)
	}
	return strings.Trim(ifRange, `"`) == v.ETag
}

// overrides are the response-* parameters. They need a signature, so that a link on a page of someone else cannot
// make an object look like something that it is not.
type overrides struct {
	contentType, cacheControl, disposition, encoding, language, expires *string
}

// expiresOf returns the response-expires parameter as it was sent: S3 hands it on whatever day of the week it claims.
func expiresOf(ctx context.Context, at *time.Time) *string {
	if at == nil {
		return nil
	}
	if h := service.RequestFrom(ctx).HTTP; h != nil {
		_, query, _ := strings.Cut(h.RawTarget, "?")
		if q, err := url.ParseQuery(query); err == nil && q.Has("response-expires") {
			return ptr(q.Get("response-expires"))
		}
	}
	return ptr(httpTime(*at))
}

func (v overrides) check(ctx context.Context) error {
	if !anySet(v.contentType, v.cacheControl, v.disposition, v.encoding, v.language, v.expires) {
		return nil
	}
	if service.RequestFrom(ctx).Principal.Kind == service.Anonymous {
		return invalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
	}
	return nil
}

func (v overrides) apply(h headers) headers {
	set := func(dst *string, src *string) {
		if src != nil && *src != "" {
			*dst = *src
		}
	}
	set(&h.ContentType, v.contentType)
	set(&h.CacheControl, v.cacheControl)
	set(&h.ContentDisposition, v.disposition)
	set(&h.ContentEncoding, v.encoding)
	set(&h.ContentLanguage, v.language)
	set(&h.Expires, v.expires)
	return h
}

func (s *Service) getObject(ctx context.Context, in *api.GetObjectInput) (*api.GetObjectOutput, error) {
	o := overrides{in.ResponseContentType, in.ResponseCacheControl, in.ResponseContentDisposition, in.ResponseContentEncoding, in.ResponseContentLanguage, expiresOf(ctx, in.ResponseExpires)}
	if err := o.check(ctx); err != nil {
		return nil, err
	}
	a, err := s.openRead(ctx, query{
		source: source{
			bucket: in.Bucket, key: in.Key, owner: in.ExpectedBucketOwner, id: in.VersionId,
			customer: customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5},
		},
		rangeHeader: in.Range, ifRange: header(ctx, "If-Range"), part: in.PartNumber,
		conditions: readConditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince},
	})
	if err != nil {
		return nil, err
	}
	h := o.apply(a.Headers)
	x, lock := a.Seal.shown(), s.shownLock(ctx, in.Bucket, in.Key, a.Lock)
	out := &api.GetObjectOutput{
		VersionId: a.shownID(a.bucket), StorageClass: a.Class, Restore: a.restored(s.now()), Expiration: s.objectExpiration(ctx, in.Key, a.object),
		ReplicationStatus: a.Replication, ObjectLockMode: lock.Mode, ObjectLockRetainUntilDate: lock.until(), ObjectLockLegalHoldStatus: lock.Hold,
		ServerSideEncryption: x.algorithm, SSEKMSKeyId: x.key, SSECustomerAlgorithm: x.customerAlgorithm, SSECustomerKeyMD5: x.customerKeyMD5,
		BucketKeyEnabled: x.bucketKey,
		Body:             a.body, AcceptRanges: ptr("bytes"), LastModified: ptr(a.Modified), ContentLength: ptr(a.at.length), ETag: quoted(a.ETag),
		ContentRange: a.contentRange, ContentType: optional(h.ContentType), CacheControl: optional(h.CacheControl),
		ContentDisposition: optional(h.ContentDisposition), ContentEncoding: optional(h.ContentEncoding), ContentLanguage: optional(h.ContentLanguage),
		Expires: optional(h.Expires), WebsiteRedirectLocation: optional(h.Redirect), Metadata: maps.Clone(h.Meta), TagCount: tagCount(a.Tags),
	}
	if in.PartNumber != nil && a.Upload != "" {
		out.PartsCount = ptr(a.Parts)
	}
	if sum, ok := a.sum(in.ChecksumMode, in.PartNumber); ok {
		out.ChecksumType = a.Sum.Type
		getSums(out).set(sum)
	}
	return out, nil
}

func (s *Service) headObject(ctx context.Context, in *api.HeadObjectInput) (*api.HeadObjectOutput, error) {
	o := overrides{in.ResponseContentType, in.ResponseCacheControl, in.ResponseContentDisposition, in.ResponseContentEncoding, in.ResponseContentLanguage, expiresOf(ctx, in.ResponseExpires)}
	if err := o.check(ctx); err != nil {
		return nil, err
	}
	a, err := s.openRead(ctx, query{
		source: source{
			bucket: in.Bucket, key: in.Key, owner: in.ExpectedBucketOwner, id: in.VersionId, head: true,
			customer: customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5},
		},
		rangeHeader: in.Range, ifRange: header(ctx, "If-Range"), part: in.PartNumber,
		conditions: readConditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince},
	})
	if err != nil {
		return nil, err
	}
	h := o.apply(a.Headers)
	x, lock := a.Seal.shown(), s.shownLock(ctx, in.Bucket, in.Key, a.Lock)
	out := &api.HeadObjectOutput{
		VersionId: a.shownID(a.bucket), StorageClass: a.Class, Restore: a.restored(s.now()), Expiration: s.objectExpiration(ctx, in.Key, a.object),
		ReplicationStatus: a.Replication, ObjectLockMode: lock.Mode, ObjectLockRetainUntilDate: lock.until(), ObjectLockLegalHoldStatus: lock.Hold,
		ServerSideEncryption: x.algorithm, SSEKMSKeyId: x.key, SSECustomerAlgorithm: x.customerAlgorithm, SSECustomerKeyMD5: x.customerKeyMD5,
		BucketKeyEnabled: x.bucketKey,
		AcceptRanges:     ptr("bytes"), LastModified: ptr(a.Modified), ContentLength: ptr(a.at.length), ETag: quoted(a.ETag),
		ContentRange: a.contentRange, ContentType: optional(h.ContentType), CacheControl: optional(h.CacheControl),
		ContentDisposition: optional(h.ContentDisposition), ContentEncoding: optional(h.ContentEncoding), ContentLanguage: optional(h.ContentLanguage),
		Expires: optional(h.Expires), WebsiteRedirectLocation: optional(h.Redirect), Metadata: maps.Clone(h.Meta), TagCount: tagCount(a.Tags),
	}
	if in.PartNumber != nil && a.Upload != "" {
		out.PartsCount = ptr(a.Parts)
	}
	if sum, ok := a.sum(in.ChecksumMode, in.PartNumber); ok {
		out.ChecksumType = a.Sum.Type
		headSums(out).set(sum)
	}
	return out, nil
}

func tagCount(tags []tag) *int32 { return optional(int32(len(tags))) }

func header(ctx context.Context, name string) string {
	if h := service.RequestFrom(ctx).HTTP; h != nil && h.Header != nil {
		return h.Header(name)
	}
	return ""
}

// shownLock returns what the caller may know of a lock.
func (s *Service) shownLock(ctx context.Context, bucketName, object string, l objectLock) objectLock {
	if l.IsZero() {
		return l
	}
	t, err := s.objectTarget(ctx, bucketName, object, nil)
	if err != nil {
		return objectLock{}
	}
	t.Action = "s3:GetObjectRetention"
	if s.allow(ctx, t) != nil {
		l.Mode = ""
	}
	t.Action = "s3:GetObjectLegalHold"
	if s.allow(ctx, t) != nil {
		l.Hold = ""
	}
	return l
}

// OpenObject returns an object's body and size with the permissions of the principal of ctx: port.Objects.
func (s *Service) OpenObject(ctx context.Context, bucketName, key, version string) (io.ReadCloser, int64, error) {
	id := optional(version)
	target, err := s.objectTarget(ctx, bucketName, key, id)
	if err != nil {
		return nil, 0, err
	}
	target.Action = "s3:GetObject"
	if id != nil {
		target.Action = "s3:GetObjectVersion"
	}
	if err := s.allow(ctx, target); err != nil {
		return nil, 0, err
	}
	a, err := s.openRead(ctx, query{source: source{bucket: bucketName, key: key, id: id}})
	if err != nil {
		return nil, 0, err
	}
	return a.body, a.Size, nil
}
