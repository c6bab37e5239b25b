package schemas

import (
	"context"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// discovererRecord is a discoverer of the events of a bus.
type discovererRecord struct {
	ID, Source  string
	Bus         string
	Description string            `json:",omitempty"`
	State       string            `json:",omitempty"`
	Tags        map[string]string `json:",omitempty"`
	// OwnOnly leaves out events of other accounts.
	OwnOnly bool `json:",omitempty"`
	Created time.Time
}

func (d *discovererRecord) crossAccount() *bool { return new(!d.OwnOnly) }

// sourceBus returns the bus that an ARN names, which must be one of the caller.
func sourceBus(p place, source string) (string, error) {
	a, err := arn.Parse(source)
	bus, ok := strings.CutPrefix(a.Resource, "event-bus/")
	switch {
	case err != nil || a.Service != "events" || !ok:
		return "", invalid("sourceArn must be the ARN of an event bus, and is %s.", source)
	case a.Account != p.account || a.Region != p.region:
		return "", invalid("sourceArn must be an event bus of this account and region, and is %s.", source)
	}
	return bus, nil
}

// createDiscoverer makes the discoverer of a bus. It begins at once; the registry of what it finds is made with it.
func (s *Service) createDiscoverer(ctx context.Context, in *api.CreateDiscovererInput) (*api.CreateDiscovererOutput, error) {
	p := placeOf(ctx)
	bus, err := sourceBus(p, in.SourceArn)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) > maxTags {
		return nil, tooManyTags()
	}
	d := discovererRecord{
		ID: "events-event-bus-" + bus, Source: in.SourceArn, Bus: bus, Description: opt.Value(in.Description), State: api.DiscovererStateStarted, Tags: in.Tags,
		OwnOnly: in.CrossAccount != nil && !*in.CrossAccount, Created: s.now(),
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.discoverer(d.ID)); err != nil || there {
			if there {
				err = conflict("Discoverer for source %s already exists.", in.SourceArn)
			}
			return err
		}
		there, err := record.Has(tx, p.registry(discoveredRegistry))
		if err == nil && !there {
			err = record.Set(tx, p.registry(discoveredRegistry), registryRecord{Name: discoveredRegistry, Created: s.now()})
		}
		if err != nil {
			return err
		}
		return record.Set(tx, p.discoverer(d.ID), d)
	})
	return &api.CreateDiscovererOutput{
		Description: in.Description, DiscovererArn: new(p.discovererARN(d.ID)), DiscovererId: &d.ID, SourceArn: &d.Source, State: d.State, CrossAccount: d.crossAccount(), Tags: d.Tags,
	}, storeError(err)
}

func (s *Service) describeDiscoverer(ctx context.Context, in *api.DescribeDiscovererInput) (*api.DescribeDiscovererOutput, error) {
	p := placeOf(ctx)
	d, err := view[discovererRecord](ctx, s, p.discoverer(in.DiscovererId), noDiscoverer(in.DiscovererId))
	return &api.DescribeDiscovererOutput{
		Description: opt.Of(d.Description), DiscovererArn: new(p.discovererARN(d.ID)), DiscovererId: &d.ID, SourceArn: &d.Source, State: d.State, CrossAccount: d.crossAccount(), Tags: d.Tags,
	}, err
}

func (s *Service) updateDiscoverer(ctx context.Context, in *api.UpdateDiscovererInput) (*api.UpdateDiscovererOutput, error) {
	p := placeOf(ctx)
	d, err := change(ctx, s, p.discoverer(in.DiscovererId), noDiscoverer(in.DiscovererId), func(d *discovererRecord) error {
		if in.Description != nil {
			d.Description = *in.Description
		}
		if in.CrossAccount != nil {
			d.OwnOnly = !*in.CrossAccount
		}
		return nil
	})
	return &api.UpdateDiscovererOutput{
		Description: opt.Of(d.Description), DiscovererArn: new(p.discovererARN(d.ID)), DiscovererId: &d.ID, SourceArn: &d.Source, State: d.State, CrossAccount: d.crossAccount(), Tags: d.Tags,
	}, err
}

func (s *Service) deleteDiscoverer(ctx context.Context, in *api.DeleteDiscovererInput) (*api.DeleteDiscovererOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := get[discovererRecord](tx, p.discoverer(in.DiscovererId), noDiscoverer(in.DiscovererId)); err != nil {
			return err
		}
		tx.Delete(p.discoverer(in.DiscovererId))
		return nil
	})
	return &api.DeleteDiscovererOutput{}, storeError(err)
}

func (s *Service) setState(ctx context.Context, id, state string) error {
	_, err := change(ctx, s, placeOf(ctx).discoverer(id), noDiscoverer(id), func(d *discovererRecord) error {
		d.State = state
		return nil
	})
	return err
}

func (s *Service) startDiscoverer(ctx context.Context, in *api.StartDiscovererInput) (*api.StartDiscovererOutput, error) {
	err := s.setState(ctx, in.DiscovererId, api.DiscovererStateStarted)
	return &api.StartDiscovererOutput{DiscovererId: &in.DiscovererId, State: api.DiscovererStateStarted}, err
}

func (s *Service) stopDiscoverer(ctx context.Context, in *api.StopDiscovererInput) (*api.StopDiscovererOutput, error) {
	err := s.setState(ctx, in.DiscovererId, api.DiscovererStateStopped)
	return &api.StopDiscovererOutput{DiscovererId: &in.DiscovererId, State: api.DiscovererStateStopped}, err
}

func (s *Service) listDiscoverers(ctx context.Context, in *api.ListDiscoverersInput) (*api.ListDiscoverersOutput, error) {
	p := placeOf(ctx)
	out := &api.ListDiscoverersOutput{Discoverers: []api.DiscovererSummary{}}
	next, err := list(ctx, s, p.discoverers(), in.DiscovererIdPrefix, in.NextToken, in.Limit, func(_ string, d discovererRecord) bool {
		if !strings.HasPrefix(d.Source, opt.Value(in.SourceArnPrefix)) {
			return false
		}
		out.Discoverers = append(out.Discoverers, api.DiscovererSummary{
			DiscovererArn: new(p.discovererARN(d.ID)), DiscovererId: &d.ID, SourceArn: &d.Source, State: d.State, CrossAccount: d.crossAccount(), Tags: d.Tags,
		})
		return true
	})
	out.NextToken = next
	return out, err
}
