package s3

import (
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
)

func (s *Service) getObjectAttributes(ctx context.Context, in *api.GetObjectAttributesInput) (*api.GetObjectAttributesOutput, error) {
	if len(in.ObjectAttributes) == 0 {
		return nil, invalidRequest("The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty")
	}
	for _, name := range in.ObjectAttributes {
		if !slices.Contains([]string{"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}, name) {
			return nil, invalidArgument("Invalid attribute name specified.")
		}
	}
	o, err := s.read(ctx, source{
		bucket: in.Bucket, key: in.Key, owner: in.ExpectedBucketOwner, id: in.VersionId, head: true,
		customer: customerKey{in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5},
	})
	if err != nil {
		return nil, err
	}
	out := &api.GetObjectAttributesOutput{LastModified: ptr(o.Modified), VersionId: o.shownID(o.bucket)}
	for _, name := range in.ObjectAttributes {
		switch name {
		case "ETag":
			out.ETag = ptr(o.ETag) // without quotes, unlike everywhere else
		case "Checksum":
			out.Checksum = &api.Checksum{ChecksumType: o.Sum.Type}
			sum := o.Sum
			sum.Value, _, _ = strings.Cut(sum.Value, "-") // without the number of parts, unlike everywhere else
			attributeSums(out.Checksum).set(sum)
		case "ObjectParts":
			if out.ObjectParts, err = objectParts(in, o); err != nil {
				return nil, err
			}
		case "StorageClass":
			out.StorageClass = classOf(o.Class)
		case "ObjectSize":
			out.ObjectSize = ptr(o.Size)
		}
	}
	return out, nil
}

// objectParts lists the parts of a multipart object. Only those with composite checksums have a list; others have a count.
func objectParts(in *api.GetObjectAttributesInput, o *object) (*api.GetObjectAttributesParts, error) {
	if o.Upload == "" {
		return nil, nil
	}
	limit, err := listLimit("max-parts", in.MaxParts)
	if err != nil {
		return nil, err
	}
	out := &api.GetObjectAttributesParts{TotalPartsCount: ptr(o.Parts)}
	if o.Sum.Type != composite {
		return out, nil
	}
	marker := deref(in.PartNumberMarker)
	out.PartNumberMarker, out.MaxParts, out.IsTruncated, out.NextPartNumberMarker = ptr(marker), ptr(int32(limit)), ptr(false), ptr(int32(0))
	for _, p := range o.parts {
		if p.Number <= marker {
			continue
		}
		if len(out.Parts) == limit {
			out.IsTruncated = ptr(true)
			break
		}
		l := api.ObjectPart{PartNumber: ptr(p.Number), Size: ptr(p.Size)}
		objectPartSums(&l).set(p.Sum)
		out.Parts = append(out.Parts, l)
		out.NextPartNumberMarker = ptr(p.Number)
	}
	return out, nil
}
