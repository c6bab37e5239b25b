package kms

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/store"
)

const maxTags = 50

// checkTags returns old with tags added.
func checkTags(old map[string]string, tags []api.Tag) (map[string]string, error) {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	seen := map[string]bool{}
	for _, t := range tags {
		if seen[t.TagKey] {
			return nil, refused(codeTag, "Duplicate tag keys")
		}
		if strings.HasPrefix(strings.ToLower(t.TagKey), "aws:") {
			return nil, refused(codeTag, "Tags beginning with aws: are reserved")
		}
		seen[t.TagKey], out[t.TagKey] = true, t.TagValue
	}
	if len(out) > maxTags {
		return nil, refused(codeTag, "Too many tags")
	}
	return out, nil
}

func tagList(tags map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{TagKey: k, TagValue: tags[k]})
	}
	return out
}

func (s *Service) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	_, err := s.change(ctx, in.KeyId, func(_ store.Txn, f *found) (err error) {
		if err := f.refuse(api.KeyStatePendingDeletion, api.KeyStatePendingReplicaDeletion); err != nil {
			return err
		}
		f.Tags, err = checkTags(f.Tags, in.Tags)
		return err
	})
	return &api.TagResourceOutput{}, err
}

func (s *Service) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	_, err := s.change(ctx, in.KeyId, func(_ store.Txn, f *found) error {
		if err := f.refuse(api.KeyStatePendingDeletion, api.KeyStatePendingReplicaDeletion); err != nil {
			return err
		}
		for _, k := range in.TagKeys {
			delete(f.Tags, k)
		}
		return nil
	})
	return &api.UntagResourceOutput{}, err
}

func (s *Service) listResourceTags(ctx context.Context, in *api.ListResourceTagsInput) (*api.ListResourceTagsOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	part, next, err := slice(tagList(f.Tags), paging{in.Limit, maxTags, in.Marker}, func(t api.Tag) string { return t.TagKey })
	return &api.ListResourceTagsOutput{Tags: part, NextMarker: next, Truncated: new(next != nil)}, err
}
