package codedeploy

import (
	"context"
	"maps"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxTags is how many tags a resource may have.
const maxTags = 50

// tagsOf returns old with the tags of a call.
func tagsOf(old map[string]string, in []api.Tag) (map[string]string, error) {
	out := maps.Clone(old)
	if out == nil {
		out = make(map[string]string, len(in))
	}
	for _, t := range in {
		out[opt.Value(t.Key)] = opt.Value(t.Value)
	}
	if len(out) > maxTags {
		return nil, fault("InvalidTagsToAddException", "A resource may have at most %d tags.", maxTags)
	}
	return out, nil
}

func tagList(tags map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: new(k), Value: new(tags[k])})
	}
	return out
}

// tags runs fn on the tags of the application or deployment group that an ARN names, and stores what it returns.
func (s *Service) tags(ctx context.Context, arn string, fn func(tags map[string]string) (map[string]string, error)) error {
	p, app, name, ok := taggedAt(arn)
	if !ok {
		return fault("InvalidArnException", "%s is not the ARN of an application or a deployment group.", arn)
	}
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if name == "" {
			a, err := application(tx, p, app)
			if err == nil {
				a.Tags, err = fn(a.Tags)
			}
			if err != nil {
				return err
			}
			return record.Set(tx, p.application(app), a)
		}
		g, err := group(tx, p, app, name)
		if err == nil {
			g.Tags, err = fn(g.Tags)
		}
		if err != nil {
			return err
		}
		return record.Set(tx, p.group(app, name), g)
	}))
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	err := s.tags(ctx, in.ResourceArn, func(old map[string]string) (map[string]string, error) { return tagsOf(old, in.Tags) })
	return &api.TagResourceOutput{}, err
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := s.tags(ctx, in.ResourceArn, func(old map[string]string) (map[string]string, error) {
		out := maps.Clone(old)
		for _, k := range in.TagKeys {
			delete(out, k)
		}
		return out, nil
	})
	return &api.UntagResourceOutput{}, err
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	out := &api.ListTagsForResourceOutput{}
	p, app, name, ok := taggedAt(in.ResourceArn)
	if !ok {
		return nil, fault("InvalidArnException", "%s is not the ARN of an application or a deployment group.", in.ResourceArn)
	}
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		if name == "" {
			a, err := application(r, p, app)
			out.Tags = tagList(a.Tags)
			return err
		}
		g, err := group(r, p, app, name)
		out.Tags = tagList(g.Tags)
		return err
	})
	return out, storeError(err)
}
