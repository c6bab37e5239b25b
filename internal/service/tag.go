package service

import (
	"maps"
	"slices"
	"strings"
)

// TagProperty is an element of a resource type's Tags property.
type TagProperty struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// AllTags returns the tags of a resource: those of its stack and its own, which win. It is never nil.
func (c ResourceCall) AllTags(own []TagProperty) map[string]string {
	out := maps.Clone(c.Tags)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range own {
		out[t.Key] = t.Value
	}
	return out
}

// UserTags is [ResourceCall.AllTags] without the tags that begin with "aws:", for services whose calls refuse those.
func (c ResourceCall) UserTags(own []TagProperty) map[string]string {
	out := c.AllTags(own)
	maps.DeleteFunc(out, func(k, _ string) bool { return strings.HasPrefix(k, "aws:") })
	return out
}

// Retag brings the tags of a resource from old to tags: it calls remove with the sorted keys that are gone, and add with tags, each only when there is something to do.
func Retag(old, tags map[string]string, remove func(keys []string) error, add func(tags map[string]string) error) error {
	var gone []string
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if _, ok := tags[k]; !ok {
			gone = append(gone, k)
		}
	}
	if gone != nil {
		if err := remove(gone); err != nil {
			return err
		}
	}
	if len(tags) == 0 || maps.Equal(old, tags) {
		return nil
	}
	return add(tags)
}
