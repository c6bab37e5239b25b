package eventbridge

import (
	"context"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// defaultRate is how many calls a second an API destination gets unless it says otherwise.
const defaultRate = 300

// destinationRecord is an API destination: an endpoint that rules call over HTTP.
type destinationRecord struct {
	Name, ID          string
	Description       string `json:",omitempty"`
	Connection        string // ARN
	Endpoint, Method  string
	Rate              int32
	Created, Modified time.Time
}

func noDestination(name string) error {
	return notFound("Failed to describe the api-destination(s). An api-destination '%s' does not exist.", name)
}

func (p place) destinationARN(d *destinationRecord) string {
	return p.arn("api-destination/" + d.Name + "/" + d.ID)
}

// connectionOf returns the connection that an ARN names, with the place that owns it.
func connectionOf(r store.Reader, name string) (place, connectionRecord, error) {
	a, err := arn.Parse(name)
	rest, ok := strings.CutPrefix(a.Resource, "connection/")
	if err != nil || !ok {
		return place{}, connectionRecord{}, invalid("Parameter ConnectionArn is not valid. Reason: it must be the ARN of a connection.")
	}
	connection, _, _ := strings.Cut(rest, "/")
	p := place{a.Account, a.Region}
	c, err := get[connectionRecord](r, p.connection(connection), notFound("Connection '%s' does not exist.", connection))
	return p, c, err
}

// stateOf tells whether a destination can be called: its connection must be there and authorised.
func (s *Service) stateOf(ctx context.Context, d *destinationRecord) (state string, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		_, c, err := connectionOf(r, d.Connection)
		if state = api.ApiDestinationStateActive; err != nil || !c.usable() {
			state = api.ApiDestinationStateInactive
		}
		return nil
	})
	return state, storeError(err)
}

func (s *Service) createAPIDestination(ctx context.Context, in *api.CreateApiDestinationInput) (*api.CreateApiDestinationOutput, error) {
	p := placeOf(ctx)
	id, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	d := destinationRecord{
		Name: in.Name, ID: id, Description: opt.Value(in.Description), Connection: in.ConnectionArn, Endpoint: in.InvocationEndpoint, Method: in.HttpMethod, Rate: defaultRate,
		Created: s.now(), Modified: s.now(),
	}
	if in.InvocationRateLimitPerSecond != nil {
		d.Rate = *in.InvocationRateLimitPerSecond
	}
	if err := checkEndpoint(d.Endpoint); err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, _, err := connectionOf(tx, in.ConnectionArn); err != nil {
			return err
		}
		if there, err := record.Has(tx, p.destination(in.Name)); err != nil || there {
			if there {
				err = exists("An api-destination '%s' already exists.", in.Name)
			}
			return err
		}
		return record.Set(tx, p.destination(in.Name), d)
	})
	if err != nil {
		return nil, storeError(err)
	}
	state, err := s.stateOf(ctx, &d)
	return &api.CreateApiDestinationOutput{ApiDestinationArn: new(p.destinationARN(&d)), ApiDestinationState: state, CreationTime: &d.Created, LastModifiedTime: &d.Modified}, err
}

func checkEndpoint(url string) error {
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return invalid("Parameter InvocationEndpoint is not valid. Reason: it must be a URL that begins with https:// or http://.")
	}
	return nil
}

func (s *Service) updateAPIDestination(ctx context.Context, in *api.UpdateApiDestinationInput) (*api.UpdateApiDestinationOutput, error) {
	p := placeOf(ctx)
	var d destinationRecord
	err := change(ctx, s, p.destination(in.Name), noDestination(in.Name), func(tx store.Txn, v *destinationRecord) error {
		if in.Description != nil {
			v.Description = *in.Description
		}
		if in.ConnectionArn != nil {
			if _, _, err := connectionOf(tx, *in.ConnectionArn); err != nil {
				return err
			}
			v.Connection = *in.ConnectionArn
		}
		if in.InvocationEndpoint != nil {
			if err := checkEndpoint(*in.InvocationEndpoint); err != nil {
				return err
			}
			v.Endpoint = *in.InvocationEndpoint
		}
		if in.HttpMethod != "" {
			v.Method = in.HttpMethod
		}
		if in.InvocationRateLimitPerSecond != nil {
			v.Rate = *in.InvocationRateLimitPerSecond
		}
		v.Modified = s.now()
		d = *v
		return nil
	})
	if err != nil {
		return nil, err
	}
	state, err := s.stateOf(ctx, &d)
	return &api.UpdateApiDestinationOutput{ApiDestinationArn: new(p.destinationARN(&d)), ApiDestinationState: state, CreationTime: &d.Created, LastModifiedTime: &d.Modified}, err
}

func (s *Service) describeAPIDestination(ctx context.Context, in *api.DescribeApiDestinationInput) (*api.DescribeApiDestinationOutput, error) {
	p := placeOf(ctx)
	d, err := view[destinationRecord](ctx, s, p.destination(in.Name), noDestination(in.Name))
	if err != nil {
		return nil, err
	}
	state, err := s.stateOf(ctx, &d)
	return &api.DescribeApiDestinationOutput{
		ApiDestinationArn: new(p.destinationARN(&d)), Name: &d.Name, Description: opt.Of(d.Description), ApiDestinationState: state, ConnectionArn: &d.Connection,
		InvocationEndpoint: &d.Endpoint, HttpMethod: d.Method, InvocationRateLimitPerSecond: &d.Rate, CreationTime: &d.Created, LastModifiedTime: &d.Modified,
	}, err
}

func (s *Service) listAPIDestinations(ctx context.Context, in *api.ListApiDestinationsInput) (*api.ListApiDestinationsOutput, error) {
	p := placeOf(ctx)
	var found []destinationRecord
	next, err := list(ctx, s, p.destinations(), in.NamePrefix, in.NextToken, in.Limit, func(_ string, d destinationRecord) bool {
		if in.ConnectionArn != nil && *in.ConnectionArn != d.Connection {
			return false
		}
		found = append(found, d)
		return true
	})
	out := &api.ListApiDestinationsOutput{ApiDestinations: []api.ApiDestination{}, NextToken: next}
	for i := range found {
		if err != nil {
			break
		}
		d := &found[i]
		var state string
		if state, err = s.stateOf(ctx, d); err == nil {
			out.ApiDestinations = append(out.ApiDestinations, api.ApiDestination{
				ApiDestinationArn: new(p.destinationARN(d)), Name: &d.Name, ApiDestinationState: state, ConnectionArn: &d.Connection, InvocationEndpoint: &d.Endpoint, HttpMethod: d.Method,
				InvocationRateLimitPerSecond: &d.Rate, CreationTime: &d.Created, LastModifiedTime: &d.Modified,
			})
		}
	}
	return out, err
}

func (s *Service) deleteAPIDestination(ctx context.Context, in *api.DeleteApiDestinationInput) (*api.DeleteApiDestinationOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := get[destinationRecord](tx, p.destination(in.Name), noDestination(in.Name)); err != nil {
			return err
		}
		tx.Delete(p.destination(in.Name))
		return nil
	})
	return &api.DeleteApiDestinationOutput{}, storeError(err)
}
