package eventbridge

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/arn"
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
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, invalid("Tag keys must not begin with aws:, which is reserved: %s", t.Key)
		}
		out[t.Key] = t.Value
	}
	if len(out) > maxTags {
		return nil, overLimit()
	}
	return out, nil
}

// tagged runs fn on the tags of the rule or bus that an ARN names; a change is stored when fn reports one.
func (s *Service) tagged(ctx context.Context, name string, fn func(tags map[string]string) (map[string]string, bool, error)) error {
	a, err := arn.Parse(name)
	if err != nil {
		return invalid("Parameter ResourceARN is not valid.")
	}
	p := place{a.Account, a.Region}
	kind, rest := a.Split()
	return storeError(s.deps.Store.Update(ctx, func(tx store.Txn) error {
		switch kind {
		case "event-bus":
			b, err := bus(tx, p, rest)
			if err != nil {
				return err
			}
			tags, changed, err := fn(b.Tags)
			if err != nil || !changed {
				return err
			}
			b.Tags = tags
			return record.Set(tx, p.bus(rest), b)
		case "rule":
			busName, ruleName, ok := strings.Cut(rest, "/")
			if !ok {
				busName, ruleName = defaultBus, rest
			}
			r, err := get[ruleRecord](tx, p.rule(busName, ruleName), noRule(busName, ruleName))
			if err != nil {
				return err
			}
			tags, changed, err := fn(r.Tags)
			if err != nil || !changed {
				return err
			}
			r.Tags = tags
			return record.Set(tx, p.rule(busName, ruleName), r)
		}
		return notFound("Resource %s does not exist or has no tags: rules and event buses have.", name)
	}))
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	err := s.tagged(ctx, in.ResourceARN, func(old map[string]string) (map[string]string, bool, error) {
		tags, err := tagsOf(old, in.Tags)
		return tags, true, err
	})
	return &api.TagResourceOutput{}, err
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := s.tagged(ctx, in.ResourceARN, func(old map[string]string) (map[string]string, bool, error) {
		tags := maps.Clone(old)
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
		return tags, true, nil
	})
	return &api.UntagResourceOutput{}, err
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	out := &api.ListTagsForResourceOutput{}
	err := s.tagged(ctx, in.ResourceARN, func(tags map[string]string) (map[string]string, bool, error) {
		out.Tags = []api.Tag{}
		for _, k := range slices.Sorted(maps.Keys(tags)) {
			out.Tags = append(out.Tags, api.Tag{Key: k, Value: tags[k]})
		}
		return nil, false, nil
	})
	return out, err
}
