package eventbridge

import (
	"context"
	"encoding/hex"
	"io"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// endpointRecord is a global endpoint: a name for a bus of the same name in two regions.
type endpointRecord struct {
	Name, ID          string
	Description       string `json:",omitempty"`
	Routing           *api.RoutingConfig
	Replication       *api.ReplicationConfig `json:",omitempty"`
	Buses             []api.EndpointEventBus
	Role              string `json:",omitempty"`
	Created, Modified time.Time
}

func noEndpoint(name string) error { return notFound("Endpoint %s does not exist.", name) }

func (e *endpointRecord) url() string { return "https://" + e.ID + ".endpoint.events.amazonaws.com" }

func (s *Service) createEndpoint(ctx context.Context, in *api.CreateEndpointInput) (*api.CreateEndpointOutput, error) {
	p := placeOf(ctx)
	var id [6]byte
	if _, err := io.ReadFull(s.deps.Random, id[:]); err != nil {
		return nil, err
	}
	e := endpointRecord{
		Name: in.Name, ID: hex.EncodeToString(id[:5]) + "." + hex.EncodeToString(id[4:])[1:], Description: opt.Value(in.Description), Routing: in.RoutingConfig, Replication: in.ReplicationConfig, Buses: in.EventBuses,
		Role: opt.Value(in.RoleArn), Created: s.now(), Modified: s.now(),
	}
	if err := e.check(p.account); err != nil {
		return nil, err
	}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if there, err := record.Has(tx, p.endpoint(in.Name)); err != nil || there {
			if there {
				err = exists("Endpoint %s already exists.", in.Name)
			}
			return err
		}
		return record.Set(tx, p.endpoint(in.Name), e)
	})
	return &api.CreateEndpointOutput{
		Name: &e.Name, Arn: new(p.arn("endpoint/" + e.Name)), RoutingConfig: e.Routing, ReplicationConfig: e.Replication, EventBuses: e.Buses, RoleArn: in.RoleArn, State: api.EndpointStateCreating,
	}, storeError(err)
}

// check asks for buses of one name in two regions of the account.
func (e *endpointRecord) check(account string) error {
	if e.Routing == nil || e.Routing.FailoverConfig == nil || e.Routing.FailoverConfig.Primary == nil || e.Routing.FailoverConfig.Secondary == nil {
		return invalid("Parameter(s) RoutingConfig must be specified.")
	}
	if len(e.Buses) != 2 {
		return invalid("Parameter EventBuses is not valid. Reason: it must name two event buses.")
	}
	var names, regions [2]string
	for i, b := range e.Buses {
		a, err := arn.Parse(b.EventBusArn)
		name, ok := strings.CutPrefix(a.Resource, "event-bus/")
		if err != nil || !ok {
			return invalid("Parameter EventBuses is not valid. Reason: %s is not the ARN of an event bus.", b.EventBusArn)
		}
		if a.Account != account {
			return invalid("Parameter EventBuses is not valid. Reason: %s is not an event bus of this account.", b.EventBusArn)
		}
		names[i], regions[i] = name, a.Region
	}
	if names[0] != names[1] || regions[0] == regions[1] {
		return invalid("Parameter EventBuses is not valid. Reason: the event buses must have the same name in two regions.")
	}
	return nil
}

// homesOf returns the places whose buses take the events of a global endpoint: that of its first bus, and that of the second when the endpoint replicates. Both
// regions are on this machine, so there is nothing to fail over to; a health check is kept and shown.
func (s *Service) homesOf(ctx context.Context, id string) ([]place, error) {
	p := placeOf(ctx)
	var found []place
	_, err := list(ctx, s, p.endpoints(), nil, nil, nil, func(_ string, e endpointRecord) bool {
		if e.ID != id {
			return false
		}
		buses := e.Buses[:1]
		if e.replicates() {
			buses = e.Buses
		}
		for _, b := range buses {
			if a, err := arn.Parse(b.EventBusArn); err == nil {
				found = append(found, place{a.Account, a.Region})
			}
		}
		return false
	})
	if err == nil && found == nil {
		err = noEndpoint(id)
	}
	return found, err
}

