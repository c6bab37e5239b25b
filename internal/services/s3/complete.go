package s3

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// completeMultipartUpload makes the parts one object. No byte is copied: the part rows become the object's part table.
func (s *Service) completeMultipartUpload(ctx context.Context, in *api.CompleteMultipartUploadInput) (*api.CompleteMultipartUploadOutput, error) {
	if in.UploadId == "" {
		return nil, methodNotAllowed() // a POST to an object that is about no upload
	}
	if in.MultipartUpload == nil {
		return nil, s.orNoUpload(ctx, in, invalidRequest("You must specify at least one part"))
	}
	if len(in.MultipartUpload.Parts) == 0 || len(in.MultipartUpload.Parts) > maxParts {
		return nil, malformedXML()
	}
	if in.ChecksumType != "" && in.ChecksumType != composite && in.ChecksumType != fullObject {
		return nil, invalidRequest("Value for x-amz-checksum-type header is invalid.")
	}
	if in.MpuObjectSize != nil && *in.MpuObjectSize < 0 {
		return nil, invalidRequest("Value for x-amz-mp-object-size header is less than zero: '%d'", *in.MpuObjectSize)
	}
	algorithm, value, err := completeInSums(in).get()
	if err != nil {
		return nil, err
	}
	bare, count, counted := strings.Cut(value, "-")
	if n, err := strconv.Atoi(count); counted && (err != nil || n < 1 || n > maxParts) {
		return nil, invalidRequest("Value for x-amz-checksum-%s header is invalid.", strings.ToLower(algorithm))
	}
	if err := (expect{algorithm: algorithm, value: bare}).checkValue(); err != nil {
		return nil, err
	}
	if err := checkWriteConditions(in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	if err := checkOrder(in.UploadId, in.MultipartUpload.Parts); err != nil {
		return nil, err
	}
	if v, b, err := s.completedBefore(ctx, in); err != nil || v != nil {
		return s.completed(ctx, in, b, v), err
	}
	v := &version{Upload: in.UploadId}
	b, failed := s.commit(ctx, write{
		bucket: in.Bucket, owner: in.ExpectedBucketOwner, key: in.Key, event: "ObjectCreated:CompleteMultipartUpload",
		ifMatch: in.IfMatch, ifNoneMatch: in.IfNoneMatch, version: v,
		prepare: func(tx store.Txn, b *bucket) error { return s.assemble(ctx, tx, b, in, v) },
	})
	if failed != nil {
		if service.Code(failed) != "NoSuchUpload" {
			return nil, failed
		}
		// Another call may have completed the upload meanwhile; then this one has nothing left to do.
		v, b, err := s.completedBefore(ctx, in)
		return s.completed(ctx, in, b, v), err
	}
	return s.completed(ctx, in, b, v), nil
}

// completedBefore returns the object when this upload made it already: completing is idempotent, for clients that lost the answer.
func (s *Service) completedBefore(ctx context.Context, in *api.CompleteMultipartUploadInput) (done *version, into *bucket, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		into = b
		_, err := findUpload(r, b, in.Key, in.UploadId)
		if service.Code(err) != "NoSuchUpload" {
			return err
		}
		v, ok, verr := findVersion(r, b, in.Key)
		if verr != nil {
			return verr
		}
		if !ok || v.Upload != in.UploadId || in.UploadId == "" {
			return err
		}
		v.inline = nil
		done = v
		return nil
	})
	return done, into, err
}

// orNoUpload returns err, or the error of an upload that is not there, which comes first.
func (s *Service) orNoUpload(ctx context.Context, in *api.CompleteMultipartUploadInput, err error) error {
	missing := s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		_, err := findUpload(r, b, in.Key, in.UploadId)
		return err
	})
	if missing != nil {
		return missing
	}
	return err
}

func (s *Service) completed(ctx context.Context, in *api.CompleteMultipartUploadInput, b *bucket, v *version) *api.CompleteMultipartUploadOutput {
	if v == nil {
		return nil
	}
	x := v.Seal.shown()
	out := &api.CompleteMultipartUploadOutput{
		VersionId: v.newID(), ServerSideEncryption: x.algorithm, SSEKMSKeyId: x.key, BucketKeyEnabled: x.bucketKey,
		Expiration: s.expiration(ctx, b, in.Key, v),
		Bucket:     ptr(in.Bucket), Key: ptr(in.Key), ETag: quoted(v.ETag), ChecksumType: v.Sum.Type,
		Location: ptr(s.location(ctx, in.Bucket, in.Key)),
	}
	completeOutSums(out).set(v.Sum)
	return out
}

// checkOrder refuses a list of the parts of an upload that do not rise.
func checkOrder(upload string, parts []api.CompletedPart) error {
	last := int32(0)
	for _, p := range parts {
		n := deref(p.PartNumber)
		if p.PartNumber == nil || p.ETag == nil {
			return malformedXML()
		}
		if n < 1 {
			return invalidArgument("PartNumber must be >= 1")
		}
		if err := checkPartNumber(n); err != nil {
			return err
		}
		if n <= last {
			return fail("InvalidPartOrder", http.StatusBadRequest, "The list of parts was not in ascending order. Parts must be ordered by part number.").
				WithDetail(&NamedUpload{upload})
		}
		last = n
	}
	return nil
}

