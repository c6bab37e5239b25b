package plane

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/jsonenc"
	"lambent.dev/lambent/internal/lib/jsonscan"
	"lambent.dev/lambent/internal/lib/reach"
)

// mock answers with the status that the request template names.
func (x *exchange) mock() *failed {
	if x.tree.matchesBinary(x.contentType()) && x.method.call.ContentHandling != "CONVERT_TO_TEXT" && len(x.method.call.templates) > 0 {
		return configuration(errors.New("a mock integration cannot read a binary request: give it the content handling CONVERT_TO_TEXT"))
	}
	out, f := x.build()
	if f != nil {
		return f
	}
	status, err := mockStatus(out.body)
	if err != nil {
		return configuration(err)
	}
	x.answer = &answer{status: status, text: strconv.Itoa(status), body: out.body}
	return nil
}

// bareStatus is a status code whose name has no quotes, which the JSON reader of mock integrations takes too.
var bareStatus = regexp.MustCompile(`^\s*\{\s*['"]?statusCode['"]?\s*:\s*['"]?(\d{3})['"]?\s*[,}]`)

func mockStatus(body []byte) (int, error) {
	var doc struct {
		Status json.Number `json:"statusCode"`
	}
	if err := json.Unmarshal(body, &doc); err == nil && doc.Status != "" {
		return strconv.Atoi(doc.Status.String())
	}
	if m := bareStatus.FindSubmatch(body); m != nil {
		return strconv.Atoi(string(m[1]))
	}
	return 0, errors.New(`the request template of a mock integration must render JSON with a statusCode, such as {"statusCode": 200}`)
}

var errNoHost = errors.New("it has no host")

// callHTTP sends the request to an HTTP backend.
func (x *exchange) callHTTP(ctx context.Context) *failed {
	c := x.method.call
	out, f := x.build()
	if f != nil {
		return f
	}
	if f := x.checkLink(ctx); f != nil {
		return f
	}
	target, err := url.Parse(c.uri.fill(out.path, x.variables))
	if err != nil || target.Host == "" {
		return &failed{kind: "API_CONFIGURATION_ERROR", message: "Internal server error", logged: "Invalid endpoint address", err: fmt.Errorf("the URI %q of the integration is none: %w", c.uri.text, cmp.Or(err, errNoHost))}
	}
	method := deref(c.HttpMethod)
	if method == "" || method == "ANY" {
		method = x.http.Method
	}
	r := &http.Request{
		Method: method, URL: target, Header: x.backendHeader(out), ContentLength: int64(len(out.body)), ProtoMajor: 1, ProtoMinor: 1,
		GetBody: func() (io.ReadCloser, error) { return integration.NewWhole(out.body), nil },
	}
	if host := r.Header["Host"]; len(host) == 1 {
		r.Host = host[0]
	}
	// The path goes out as it was mapped, and the query as it is here.
	path := target.EscapedPath()
	if path == "" {
		path = "/"
	}
	query := target.RawQuery
	if q := out.query.encode(); q != "" && query != "" {
		query += "&" + q
	} else if q != "" {
		query = q
	}
	if target.Opaque = path; query != "" {
		target.Opaque += "?" + query
	}
	if len(out.body) > 0 {
		r.Body = integration.NewWhole(out.body)
	}
	where := method + " " + target.Scheme + "://" + target.Host + target.Opaque
	if x.logger != nil {
		x.logger.request(where[len(method)+1:], fieldsOf(r.Header), out.body)
	}
	step := x.trace.Step("integration", where)
	x.called = true
	got, err := x.exchangeHTTP(r.WithContext(ctx))
	if err != nil {
		f := x.unreachable(err)
		step.End(outcome(f, ""))
		return f
	}
	x.answer = got
	seen := trace.Text{Line: got.text, Head: got.fields, Body: got.body}
	if got.stream != nil {
		seen.Body = []byte("a stream")
	}
	step.EndText(seen)
	return nil
}

