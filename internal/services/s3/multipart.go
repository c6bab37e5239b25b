package s3

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// upload is the record of a multipart upload.
type upload struct {
	attributes

	ID        string    `json:"id"` // begins with its time, so that the uploads of a key are listed in their order
	Initiated time.Time `json:"at"`
	// Algorithm and Type are what the creator asked for. Without an algorithm the object gets a CRC64NVME of the whole.
	Algorithm string `json:"a,omitempty"`
	Type      string `json:"ct,omitempty"`
	Initiator string `json:"by,omitempty"`
}

// part is an uploaded part, and a row of a completed object's part table.
type part struct {
	Number   int32     `json:"n"`
	Size     int64     `json:"s"`
	ETag     string    `json:"e"`
	Modified time.Time `json:"m"`
	Sum      checksum  `json:"c"`
	Blob     blob.ID   `json:"b,omitempty"`
	// Blocks are the block sums of a plain body in a blob.
	Blocks []byte `json:"bs,omitempty"`

	inline []byte
}

func (p part) sum(algorithm string) string {
	if p.Sum.Algorithm != algorithm {
		return ""
	}
	return p.Sum.Value
}

// kept returns the algorithm and type of the checksums that the parts and the object have.
func (u *upload) kept() (algorithm, kind string) {
	if u.Algorithm == "" {
		return integrity.CRC64NVME, fullObject
	}
	return u.Algorithm, u.Type
}

func findUpload(r store.Reader, b *bucket, object, id string) (*upload, error) {
	if id == "" || strings.ContainsRune(id, 0) {
		return nil, noSuchUpload(id)
	}
	row, err := getRow[upload](r, b.uploadKey(object, id))
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, noSuchUpload(id)
	}
	return row, nil
}

func (s *Service) createMultipartUpload(ctx context.Context, in *api.CreateMultipartUploadInput) (*api.CreateMultipartUploadOutput, error) {
	q := multipartRequest(in)
	a, err := s.check(q)
	if err != nil {
		return nil, err
	}
	u := &upload{attributes: a, Algorithm: strings.ToUpper(in.ChecksumAlgorithm), Initiator: service.RequestFrom(ctx).Principal.ARN}
	if u.Type, err = uploadType(u.Algorithm, strings.ToUpper(in.ChecksumType)); err != nil {
		return nil, err
	}
	b, err := s.lookUp(ctx, in.Bucket, in.ExpectedBucketOwner)
	if err != nil {
		return nil, err
	}
	if err := s.place(ctx, b, q, &u.attributes); err != nil {
		return nil, err
	}
	l, err := s.seal(ctx, b, in.Key, q.seal)
	if err != nil {
		return nil, err
	}
	u.Seal = l.sealed()
	u.ID, u.Initiated = fmt.Sprintf("%016x", s.nextSeq(nil))+s.newID(), s.now().Truncate(time.Second)
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		row, err := encodeRow(u, nil)
		if err != nil {
			return err
		}
		tx.Set(b.uploadKey(in.Key, u.ID), row)
		return nil
	})
	if err != nil {
		return nil, err
	}
	x := u.Seal.shown()
	out := &api.CreateMultipartUploadOutput{
		Bucket: ptr(in.Bucket), Key: ptr(in.Key), UploadId: ptr(u.ID), ChecksumAlgorithm: u.Algorithm, ChecksumType: u.Type,
		ServerSideEncryption: x.algorithm, SSEKMSKeyId: x.key, SSEKMSEncryptionContext: x.kmsContext, SSECustomerAlgorithm: x.customerAlgorithm,
		SSECustomerKeyMD5: x.customerKeyMD5, BucketKeyEnabled: x.bucketKey,
	}
	out.AbortDate, out.AbortRuleId = s.abortDate(ctx, b, in.Key, u)
	return out, nil
}

