package lambda

import (
	"context"
	"maps"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const maxTags = 50

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("Number of tags exceeds resource tag limit.")
	}
	return nil
}

// taggable is the function that an ARN names.
func taggable(ctx context.Context, arn string) (ref, error) {
	if !strings.HasPrefix(arn, "arn:") {
		return ref{}, validation("Value '%s' at 'resource' failed to satisfy constraint: Member must be the ARN of a function", arn)
	}
	r, err := parseRef(ctx, arn, nil)
	if err == nil && r.qualifier != "" {
		err = invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return r, err
}

func (l *Lambda) listTags(ctx context.Context, in *api.ListTagsInput) (*api.ListTagsOutput, error) {
	r, err := taggable(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsOutput{Tags: map[string]string{}}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		f, err := loadFunction(rd, r)
		maps.Copy(out.Tags, f.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) changeTags(ctx context.Context, arn string, change func(tags map[string]string)) error {
	r, err := taggable(ctx, arn)
	if err != nil {
		return err
	}
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := loadFunction(tx, r)
		if err != nil {
			return err
		}
		if f.Tags == nil {
			f.Tags = map[string]string{}
		}
		change(f.Tags)
		if err := checkTags(f.Tags); err != nil {
			return err
		}
		return record.Set(tx, r.scope.function(r.name), f)
	}))
}

func (l *Lambda) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, l.changeTags(ctx, in.Resource, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

func (l *Lambda) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, l.changeTags(ctx, in.Resource, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}
