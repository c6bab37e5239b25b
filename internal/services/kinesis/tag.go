package kinesis

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/store"
)

// maxTags is how many tags a stream or a consumer has
// (https://docs.aws.amazon.com/streams/latest/dev/tagging.html).
const maxTags = 50

// checkTags checks tags that are to be put on a stream; nil stands for a consumer.
func checkTags(st *stream, tags map[string]string) error {
	name := "the consumer"
	if st != nil {
		name = "stream " + st.Name + " under account " + st.place.account
	}
	for k, v := range tags {
		switch {
		case strings.HasPrefix(strings.ToLower(k), "aws:") && !strings.HasPrefix(k, "aws:cloudformation:"):
			return invalid("Failed to add tags to %s because the keys of some tags begin with aws:, which is reserved.", name)
		case utf8.RuneCountInString(k) > 128 || utf8.RuneCountInString(v) > 256:
			return invalid("Failed to add tags to %s because a key has more than 128 characters, or a value more than 256.", name)
		}
	}
	if len(tags) > maxTags {
		return invalid("Failed to add tags to %s because it cannot have more than %d tags associated with it.", name, maxTags)
	}
	return nil
}

// merged returns tags with more of them.
func merged(tags, more map[string]string) map[string]string {
	out := maps.Clone(tags)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}

func (s *Service) addTagsToStream(ctx context.Context, in *api.AddTagsToStreamInput) (*api.AddTagsToStreamOutput, error) {
	return &api.AddTagsToStreamOutput{}, s.change(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(_ store.Txn, st *stream) error {
		st.Tags = merged(st.Tags, in.Tags)
		return checkTags(st, st.Tags)
	})
}

func (s *Service) removeTagsFromStream(ctx context.Context, in *api.RemoveTagsFromStreamInput) (*api.RemoveTagsFromStreamOutput, error) {
	return &api.RemoveTagsFromStreamOutput{}, s.change(ctx, target{in.StreamName, in.StreamARN, in.StreamId}, func(_ store.Txn, st *stream) error {
		for _, k := range in.TagKeys {
			delete(st.Tags, k)
		}
		return nil
	})
}

func (s *Service) listTagsForStream(ctx context.Context, in *api.ListTagsForStreamInput) (*api.ListTagsForStreamOutput, error) {
	st, err := s.known(ctx, target{in.StreamName, in.StreamARN, in.StreamId})
	if err != nil {
		return nil, err
	}
	limit := maxTags
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &api.ListTagsForStreamOutput{Tags: []api.Tag{}}
	for _, t := range tagList(st.Tags) {
		if in.ExclusiveStartTagKey != nil && t.Key <= *in.ExclusiveStartTagKey {
			continue
		}
		if len(out.Tags) == limit {
			out.HasMoreTags = true
			break
		}
		out.Tags = append(out.Tags, t)
	}
	return out, nil
}

func tagList(tags map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: k, Value: new(tags[k])})
	}
	return out
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, s.changeResource(ctx, in.ResourceARN, in.StreamId, func(a attached) error {
		*a.tags = merged(*a.tags, in.Tags)
		return checkTags(nil, *a.tags)
	})
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return &api.UntagResourceOutput{}, s.changeResource(ctx, in.ResourceARN, in.StreamId, func(a attached) error {
		for _, k := range in.TagKeys {
			delete(*a.tags, k)
		}
		return nil
	})
}

func (s *Service) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	tags, _, err := s.viewResource(ctx, in.ResourceARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	return &api.ListTagsForResourceOutput{Tags: tagList(tags)}, nil
}

// throttleTag is the tag that makes a provisioned stream hold the limits of its shards, as it does for tables.
const (
	throttleTag = "lambent:throttle"
	throttleOn  = "on"
)
