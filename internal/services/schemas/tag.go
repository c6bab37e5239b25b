package schemas

import (
	"context"
	"maps"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxTags is how many tags a resource may have.
const maxTags = 50

func tooManyTags() error { return invalid("A resource may have at most %d tags.", maxTags) }

// tagsAt returns the tags of the resource that an ARN names, and what stores others.
func tagsAt(r store.Reader, arn string) (tags map[string]string, save func(tx store.Txn, tags map[string]string) error, err error) {
	n, ok := parseARN(arn)
	switch {
	case !ok:
		return nil, nil, invalid("%s is not the ARN of a registry, a schema or a discoverer.", arn)
	case n.discoverer != "":
		k := n.place.discoverer(n.discoverer)
		d, err := get[discovererRecord](r, k, noDiscoverer(n.discoverer))
		return d.Tags, func(tx store.Txn, tags map[string]string) error { d.Tags = tags; return record.Set(tx, k, d) }, err
	case n.schema != "":
		k := n.place.schema(n.registry, n.schema)
		sc, err := get[schemaRecord](r, k, noSchema(n.registry, n.schema))
		return sc.Tags, func(tx store.Txn, tags map[string]string) error { sc.Tags = tags; return record.Set(tx, k, sc) }, err
	}
	k := n.place.registry(n.registry)
	g, err := get[registryRecord](r, k, noRegistry(n.registry))
	return g.Tags, func(tx store.Txn, tags map[string]string) error { g.Tags = tags; return record.Set(tx, k, g) }, err
}

// retag stores what fn makes of the tags of a resource.
func (s *Service) retag(ctx context.Context, arn string, fn func(tags map[string]string)) error {
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		tags, save, err := tagsAt(tx, arn)
		if err != nil {
			return err
		}
		if tags = maps.Clone(tags); tags == nil {
			tags = map[string]string{}
		}
		if fn(tags); len(tags) > maxTags {
			return tooManyTags()
		}
		return save(tx, tags)
	}))
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, s.retag(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, s.retag(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	out := &api.ListTagsForResourceOutput{Tags: map[string]string{}}
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		tags, _, err := tagsAt(r, in.ResourceArn)
		if tags != nil {
			out.Tags = tags
		}
		return err
	})
	return out, storeError(err)
}
