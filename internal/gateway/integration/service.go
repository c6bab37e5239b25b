package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Services calls operations of this Lambent's services.
type Services struct {
	Requests port.Requests
	Sender   *deliver.Sender
	Random   io.Reader
}

// ServiceURI is the URI of an integration with a service, taken apart:
// arn:aws:apigateway:{region}:{service}:{action|path}/{name}.
type ServiceURI struct {
	Region string
	// Service is the service, with the subdomain that some have in front ("runtime.sagemaker").
	Service string
	// Action is the operation, or empty where the URI has a path; Path begins with a slash, and is "/" for an action.
	Action, Path string
	// Query is what follows a question mark, or the parameters after an action ("&Name=value"), without its mark.
	Query string
}

// ParseServiceURI takes the URI of an integration with a service apart. ok is false for another URI.
func ParseServiceURI(uri string) (u ServiceURI, ok bool) {
	part := strings.SplitN(uri, ":", 6)
	if len(part) != 6 || part[0] != "arn" || part[2] != "apigateway" || part[4] == "" {
		return u, false
	}
	u = ServiceURI{Region: part[3], Service: part[4], Path: "/"}
	kind, rest, _ := strings.Cut(part[5], "/")
	switch kind {
	case "action":
		u.Action, u.Query, _ = strings.Cut(rest, "&")
		if name, query, ok := strings.Cut(u.Action, "?"); ok {
			u.Action, u.Query = name, query
		}
		return u, u.Action != ""
	case "path":
		rest, u.Query, _ = strings.Cut(rest, "?")
		u.Path = "/" + strings.TrimPrefix(rest, "/")
		return u, true
	}
	return u, false
}

// ServiceCall is a request to a service for a method of an API.
type ServiceCall struct {
	URI ServiceURI
	// Source and Account are the ARN of the method and the owner of its API.
	Source, Account string
	// Role is the ARN of the role that API Gateway assumes for the call; As, when it is set, is the caller whose permissions are used instead.
	Role string
	As   *service.Principal
	// Method, Query (raw, without its question mark), Header and Body are the request.
	Method, Query string
	Header        http.Header
	Body          []byte
}

// Answer is what a service answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Call sends a request to a service and waits for the answer, whatever its status. The error is a [*CallError].
func (s *Services) Call(ctx context.Context, c *ServiceCall) (*Answer, error) {
	caller, err := s.caller(ctx, c)
	if err != nil {
		return nil, err
	}
	query := c.URI.Query
	if c.Query != "" {
		if query != "" {
			query += "&"
		}
		query += c.Query
	}
	target := c.URI.Path
	if query != "" {
		target += "?" + query
	}
	r, err := http.NewRequestWithContext(ctx, c.Method, "http://"+c.URI.Service+"."+c.URI.Region+".amazonaws.com"+target, bytes.NewReader(c.Body))
	if err != nil {
		return nil, &CallError{Kind: Misconfigured, Message: "the request to " + c.URI.Service + " cannot be made", Err: err}
	}
	r.Header = c.Header
	if r.Header == nil {
		r.Header = http.Header{}
	}
	w := &capture{header: http.Header{}, max: maxAnswerBody}
	s.serve(w, r, &port.ServiceRequest{Service: c.URI.Service, Action: c.URI.Action, Caller: *caller})
	switch {
	case ctx.Err() != nil:
		return nil, failure(ctx, c.URI.Service+" did not answer within the integration's timeout", ctx.Err())
	case w.over:
		return nil, &CallError{Kind: Failed, Message: fmt.Sprintf("the answer of %s has more than %d bytes", c.URI.Service, maxAnswerBody)}
	case w.broken || w.status == 0:
		return nil, &CallError{Kind: Failed, Message: "the answer of " + c.URI.Service + " broke off"}
	}
	a := &Answer{Status: w.status, Header: w.header, Body: w.body}
	if c.URI.Service != "s3" && strings.HasPrefix(w.header.Get("Content-Type"), "text/xml") && strings.HasPrefix(r.Header.Get("Accept"), "application/json") {
		if doc, ok := queryJSON(w.body); ok {
			a.Body = doc
			a.Header.Set("Content-Type", "application/json")
		}
	}
	return a, nil
}

// serve has the request answered. An answer that breaks off is told by a panic, which is for servers; here it is one that is not whole.
func (s *Services) serve(w *capture, r *http.Request, c *port.ServiceRequest) {
	defer func() {
		if cause := recover(); cause != nil {
			if cause != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				panic(cause)
			}
			w.broken = true
		}
	}()
	s.Requests.ServeRequest(w, r, c)
}

// maxAnswerBody is the largest answer of a service that goes through an API, in bytes
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
const maxAnswerBody = 10 << 20

// caller is who makes the call.
func (s *Services) caller(ctx context.Context, c *ServiceCall) (*service.Request, error) {
	if c.As == nil && c.Role == "" {
		return nil, &CallError{
			Kind:    Misconfigured,
			Message: "the integration with " + c.URI.Service + " has no credentials: give it the ARN of a role that " + Principal + " may assume and that may call the operation",
		}
	}
	outer := service.RequestFrom(ctx)
	id := outer.ID
	if id == "" {
		var err error
		if id, err = uuid.New(s.Random); err != nil {
			return nil, err
		}
	}
	from := port.Source{Service: Principal, ARN: c.Source, Account: c.Account}
	called, err := s.Sender.Caller(ctx, from, c.Role, id, "arn:aws:"+c.URI.Service+":"+c.URI.Region+":"+c.Account+":*")
	if err != nil {
		return nil, failure(ctx, "the role "+c.Role+" cannot be assumed by "+Principal+"; its trust policy must allow that", err)
	}
	r := service.RequestFrom(called)
	r.Trace = outer.Trace
	if c.As != nil {
		r.Principal = *c.As
	}
	return r, nil
}

// capture is an answer in memory.
type capture struct {
	header http.Header
	status int
	body   []byte
	max    int
	over   bool // the answer was longer than max
	broken bool
}

// Header implements [http.ResponseWriter].
func (w *capture) Header() http.Header { return w.header }

// WriteHeader keeps the status.
func (w *capture) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write keeps a part of the body.
func (w *capture) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if len(w.body)+len(p) > w.max {
		w.over = true
		return 0, io.ErrShortWrite
	}
	w.body = append(w.body, p...)
	return len(p), nil
}