// assemble fills in v from the uploaded parts and moves their rows into its table.
func (s *Service) assemble(ctx context.Context, tx store.Txn, b *bucket, in *api.CompleteMultipartUploadInput, v *version) error {
	u, err := findUpload(tx, b, in.Key, in.UploadId)
	if err != nil {
		return err
	}
	if err := u.checkKey(ctx, customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5}); err != nil {
		return err
	}
	all, err := rangeParts(tx, b.partsKey(u.ID).Span(), true)
	if err != nil {
		return err
	}
	chosen, unused, err := choose(in.MultipartUpload.Parts, all, u)
	if err != nil {
		return err
	}
	size := int64(0)
	table := b.tableKey(u.ID)
	for _, p := range chosen {
		size += p.Size
		row, err := encodeRow(p, p.inline)
		if err != nil {
			return err
		}
		tx.Set(table.Uint(uint64(p.Number)), row)
	}
	if in.MpuObjectSize != nil && *in.MpuObjectSize != size {
		return invalidRequest("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", *in.MpuObjectSize, size)
	}
	v.attributes, v.Size, v.Parts, v.ETag = u.attributes, size, int32(len(chosen)), multipartETag(chosen)
	if v.Sum, err = wholeSum(u, chosen, in); err != nil {
		return err
	}
	if err := s.release(tx, partBlobs(unused)); err != nil {
		return err
	}
	tx.DeleteRange(b.partsKey(u.ID), b.partsKey(u.ID).End())
	tx.Delete(b.uploadKey(in.Key, u.ID))
	return nil
}

// choose returns the parts that the client named, and those that it left out.
func choose(named []api.CompletedPart, all []part, u *upload) (chosen, unused []part, err error) {
	i := 0
	for n, want := range named {
		for i < len(all) && all[i].Number < *want.PartNumber {
			unused = append(unused, all[i])
			i++
		}
		if i == len(all) || all[i].Number != *want.PartNumber || strings.Trim(*want.ETag, `"`) != all[i].ETag {
			return nil, nil, invalidPart(want, u.ID)
		}
		p := all[i]
		if err := checkPart(&want, p, u); err != nil {
			return nil, nil, err
		}
		if p.Size < minPart && n < len(named)-1 {
			return nil, nil, fail("EntityTooSmall", http.StatusBadRequest, "Your proposed upload is smaller than the minimum allowed size").
				WithDetail(&RefusedUploadPart{ETag: p.ETag, MinSizeAllowed: strconv.Itoa(minPart), PartNumber: itoa(p.Number), ProposedSize: strconv.FormatInt(p.Size, 10)})
		}
		chosen = append(chosen, p)
		i++
	}
	return chosen, append(unused, all[i:]...), nil
}

// checkPart compares the checksum that the client repeats of a part.
func checkPart(want *api.CompletedPart, p part, u *upload) error {
	algorithm, value, err := completedSums(want).get()
	if err != nil || (expect{algorithm: algorithm, value: value}).checkValue() != nil {
		return invalidArgument("Invalid Base64 or multiple checksums present in request")
	}
	_, kind := u.kept()
	switch {
	case value != "" && algorithm == p.Sum.Algorithm && value != p.Sum.Value:
		return invalidPart(*want, u.ID)
	case value != "" && algorithm != p.Sum.Algorithm && u.Algorithm != "":
		return fail("BadDigest", http.StatusBadRequest, "The %s you specified for part %d did not match what we received.", strings.ToLower(algorithm), p.Number)
	case value == "" && kind == composite:
		return invalidRequest("The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.", strings.ToLower(u.Algorithm), p.Number)
	}
	return nil
}

// wholeSum returns the checksum of the object and compares it with the one in the request.
func wholeSum(u *upload, parts []part, in *api.CompleteMultipartUploadInput) (checksum, error) {
	algorithm, kind := u.kept()
	if in.ChecksumType != "" && u.Algorithm != "" && in.ChecksumType != kind {
		return checksum{}, invalidRequest("The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", kind)
	}
	var sum string
	var ok bool
	if kind == fullObject {
		sum, ok = combinedSum(algorithm, parts)
	} else {
		sum, ok = compositeSum(algorithm, parts)
	}
	if !ok {
		return checksum{}, invalidRequest("The checksum of a part is missing.")
	}
	named, value, err := completeInSums(in).get()
	if err != nil {
		return checksum{}, err
	}
	bare, _, _ := strings.Cut(sum, "-")
	if value != "" && named == algorithm && value != sum && value != bare && u.Algorithm != "" {
		return checksum{}, fail("BadDigest", http.StatusBadRequest, "The %s you specified did not match the calculated checksum.", strings.ToLower(algorithm))
	}
	return checksum{Algorithm: algorithm, Type: kind, Value: sum}, nil
}
