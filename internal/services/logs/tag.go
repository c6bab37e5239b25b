package logs

import (
	"context"
	"maps"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxTags is how many tags a resource has.
const maxTags = 50

func tooManyTags(what string) error {
	return service.Errorf("TooManyTagsException", "A %s has at most %d tags.", what, maxTags)
}

// tagged is a resource with its tags.
type tagged struct {
	what string
	tags *map[string]string
	keep func(tx store.Txn) error // writes the resource
}

func taggedAs[T any](what string, k []byte, v T, tags func(v *T) *map[string]string, err error) (*tagged, error) {
	return &tagged{what, tags(&v), func(tx store.Txn) error { return record.Set(tx, k, v) }}, err
}

// taggedOf returns what the ARN of a resource names, which is a log group when it is nothing else.
func taggedOf(r store.Reader, s scope, resource string) (*tagged, error) {
	kind, name := "", ""
	if a, err := arn.Parse(resource); err == nil && a.Service == "logs" {
		kind, name, _ = strings.Cut(a.Resource, ":")
	}
	switch kind {
	case "destination":
		d, err := getDestination(r, s, name)
		return taggedAs(kind, s.destination(name), d, func(v *destination) *map[string]string { return &v.Tags }, err)
	case "scheduled-query":
		q, err := getScheduledQuery(r, s, resource)
		return taggedAs("scheduled query", s.scheduledQuery(q.Name), q, func(v *scheduledQuery) *map[string]string { return &v.Tags }, err)
	case "anomaly-detector":
		d, err := getDetector(r, s, resource)
		return taggedAs("anomaly detector", s.detector(d.ID), d, func(v *detector) *map[string]string { return &v.Tags }, err)
	case "delivery-source":
		d, err := getSource(r, s, name)
		return taggedAs("delivery source", s.deliverySource(name), d, func(v *deliverySource) *map[string]string { return &v.Tags }, err)
	case "delivery-destination":
		d, err := getDeliveryDestination(r, s, name)
		return taggedAs("delivery destination", s.deliveryDestination(name), d, func(v *deliveryDestination) *map[string]string { return &v.Tags }, err)
	case "delivery":
		d, err := getDelivery(r, s, name)
		return taggedAs(kind, s.delivery(name), d, func(v *delivery) *map[string]string { return &v.Tags }, err)
	}
	g, err := getGroup(r, s, resource)
	return taggedAs("log group", s.group(g.Name), g, func(v *group) *map[string]string { return &v.Tags }, err)
}

// changeTags changes the tags of a resource.
func (l *Logs) changeTags(ctx context.Context, resource string, change func(tags map[string]string)) error {
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		t, err := taggedOf(tx, scopeOf(ctx), resource)
		if err != nil {
			return err
		}
		changed := maps.Clone(*t.tags)
		if changed == nil {
			changed = map[string]string{}
		}
		if change(changed); len(changed) > maxTags {
			return tooManyTags(t.what)
		}
		*t.tags = changed
		return t.keep(tx)
	}))
}

func (l *Logs) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	err := l.changeTags(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
	return &api.TagResourceOutput{}, err
}

func (l *Logs) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := l.changeTags(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
	return &api.UntagResourceOutput{}, err
}

func (l *Logs) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	t, err := viewed(ctx, l, func(r store.Reader) (*tagged, error) { return taggedOf(r, scopeOf(ctx), in.ResourceArn) })
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceOutput{Tags: map[string]string{}}
	maps.Copy(out.Tags, *t.tags)
	return out, nil
}
