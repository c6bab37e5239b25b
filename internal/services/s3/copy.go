package s3

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// copySource is the object that a copy reads: one of its versions when id is set.
type copySource struct {
	bucket, key string
	id          *string
}

// parseCopySource reads the x-amz-copy-source header: "/bucket/key?versionId=id", percent-encoded, the first slash optional. Some clients
// encode the question mark too.
func parseCopySource(header string) (copySource, error) {
	const separator = "?versionId="
	path, id, versioned := strings.Cut(header, separator)
	path, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	if err != nil {
		return copySource{}, invalidValue("x-amz-copy-source", header, "Invalid copy source encoding")
	}
	if !versioned {
		path, id, versioned = strings.Cut(path, separator)
	}
	c := copySource{}
	var found bool
	if strings.HasPrefix(path, "arn:") {
		c.bucket, c.key, found = strings.Cut(path, "/object/")
	} else {
		c.bucket, c.key, found = strings.Cut(path, "/")
	}
	switch {
	case !found || c.key == "":
		return c, invalidValue("x-amz-copy-source", "x-amz-copy-source", "Invalid copy source object key")
	case !validBucketName(c.bucket) && !namesPoint(c.bucket):
		return c, invalidValue("x-amz-copy-source", header, "Invalid copy source bucket name")
	}
	if versioned {
		c.id = &id
	}
	return c, checkVersionID(c.id)
}

func (s *Service) copyObject(ctx context.Context, in *api.CopyObjectInput) (*api.CopyObjectOutput, error) {
	if err := checkCopyInput(in); err != nil {
		return nil, err
	}
	from, err := parseCopySource(in.CopySource)
	if err != nil {
		return nil, err
	}
	src, err := s.readToCopy(ctx, source{
		bucket: from.bucket, key: from.key, id: from.id, owner: in.ExpectedSourceBucketOwner,
		customer: customerKey{in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5},
	})
	if err != nil {
		return nil, err
	}
	c := readConditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
	if err := c.checkCopy(src.version, s.now()); err != nil {
		return nil, err
	}
	if src.Size > maxUpload {
		return nil, invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxUpload))
	}
	q, err := copyRequest(in, src, from.id == nil && from.bucket == in.Bucket && from.key == in.Key)
	if err != nil {
		return nil, err
	}
	v, b, err := s.copyBody(ctx, in, src, q, from)
	if err != nil {
		return nil, err
	}
	x := v.Seal.shown()
	out := &api.CopyObjectOutput{
		CopyObjectResult: &api.CopyObjectResult{ETag: quoted(v.ETag), LastModified: ptr(v.Modified), ChecksumType: v.Sum.Type},
		VersionId:        v.newID(), CopySourceVersionId: src.newID(), Expiration: s.expiration(ctx, b, in.Key, v),
		ServerSideEncryption: x.algorithm, SSEKMSKeyId: x.key, SSEKMSEncryptionContext: x.kmsContext, SSECustomerAlgorithm: x.customerAlgorithm,
		SSECustomerKeyMD5: x.customerKeyMD5, BucketKeyEnabled: x.bucketKey,
	}
	copySums(out.CopyObjectResult).set(v.Sum)
	return out, nil
}

func checkCopyInput(in *api.CopyObjectInput) error {
	if in.MetadataDirective != "" && in.MetadataDirective != "COPY" && in.MetadataDirective != "REPLACE" {
		return invalidValue("x-amz-metadata-directive", in.MetadataDirective, "Unknown metadata directive.")
	}
	if in.TaggingDirective != "" && in.TaggingDirective != "COPY" && in.TaggingDirective != "REPLACE" {
		return invalidValue("x-amz-tagging-directive", in.TaggingDirective, "Unknown tagging directive.")
	}
	if err := checkAlgorithm(in.ChecksumAlgorithm); err != nil {
		return err
	}
	if err := checkMeta(in.Metadata); err != nil {
		return err
	}
	return checkWriteConditions(in.IfMatch, in.IfNoneMatch)
}