func multipartRequest(in *api.CreateMultipartUploadInput) *request {
	return &request{
		bucket: in.Bucket, key: in.Key, tagging: in.Tagging, class: in.StorageClass,
		headers: headers{
			ContentType: deref(in.ContentType), CacheControl: deref(in.CacheControl), ContentDisposition: deref(in.ContentDisposition),
			ContentEncoding: storedEncoding(in.ContentEncoding), ContentLanguage: deref(in.ContentLanguage), Expires: deref(in.Expires),
			Redirect: deref(in.WebsiteRedirectLocation), Meta: in.Metadata,
		},
		acl:  aclInput{canned: in.ACL, fullControl: in.GrantFullControl, read: in.GrantRead, readACP: in.GrantReadACP, writeACP: in.GrantWriteACP},
		mode: in.ObjectLockMode, until: in.ObjectLockRetainUntilDate, hold: in.ObjectLockLegalHoldStatus,
		seal: sealInput{
			algorithm: in.ServerSideEncryption, key: in.SSEKMSKeyId, kmsContext: in.SSEKMSEncryptionContext, bucketKey: in.BucketKeyEnabled,
			customer: customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5},
		},
	}
}

// uploadType returns the checksum type of an upload: the algorithms' table of
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html.
func uploadType(algorithm, kind string) (string, error) {
	if kind != "" && kind != composite && kind != fullObject {
		return "", invalidRequest("Value for x-amz-checksum-type header is invalid.")
	}
	if algorithm == "" {
		if kind != "" {
			return "", invalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return "", nil
	}
	if err := checkAlgorithm(algorithm); err != nil {
		return "", err
	}
	switch {
	case kind == "" && algorithm == integrity.CRC64NVME:
		return fullObject, nil
	case kind == "":
		return composite, nil
	case kind == composite && algorithm == integrity.CRC64NVME, kind == fullObject && !linear(algorithm):
		return "", invalidRequest("The %s checksum type cannot be used with the %s checksum algorithm.", kind, strings.ToLower(algorithm))
	}
	return kind, nil
}

func checkPartNumber(n int32) error {
	if n < 1 || n > maxParts {
		return invalidValue("partNumber", itoa(n), "Part number must be an integer between 1 and 10000, inclusive")
	}
	return nil
}

func (s *Service) uploadPart(ctx context.Context, in *api.UploadPartInput) (*api.UploadPartOutput, error) {
	if err := checkPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	e, err := uploadOf(service.RequestFrom(ctx), in.ContentLength, in.ContentMD5, in.ChecksumAlgorithm, partInSums(in))
	if err != nil {
		return nil, err
	}
	var b *bucket
	var u *upload
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, found *bucket) error {
		b = found
		if u, err = findUpload(r, b, in.Key, in.UploadId); err != nil {
			return err
		}
		if u.Type == composite && e.algorithm == "" {
			return invalidRequest("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: null", u.Algorithm)
		}
		if u.Algorithm != "" && e.algorithm != "" && u.Algorithm != e.algorithm {
			return invalidRequest("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.Algorithm, e.algorithm)
		}
		e.keep, _ = u.kept()
		return nil
	})
	if err != nil {
		return nil, err
	}
	l, err := s.unsealPart(ctx, b, u, customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5})
	if err != nil {
		return nil, err
	}
	body, err := s.receive(ctx, in.Body, e, l)
	if err != nil {
		return nil, err
	}
	p, err := s.savePart(ctx, in.Bucket, in.Key, in.UploadId, in.PartNumber, body)
	if err != nil {
		return nil, err
	}
	x := u.Seal.shown()
	out := &api.UploadPartOutput{
		ETag: quoted(p.ETag), ServerSideEncryption: x.algorithm, SSEKMSKeyId: x.key, SSECustomerAlgorithm: x.customerAlgorithm,
		SSECustomerKeyMD5: x.customerKeyMD5, BucketKeyEnabled: x.bucketKey,
	}
	if e.algorithm == p.Sum.Algorithm || e.algorithm == "" {
		partOutSums(out).set(p.Sum)
	}
	if e.value != "" {
		partOutSums(out).set(checksum{Algorithm: e.algorithm, Value: e.value})
	}
	return out, nil
}

