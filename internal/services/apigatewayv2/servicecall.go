package apigatewayv2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
)

// serviceCall is a first-class integration with another service, ready to be called.
type serviceCall struct {
	subtype
	// values are the parameters that the integration gives, without Region.
	values map[string]expression
	region *expression // nil is that of the API
}

// compileService compiles a first-class integration.
func compileService(i *integration) (*serviceCall, error) {
	s, ok := subtypes()[*i.IntegrationSubtype]
	if !ok {
		return nil, errors.New("the integration subtype " + *i.IntegrationSubtype + " is not one that Lambent has")
	}
	out := &serviceCall{subtype: s, values: map[string]expression{}}
	for name, text := range i.RequestParameters {
		e, err := parseExpression(text, anyReference)
		if err != nil {
			return nil, err
		}
		if name == "Region" {
			out.region = &e
			continue
		}
		out.values[name] = e
	}
	return out, nil
}

// callService calls the operation of a first-class integration. A parameter that comes to nothing is the client's fault (400); that the service refuses the call
// is the gateway's (500). Both are as AWS answers.
func (x *exchange) callService(ctx context.Context, header http.Header) (*reply, *refusal) {
	s := x.route.integration.service
	values := make(map[string]string, len(s.values))
	for name, e := range s.values {
		if values[name] = e.text(x.resolve); values[name] == "" {
			return nil, &refusal{status: http.StatusBadRequest, message: "Bad Request", err: errors.New("the parameter " + name + " of the integration comes to nothing for this request")}
		}
	}
	body, kind, err := s.body(values)
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, message: "Bad Request", err: err}
	}
	region := x.region
	if s.region != nil {
		region = s.region.text(x.resolve)
	}
	role, as := x.credentials()
	step := x.trace.StepText("integration", x.outcome(nil, func() trace.Text { return trace.Text{Line: s.api + " " + s.operation, Body: body} }))
	got, err := x.gateway.options.Services.Call(ctx, &backend.ServiceCall{
		URI: backend.ServiceURI{Region: region, Service: s.api, Action: s.operation, Path: "/"}, Source: x.source(), Account: x.account, Role: role, As: as,
		Method: http.MethodPost, Header: http.Header{"Content-Type": {kind}}, Body: body,
	})
	var refused *refusal
	switch {
	case err != nil:
		refused = unanswered(err)
	case got.Status < 200 || got.Status > 299:
		refused = misconfigured(fmt.Errorf("%s refused %s with %d: %s", s.api, s.operation, got.Status, got.Body[:min(len(got.Body), 1024)]))
	}
	step.EndText(x.outcome(refused, func() trace.Text { return messageText(got.Status, trace.Map(got.Header), got.Body) }))
	if refused != nil {
		return nil, refused
	}
	for name, values := range got.Header {
		if x.keeps(http.CanonicalHeaderKey(name)) {
			header[name] = values
		}
	}
	x.cors.Allow(header, x.request)
	return &reply{status: got.Status, header: header, body: got.Body}, nil
}

// body is the request of the operation in the protocol of its service, and its content type.
func (s *serviceCall) body(values map[string]string) (body []byte, kind string, err error) {
	if s.api == "sqs" {
		form, err := queryForm(values)
		return []byte(form.Encode()), "application/x-www-form-urlencoded", err
	}
	doc := make(map[string]any, len(values))
	for name, text := range values {
		if doc[name], err = s.value(name, text); err != nil {
			return nil, "", err
		}
	}
	if s.operation == "PutEvents" {
		doc = map[string]any{"Entries": []any{doc}}
	}
	body, err = json.Marshal(doc)
	return body, "application/x-amz-json-1.1", err
}

// value is a parameter as the JSON of its service has it.
func (s *serviceCall) value(name, text string) (any, error) {
	switch name {
	case "Resources":
		return texts(text)
	case "Time":
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at.Unix(), nil
		}
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("the parameter Time is no time: %q", text)
		}
		return seconds, nil
	}
	return text, nil
}

// texts reads a parameter that is a list: a JSON list of texts, or texts between commas.
func texts(text string) ([]string, error) {
	if !strings.HasPrefix(strings.TrimSpace(text), "[") {
		return strings.Split(text, ","), nil
	}
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("the parameter is no list of texts: %w", err)
	}
	return list, nil
}

// attribute is a message attribute of SQS.
type attribute struct {
	DataType    string
	StringValue *string
	BinaryValue *string // in base64
}

// queryForm makes the form of an operation of SQS, whose lists and maps have numbered members
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html).
func queryForm(values map[string]string) (url.Values, error) {
	form := url.Values{}
	for name, text := range values {
		switch name {
		case "AttributeNames", "MessageAttributeNames":
			list, err := texts(text)
			if err != nil {
				return nil, err
			}
			for n, v := range list {
				form.Set(strings.TrimSuffix(name, "s")+"."+strconv.Itoa(n+1), v)
			}
		case "MessageAttributes", "MessageSystemAttributes":
			var list map[string]attribute
			if err := json.Unmarshal([]byte(text), &list); err != nil {
				return nil, fmt.Errorf("the parameter %s is no object of attributes: %w", name, err)
			}
			for n, key := range slices.Sorted(maps.Keys(list)) {
				list[key].form(form, strings.TrimSuffix(name, "s")+"."+strconv.Itoa(n+1), key)
			}
		default:
			form.Set(name, text)
		}
	}
	return form, nil
}

// form puts an attribute into a form.
func (a attribute) form(form url.Values, prefix, name string) {
	form.Set(prefix+".Name", name)
	form.Set(prefix+".Value.DataType", a.DataType)
	if a.StringValue != nil {
		form.Set(prefix+".Value.StringValue", *a.StringValue)
	}
	if a.BinaryValue != nil {
		form.Set(prefix+".Value.BinaryValue", *a.BinaryValue)
	}
}
