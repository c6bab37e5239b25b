package s3

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	api "lambent.dev/lambent/internal/awsapi/s3"
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
		return fail("KeyTooLongError", http.StatusBadRequest, "Your key is too long: %d bytes, and %d are allowed.", len(object), maxKey)
	case !utf8.ValidString(object):
		return fail("InvalidURI", http.StatusBadRequest, "Couldn't parse the specified URI: the key is not UTF-8.")
	}
	return nil
}

func checkMeta(meta map[string]string) error {
	size := 0
	for k, v := range meta {
		size += len(k) + len(v)
	}
	if size > maxMeta {
		return fail("MetadataTooLarge", http.StatusBadRequest, "Your metadata headers exceed the maximum allowed metadata size")
	}
	return nil
}

// rejected holds the parameters of uploads that need what this version does not have.
type rejected struct {
	operation, acl, encryption, class, lock, hold  string
	grants                                         []*string
	customerKey, kmsKey, kmsContext, customerKeyMD *string
	bucketKey                                      *bool
	retain                                         *time.Time
}

func (p rejected) check() error {
	switch {
	case p.acl != "" && p.acl != "bucket-owner-full-control", anySet(p.grants...):
		return fail("AccessControlListNotSupported", http.StatusBadRequest, "The bucket does not allow ACLs.")
	case p.encryption != "":
		return unsupported(p.operation, "ServerSideEncryption "+p.encryption)
	case anySet(p.customerKey, p.customerKeyMD):
		return unsupported(p.operation, "SSECustomerKey")
	case anySet(p.kmsKey, p.kmsContext), p.bucketKey != nil:
		return unsupported(p.operation, "SSEKMSKeyId")
	case p.class != "" && p.class != "STANDARD":
		return unsupported(p.operation, "StorageClass "+p.class)
	case p.lock != "", p.hold != "", p.retain != nil:
		return unsupported(p.operation, "ObjectLockMode")
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
	v, e, err := s.checkPut(ctx, in)
	if err != nil {
		return nil, err
	}
	// The bucket is looked up before the body is read, so that a body for nowhere is not taken.
	if err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(store.Reader, *bucket) error { return nil }); err != nil {
		return nil, err
	}
	body, err := s.receive(ctx, in.Body, e)
	if err != nil {
		return nil, err
	}
	v.Size, v.ETag, v.Sum, v.Blob, v.inline = body.Size, body.ETag, body.Sum, body.Blob, body.Inline
	err = s.commit(ctx, write{
		bucket: in.Bucket, owner: in.ExpectedBucketOwner, key: in.Key, event: "ObjectCreated:Put",
		ifMatch: in.IfMatch, ifNoneMatch: in.IfNoneMatch, version: v,
	})
	if err != nil {
		s.drop(ctx, body)
		return nil, err
	}
	out := &api.PutObjectOutput{ETag: quoted(v.ETag), ChecksumType: v.Sum.Type}
	putSums(out).set(v.Sum)
	return out, nil
}

