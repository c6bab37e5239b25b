package s3

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Limits of objects: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html and UsingMetadata.html.
const (
	maxKey        = 1024
	maxMeta       = 2 << 10
	maxObjectTags = 10
	maxBucketTags = 50
)

func checkKey(object string) error {
	switch {
	case object == "":
		return invalidArgument("The object key is empty.")
	case len(object) > maxKey:
		return fail("KeyTooLongError", http.StatusBadRequest, "Your key is too long").WithDetail(&ExceededSize{strconv.Itoa(len(object)), strconv.Itoa(maxKey)})
	case !utf8.ValidString(object):
		return fail("InvalidURI", http.StatusBadRequest, "Couldn't parse the specified URI: the key is not UTF-8.")
	}
	return nil
}

// ExceededSize is what S3 tells of a key or of metadata that are too large, in bytes.
type ExceededSize struct{ Size, MaxSizeAllowed string }

func checkMeta(meta map[string]string) error {
	size := 0
	for k, v := range meta {
		size += len(k) + len(v)
	}
	if size > maxMeta {
		return fail("MetadataTooLarge", http.StatusBadRequest, "Your metadata headers exceed the maximum allowed metadata size").
			WithDetail(&ExceededSize{strconv.Itoa(size), strconv.Itoa(maxMeta)})
	}
	return nil
}

// storedEncoding drops the aws-chunked token, which describes the request and not the object.
func storedEncoding(v *string) string {
	if v == nil {
		return ""
	}
	var kept []string
	for t := range strings.SplitSeq(*v, ",") {
		if t = strings.TrimSpace(t); t != "" && !strings.EqualFold(t, "aws-chunked") {
			kept = append(kept, t)
		}
	}
	return strings.Join(kept, ",")
}

func (s *Service) putObject(ctx context.Context, in *api.PutObjectInput) (*api.PutObjectOutput, error) {
	if in.WriteOffsetBytes != nil {
		return nil, unsupported("PutObject", "WriteOffsetBytes")
	}
	if err := checkWriteConditions(in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	e, err := uploadOf(service.RequestFrom(ctx), in.ContentLength, in.ContentMD5, in.ChecksumAlgorithm, putInSums(in))
	if err != nil {
		return nil, err
	}
	e.hexDigest = true
	v, b, err := s.keep(ctx, putRequest(in), in.ExpectedBucketOwner, in.Body, e, write{event: "ObjectCreated:Put", ifMatch: in.IfMatch, ifNoneMatch: in.IfNoneMatch})
	if err != nil {
		return nil, err
	}
	x := v.Seal.shown()
	out := &api.PutObjectOutput{
		ETag: quoted(v.ETag), ChecksumType: v.Sum.Type, VersionId: v.newID(), ServerSideEncryption: x.algorithm, SSEKMSKeyId: x.key,
		SSEKMSEncryptionContext: x.kmsContext, SSECustomerAlgorithm: x.customerAlgorithm, SSECustomerKeyMD5: x.customerKeyMD5, BucketKeyEnabled: x.bucketKey,
		Expiration: s.expiration(ctx, b, in.Key, v),
	}
	putSums(out).set(v.Sum)
	return out, nil
}

func putRequest(in *api.PutObjectInput) *request {
	return &request{
		bucket: in.Bucket, key: in.Key, tagging: in.Tagging, class: in.StorageClass,
		headers: headers{
			ContentType: deref(in.ContentType), CacheControl: deref(in.CacheControl), ContentDisposition: deref(in.ContentDisposition),
			ContentEncoding: storedEncoding(in.ContentEncoding), ContentLanguage: deref(in.ContentLanguage),
			Expires: deref(in.Expires), Redirect: deref(in.WebsiteRedirectLocation), Meta: in.Metadata,
		},
		acl:  aclInput{canned: in.ACL, fullControl: in.GrantFullControl, read: in.GrantRead, readACP: in.GrantReadACP, writeACP: in.GrantWriteACP},
		mode: in.ObjectLockMode, until: in.ObjectLockRetainUntilDate, hold: in.ObjectLockLegalHoldStatus,
		seal: sealInput{
			algorithm: in.ServerSideEncryption, key: in.SSEKMSKeyId, kmsContext: in.SSEKMSEncryptionContext, bucketKey: in.BucketKeyEnabled,
			customer: customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5},
		},
	}
}

