package sns

import (
	"context"
	"maps"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const maxTags = 50

func tagsOf(in []api.Tag) (map[string]string, error) {
	out := make(map[string]string, len(in))
	for _, t := range in {
		if _, twice := out[t.Key]; twice {
			return nil, invalid("Duplicated keys are not allowed.")
		}
		out[t.Key] = t.Value
	}
	if len(out) > maxTags {
		return nil, tooManyTags()
	}
	return out, nil
}

func tooManyTags() error {
	return service.Errorf("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded").WithStatus(400)
}

// noResource is what calls about tags say of a topic that is not there.
func noResource(err error) error {
	if service.Code(err) == codeNotFound {
		return service.Errorf("ResourceNotFound", "Resource does not exist").WithStatus(404)
	}
	return err
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	err = s.changeTopic(ctx, in.ResourceArn, func(_ store.Txn, r *topicRecord) error {
		if r.Tags == nil {
			r.Tags = map[string]string{}
		}
		maps.Copy(r.Tags, tags)
		if len(r.Tags) > maxTags {
			return tooManyTags()
		}
		return nil
	})
	return &api.TagResourceOutput{}, noResource(err)
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := s.changeTopic(ctx, in.ResourceArn, func(_ store.Txn, r *topicRecord) error {
		for _, k := range in.TagKeys {
			delete(r.Tags, k)
		}
		return nil
	})
	return &api.UntagResourceOutput{}, noResource(err)
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	t, err := s.viewTopic(ctx, in.ResourceArn)
	if err != nil {
		return nil, noResource(err)
	}
	out := &api.ListTagsForResourceOutput{Tags: []api.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(t.Tags)) {
		out.Tags = append(out.Tags, api.Tag{Key: k, Value: t.Tags[k]})
	}
	return out, nil
}
