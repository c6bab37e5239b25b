// Package fake has what tests of services stand on in place of the platform: a door over the services of a test, roles, functions and keys. Tests add their own where
// they need more.
package fake

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// Door is a [service.Door] over the services of a test. It asks for no permission but refuses what a test denies. The zero value has no services.
type Door struct {
	// Services are those that answer. Set them before the first call.
	Services []service.Service

	mu     sync.Mutex // guards the field below
	denied []string
}

// Call implements [service.Door].
func (d *Door) Call(ctx context.Context, api, operation string, in any) (any, error) {
	for i := range d.Services {
		s := &d.Services[i]
		for _, b := range s.Operations {
			if s.API.Name == api && b.Name == operation && b.Call != nil {
				return b.Call(ctx, in)
			}
		}
	}
	return nil, service.NotImplemented(api, operation)
}

// New returns a pointer to an empty input of an operation, or nil when no service has it.
func (d *Door) New(api, operation string) any {
	for i := range d.Services {
		for _, b := range d.Services[i].Operations {
			if d.Services[i].API.Name == api && b.Name == operation {
				return b.New()
			}
		}
	}
	return nil
}

// Allow implements [service.Door].
func (d *Door) Allow(_ context.Context, target service.Target) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.Contains(d.denied, target.ARN) {
		return service.Errorf("AccessDenied", "The test denies it.").WithStatus(403)
	}
	return nil
}

// Deny refuses what is done on the resources named by arns, and nothing else.
func (d *Door) Deny(arns ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.denied = arns
}

// Root returns a context of a call by the root user of an account.
func Root(ctx context.Context, account, region string) context.Context {
	return service.WithRequest(ctx, &service.Request{
		ID: "test", Account: account, Region: region,
		Principal: service.Principal{Kind: service.Root, Account: account, UserID: account, ARN: "arn:aws:iam::" + account + ":root"},
	})
}

// Roles lets every role be passed and assumed.
type Roles struct{ port.Roles }

// CheckPassRole implements [port.Roles].
func (Roles) CheckPassRole(context.Context, string, string) error { return nil }

// SessionForService implements [port.Roles].
func (Roles) SessionForService(ctx context.Context, name, role, session string) (service.Principal, error) {
	return service.Principal{
		Kind: service.AssumedRole, ARN: role + "/" + session, RoleARN: role, Service: name, Account: service.RequestFrom(ctx).Account,
	}, nil
}

// SessionForPrincipal implements [port.Roles].
func (Roles) SessionForPrincipal(_ context.Context, role, session string) (service.Principal, error) {
	return service.Principal{Kind: service.AssumedRole, ARN: role + "/" + session, RoleARN: role, Account: strings.Split(role, ":")[4]}, nil
}

// Functions stands for Lambda: it remembers what it was asked to run later.
type Functions struct {
	mu     sync.Mutex // guards the field below
	events []string
}

// Invoke implements [port.Functions].
func (*Functions) Invoke(context.Context, port.Source, string, []byte) (port.Invocation, error) {
	return port.Invocation{}, errors.New("functions of tests run asynchronously")
}

// CheckInvoke implements [port.Functions].
func (*Functions) CheckInvoke(context.Context, port.Source, string) error { return nil }

// EnqueueAsync implements [port.Functions].
func (f *Functions) EnqueueAsync(_ context.Context, tx store.Txn, from port.Source, function string, payload []byte) error {
	tx.OnCommit(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, from.ARN+" "+function+" "+string(payload))
	})
	return nil
}

// Seen returns the events since it was called last: the ARN on whose behalf, the function and the payload.
func (f *Functions) Seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.events
	f.events = nil
	return out
}

// Keys are data keys that are not wrapped.
type Keys struct{}

// CheckKey implements [port.Keys].
func (Keys) CheckKey(_ context.Context, use port.KeyUse) (string, error) { return use.Key, nil }

// GenerateDataKey implements [port.Keys].
func (Keys) GenerateDataKey(context.Context, port.KeyUse) (port.DataKey, error) {
	k := []byte("0123456789abcdef0123456789abcdef")
	return port.DataKey{Plain: k, Wrapped: k}, nil
}

// Decrypt implements [port.Keys].
func (Keys) Decrypt(_ context.Context, _ port.KeyUse, wrapped []byte) ([]byte, error) {
	return wrapped, nil
}