// keep takes the body of one new object and commits it. The bucket is looked up before the body is read, so that a body for nowhere is not taken.
func (s *Service) keep(ctx context.Context, q *request, owner *string, body io.Reader, e expect, w write) (*version, *bucket, error) {
	a, err := s.check(q)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.lookUp(ctx, q.bucket, owner)
	if err != nil {
		return nil, nil, err
	}
	if err := s.place(ctx, b, q, &a); err != nil {
		return nil, nil, err
	}
	if !a.Lock.IsZero() && e.md5 == "" && e.algorithm == "" && !e.proven {
		return nil, nil, invalidRequest("Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
	}
	l, err := s.seal(ctx, b, q.key, q.seal)
	if err != nil {
		return nil, nil, err
	}
	got, err := s.receive(ctx, body, e, l)
	if err != nil {
		return nil, nil, err
	}
	v := &version{attributes: a, Size: got.Size, ETag: got.ETag, Sum: got.Sum, Blob: got.Blob, Blocks: got.Blocks, inline: got.Inline}
	v.Seal = l.sealed()
	w.bucket, w.owner, w.key, w.version = q.bucket, owner, q.key, v
	if b, err = s.commit(ctx, w); err != nil {
		s.drop(ctx, got)
		return nil, nil, err
	}
	return v, b, nil
}

func checkRedirect(location *string) error {
	if location == nil || *location == "" {
		return nil
	}
	l := *location
	if strings.HasPrefix(l, "/") || strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://") {
		return nil
	}
	return fail("InvalidRedirectLocation", http.StatusBadRequest, "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
}

// write is an object that is about to be committed.
type write struct {
	bucket  string
	owner   *string
	key     string
	event   string
	version *version

	ifMatch, ifNoneMatch *string
	// prepare, when set, runs in the transaction before the object is written.
	prepare func(tx store.Txn, b *bucket) error
}

// commit decides the conditions, makes the version current, releases what it replaces and queues its events, in one transaction. It
// returns the bucket as it was then.
func (s *Service) commit(ctx context.Context, w write) (*bucket, error) {
	var into *bucket
	err := s.update(ctx, w.bucket, w.owner, func(tx store.Txn, b *bucket) error {
		into = b
		prev, exists, err := findVersion(tx, b, w.key)
		if err != nil {
			return err
		}
		if err := writeConditions(w.key, w.ifMatch, w.ifNoneMatch, prev, exists); err != nil {
			return err
		}
		if w.prepare != nil {
			if err := w.prepare(tx, b); err != nil {
				return err
			}
		}
		v := w.version
		v.Seq = s.nextSeq(prev)
		v.Modified = s.now().Truncate(time.Second)
		if v.Blob != "" {
			if err := retain(tx, v.Blob); err != nil {
				return err
			}
		}
		if err := s.replicate(tx, b, w.key, v); err != nil {
			return err
		}
		if err := s.setVersion(tx, b, w.key, v, prev); err != nil {
			return err
		}
		return s.notify(ctx, tx, b, change{event: w.event, key: w.key, version: v})
	})
	return into, err
}

func (s *Service) deleteObject(ctx context.Context, in *api.DeleteObjectInput) (*api.DeleteObjectOutput, error) {
	if in.MFA != nil {
		return nil, unsupported("DeleteObject", "MFA")
	}
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	r := removal{
		key: in.Key, id: in.VersionId, bypass: deref(in.BypassGovernanceRetention),
		conditions: removeConditions{in.IfMatch, in.IfMatchSize, in.IfMatchLastModifiedTime},
	}
	var done removed
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) (err error) {
		policy := ""
		if b.Lock != nil {
			if policy, err = s.effectivePolicy(ctx, tx, b); err != nil {
				return err
			}
		}
		done, err = s.remove(ctx, tx, b, policy, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteObjectOutput{VersionId: done.id, DeleteMarker: optional(done.marker)}, nil
}

// removeConditions are the conditions of a deletion.
type removeConditions struct {
	match    *string
	size     *int64
	modified *time.Time
}

func (c removeConditions) any() bool { return c.match != nil || c.size != nil || c.modified != nil }

func (c removeConditions) hold(v *version) bool {
	return (c.match == nil || etagIn(*c.match, v.ETag)) && (c.size == nil || *c.size == v.Size) && (c.modified == nil || c.modified.Equal(v.Modified))
}

// removal is one object, or one of its versions, to be deleted.
type removal struct {
	key        string
	id         *string
	bypass     bool
	conditions removeConditions
	// event is the name of the events; empty means that of a deletion by a caller.
	event string
	// always tells that a missing object has an event too, as in deletions of many.
	always bool
}

// removed is what a deletion did.
type removed struct {
	// id is that of the delete marker that was made, or of the version that was removed.
	id *string
	// marker tells that a delete marker was made, or was what was removed.
	marker bool
}

// remove deletes an object. A missing object is no error. In a bucket with versioning, an object that is named without a version gets a delete marker.
func (s *Service) remove(ctx context.Context, tx store.Txn, b *bucket, policy string, r removal) (removed, error) {
	if r.id != nil && *r.id != "" {
		return s.removeVersion(ctx, tx, b, policy, r)
	}
	v, exists, err := findVersion(tx, b, r.key)
	if err != nil {
		return removed{}, err
	}
	if !exists && r.conditions.match != nil {
		return removed{}, noSuchKey(r.key)
	}
	if exists && r.conditions.any() && !r.conditions.hold(v) {
		return removed{}, preconditionFailed("If-Match")
	}
	if b.Versioning == "" {
		if !exists && !r.always {
			return removed{}, nil
		}
		if exists {
			if err := s.deleteVersion(tx, b, r.key, v); err != nil {
				return removed{}, err
			}
		}
		return removed{}, s.notify(ctx, tx, b, change{event: cmp.Or(r.event, "ObjectRemoved:Delete"), key: r.key, version: &version{Seq: s.nextSeq(v)}})
	}
	newest := v
	if newest == nil {
		if newest, err = latestVersion(tx, b, r.key); err != nil {
			return removed{}, err
		}
	}
	m := &version{Seq: s.nextSeq(newest), Modified: s.now().Truncate(time.Second), Marker: true}
	if r.event == "" { // what lifecycle rules do is not replicated
		if err := s.replicate(tx, b, r.key, m); err != nil {
			return removed{}, err
		}
	}
	if err := s.setVersion(tx, b, r.key, m, v); err != nil {
		return removed{}, err
	}
	event := "ObjectRemoved:DeleteMarkerCreated"
	if r.event != "" {
		event = "LifecycleExpiration:DeleteMarkerCreated"
	}
	return removed{ptr(m.id()), true}, s.notify(ctx, tx, b, change{event: event, key: r.key, version: m})
}

// removeVersion removes one version for good, when no lock keeps it.
func (s *Service) removeVersion(ctx context.Context, tx store.Txn, b *bucket, policy string, r removal) (removed, error) {
	if err := checkVersionID(r.id); err != nil {
		return removed{}, err
	}
	v, err := findByID(tx, b, r.key, *r.id)
	if err != nil {
		return removed{}, err
	}
	done := removed{id: r.id}
	if v == nil {
		if r.conditions.any() {
			return done, noSuchVersion(r.key, *r.id)
		}
		return done, nil
	}
	if r.conditions.any() && !r.conditions.hold(v) {
		return done, preconditionFailed("If-Match")
	}
	if err := s.mayRemove(ctx, b, policy, r.key, v.Lock, r.bypass); err != nil {
		return done, err
	}
	done.marker = v.Marker
	if err := s.deleteVersion(tx, b, r.key, v); err != nil {
		return done, err
	}
	gone := &version{Seq: s.nextSeq(v)}
	return done, s.notify(ctx, tx, b, change{event: cmp.Or(r.event, "ObjectRemoved:Delete"), key: r.key, version: gone, id: *r.id})
}

// deleteBatch is how many keys one transaction removes: it keeps a call of 1,000 keys with their events within a transaction's limits.
const deleteBatch = 100

func (s *Service) deleteObjects(ctx context.Context, in *api.DeleteObjectsInput) (*api.DeleteObjectsOutput, error) {
	if in.MFA != nil {
		return nil, unsupported("DeleteObjects", "MFA")
	}
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > 1000 {
		return nil, s.orMissing(ctx, in.Bucket, in.ExpectedBucketOwner, malformedXML())
	}
	b, err := s.lookUp(ctx, in.Bucket, in.ExpectedBucketOwner)
	if err != nil {
		return nil, err
	}
	target, err := s.bucketTarget(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	policy := target.Policy
	out := &api.DeleteObjectsOutput{}
	var allowed []api.ObjectIdentifier
	for _, o := range in.Delete.Objects {
		if err := s.mayDelete(ctx, b, policy, o); err != nil {
			out.Errors = append(out.Errors, deleteError(o, err))
			continue
		}
		allowed = append(allowed, o)
	}
	for len(allowed) > 0 {
		n := min(len(allowed), deleteBatch)
		if err := s.deleteSome(ctx, in, policy, allowed[:n], out); err != nil {
			return nil, err
		}
		allowed = allowed[n:]
	}
	return out, nil
}

func (s *Service) mayDelete(ctx context.Context, b *bucket, policy string, o api.ObjectIdentifier) error {
	t := service.Target{Action: "s3:DeleteObject", ARN: b.arn() + "/" + o.Key, Policy: policy, Owner: b.Account, Condition: b.conditions()}
	if deref(o.VersionId) != "" {
		t.Action, t.Condition = "s3:DeleteObjectVersion", with(t.Condition, "s3:VersionId", *o.VersionId)
	}
	if err := s.allow(ctx, t); err != nil {
		return err
	}
	if deref(o.VersionId) != "" {
		if err := checkVersionID(o.VersionId); err != nil {
			return noSuchVersion(o.Key, *o.VersionId)
		}
	}
	return checkKey(o.Key)
}

func (s *Service) deleteSome(ctx context.Context, in *api.DeleteObjectsInput, policy string, objects []api.ObjectIdentifier, out *api.DeleteObjectsOutput) error {
	var deleted []api.DeletedObject
	var failed []api.Error
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		deleted, failed = nil, nil
		for _, o := range objects {
			done, err := s.remove(ctx, tx, b, policy, removal{
				key: o.Key, id: o.VersionId, bypass: deref(in.BypassGovernanceRetention), conditions: removeConditions{o.ETag, o.Size, o.LastModifiedTime}, always: true,
			})
			switch {
			case err != nil && service.Code(err) == "InternalFailure":
				return err
			case err != nil:
				failed = append(failed, deleteError(o, err))
				continue
			}
			d := api.DeletedObject{Key: ptr(o.Key), VersionId: optional(deref(o.VersionId)), DeleteMarker: optional(done.marker)}
			if done.marker {
				d.DeleteMarkerVersionId = done.id
			}
			deleted = append(deleted, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	out.Errors = append(out.Errors, failed...)
	if !deref(in.Delete.Quiet) {
		out.Deleted = append(out.Deleted, deleted...)
	}
	return nil
}

func deleteError(o api.ObjectIdentifier, err error) api.Error {
	code, message := service.Code(err), err.Error()
	if e, ok := asError(err); ok {
		message = e.Message
	}
	return api.Error{Key: ptr(o.Key), VersionId: o.VersionId, Code: ptr(code), Message: ptr(message)}
}

// parseTagging reads the x-amz-tagging header, a query string.
func parseTagging(header string) ([]tag, error) {
	if header == "" {
		return nil, nil
	}
	var tags []tag
	for pair := range strings.SplitSeq(header, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		if k == "" {
			return nil, badTagging()
		}
		name, err := url.QueryUnescape(k)
		if err != nil {
			return nil, badTagging()
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return nil, badTagging()
		}
		if slices.ContainsFunc(tags, func(t tag) bool { return t.Key == name }) {
			return nil, badTagging()
		}
		tags = append(tags, tag{name, value})
	}
	order.Sort(tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	return tags, checkObjectTags(tags)
}

func badTagging() error {
	return invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
}
