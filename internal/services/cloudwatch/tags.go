package cloudwatch

import (
	"context"
	"maps"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// resource is what an ARN names: an alarm or a dashboard.
type resource struct {
	scope
	name      string
	dashboard bool
}

// resourceOf reads an ARN of an alarm or a dashboard of the caller's account.
func resourceOf(ctx context.Context, name string) (resource, error) {
	s := scopeOf(ctx)
	a, err := arn.Parse(name)
	if err == nil && a.Service == "cloudwatch" && a.Account == s.account {
		if rest, ok := strings.CutPrefix(a.Resource, "alarm:"); ok && a.Region == s.region {
			return resource{scope: s, name: rest}, nil
		}
		if rest, ok := strings.CutPrefix(a.Resource, "dashboard/"); ok {
			return resource{scope: s.global(), name: rest, dashboard: true}, nil
		}
	}
	return resource{}, badValue("The value %s for parameter ResourceARN is invalid: it must be the ARN of an alarm or a dashboard of this account and region.", name)
}

// tags runs fn on the tags of what an ARN names, and stores what it returns.
func (m *Metrics) tags(ctx context.Context, name string, fn func(old map[string]string) (map[string]string, error)) error {
	of, err := resourceOf(ctx, name)
	if err != nil {
		return err
	}
	return storeError(m.deps.Store.Update(ctx, func(tx store.Txn) error {
		if of.dashboard {
			return retag(tx, of.dashboardKey(), name, func(d *dashboard) *map[string]string { return &d.Tags }, fn)
		}
		return retag(tx, of.alarm(of.name), name, func(a *alarm) *map[string]string { return &a.Tags }, fn)
	}))
}

func (r resource) dashboardKey() []byte { return r.scope.dashboard(r.name) }

// retag changes the tags of the record at a key.
func retag[T any](tx store.Txn, k []byte, name string, tags func(v *T) *map[string]string, fn func(old map[string]string) (map[string]string, error)) error {
	v, there, err := record.Get[T](tx, k)
	if err != nil {
		return err
	}
	if !there {
		return service.Errorf("ResourceNotFoundException", "Unknown resource: %s", name)
	}
	at := tags(&v)
	if *at, err = fn(*at); err != nil {
		return err
	}
	return record.Set(tx, k, v)
}

func (m *Metrics) tagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	err := m.tags(ctx, in.ResourceARN, func(old map[string]string) (map[string]string, error) { return tagged(old, in.Tags) })
	return &api.TagResourceOutput{}, err
}

func (m *Metrics) untagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	err := m.tags(ctx, in.ResourceARN, func(old map[string]string) (map[string]string, error) {
		out := maps.Clone(old)
		for _, k := range in.TagKeys {
			delete(out, k)
		}
		return out, nil
	})
	return &api.UntagResourceOutput{}, err
}

// listTagsForResource lists the tags of an alarm or a dashboard; what is not there has none, as on AWS.
func (m *Metrics) listTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	of, err := resourceOf(ctx, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceOutput{}
	err = m.deps.Store.View(ctx, func(r store.Reader) error {
		if of.dashboard {
			d, _, err := record.Get[dashboard](r, of.dashboardKey())
			out.Tags = tagList(d.Tags)
			return err
		}
		a, _, err := readAlarm(r, of.scope, of.name)
		out.Tags = tagList(a.Tags)
		return err
	})
	return out, storeError(err)
}
