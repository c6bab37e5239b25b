package s3

import (
	"context"
	"fmt"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

func (s *Service) listParts(ctx context.Context, in *api.ListPartsInput) (*api.ListPartsOutput, error) {
	limit, err := listLimit("max-parts", in.MaxParts)
	if err != nil {
		return nil, err
	}
	marker := deref(in.PartNumberMarker)
	out := &api.ListPartsOutput{
		Bucket: ptr(in.Bucket), Key: ptr(in.Key), UploadId: ptr(in.UploadId), PartNumberMarker: ptr(marker), MaxParts: ptr(int32(limit)),
		IsTruncated: ptr(false), NextPartNumberMarker: ptr(int32(0)),
	}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		u, err := findUpload(r, b, in.Key, in.UploadId)
		if err != nil {
			return err
		}
		if err := u.checkKey(ctx, customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5}); err != nil {
			return err
		}
		out.Owner, out.Initiator = owner(b.Account), &api.Initiator{ID: ptr(canonicalID(b.Account))}
		out.ChecksumAlgorithm, out.ChecksumType, out.StorageClass = u.Algorithm, u.Type, classOf(u.Class)
		rows := b.partsKey(u.ID).Span()
		if marker > 0 {
			rows.Lo = b.partKey(u.ID, marker+1)
		}
		rows.Limit = limit + 1
		parts, err := rangeParts(r, rows, false)
		if err != nil {
			return err
		}
		if len(parts) > limit {
			parts, out.IsTruncated = parts[:limit], ptr(true)
		}
		for _, p := range parts {
			l := api.Part{PartNumber: ptr(p.Number), LastModified: ptr(p.Modified), ETag: quoted(p.ETag), Size: ptr(p.Size)}
			if u.Algorithm != "" {
				listedSums(&l).set(p.Sum)
			}
			out.Parts = append(out.Parts, l)
			out.NextPartNumberMarker = ptr(p.Number)
		}
		return nil
	})
	return out, err
}

// uploadPlace is an upload in the order of ListMultipartUploads: by key, then by id.
type uploadPlace struct{ name, id string }

func (s *Service) listMultipartUploads(ctx context.Context, in *api.ListMultipartUploadsInput) (*api.ListMultipartUploadsOutput, error) {
	limit, err := listLimit("max-uploads", in.MaxUploads)
	if err != nil {
		return nil, err
	}
	encode, err := encoding(in.EncodingType)
	if err != nil {
		return nil, err
	}
	l := listing{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter), limit: limit}
	from := uploadPlace{name: deref(in.KeyMarker)}
	if from.name != "" { // an id means nothing without its key
		from.id = deref(in.UploadIdMarker)
	}
	out := &api.ListMultipartUploadsOutput{
		Bucket: ptr(in.Bucket), KeyMarker: encode(from.name), UploadIdMarker: ptr(from.id), MaxUploads: ptr(int32(limit)),
		EncodingType: in.EncodingType, IsTruncated: ptr(false), NextKeyMarker: ptr(""), NextUploadIdMarker: ptr(""),
	}
	if l.delimiter != "" {
		out.Delimiter = encode(l.delimiter)
	}
	if l.prefix != "" {
		out.Prefix = encode(l.prefix)
	}
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(r store.Reader, b *bucket) error {
		return listUploads(r, b, l, from, func(at uploadPlace, u *upload, common bool) bool {
			if len(out.Uploads)+len(out.CommonPrefixes) == limit {
				out.IsTruncated = ptr(true)
				return false
			}
			out.NextKeyMarker, out.NextUploadIdMarker = encode(at.name), ptr(at.id) // S3 tells them of the last page too
			if common {
				out.CommonPrefixes = append(out.CommonPrefixes, api.CommonPrefix{Prefix: encode(at.name)})
				return true
			}
			out.Uploads = append(out.Uploads, api.MultipartUpload{
				UploadId: ptr(u.ID), Key: encode(at.name), Initiated: ptr(u.Initiated), StorageClass: classOf(u.Class), Owner: owner(b.Account),
				Initiator: &api.Initiator{ID: ptr(canonicalID(b.Account))}, ChecksumAlgorithm: u.Algorithm, ChecksumType: u.Type,
			})
			return true
		})
	})
	if n := len(out.CommonPrefixes); !deref(out.IsTruncated) && n > 0 && *out.NextKeyMarker == *out.CommonPrefixes[n-1].Prefix {
		out.NextKeyMarker = ptr("") // on the last page it is that of an upload
	}
	return out, err
}

// listUploads yields uploads and common prefixes in order, until yield returns false.
func listUploads(r store.Reader, b *bucket, l listing, from uploadPlace, yield func(at uploadPlace, u *upload, common bool) bool) error {
	base := b.row("up")
	rows := within(base, l.prefix)
	if from.name != "" {
		lo := base.Str(from.name).End()
		if from.id != "" {
			lo = base.Str(from.name).Str(from.id).End()
		}
		if c, ok := commonPrefix(from.name, l.prefix, l.delimiter); ok { // a marker below a common prefix stands for all of it
			lo = base.StrPrefix(c).End()
		}
		if string(lo) > string(rows.Lo) {
			rows.Lo = lo
		}
	}
	for rows.Lo != nil {
		next, more, err := scanUploads(r, base, rows, l, yield)
		if err != nil || !more {
			return err
		}
		rows.Lo = next
	}
	return nil
}

func scanUploads(r store.Reader, base key.Key, rows store.Span, l listing, yield func(uploadPlace, *upload, bool) bool) (next []byte, more bool, err error) {
	for p, err := range r.Range(rows) {
		if err != nil {
			return nil, false, fmt.Errorf("list uploads: %w", err)
		}
		d := key.Decode(p.Key).Skip(base)
		at := uploadPlace{d.Str(), d.Str()}
		if d.Err() != nil {
			return nil, false, fmt.Errorf("list uploads: %w", d.Err())
		}
		if c, ok := commonPrefix(at.name, l.prefix, l.delimiter); ok {
			return base.StrPrefix(c).End(), yield(uploadPlace{name: c}, nil, true), nil
		}
		u := &upload{}
		if _, err := decodeRow(p.Value, u); err != nil {
			return nil, false, err
		}
		if !yield(at, u, false) {
			return nil, false, nil
		}
	}
	return nil, false, nil
}
