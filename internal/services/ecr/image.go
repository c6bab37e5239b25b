package ecr

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ecr"
	"lambent.dev/lambent/internal/lib/opt"
)

func (s *Service) listImages(ctx context.Context, in *api.ListImagesInput) (*api.ListImagesOutput, error) {
	_, _, err := s.view(ctx, in.RegistryId, in.RepositoryName)
	return &api.ListImagesOutput{ImageIds: []api.ImageIdentifier{}}, err
}

// describeImages answers for images by their ids that they are not there.
func (s *Service) describeImages(ctx context.Context, in *api.DescribeImagesInput) (*api.DescribeImagesOutput, error) {
	p, _, err := s.view(ctx, in.RegistryId, in.RepositoryName)
	if err == nil && len(in.ImageIds) > 0 {
		id := in.ImageIds[0]
		err = refuse(codeNoImage, "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
			orNull(id.ImageDigest), orNull(id.ImageTag), in.RepositoryName, p.account)
	}
	return &api.DescribeImagesOutput{ImageDetails: []api.ImageDetail{}}, err
}

func orNull(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func (s *Service) batchGetImage(ctx context.Context, in *api.BatchGetImageInput) (*api.BatchGetImageOutput, error) {
	_, _, err := s.view(ctx, in.RegistryId, in.RepositoryName)
	return &api.BatchGetImageOutput{Images: []api.Image{}, Failures: missing(in.ImageIds)}, err
}

func (s *Service) batchDeleteImage(ctx context.Context, in *api.BatchDeleteImageInput) (*api.BatchDeleteImageOutput, error) {
	_, _, err := s.view(ctx, in.RegistryId, in.RepositoryName)
	return &api.BatchDeleteImageOutput{ImageIds: []api.ImageIdentifier{}, Failures: missing(in.ImageIds)}, err
}

// missing says of images that they are not there
// (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html).
func missing(ids []api.ImageIdentifier) []api.ImageFailure {
	out := []api.ImageFailure{}
	for _, id := range ids {
		f := api.ImageFailure{ImageId: &id, FailureCode: "ImageNotFound", FailureReason: new("Requested image not found")}
		if opt.Value(id.ImageDigest) == "" && opt.Value(id.ImageTag) == "" {
			f.FailureCode, f.FailureReason = "MissingDigestAndTag", new("Invalid request parameters: both tag and digest cannot be null")
		}
		out = append(out, f)
	}
	return out
}