// replicates tells whether both buses get every event, which is so unless the endpoint says otherwise.
func (e *endpointRecord) replicates() bool {
	return e.Replication == nil || e.Replication.State != api.ReplicationStateDisabled
}

func (s *Service) describeEndpoint(ctx context.Context, in *api.DescribeEndpointInput) (*api.DescribeEndpointOutput, error) {
	p := placeOf(ctx)
	e, err := view[endpointRecord](ctx, s, p.endpoint(in.Name), noEndpoint(in.Name))
	if err != nil {
		return nil, err
	}
	return &api.DescribeEndpointOutput{
		Name: &e.Name, Description: opt.Of(e.Description), Arn: new(p.arn("endpoint/" + e.Name)), RoutingConfig: e.Routing, ReplicationConfig: e.Replication, EventBuses: e.Buses,
		RoleArn: opt.Of(e.Role), EndpointId: &e.ID, EndpointUrl: new(e.url()), State: api.EndpointStateActive, CreationTime: &e.Created, LastModifiedTime: &e.Modified,
	}, nil
}

func (s *Service) listEndpoints(ctx context.Context, in *api.ListEndpointsInput) (*api.ListEndpointsOutput, error) {
	p := placeOf(ctx)
	out := &api.ListEndpointsOutput{Endpoints: []api.Endpoint{}}
	next, err := list(ctx, s, p.endpoints(), in.NamePrefix, in.NextToken, in.MaxResults, func(_ string, e endpointRecord) bool {
		out.Endpoints = append(out.Endpoints, api.Endpoint{
			Name: &e.Name, Description: opt.Of(e.Description), Arn: new(p.arn("endpoint/" + e.Name)), RoutingConfig: e.Routing, ReplicationConfig: e.Replication, EventBuses: e.Buses,
			RoleArn: opt.Of(e.Role), EndpointId: &e.ID, EndpointUrl: new(e.url()), State: api.EndpointStateActive, CreationTime: &e.Created, LastModifiedTime: &e.Modified,
		})
		return true
	})
	out.NextToken = next
	return out, err
}

func (s *Service) updateEndpoint(ctx context.Context, in *api.UpdateEndpointInput) (*api.UpdateEndpointOutput, error) {
	p := placeOf(ctx)
	var e endpointRecord
	err := change(ctx, s, p.endpoint(in.Name), noEndpoint(in.Name), func(_ store.Txn, v *endpointRecord) error {
		if in.Description != nil {
			v.Description = *in.Description
		}
		if in.RoutingConfig != nil {
			v.Routing = in.RoutingConfig
		}
		if in.ReplicationConfig != nil {
			v.Replication = in.ReplicationConfig
		}
		if in.EventBuses != nil {
			v.Buses = in.EventBuses
		}
		if in.RoleArn != nil {
			v.Role = *in.RoleArn
		}
		v.Modified = s.now()
		e = *v
		return v.check(p.account)
	})
	return &api.UpdateEndpointOutput{
		Name: &e.Name, Arn: new(p.arn("endpoint/" + e.Name)), RoutingConfig: e.Routing, ReplicationConfig: e.Replication, EventBuses: e.Buses, RoleArn: opt.Of(e.Role),
		EndpointId: &e.ID, EndpointUrl: new(e.url()), State: api.EndpointStateActive,
	}, err
}

func (s *Service) deleteEndpoint(ctx context.Context, in *api.DeleteEndpointInput) (*api.DeleteEndpointOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := get[endpointRecord](tx, p.endpoint(in.Name), noEndpoint(in.Name)); err != nil {
			return err
		}
		tx.Delete(p.endpoint(in.Name))
		return nil
	})
	return &api.DeleteEndpointOutput{}, storeError(err)
}
