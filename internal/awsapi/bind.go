package awsapi

import (
	"context"
	"reflect"
)

// Binding is one operation of a Handlers struct in untyped form.
type Binding struct {
	// Name is the operation's name, such as "PutItem".
	Name string
	// Input and Output are the struct types of the operation.
	Input, Output reflect.Type
	// New returns a fresh, empty *Input.
	New func() any
	// Call runs the handler with an *Input made by New and returns an *Output,
	// which is nil when err is not. Call is nil when the operation has no
	// handler.
	Call func(ctx context.Context, in any) (out any, err error)
}

// Bind makes the binding of one handler; In and Out are the pointers to the
// operation's input and output. Taking pointers as type arguments keeps it to a
// single instantiation for all operations.
func Bind[In, Out any](name string, handler func(context.Context, In) (Out, error)) Binding {
	input := reflect.TypeFor[In]().Elem()
	b := Binding{
		Name:   name,
		Input:  input,
		Output: reflect.TypeFor[Out]().Elem(),
		New:    func() any { return reflect.New(input).Interface() },
	}
	if handler == nil {
		return b
	}
	b.Call = func(ctx context.Context, in any) (any, error) {
		out, err := handler(ctx, in.(In))
		if err != nil {
			return nil, err
		}
		return out, nil
	}
	return b
}
