package ssm

import (
	"context"
	"maps"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// maxTags is how many tags a parameter has.
const maxTags = 50

func tagMap(tags []api.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

func tagList(tags map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: k, Value: tags[k]})
	}
	return out
}

func checkResource(operation, kind string) error {
	if kind != api.ResourceTypeForTaggingParameter {
		return service.Unsupported("InvalidResourceType", operation, "ResourceType "+kind)
	}
	return nil
}

func noResource(name string) func() error {
	return func() error {
		return refused("InvalidResourceId", "The resource ID \"%s\" is not valid. Verify the ID and try again.", name)
	}
}

func (s *Service) addTagsToResource(ctx context.Context, in *api.AddTagsToResourceInput) (*api.AddTagsToResourceOutput, error) {
	if err := checkResource("AddTagsToResource", in.ResourceType); err != nil {
		return nil, err
	}
	return &api.AddTagsToResourceOutput{}, s.change(ctx, in.ResourceId, noResource(in.ResourceId), func(_ store.Txn, r *parameterRecord) error {
		tags := maps.Clone(r.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, tagMap(in.Tags))
		if len(tags) > maxTags {
			return refused("TooManyTagsError", "A parameter has at most %d tags.", maxTags)
		}
		r.Tags = tags
		return nil
	})
}

func (s *Service) removeTagsFromResource(ctx context.Context, in *api.RemoveTagsFromResourceInput) (*api.RemoveTagsFromResourceOutput, error) {
	if err := checkResource("RemoveTagsFromResource", in.ResourceType); err != nil {
		return nil, err
	}
	return &api.RemoveTagsFromResourceOutput{}, s.change(ctx, in.ResourceId, noResource(in.ResourceId), func(_ store.Txn, r *parameterRecord) error {
		for _, k := range in.TagKeys {
			delete(r.Tags, k)
		}
		return nil
	})
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	if err := checkResource("ListTagsForResource", in.ResourceType); err != nil {
		return nil, err
	}
	r, there, err := s.find(ctx, placeOf(ctx), in.ResourceId)
	if err == nil && !there {
		err = noResource(in.ResourceId)()
	}
	if err != nil {
		return nil, err
	}
	return &api.ListTagsForResourceOutput{TagList: tagList(r.Tags)}, nil
}
