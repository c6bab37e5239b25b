package ecr

import (
	"context"
	"maps"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ecr"
)

// maxTags is how many tags a repository may have.
const maxTags = 50

func tagMap(tags []api.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

func tagList(tags map[string]string) []api.Tag {
	out := []api.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: k, Value: tags[k]})
	}
	return out
}

// retag stores what fn makes of the tags of the repository that an ARN names.
func (s *Service) retag(ctx context.Context, arn string, fn func(tags map[string]string)) error {
	p, name, err := parseARN(arn)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, p, name, func(r *repositoryRecord) error {
		if r.Tags == nil {
			r.Tags = map[string]string{}
		}
		if fn(r.Tags); len(r.Tags) > maxTags {
			return tooManyTags(name)
		}
		return nil
	})
	return err
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, s.retag(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, tagMap(in.Tags)) })
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, s.retag(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	p, name, err := parseARN(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	_, r, err := s.view(ctx, &p.account, name)
	return &api.ListTagsForResourceOutput{Tags: tagList(r.Tags)}, err
}
