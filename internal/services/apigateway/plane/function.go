package plane

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/scratch"
	"lambent.dev/lambent/internal/service"
)

// credentials returns the role of the integration, or the caller whose permissions it uses.
func (x *exchange) credentials() (role string, as *service.Principal) {
	role = deref(x.method.call.Credentials)
	if role == integration.AnyUser {
		return "", x.principal
	}
	return role, nil
}

// proxyFunction invokes the function of a Lambda proxy integration.
func (x *exchange) proxyFunction(ctx context.Context) *failed {
	c := x.method.call
	if m := deref(c.HttpMethod); m != "" && m != http.MethodPost {
		return configuration(errors.New("a Lambda proxy integration calls with POST, and its integration HTTP method is " + m))
	}
	for i := range c.parameters {
		if f := checkMapped(c.Type, &c.parameters[i]); f != nil {
			return f
		}
	}
	function := c.function
	if function == "" {
		var ok bool
		if function, ok = integration.FunctionOf(c.uri.fill(x.params, x.variables)); !ok {
			return configuration(fmt.Errorf("the URI %q of the integration names no function", c.uri.text))
		}
	}
	call := &integration.Call{Function: function, Source: x.source(), Account: x.Account, Payload: scratch.Build(x.event)}
	call.Role, call.As = x.credentials()
	for i := range c.parameters {
		a := &c.parameters[i]
		if a.place != "header" {
			continue
		}
		switch v, _ := a.source.value(x); strings.ToLower(a.name) {
		case "x-amz-invocation-type":
			call.Event = v == "Event"
		case "x-amz-tenant-id":
			call.Tenant = v
		}
	}
	step := x.trace.StepText("integration", trace.Text{Body: call.Payload})
	x.logger.request(function, nil, call.Payload)
	if c.streams() {
		a, f := x.streamFunction(ctx, call)
		x.answer = a
		step.End(outcome(f, "a stream"))
		return f
	}
	x.called = true
	got, err := x.plane.functions.Invoke(ctx, call)
	if err != nil {
		f := integrationFailed(err)
		step.End(outcome(f, ""))
		return f
	}
	step.EndText(trace.Text{Body: got.Payload})
	if got.Error != "" {
		return badGateway(errors.New("the function failed: " + functionError(got.Payload)))
	}
	a, err := x.parseProxy(got.Payload)
	if err != nil {
		err = fmt.Errorf("the function's answer is malformed: %w", err)
		if errors.Is(err, errNotBase64) {
			return configuration(err)
		}
		return badGateway(err)
	}
	x.answer = a
	return nil
}

// errNotBase64 is of an answer that cannot be decoded, for which clients get another status than for other malformed ones.
var errNotBase64 = errors.New("the body is not base64")

// badGateway is the answer when a proxied function gave none that can be used.
func badGateway(err error) *failed {
	return &failed{kind: "API_CONFIGURATION_ERROR", status: http.StatusBadGateway, message: "Internal server error", err: err}
}

// proxyAnswer is the form of a function's answer. Another member makes it malformed.
type proxyAnswer struct {
	Status  json.RawMessage `json:"statusCode"`
	Headers orderedHeaders  `json:"headers"`
	Multi   multiHeaders    `json:"multiValueHeaders"`
	Body    json.RawMessage `json:"body"`
	Base64  *bool           `json:"isBase64Encoded"`
}

// orderedHeaders are the members of headers in their order.
type orderedHeaders fields

// UnmarshalJSON reads an object of strings, numbers and booleans; null is none.
func (h *orderedHeaders) UnmarshalJSON(b []byte) error {
	return eachMember(b, func(name string, value json.RawMessage) error {
		v, ok := scalar(value)
		if !ok {
			return fmt.Errorf("the header %s is not a string, number or boolean", name)
		}
		if v != nil {
			*h = append(*h, field{name, *v})
		}
		return nil
	})
}

// multiHeaders are the members of multiValueHeaders in their order.
type multiHeaders fields

