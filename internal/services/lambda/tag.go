package lambda

import (
	"context"
	"maps"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxTags is how many tags a resource may have, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const maxTags = 50

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("Number of tags exceeds resource tag limit.")
	}
	_, err := parseRehearsal(tags)
	return err
}

// tagged is a resource with tags: how its record is read and written.
type tagged struct {
	load func(rd store.Reader) (map[string]string, error)
	save func(tx store.Txn, tags map[string]string) error
}

// taggable finds the resource that an ARN names.
func (l *Lambda) taggable(ctx context.Context, arn string) (tagged, error) {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || parts[0] != "arn" {
		return tagged{}, validation("Value '%s' at 'resource' failed to satisfy constraint: Member must be the ARN of a resource of Lambda", arn)
	}
	switch parts[5] {
	case "function":
		return l.taggedFunction(ctx, arn)
	case "code-signing-config":
		return taggedSigning(ctx, arn), nil
	case "event-source-mapping":
		return taggedMapping(ctx, arn, parts[6]), nil
	case "capacity-provider":
		return taggedCapacity(ctx, arn), nil
	}
	return tagged{}, unsupported("TagResource", "Resource with the ARN of a layer")
}

func (l *Lambda) taggedFunction(ctx context.Context, arn string) (tagged, error) {
	revision, err := l.newID()
	if err != nil {
		return tagged{}, err
	}
	r, err := parseRef(ctx, arn, nil)
	if err == nil && r.qualifier != "" {
		err = invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return tagged{
		load: func(rd store.Reader) (map[string]string, error) {
			f, err := loadFunction(rd, r)
			return f.Tags, err
		},
		save: func(tx store.Txn, tags map[string]string) error {
			return changeFunction(tx, r, func(f *function) { f.Tags, f.Latest.OuterRevision = tags, revision })
		},
	}, err
}

func taggedMapping(ctx context.Context, arn, uuid string) tagged {
	s := scopeOf(ctx)
	load := func(rd store.Reader) (eventSource, error) {
		e, ok, err := record.Get[eventSource](rd, s.eventSource(uuid))
		if err == nil && (!ok || s.eventSourceARN(uuid) != arn) {
			err = notFound("Event source mapping not found: %s", arn)
		}
		return e, err
	}
	return tagged{
		load: func(rd store.Reader) (map[string]string, error) {
			e, err := load(rd)
			return e.Tags, err
		},
		save: func(tx store.Txn, tags map[string]string) error {
			e, err := load(tx)
			if err != nil {
				return err
			}
			e.Tags = tags
			return record.Set(tx, s.eventSource(uuid), e)
		},
	}
}

func taggedSigning(ctx context.Context, arn string) tagged {
	return tagged{
		load: func(rd store.Reader) (map[string]string, error) {
			_, c, err := loadSigning(ctx, rd, arn)
			return c.Tags, err
		},
		save: func(tx store.Txn, tags map[string]string) error {
			s, c, err := loadSigning(ctx, tx, arn)
			if err != nil {
				return err
			}
			c.Tags = tags
			return record.Set(tx, s.signingConfig(c.ID), c)
		},
	}
}

func (l *Lambda) listTags(ctx context.Context, in *api.ListTagsInput) (*api.ListTagsOutput, error) {
	t, err := l.taggable(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsOutput{Tags: map[string]string{}}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		tags, err := t.load(rd)
		maps.Copy(out.Tags, tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) changeTags(ctx context.Context, arn string, change func(tags map[string]string)) error {
	t, err := l.taggable(ctx, arn)
	if err != nil {
		return err
	}
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		have, err := t.load(tx)
		if err != nil {
			return err
		}
		tags := maps.Clone(have)
		if tags == nil {
			tags = map[string]string{}
		}
		change(tags)
		if err := checkTags(tags); err != nil {
			return err
		}
		return t.save(tx, tags)
	}))
}

func (l *Lambda) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	if len(in.Tags) == 0 {
		return nil, invalid("An error occurred and the request cannot be processed.")
	}
	return &api.TagResourceOutput{}, l.changeTags(ctx, in.Resource, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (l *Lambda) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, l.changeTags(ctx, in.Resource, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}