// copyRequest returns what the copy asks for: what the directives say is replaced comes from the request, the rest from the source.
func copyRequest(in *api.CopyObjectInput, src *object, onto bool) (*request, error) {
	q := &request{
		bucket: in.Bucket, key: in.Key, class: in.StorageClass, headers: src.Headers,
		acl:  aclInput{canned: in.ACL, fullControl: in.GrantFullControl, read: in.GrantRead, readACP: in.GrantReadACP, writeACP: in.GrantWriteACP},
		mode: in.ObjectLockMode, until: in.ObjectLockRetainUntilDate, hold: in.ObjectLockLegalHoldStatus,
		seal: sealInput{
			algorithm: in.ServerSideEncryption, key: in.SSEKMSKeyId, kmsContext: in.SSEKMSEncryptionContext, bucketKey: in.BucketKeyEnabled,
			customer: customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5},
		},
	}
	switch {
	case in.MetadataDirective == "REPLACE":
		q.headers = headers{
			ContentType: deref(in.ContentType), CacheControl: deref(in.CacheControl), ContentDisposition: deref(in.ContentDisposition),
			ContentEncoding: storedEncoding(in.ContentEncoding), ContentLanguage: deref(in.ContentLanguage), Expires: deref(in.Expires), Meta: in.Metadata,
		}
	case onto && in.StorageClass == "" && in.WebsiteRedirectLocation == nil && in.ChecksumAlgorithm == "" && in.ServerSideEncryption == "" && !q.seal.customer.given():
		return nil, invalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	q.headers.Redirect = deref(in.WebsiteRedirectLocation) // never copied: the target says where it redirects
	if in.TaggingDirective == "REPLACE" {
		q.tagging = ptr(deref(in.Tagging))
	} else {
		q.tags = src.Tags
	}
	return q, nil
}

// copyBody makes the copy. A plain body that is one blob is shared; others are read and stored again, which
// also gives a multipart source the ETag and checksum of a whole, as S3 does.
func (s *Service) copyBody(ctx context.Context, in *api.CopyObjectInput, src *object, q *request, from copySource) (*version, *bucket, error) {
	keep := src.Sum.Algorithm
	if in.ChecksumAlgorithm != "" {
		keep = in.ChecksumAlgorithm
	}
	w := write{event: "ObjectCreated:Copy", ifMatch: in.IfMatch, ifNoneMatch: in.IfNoneMatch}
	if src.Blob == "" || keep != src.Sum.Algorithm || src.seal != nil {
		return s.copyBytes(ctx, in, src, q, keep, w)
	}
	a, err := s.check(q)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.lookUp(ctx, in.Bucket, in.ExpectedBucketOwner)
	if err != nil {
		return nil, nil, err
	}
	if err := s.place(ctx, b, q, &a); err != nil {
		return nil, nil, err
	}
	l, err := s.seal(ctx, b, in.Key, q.seal)
	if err != nil {
		return nil, nil, err
	}
	if l != nil {
		return s.copyBytes(ctx, in, src, q, keep, w)
	}
	v := &version{attributes: a, Size: src.Size, ETag: src.ETag, Sum: src.Sum, Blob: src.Blob, Blocks: src.Blocks}
	w.bucket, w.owner, w.key, w.version = in.Bucket, in.ExpectedBucketOwner, in.Key, v
	w.prepare = func(tx store.Txn, _ *bucket) error { return stillThere(tx, from.key, src) }
	b, err = s.commit(ctx, w)
	return v, b, err
}

// stillThere makes sure that the blob of a copy's source has a reference that this transaction can add to.
func stillThere(tx store.Txn, object string, src *object) error {
	b, err := findBucket(tx, src.bucket.Name, nil)
	if err != nil {
		return err
	}
	now, err := getVersion(tx, b, object, src.Seq)
	if err == nil && (now == nil || now.Blob != src.Blob) {
		err = fail("ConditionalRequestConflict", http.StatusConflict, "The source of the copy was changed while it was copied. Try again.")
	}
	return err
}

func (s *Service) copyBytes(ctx context.Context, in *api.CopyObjectInput, src *object, q *request, keep string, w write) (*version, *bucket, error) {
	r, err := s.open(ctx, src, span{0, src.Size})
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	return s.keep(ctx, q, in.ExpectedBucketOwner, r, expect{length: src.Size, keep: keep, proven: true}, w)
}

