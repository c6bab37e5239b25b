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

// parseCopySource reads the x-amz-copy-source header: "/bucket/key?versionId=id", percent-encoded, the first slash optional.
func parseCopySource(header string) (bucketName, key string, err error) {
	path, query, _ := strings.Cut(header, "?")
	if strings.HasPrefix(path, "arn:") {
		return "", "", unsupported("CopyObject", "CopySource with an access point")
	}
	path, uerr := url.PathUnescape(strings.TrimPrefix(path, "/"))
	if uerr != nil {
		return "", "", invalidArgument("Invalid copy source encoding")
	}
	bucketName, key, found := strings.Cut(path, "/")
	if !found || bucketName == "" || key == "" {
		return "", "", invalidArgument("Invalid copy source bucket name or object key: %s", header)
	}
	if id, ok := strings.CutPrefix(query, "versionId="); ok {
		if err := checkVersionID("CopyObject", &id); err != nil {
			return "", "", err
		}
	}
	return bucketName, key, nil
}

func (s *Service) copyObject(ctx context.Context, in *api.CopyObjectInput) (*api.CopyObjectOutput, error) {
	if err := checkCopyInput(in); err != nil {
		return nil, err
	}
	fromBucket, fromKey, err := parseCopySource(in.CopySource)
	if err != nil {
		return nil, err
	}
	src, err := s.read(ctx, fromBucket, fromKey, in.ExpectedSourceBucketOwner)
	if err != nil {
		return nil, err
	}
	c := readConditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
	if err := c.checkCopy(src.version); err != nil {
		return nil, err
	}
	if src.Size > maxUpload {
		return nil, invalidRequest("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxUpload))
	}
	v, err := copiedVersion(in, src, fromBucket == in.Bucket && fromKey == in.Key)
	if err != nil {
		return nil, err
	}
	if err := s.copyBody(ctx, in, src, v, write{
		bucket: in.Bucket, owner: in.ExpectedBucketOwner, key: in.Key, event: "ObjectCreated:Copy",
		ifMatch: in.IfMatch, ifNoneMatch: in.IfNoneMatch, version: v,
	}, fromBucket, fromKey); err != nil {
		return nil, err
	}
	out := &api.CopyObjectOutput{CopyObjectResult: &api.CopyObjectResult{ETag: quoted(v.ETag), LastModified: ptr(v.Modified), ChecksumType: v.Sum.Type}}
	copySums(out.CopyObjectResult).set(v.Sum)
	return out, nil
}

func checkCopyInput(in *api.CopyObjectInput) error {
	err := rejected{
		operation: "CopyObject", acl: in.ACL, encryption: in.ServerSideEncryption, class: in.StorageClass,
		lock: in.ObjectLockMode, hold: in.ObjectLockLegalHoldStatus, retain: in.ObjectLockRetainUntilDate,
		grants:      []*string{in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWriteACP, in.CopySourceSSECustomerKey},
		customerKey: in.SSECustomerKey, customerKeyMD: in.SSECustomerKeyMD5, kmsKey: in.SSEKMSKeyId,
		kmsContext: in.SSEKMSEncryptionContext, bucketKey: in.BucketKeyEnabled,
	}.check()
	if err != nil {
		return err
	}
	if in.MetadataDirective != "" && in.MetadataDirective != "COPY" && in.MetadataDirective != "REPLACE" {
		return invalidArgument("Unknown metadata directive.")
	}
	if in.TaggingDirective != "" && in.TaggingDirective != "COPY" && in.TaggingDirective != "REPLACE" {
		return invalidArgument("Unknown tagging directive.")
	}
	if err := checkAlgorithm(in.ChecksumAlgorithm); err != nil {
		return err
	}
	if err := checkKey(in.Key); err != nil {
		return err
	}
	if err := checkRedirect(in.WebsiteRedirectLocation); err != nil {
		return err
	}
	if err := checkWriteConditions(in.IfMatch, in.IfNoneMatch); err != nil {
		return err
	}
	return checkMeta(in.Metadata)
}

// copiedVersion returns the head of the copy, without its body.
func copiedVersion(in *api.CopyObjectInput, src *object, onto bool) (*version, error) {
	v := &version{Headers: src.Headers, Tags: src.Tags}
	v.Headers.Redirect = deref(in.WebsiteRedirectLocation) // never copied: the target says where it redirects
	if in.MetadataDirective == "REPLACE" {
		v.Headers = headers{
			ContentType: deref(in.ContentType), CacheControl: deref(in.CacheControl), ContentDisposition: deref(in.ContentDisposition),
			ContentEncoding: storedEncoding(in.ContentEncoding), ContentLanguage: deref(in.ContentLanguage), Expires: deref(in.Expires),
			Redirect: deref(in.WebsiteRedirectLocation), Meta: in.Metadata,
		}
		if v.Headers.ContentType == "" {
			v.Headers.ContentType = "binary/octet-stream"
		}
	} else if onto && in.StorageClass == "" && in.WebsiteRedirectLocation == nil && in.ChecksumAlgorithm == "" {
		return nil, invalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if in.TaggingDirective == "REPLACE" {
		tags, err := parseTagging(deref(in.Tagging))
		if err != nil {
			return nil, err
		}
		v.Tags = tags
	}
	return v, nil
}

// copyBody gives v the body of src and commits it. A body that is one blob is shared; others are read and stored again, which
// also gives a multipart source the ETag and checksum of a whole, as S3 does.
func (s *Service) copyBody(ctx context.Context, in *api.CopyObjectInput, src *object, v *version, w write, fromBucket, fromKey string) error {
	keep := src.Sum.Algorithm
	if in.ChecksumAlgorithm != "" {
		keep = in.ChecksumAlgorithm
	}
	if src.Blob != "" && keep == src.Sum.Algorithm {
		v.Size, v.ETag, v.Sum, v.Blob = src.Size, src.ETag, src.Sum, src.Blob
		w.prepare = func(tx store.Txn, _ *bucket) error {
			b, err := findBucket(tx, fromBucket, nil)
			if err != nil {
				return err
			}
			now, ok, err := findVersion(tx, b, fromKey)
			if err == nil && (!ok || now.Seq != src.Seq) {
				err = fail("ConditionalRequestConflict", http.StatusConflict, "The source of the copy was changed while it was copied. Try again.")
			}
			return err
		}
		return s.commit(ctx, w)
	}
	r, err := s.open(ctx, src, span{0, src.Size})
	if err != nil {
		return err
	}
	defer r.Close()
	body, err := s.receive(ctx, r, expect{length: src.Size, keep: keep})
	if err != nil {
		return err
	}
	v.Size, v.ETag, v.Sum, v.Blob, v.inline = body.Size, body.ETag, body.Sum, body.Blob, body.Inline
	if err := s.commit(ctx, w); err != nil {
		s.drop(ctx, body)
		return err
	}
	return nil
}

func (s *Service) uploadPartCopy(ctx context.Context, in *api.UploadPartCopyInput) (*api.UploadPartCopyOutput, error) {
	if err := checkPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	if anySet(in.SSECustomerKey, in.CopySourceSSECustomerKey) {
		return nil, unsupported("UploadPartCopy", "SSECustomerKey")
	}
	fromBucket, fromKey, err := parseCopySource(in.CopySource)
	if err != nil {
		return nil, err
	}
	keep, asked := "", false
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		u, err := findUpload(r, b, in.Key, in.UploadId)
		if err == nil {
			keep, _ = u.kept()
			asked = u.Algorithm != ""
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	src, err := s.read(ctx, fromBucket, fromKey, in.ExpectedSourceBucketOwner)
	if err != nil {
		return nil, err
	}
	c := readConditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
	if err := c.checkCopy(src.version); err != nil {
		return nil, err
	}
	at, err := copyRange(in.CopySourceRange, src.Size)
	if err != nil {
		return nil, err
	}
	r, err := s.open(ctx, src, at)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := s.receive(ctx, r, expect{length: at.length, keep: keep})
	if err != nil {
		return nil, err
	}
	p, err := s.savePart(ctx, in.Bucket, in.Key, in.UploadId, in.PartNumber, body)
	if err != nil {
		return nil, err
	}
	out := &api.UploadPartCopyOutput{CopyPartResult: &api.CopyPartResult{ETag: quoted(p.ETag), LastModified: ptr(p.Modified.Truncate(time.Second))}}
	if asked {
		copyPartSums(out.CopyPartResult).set(p.Sum)
	}
	return out, nil
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
		return span{}, invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	if last >= size {
		return span{}, invalidArgument("Range specified is not valid for source object of size: %d", size)
	}
	if last-first+1 > maxUpload {
		return span{}, invalidRequest("The specified copy range is larger than the maximum allowable size for a copy source: %d", int64(maxUpload))
	}
	return span{first, last - first + 1}, nil
}

// copySourceTarget is what a copy needs on its source.
func (s *Service) copySourceTarget(ctx context.Context, source string) (service.Target, error) {
	b, k, err := parseCopySource(source)
	if err != nil {
		return service.Target{}, err
	}
	t, err := s.objectTarget(ctx, b, k)
	t.Action = "s3:GetObject"
	return t, err
}
