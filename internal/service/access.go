package service

import (
	"context"
	"fmt"
)

// Target is one thing that a call needs permission for.
type Target struct {
	// Action overrides the action of the [Access] for this target; empty means that action.
	Action string
	// ARN is the resource; "*" for calls that have none.
	ARN string
	// Policy is the resource's own policy document (JSON), or empty.
	Policy string
	// Owner is the account that owns the resource; empty means the account of the request.
	Owner string
	// Condition adds service-specific condition keys, such as "s3:prefix" or "dynamodb:LeadingKeys".
	Condition map[string][]string
}

// Access says what an operation needs: one line of a service's access.go.
type Access struct {
	// Action is the IAM action, such as "dynamodb:PutItem".
	Action string
	// Targets returns what must be allowed, all of it. Nil means the one target "*".
	Targets func(ctx context.Context, in any) ([]Target, error)
	// Open marks the few calls that need no permission (such as sts:GetCallerIdentity), but credentials unless Anonymous is set too.
	Open bool
	// Anonymous marks calls that may be made without credentials; unless Open they are still evaluated, as the anonymous principal.
	Anonymous bool
	// MakesRoom marks calls that lead to more room on the disk than they take ([store.MakingRoom]) although their name does not say that they remove something.
	MakesRoom bool
}

// On returns the access rule of an operation that works on the one resource named by arn. In is a pointer to the operation's input: the compiler makes one function for all
// pointers, and one for each struct.
func On[In any](action string, arn func(ctx context.Context, in In) string) Access {
	return OnAll(action, func(ctx context.Context, in In) ([]Target, error) {
		return []Target{{ARN: arn(ctx, in)}}, nil
	})
}

// OnAll returns the access rule of an operation whose targets are computed from its input, to which In is a pointer as for [On].
func OnAll[In any](action string, targets func(ctx context.Context, in In) ([]Target, error)) Access {
	return Access{Action: action, Targets: func(ctx context.Context, in any) ([]Target, error) {
		typed, ok := in.(In)
		if !ok {
			return nil, fmt.Errorf("access rule of %s: input is %T, not %T", action, in, typed)
		}
		return targets(ctx, typed)
	}}
}

// OnAny returns the access rule of an operation that names no resource.
func OnAny(action string) Access { return Access{Action: action} }

// Door is the one place where calls are authorised and run. HTTP calls come to it
// through the wire layer; services and the deploy engine call it in this process.
type Door interface {
	// Call validates in (a pointer to the operation's input), authorises the principal of ctx and runs the
	// operation. The result is a pointer to the operation's output. A context without a request is refused.
	Call(ctx context.Context, api, operation string, in any) (any, error)
	// Allow decides whether the principal of ctx may do what target says (its Action must be set), and returns an
	// *Error with the explanation if not. Services use it where a call reaches them past the wire layer: an
	// event delivery, a data plane.
	Allow(ctx context.Context, target Target) error
}

// Call makes a typed call through a door.
func Call[Out any](ctx context.Context, d Door, api, operation string, in any) (*Out, error) {
	return call[*Out](ctx, d, api, operation, in)
}

// call is Call for a pointer to the output, so that the compiler makes its code once.
func call[Out any](ctx context.Context, d Door, api, operation string, in any) (typed Out, err error) {
	out, err := d.Call(ctx, api, operation, in)
	if err != nil {
		return typed, err
	}
	typed, ok := out.(Out)
	if !ok {
		return typed, fmt.Errorf("call %s %s: output is %T, not %T", api, operation, out, typed)
	}
	return typed, nil
}