func (s *Service) checkPut(ctx context.Context, in *api.PutObjectInput) (*version, expect, error) {
	none := expect{}
	err := rejected{
		operation: "PutObject", acl: in.ACL, encryption: in.ServerSideEncryption, class: in.StorageClass,
		lock: in.ObjectLockMode, hold: in.ObjectLockLegalHoldStatus, retain: in.ObjectLockRetainUntilDate,
		grants:      []*string{in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWriteACP},
		customerKey: in.SSECustomerKey, customerKeyMD: in.SSECustomerKeyMD5, kmsKey: in.SSEKMSKeyId,
		kmsContext: in.SSEKMSEncryptionContext, bucketKey: in.BucketKeyEnabled,
	}.check()
	if err != nil {
		return nil, none, err
	}
	if in.WriteOffsetBytes != nil {
		return nil, none, unsupported("PutObject", "WriteOffsetBytes")
	}
	if err := checkKey(in.Key); err != nil {
		return nil, none, err
	}
	if err := checkMeta(in.Metadata); err != nil {
		return nil, none, err
	}
	if err := checkWriteConditions(in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, none, err
	}
	tags, err := parseTagging(deref(in.Tagging))
	if err != nil {
		return nil, none, err
	}
	if err := checkRedirect(in.WebsiteRedirectLocation); err != nil {
		return nil, none, err
	}
	v := &version{Tags: tags, Headers: headers{
		ContentType: deref(in.ContentType), CacheControl: deref(in.CacheControl), ContentDisposition: deref(in.ContentDisposition),
		ContentEncoding: storedEncoding(in.ContentEncoding), ContentLanguage: deref(in.ContentLanguage),
		Expires: deref(in.Expires), Redirect: deref(in.WebsiteRedirectLocation), Meta: in.Metadata,
	}}
	if v.Headers.ContentType == "" {
		v.Headers.ContentType = "binary/octet-stream"
	}
	e, err := uploadOf(service.RequestFrom(ctx), in.ContentLength, in.ContentMD5, in.ChecksumAlgorithm, putInSums(in))
	return v, e, err
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

// commit decides the conditions, makes the version current, releases what it replaces and queues its events, in one transaction.
func (s *Service) commit(ctx context.Context, w write) error {
	return s.update(ctx, w.bucket, w.owner, func(tx store.Txn, b *bucket) error {
		prev, exists, err := findVersion(tx, b, w.key)
		if err != nil {
			return err
		}
		if err := writeConditions(w.ifMatch, w.ifNoneMatch, prev, exists); err != nil {
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
		if err := s.setVersion(tx, b, w.key, v, prev); err != nil {
			return err
		}
		return s.notify(ctx, tx, b, change{event: w.event, key: w.key, version: v})
	})
}

func (s *Service) deleteObject(ctx context.Context, in *api.DeleteObjectInput) (*api.DeleteObjectOutput, error) {
	if err := checkVersionID("DeleteObject", in.VersionId); err != nil {
		return nil, err
	}
	if in.MFA != nil {
		return nil, unsupported("DeleteObject", "MFA")
	}
	if err := checkKey(in.Key); err != nil {
		return nil, err
	}
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		return s.remove(ctx, tx, b, in.Key, removeConditions{in.IfMatch, in.IfMatchSize, in.IfMatchLastModifiedTime})
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteObjectOutput{}, nil
}

// removeConditions are the conditions of a deletion.
type removeConditions struct {
	match    *string
	size     *int64
	modified *time.Time
}

func (c removeConditions) hold(v *version) bool {
	return (c.match == nil || etagIn(*c.match, v.ETag)) && (c.size == nil || *c.size == v.Size) && (c.modified == nil || c.modified.Equal(v.Modified))
}

// remove deletes an object. A missing object is no error and no event.
func (s *Service) remove(ctx context.Context, tx store.Txn, b *bucket, object string, c removeConditions) error {
	v, exists, err := findVersion(tx, b, object)
	if err != nil {
		return err
	}
	if !exists {
		if c.match != nil {
			return noSuchKey()
		}
		return nil
	}
	if !c.hold(v) {
		return preconditionFailed()
	}
	if err := s.dropVersion(tx, b, object, v); err != nil {
		return err
	}
	tx.Delete(b.currentKey(object))
	gone := &version{Seq: s.nextSeq(v)}
	return s.notify(ctx, tx, b, change{event: "ObjectRemoved:Delete", key: object, version: gone})
}

// deleteBatch is how many keys one transaction removes: it keeps a call of 1,000 keys with their events within a transaction's limits.
const deleteBatch = 100

func (s *Service) deleteObjects(ctx context.Context, in *api.DeleteObjectsInput) (*api.DeleteObjectsOutput, error) {
	if in.MFA != nil {
		return nil, unsupported("DeleteObjects", "MFA")
	}
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > 1000 {
		return nil, malformedXML()
	}
	var b *bucket
	policy := ""
	err := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, found *bucket) (err error) {
		b = found
		policy, err = s.effectivePolicy(ctx, r, found)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.DeleteObjectsOutput{}
	var allowed []api.ObjectIdentifier
	for _, o := range in.Delete.Objects {
		err := s.door.Allow(ctx, service.Target{Action: "s3:DeleteObject", ARN: b.arn() + "/" + o.Key, Policy: policy, Owner: b.Account})
		if err == nil {
			err = checkVersionID("DeleteObjects", o.VersionId)
		}
		if err == nil {
			err = checkKey(o.Key)
		}
		if err != nil {
			out.Errors = append(out.Errors, deleteError(o, err))
			continue
		}
		allowed = append(allowed, o)
	}
	for len(allowed) > 0 {
		n := min(len(allowed), deleteBatch)
		if err := s.deleteSome(ctx, in, allowed[:n], out); err != nil {
			return nil, err
		}
		allowed = allowed[n:]
	}
	return out, nil
}

func (s *Service) deleteSome(ctx context.Context, in *api.DeleteObjectsInput, objects []api.ObjectIdentifier, out *api.DeleteObjectsOutput) error {
	var deleted []api.DeletedObject
	var failed []api.Error
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		deleted, failed = nil, nil
		for _, o := range objects {
			err := s.remove(ctx, tx, b, o.Key, removeConditions{o.ETag, o.Size, o.LastModifiedTime})
			switch {
			case err != nil && service.Code(err) == "InternalFailure":
				return err
			case err != nil:
				failed = append(failed, deleteError(o, err))
			default:
				deleted = append(deleted, api.DeletedObject{Key: ptr(o.Key), VersionId: o.VersionId})
			}
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

// checkVersionID accepts what names the only version that a bucket without versioning has.
func checkVersionID(operation string, id *string) error {
	if id == nil || *id == "" || *id == "null" {
		return nil
	}
	return fail("NoSuchVersion", http.StatusNotFound, "The specified version does not exist: %s of %s.", *id, operation)
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
	return tags, checkObjectTags(tags)
}

func badTagging() error {
	return invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
}
