package integration

import (
	"context"
	"io"
	"strings"

	lambda "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Functions invokes functions for APIs.
type Functions struct {
	// Direct invokes as API Gateway itself; the function's policy must allow it.
	Direct port.Functions
	// Streams is Direct for answers that are passed on while they arrive.
	Streams port.FunctionStreams
	// Sender assumes roles; Door calls with them.
	Sender *deliver.Sender
	Door   service.Door
	Random io.Reader
}

// Call is an invocation for a method of an API.
type Call struct {
	// Function is the ARN of a function, a version or an alias.
	Function string
	// Source is the ARN of the method or the authorizer, Account the API's owner.
	Source, Account string
	// Role is the ARN of the role with whose permissions the function is invoked; empty invokes it as API Gateway.
	Role string
	// As invokes with the permissions of the caller of the API (the credentials "arn:aws:iam::*:user/*"); nil does not.
	As *service.Principal
	// Event tells that nobody waits for the answer (X-Amz-Invocation-Type: Event).
	Event bool
	// Tenant is whom a function that isolates its tenants serves (X-Amz-Tenant-Id); empty for none.
	Tenant string
	// Payload is the event, valid JSON.
	Payload []byte
}

// FunctionOf returns the function's ARN in an integration's URI: API Gateway's invocation path around an ARN, or the ARN itself. ok is false for another URI.
func FunctionOf(uri string) (function string, ok bool) {
	if _, rest, found := strings.Cut(uri, ":lambda:path/"); found {
		_, rest, found = strings.Cut(rest, "/functions/")
		if !found {
			return "", false
		}
		uri, _, _ = strings.Cut(rest, "/invocations")
		uri, _, _ = strings.Cut(uri, "/response-streaming-invocations")
	}
	p := strings.Split(uri, ":")
	return uri, len(p) >= 7 && p[0] == "arn" && p[2] == "lambda" && p[5] == "function" && p[6] != ""
}

// Invoke invokes a function and waits for its answer. ctx carries the [service.Request] that the function's log and the decisions show. The
// error is a [*CallError], but for a ctx that was cancelled; that a function failed is told in the answer.
func (f *Functions) Invoke(ctx context.Context, c *Call) (port.Invocation, error) {
	from := port.Source{Service: Principal, ARN: c.Source, Account: c.Account}
	if c.Role == "" && c.As == nil && !c.Event && c.Tenant == "" {
		out, err := f.Direct.Invoke(ctx, from, c.Function, c.Payload)
		if err != nil || ctx.Err() != nil {
			return out, f.explain(ctx, c, orContext(ctx, err))
		}
		return out, nil
	}
	return f.call(ctx, c, from)
}

// call invokes through the door.
func (f *Functions) call(ctx context.Context, c *Call, from port.Source) (port.Invocation, error) {
	called, id, err := f.caller(ctx, c, from)
	if err != nil {
		return port.Invocation{}, err
	}
	in := &lambda.InvokeInput{FunctionName: c.Function, Payload: c.Payload, InvocationType: lambda.InvocationTypeRequestResponse}
	if c.Event {
		in.InvocationType = lambda.InvocationTypeEvent
	}
	if c.Tenant != "" {
		in.TenantId = &c.Tenant
	}
	out, err := service.Call[lambda.InvokeOutput](called, f.Door, "lambda", "Invoke", in)
	if err != nil || ctx.Err() != nil {
		return port.Invocation{}, f.explain(ctx, c, orContext(ctx, err))
	}
	answer := port.Invocation{Payload: out.Payload, RequestID: id}
	if out.FunctionError != nil {
		answer.Error = *out.FunctionError
	}
	if out.ExecutedVersion != nil {
		answer.Version = *out.ExecutedVersion
	}
	return answer, nil
}

// caller returns a context that calls with the role or as the caller of c, and the id of the invocation.
func (f *Functions) caller(ctx context.Context, c *Call, from port.Source) (called context.Context, id string, err error) {
	outer := service.RequestFrom(ctx)
	if id = outer.ID; id == "" {
		if id, err = uuid.New(f.Random); err != nil {
			return nil, "", err
		}
	}
	if called, err = f.Sender.Caller(ctx, from, c.Role, id, c.Function); err != nil {
		return nil, "", failure(ctx, "the role "+c.Role+" cannot be assumed by "+Principal, err)
	}
	r := service.RequestFrom(called)
	r.Trace = outer.Trace
	if c.As != nil {
		r.Principal = *c.As
	}
	return called, id, nil
}

// orContext returns err, or that of ctx: a call whose time was up has no other.
func orContext(ctx context.Context, err error) error {
	if err == nil {
		return ctx.Err()
	}
	return err
}

// explain says why an invocation failed.
func (f *Functions) explain(ctx context.Context, c *Call, err error) error {
	got := failure(ctx, "the function "+c.Function+" could not be invoked", err)
	switch {
	case got.Kind == TimedOut:
		got.Message = "the function " + c.Function + " did not answer within the integration's timeout"
	case got.Kind == Forbidden && c.Role == "" && c.As == nil:
		got.Message = Grant{Function: c.Function, Source: c.Source}.Explain()
	case got.Kind == Forbidden && c.As == nil:
		got.Message = "the role " + c.Role + " may not invoke " + c.Function + ": give it a policy that allows lambda:InvokeFunction"
	}
	return got
}