// exchangeHTTP sends a request and reads the answer: the whole of it, unless it is passed on while it arrives.
func (x *exchange) exchangeHTTP(r *http.Request) (*answer, error) {
	t, err := x.plane.backends.transport(r.Context(), x.plane, x.stage, x.method.call)
	if err != nil {
		return nil, err
	}
	got, err := t.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a := &answer{status: got.StatusCode, text: strconv.Itoa(got.StatusCode), proxied: x.method.call.Type == "HTTP_PROXY", fields: fieldsOf(got.Header)}
	if x.method.call.streams() {
		a.stream = x.watched(got.Body)
		return a, nil
	}
	a.body, err = integration.ReadWhole(got)
	return a, err
}

// unreachable is the answer when a backend gave none.
func (x *exchange) unreachable(err error) *failed {
	if errors.Is(err, context.DeadlineExceeded) {
		return &failed{kind: "INTEGRATION_TIMEOUT", message: "Endpoint request timed out", err: err}
	}
	if errors.Is(err, integration.ErrAnswerTooLarge) || errors.Is(err, reach.ErrBlocked) {
		return configuration(err)
	}
	return &failed{kind: "INTEGRATION_FAILURE", message: "Network error communicating with endpoint", err: err}
}

// callAWS calls a function or another service without a proxy.
func (x *exchange) callAWS(ctx context.Context) *failed {
	out, f := x.build()
	if f != nil {
		return f
	}
	c := x.method.call
	target := c.function
	if target == "" {
		target = c.uri.fill(out.path, x.variables)
	}
	if function, ok := integration.FunctionOf(target); ok {
		return x.callFunction(ctx, function, out)
	}
	u, ok := integration.ParseServiceURI(target)
	if !ok {
		return configuration(fmt.Errorf("the URI %q of the integration names no service", target))
	}
	method := deref(c.HttpMethod)
	if method == "" || method == "ANY" {
		method = x.http.Method
	}
	call := &integration.ServiceCall{
		URI: u, Source: x.source(), Account: x.Account, Method: method, Query: out.query.encode(), Header: x.backendHeader(out), Body: out.body,
	}
	call.Role, call.As = x.credentials()
	if x.logger != nil {
		x.logger.request(target, fieldsOf(call.Header), out.body)
	}
	step := x.trace.Step("integration", method+" "+target)
	x.called = true
	got, err := x.plane.services.Call(ctx, call)
	if err != nil {
		f := integrationFailed(err)
		step.End(outcome(f, ""))
		return f
	}
	step.EndText(trace.Text{Line: strconv.Itoa(got.Status), Body: got.Body})
	x.answer = &answer{status: got.Status, text: strconv.Itoa(got.Status), fields: fieldsOf(got.Header), body: got.Body}
	return nil
}

// callFunction invokes a function whose event is the body.
func (x *exchange) callFunction(ctx context.Context, function string, out *outgoing) *failed {
	payload := out.body
	if len(bytes.TrimSpace(payload)) == 0 {
		payload = []byte("{}")
	}
	if !jsonscan.Valid(payload) {
		message := "Could not parse request body into json: the event is not JSON"
		x.answer = &answer{status: http.StatusBadRequest, text: message, body: append(jsonenc.String([]byte(`{"message":`), message), '}')}
		return nil
	}
	kind, _ := out.fields.get("X-Amz-Invocation-Type")
	tenant, _ := out.fields.get("X-Amz-Tenant-Id")
	call := &integration.Call{Function: function, Source: x.source(), Account: x.Account, Payload: payload, Event: kind == "Event", Tenant: tenant}
	call.Role, call.As = x.credentials()
	x.logger.request(function, out.fields, payload)
	step := x.trace.Step("integration", function)
	x.called = true
	got, err := x.plane.functions.Invoke(ctx, call)
	if err != nil {
		f := integrationFailed(err)
		step.End(outcome(f, ""))
		return f
	}
	step.EndText(trace.Text{Body: got.Payload})
	// The selection pattern is compared with the message of an error; what is no error takes the answer without a pattern.
	x.answer = &answer{status: http.StatusOK, body: got.Payload}
	if call.Event {
		x.answer.status = http.StatusAccepted
	}
	if got.Error != "" {
		x.answer.text = functionError(got.Payload)
	}
	return nil
}
