package scheduler

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxTags is how many tags a group may have.
const maxTags = 50

func hasPrefix(s, prefix string) bool { return strings.HasPrefix(s, prefix) }

// tagsOf returns old with the tags of a call.
func tagsOf(old map[string]string, in []api.Tag) (map[string]string, error) {
	out := maps.Clone(old)
	if out == nil {
		out = make(map[string]string, len(in))
	}
	for _, t := range in {
		out[t.Key] = t.Value
	}
	if len(out) > maxTags {
		return nil, service.Errorf("ServiceQuotaExceededException", "A schedule group may have at most %d tags.", maxTags).WithStatus(402)
	}
	return out, nil
}

// tagged runs fn on the tags of the group that an ARN names, and stores what it returns.
func (s *Service) tagged(ctx context.Context, arn string, fn func(tags map[string]string) (map[string]string, error)) error {
	p, name, ok := groupAt(arn)
	if !ok {
		return invalid("Provided ResourceArn %s is not the ARN of a schedule group, which is what has tags.", arn)
	}
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := group(tx, p, name)
		if err != nil {
			return err
		}
		if g.Tags, err = fn(g.Tags); err != nil {
			return err
		}
		return record.Set(tx, p.group(name), g)
	}))
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	err := s.tagged(ctx, in.ResourceArn, func(old map[string]string) (map[string]string, error) { return tagsOf(old, in.Tags) })
	return &api.TagResourceOutput{}, err
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := s.tagged(ctx, in.ResourceArn, func(old map[string]string) (map[string]string, error) {
		for _, k := range in.TagKeys {
			delete(old, k)
		}
		return old, nil
	})
	return &api.UntagResourceOutput{}, err
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	p, name, ok := groupAt(in.ResourceArn)
	if !ok {
		return nil, invalid("Provided ResourceArn %s is not the ARN of a schedule group, which is what has tags.", in.ResourceArn)
	}
	g, err := s.viewGroup(ctx, p, name)
	out := &api.ListTagsForResourceOutput{Tags: []api.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(g.Tags)) {
		out.Tags = append(out.Tags, api.Tag{Key: k, Value: g.Tags[k]})
	}
	return out, err
}
