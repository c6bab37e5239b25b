package apigatewayv2

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/scratch"
	"lambent.dev/lambent/internal/service"
)

// contentType is that of a function's answer which names none.
const contentType = "text/plain;charset=UTF-8"

// callFunction invokes the function of a Lambda proxy integration, and puts the headers of its answer into header.
func (x *exchange) callFunction(ctx context.Context, out *outgoing, header http.Header) (*reply, *refusal) {
	i := x.route.integration
	payload := scratch.Build(func(b []byte) []byte {
		if i.one {
			return x.eventOne(b, out)
		}
		return x.event(b, out)
	})
	if len(payload) > maxEvent {
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, message: "Request Entity Too Large"}
	}
	call := &backend.Call{Function: i.function, Source: x.source(), Account: x.account, Payload: payload}
	call.Role, call.As = x.credentials()
	step := x.trace.StepText("integration", trace.Text{Line: i.function, Body: payload})
	got, err := x.gateway.options.Functions.Invoke(ctx, call)
	var refused *refusal
	switch {
	case err != nil:
		refused = unanswered(err)
	case got.Error != "":
		refused = misconfigured(errors.New("the function " + i.function + " failed: " + got.Error + ": " + bodyPath(got.Payload, "errorMessage")))
	}
	step.EndText(x.outcome(refused, func() trace.Text { return trace.Text{Body: got.Payload} }))
	if refused != nil {
		return nil, refused
	}
	reply, err := x.readAnswer(got.Payload, header)
	if err != nil {
		return nil, misconfigured(fmt.Errorf("the function %s answered what HTTP APIs do not accept: %w", i.function, err))
	}
	return reply, nil
}

// credentials returns the role with which the integration is called, or the caller whose permissions it uses.
func (x *exchange) credentials() (role string, as *service.Principal) {
	if x.route.integration.role == backend.AnyUser {
		return "", x.caller
	}
	return x.route.integration.role, nil
}

// readAnswer reads what a function answered, in the format of its payload.
func (x *exchange) readAnswer(payload []byte, header http.Header) (*reply, error) {
	if x.route.integration.one {
		return x.readOne(payload, header)
	}
	answer, err := httpevent.Parse(payload, httpevent.Rules{ContentType: contentType})
	if err != nil {
		return nil, err
	}
	answer.Fill(header, x.request, x.cors)
	return &reply{status: answer.Status, header: header, body: answer.Body}, nil
}

// answerOne is a function's answer in format 1.0.
type answerOne struct {
	Status  json.RawMessage              `json:"statusCode"`
	Headers map[string]json.RawMessage   `json:"headers"`
	Multi   map[string][]json.RawMessage `json:"multiValueHeaders"`
	Body    *string                      `json:"body"`
	Base64  bool                         `json:"isBase64Encoded"`
}

// parseOne reads an answer in format 1.0, which has no short form: it must be an object with a statusCode. A strict one has no members that the format does not know.
func parseOne(payload []byte, strict bool) (*reply, error) {
	var p answerOne
	if payload = bytes.TrimSpace(payload); len(payload) == 0 || payload[0] != '{' {
		return nil, errors.New("it is not an object")
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is more than one document")
	}
	status, err := strconv.Atoi(strings.Trim(string(p.Status), `"`))
	if err != nil || status < 100 || status > 599 {
		return nil, fmt.Errorf("the statusCode %q is not an HTTP status", p.Status)
	}
	out := &reply{status: status}
	if out.header, err = p.fields(); err != nil {
		return nil, err
	}
	if p.Body != nil {
		out.body = []byte(*p.Body)
	}
	if p.Base64 {
		if out.body, err = base64.StdEncoding.DecodeString(string(out.body)); err != nil {
			return nil, fmt.Errorf("the body is not base64: %w", err)
		}
	}
	return out, nil
}

// readOne reads an answer in format 1.0.
func (x *exchange) readOne(payload []byte, header http.Header) (*reply, error) {
	out, err := parseOne(payload, false)
	if err != nil {
		return nil, err
	}
	for name, values := range out.header {
		if !x.keeps(name) {
			continue
		}
		header[name] = values
	}
	if len(header["Content-Type"]) == 0 {
		header["Content-Type"] = []string{contentType}
	}
	x.cors.Allow(header, x.request)
	out.header = header
	return out, nil
}

// fields are the headers of the answer: the values of multiValueHeaders and behind them those of headers, a value that is in both once.
func (p *answerOne) fields() (http.Header, error) {
	h := make(http.Header, len(p.Headers)+len(p.Multi))
	add := func(name string, raw json.RawMessage) error {
		if string(raw) == "null" {
			return nil
		}
		if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
			return errors.New("the header " + name + " is not a string, number or boolean")
		}
		text := jsonText(raw)
		if !httpevent.ValidHeader(name, text) {
			return fmt.Errorf("the header %q cannot be sent", name)
		}
		if name = http.CanonicalHeaderKey(name); !slices.Contains(h[name], text) {
			h[name] = append(h[name], text)
		}
		return nil
	}
	for name, values := range p.Multi {
		for _, v := range values {
			if err := add(name, v); err != nil {
				return nil, err
			}
		}
	}
	for name, v := range p.Headers {
		if err := add(name, v); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// keeps tells whether a header of an integration's answer goes to the client, by its canonical name. What says how a message is framed does not, and with a
// CORS configuration the gateway's own headers are the only ones of their kind
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html).
func (x *exchange) keeps(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Date", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return false
	}
	return x.cors == nil || !strings.HasPrefix(name, "Access-Control-")
}