func (s *Service) uploadPartCopy(ctx context.Context, in *api.UploadPartCopyInput) (*api.UploadPartCopyOutput, error) {
	if err := checkPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	from, err := parseCopySource(in.CopySource)
	if err != nil {
		return nil, err
	}
	var u *upload
	var b *bucket
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, found *bucket) (err error) {
		b = found
		u, err = findUpload(r, found, in.Key, in.UploadId)
		return err
	})
	if err != nil {
		return nil, err
	}
	src, err := s.readToCopy(ctx, source{
		bucket: from.bucket, key: from.key, id: from.id, owner: in.ExpectedSourceBucketOwner,
		customer: customerKey{in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5},
	})
	if err != nil {
		return nil, err
	}
	c := readConditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
	if err := c.checkCopy(src.version, s.now()); err != nil {
		return nil, err
	}
	at, err := copyRange(in.CopySourceRange, src.Size)
	if err != nil {
		return nil, err
	}
	p, err := s.copyPart(ctx, in, src, at, b, u)
	if err != nil {
		return nil, err
	}
	x := u.Seal.shown()
	out := &api.UploadPartCopyOutput{
		CopyPartResult:      &api.CopyPartResult{ETag: quoted(p.ETag), LastModified: ptr(p.Modified.Truncate(time.Second))},
		CopySourceVersionId: src.newID(), ServerSideEncryption: x.algorithm, SSEKMSKeyId: x.key,
		SSECustomerAlgorithm: x.customerAlgorithm, SSECustomerKeyMD5: x.customerKeyMD5, BucketKeyEnabled: x.bucketKey,
	}
	if u.Algorithm != "" {
		copyPartSums(out.CopyPartResult).set(p.Sum)
	}
	return out, nil
}

func (s *Service) copyPart(ctx context.Context, in *api.UploadPartCopyInput, src *object, at span, b *bucket, u *upload) (part, error) {
	l, err := s.unsealPart(ctx, b, u, customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5})
	if err != nil {
		return part{}, err
	}
	r, err := s.open(ctx, src, at)
	if err != nil {
		return part{}, err
	}
	defer r.Close()
	keep, _ := u.kept()
	body, err := s.receive(ctx, r, expect{length: at.length, keep: keep}, l)
	if err != nil {
		return part{}, err
	}
	return s.savePart(ctx, in.Bucket, in.Key, in.UploadId, in.PartNumber, body)
}

// readToCopy is read for the source of a copy, which is refused in words of its own when it names a delete marker.
func (s *Service) readToCopy(ctx context.Context, from source) (*object, error) {
	o, err := s.read(ctx, from)
	if service.Code(err) == "MethodNotAllowed" {
		return nil, invalidRequest("The source of a copy request may not specifically refer to a delete marker by version id.")
	}
	return o, err
}

// copyRange reads x-amz-copy-source-range, which is stricter than Range: both ends, within the source.
func copyRange(header *string, size int64) (span, error) {
	if header == nil || *header == "" {
		if size > maxUpload {
			return span{}, invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxUpload))
		}
		return span{0, size}, nil
	}
	spec, ok := strings.CutPrefix(*header, "bytes=")
	from, to, found := strings.Cut(spec, "-")
	first, ok1 := parseSize(from)
	last, ok2 := parseSize(to)
	if !ok || !found || !ok1 || !ok2 || first > last {
		return span{}, invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy").
			WithDetail(&InvalidArgument{"x-amz-copy-source-range", *header})
	}
	if first >= size {
		return span{}, invalidRequest("The specified copy range is invalid for the source object size")
	}
	if last >= size {
		return span{}, invalidArgument("Range specified is not valid for source object of size: %d", size).WithDetail(&InvalidArgument{"x-amz-copy-source-range", *header})
	}
	if last-first+1 > maxUpload {
		return span{}, invalidRequest("The specified copy range is larger than the maximum allowable size for a copy source: %d", int64(maxUpload))
	}
	return span{first, last - first + 1}, nil
}

// copySourceTarget is what a copy needs on its source.
func (s *Service) copySourceTarget(ctx context.Context, from copySource) (service.Target, error) {
	t, err := s.objectTarget(ctx, from.bucket, from.key, from.id)
	t.Action = "s3:GetObject"
	if from.id != nil {
		t.Action = "s3:GetObjectVersion"
	}
	return t, err
}