// UnmarshalJSON reads an object of lists.
func (h *multiHeaders) UnmarshalJSON(b []byte) error {
	return eachMember(b, func(name string, value json.RawMessage) error {
		if string(value) == "null" {
			return nil
		}
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return fmt.Errorf("the multi-value header %s is not a list", name)
		}
		for _, item := range list {
			v, ok := scalar(item)
			if !ok {
				return fmt.Errorf("the multi-value header %s has a value that is not a string, number or boolean", name)
			}
			if v != nil {
				*h = append(*h, field{name, *v})
			}
		}
		return nil
	})
}

// eachMember calls fn with the members of an object; null has none.
func eachMember(b []byte, fn func(name string, value json.RawMessage) error) error {
	if string(b) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not an object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := fn(t.(string), value); err != nil {
			return err
		}
	}
	return nil
}

// scalar returns the text of a string, number or boolean; nil for null.
func scalar(raw json.RawMessage) (*string, bool) {
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return nil, false
	}
	text := string(raw)
	if raw[0] == '"' {
		if json.Unmarshal(raw, &text) != nil {
			return nil, false
		}
	} else if text == "null" {
		return nil, true
	}
	return &text, true
}

// parseProxy reads the answer of a function by the rules of REST APIs
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html).
func (x *exchange) parseProxy(payload []byte) (*answer, error) {
	if u, ok := httpevent.Scan(payload); ok && !u.Base64 {
		a := &answer{status: u.Status, text: strconv.Itoa(u.Status), proxied: true, body: u.Body}
		for _, h := range u.Headers {
			a.fields = append(a.fields, field{h.Name, h.Value})
		}
		return a, nil
	}
	return x.decodeProxy(payload)
}

// decodeProxy is parseProxy for every form of answer.
func (x *exchange) decodeProxy(payload []byte) (*answer, error) {
	payload = bytes.TrimSpace(payload)
	if len(payload) == 0 || payload[0] != '{' {
		return nil, errors.New("it is not an object")
	}
	var p proxyAnswer
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	if p.Status == nil && p.Headers == nil && p.Multi == nil && p.Body == nil && p.Base64 == nil {
		return nil, errors.New("it is empty")
	}
	status, err := statusOf(p.Status)
	if err != nil {
		return nil, err
	}
	a := &answer{status: status, text: strconv.Itoa(status), proxied: true, fields: mergeHeaders(fields(p.Headers), fields(p.Multi))}
	if err := a.fields.check(); err != nil {
		return nil, err
	}
	if len(p.Body) == 0 || string(p.Body) == "null" {
		return a, nil
	}
	body, ok := scalar(p.Body)
	if !ok || p.Body[0] != '"' {
		return nil, errors.New("the body is not a string")
	}
	a.body = []byte(*body)
	if deref(p.Base64) && x.tree.matchesBinary(x.acceptedType()) {
		decoded, err := base64.StdEncoding.DecodeString(*body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotBase64, err)
		}
		a.body = decoded
	}
	return a, nil
}

// statusOf reads the status of an answer, a number or a text; none is 200.
func statusOf(raw json.RawMessage) (int, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return http.StatusOK, nil
	}
	n, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil || n < 100 || n > 599 {
		return 0, fmt.Errorf("the statusCode %s is not an HTTP status", raw)
	}
	return n, nil
}

// acceptedType is what decides about decoding a function's body: the first type that the client accepts. A client that says nothing accepts everything.
func (x *exchange) acceptedType() string {
	if t := x.accepts(); t != "" {
		return t
	}
	return "*/*"
}

// mergeHeaders joins the two forms of headers, by name in any case: the values of the multi-value form first, in its spelling. A pair that is in both is there once.
func mergeHeaders(single, multi fields) fields {
	if len(multi) == 0 {
		return single
	}
	out := append(fields(nil), multi...)
next:
	for _, f := range single {
		name := f.name
		for _, m := range multi {
			if !strings.EqualFold(m.name, f.name) {
				continue
			}
			if name = m.name; m.value == f.value {
				continue next
			}
		}
		out = append(out, field{name, f.value})
	}
	return out
}
