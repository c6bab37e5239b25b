package service

import (
	"context"
	"io"
	"net/netip"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// Request is what is known about a call beside its input. A handler takes it from its context
// with [RequestFrom].
type Request struct {
	// ID is the request id that the client, the log and `lambent iam explain` show.
	ID string
	// API and Operation name the call: "dynamodb", "PutItem".
	API, Operation string
	// Account and Region own what the call works on.
	Account, Region string
	// Principal makes the call.
	Principal Principal
	// Time is when the call arrived.
	Time time.Time
	// SourceIP is the address of the client; it is invalid for calls between services.
	SourceIP netip.Addr
	// UserAgent is the client's User-Agent header.
	UserAgent string
	// Trace is the tracing header (X-Amzn-Trace-Id) of the call: its root, parent and lineage; empty when it has none.
	Trace string
	// Delivery tells that the call brings an event to a target of its rule, topic or pipe: no trail is told of it, or each event about a call would lead to another.
	Delivery bool
	// Secure tells whether the call came over TLS (or from inside this machine).
	Secure bool
	// HTTP is what a handler may see of the HTTP request; nil for calls inside the process.
	HTTP *HTTPRequest
}

// HTTPRequest is the part of an HTTP request that belongs to an operation's semantics.
type HTTPRequest struct {
	// Method is the request method.
	Method string
	// RawTarget is the request target as it was sent.
	RawTarget string
	// Host is the Host header as it was sent.
	Host string
	// Header returns the first value of a header, by any case.
	Header func(name string) string
	// Presigned tells whether the request was authenticated by its query string.
	Presigned bool
	// TLSVersion is the version of TLS that the connection speaks, such as "1.3"; empty without TLS.
	TLSVersion string
}

// FormUpload is an upload by an HTML form, whose caller is not proven yet.
type FormUpload struct {
	// RawPath is the undecoded path, with the bucket of a virtual host in front.
	RawPath string
	// ContentType is the header with the form's boundary.
	ContentType string
	// Length is the announced length of Body in bytes, or -1.
	Length int64
	Body   io.Reader
	// Input is set by the service to what the form asks for, as the input of an operation, for [Exchange].
	Input any
	// Prove returns the context of a call by whoever signed the policy of the form.
	Prove func(ctx context.Context, s FormSignature) (context.Context, error)
}

// FormSignature is the signature of a form's policy, as its fields have it: Credential in Version 4, AccessKeyID in Version 2.
type FormSignature struct {
	Policy, Credential, AccessKeyID, Signature, Token string
}

type requestKey struct{}

// WithRequest returns a context that carries r. The door does this; tests may.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return &requestContext{clock.Valued{Context: ctx}, r}
}

// requestContext is a context with a request.
type requestContext struct {
	clock.Valued

	request *Request
}

// Value implements [context.Context].
func (c *requestContext) Value(key any) any {
	if key == (requestKey{}) {
		return c.request
	}
	return c.Context.Value(key)
}

// InRegion returns the context of calls to another region, as the caller of ctx.
func InRegion(ctx context.Context, region string) context.Context {
	r := *RequestFrom(ctx)
	r.Region = region
	return WithRequest(ctx, &r)
}

// RequestFrom returns the request of ctx. Outside of a call it returns an empty request by nobody.
func RequestFrom(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{}
}

// As returns a context for calls that are made by another principal, such as a service on behalf of one
// of its resources or a template deploy with its role; account and region stay those of the surrounding call.
func As(ctx context.Context, p Principal) context.Context {
	r := *RequestFrom(ctx)
	r.Principal = p
	r.HTTP = nil
	return WithRequest(ctx, &r)
}
