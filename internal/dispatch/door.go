package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/wire"
)

// Authorizer decides about calls. Package auth implements it.
type Authorizer interface {
	// Authorize returns nil when the principal of r may do everything that targets say, and otherwise an error for the
	// client that explains the first denial. Every target's Action is set. It records the decision under the request's id.
	Authorize(ctx context.Context, r *service.Request, targets []service.Target) error
}

// Door implements [service.Door]. Make one with NewDoor, and give it the registry with Open before the first call: services
// need the door to be built, and the registry needs the services.
type Door struct {
	registry   *Registry
	authorizer Authorizer
	trail      service.Trail
	clock      clock.Clock
	random     io.Reader
	log        *slog.Logger
}

// NewDoor returns a door that is still closed.
func NewDoor(c clock.Clock, random io.Reader, log *slog.Logger) *Door {
	return &Door{clock: c, random: random, log: log}
}

// Open gives the door what it needs. It is called once, before any call.
func (d *Door) Open(r *Registry, a Authorizer) {
	d.registry, d.authorizer = r, a
}

var errNobody = &service.Error{
	Code: "AccessDenied", Status: http.StatusForbidden,
	Message: "A call inside the platform carries no request, so nobody is known to make it.",
}

// Call implements [service.Door].
func (d *Door) Call(ctx context.Context, api, name string, in any) (any, error) {
	outer := service.RequestFrom(ctx)
	if outer.Principal.Kind == service.Anonymous && outer.ID == "" {
		return nil, errNobody
	}
	e, op, err := d.registry.find(api, name)
	if err != nil {
		return nil, err
	}
	if want := reflect.PointerTo(op.binding.Input); reflect.TypeOf(in) != want {
		return nil, fmt.Errorf("call %s %s: input is %T, not %s", api, name, in, want)
	}
	if err := e.wire.Operation(name).Validate(&wire.Request{Protocol: e.wire.Protocols[0]}, in); err != nil {
		return nil, err
	}
	r := *outer
	r.API, r.Operation, r.HTTP = api, name, nil
	r.Time = d.clock.Now()
	r.Secure = true
	return d.run(service.WithRequest(ctx, &r), op, &r, in)
}

// run authorises a decoded, validated call, runs its handler, and tells the trail.
func (d *Door) run(ctx context.Context, op *operation, r *service.Request, in any) (any, error) {
	err := d.admit(ctx, &op.access, r, in)
	var out any
	if err == nil {
		within := ctx
		if op.access.MakesRoom {
			within = store.MakingRoom(ctx)
		}
		out, err = op.binding.Call(within, in)
		err = full(err)
	}
	d.note(ctx, op, r, in, out, err)
	return out, err
}

// full names the error of a full disk to clients, where the service has not.
func full(err error) error {
	var known *service.Error
	if err == nil || errors.As(err, &known) || !errors.Is(err, store.ErrFull) && !errors.Is(err, blob.ErrFull) {
		return err
	}
	return &service.Error{
		Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Err: err,
		Message: "The disk has no room for this write. Nothing was stored; free space in the data directory and try again.",
	}
}

func (d *Door) admit(ctx context.Context, access *service.Access, r *service.Request, in any) error {
	if r.Principal.Kind == service.Anonymous && !access.Anonymous {
		return &service.Error{
			Code: "MissingAuthenticationToken", Status: http.StatusForbidden,
			Message: "The request is not signed. Set credentials (`lambent env` prints them) or use an SDK that signs.",
		}
	}
	if access.Open {
		return nil
	}
	targets := []service.Target{{ARN: "*"}}
	if access.Targets != nil {
		var err error
		if targets, err = access.Targets(ctx, in); err != nil {
			return err
		}
	}
	for i := range targets {
		if targets[i].Action == "" {
			targets[i].Action = access.Action
		}
	}
	return d.authorizer.Authorize(ctx, r, targets)
}

// Allow implements [service.Door].
func (d *Door) Allow(ctx context.Context, target service.Target) error {
	if target.Action == "" {
		return errors.New("allow: the target names no action")
	}
	r := service.RequestFrom(ctx)
	if r.ID == "" {
		c := *r
		c.ID, c.Time, c.Secure = NewRequestID(d.random), d.clock.Now(), true
		r = &c
	}
	return d.authorizer.Authorize(ctx, r, []service.Target{target})
}