// savePart commits a part whose body was received, in the place of an earlier one with its number.
func (s *Service) savePart(ctx context.Context, bucketName, key, uploadID string, number int32, body stored) (part, error) {
	p := part{Number: number, Size: body.Size, ETag: body.ETag, Modified: s.now().Truncate(time.Second), Sum: body.Sum, Blob: body.Blob, Blocks: body.Blocks}
	err := s.update(ctx, bucketName, nil, func(tx store.Txn, b *bucket) error {
		if _, err := findUpload(tx, b, key, uploadID); err != nil {
			return err
		}
		old, err := getRow[part](tx, b.partKey(uploadID, number))
		if err != nil {
			return err
		}
		if old != nil && old.Blob != "" {
			if err := s.release(tx, []blob.ID{old.Blob}); err != nil {
				return err
			}
		}
		if p.Blob != "" {
			if err := retain(tx, p.Blob); err != nil {
				return err
			}
		}
		row, err := encodeRow(p, body.Inline)
		if err != nil {
			return err
		}
		tx.Set(b.partKey(uploadID, number), row)
		return nil
	})
	if err != nil {
		s.drop(ctx, body)
	}
	return p, err
}

// getRow returns the head of a row of encodeRow, or nil when there is no such row.
func getRow[T any](r store.Reader, k []byte) (*T, error) {
	row, err := r.Get(k)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read row: %w", err)
	}
	v := new(T)
	_, err = decodeRow(row, v)
	return v, err
}

// rangeParts returns the parts of a span of part or table rows, with their inline bodies when bodies is set.
func rangeParts(r store.Reader, span store.Span, bodies bool) ([]part, error) {
	var parts []part
	for row, err := range r.Range(span) {
		if err != nil {
			return nil, fmt.Errorf("read parts: %w", err)
		}
		var p part
		inline, err := decodeRow(row.Value, &p)
		if err != nil {
			return nil, err
		}
		if bodies {
			p.inline = bytes.Clone(inline)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// tableParts returns the parts of a completed multipart object.
func tableParts(r store.Reader, b *bucket, upload string) ([]part, error) {
	return rangeParts(r, b.tableKey(upload).Span(), true)
}

func (s *Service) abortMultipartUpload(ctx context.Context, in *api.AbortMultipartUploadInput) (*api.AbortMultipartUploadOutput, error) {
	err := s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		u, err := findUpload(tx, b, in.Key, in.UploadId)
		if err != nil {
			return err
		}
		if in.IfMatchInitiatedTime != nil && !in.IfMatchInitiatedTime.Equal(u.Initiated) {
			return preconditionFailed("If-Match")
		}
		return s.abort(tx, b, in.Key, in.UploadId)
	})
	if err != nil {
		return nil, err
	}
	return &api.AbortMultipartUploadOutput{}, nil
}

// abort removes an upload with its parts.
func (s *Service) abort(tx store.Txn, b *bucket, object, id string) error {
	parts, err := rangeParts(tx, b.partsKey(id).Span(), false)
	if err != nil {
		return err
	}
	if err := s.release(tx, partBlobs(parts)); err != nil {
		return err
	}
	tx.DeleteRange(b.partsKey(id), b.partsKey(id).End())
	tx.Delete(b.uploadKey(object, id))
	return nil
}

func partBlobs(parts []part) []blob.ID {
	var ids []blob.ID
	for _, p := range parts {
		if p.Blob != "" {
			ids = append(ids, p.Blob)
		}
	}
	return ids
}

// RefusedUploadPart is what S3 tells of a part beside the error's message.
type RefusedUploadPart struct {
	ETag, MinSizeAllowed, PartNumber, ProposedSize string
	UploadId                                       string //nolint:revive // the name of the element in S3's answer.
}

func invalidPart(named api.CompletedPart, upload string) error {
	return fail("InvalidPart", http.StatusBadRequest, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
		WithDetail(&RefusedUploadPart{PartNumber: itoa(deref(named.PartNumber)), ETag: strings.Trim(deref(named.ETag), `"`), UploadId: upload})
}
