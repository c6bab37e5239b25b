package apigatewayv2

import (
	"bytes"
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

	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/lib/vtl"
)

// answer is what an integration of a WebSocket API answered.
type answer struct {
	status int
	header map[string]string // in lower case
	body   []byte
}

// run calls the integration of an event's route. A route without one answers 200.
func (g *Gateway) run(ctx context.Context, m *message) (answer, error) {
	i := m.route.integration
	if i == nil {
		return answer{status: http.StatusOK}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	from := g.deps.Clock.Now()
	defer func() { m.called, m.took = true, g.deps.Clock.Now().Sub(from) }()
	switch i.IntegrationType {
	case kindAWSProxy:
		return g.runFunction(ctx, m, i)
	case kindHTTPProxy:
		return g.runHTTP(ctx, m, i, m.body)
	}
	body, err := i.request(m)
	if err != nil {
		return answer{}, err
	}
	var a answer
	var selector string
	switch i.IntegrationType {
	case kindMock:
		a, err = mocked(body)
		selector = strconv.Itoa(a.status)
	case kindHTTP:
		a, err = g.runHTTP(ctx, m, i, body)
		selector = strconv.Itoa(a.status)
	default:
		a, selector, err = g.runService(ctx, m, i, body)
	}
	if err != nil {
		return a, err
	}
	return i.respond(m, a, selector)
}

// runFunction calls a function with the event, and reads the answer of a proxy.
func (g *Gateway) runFunction(ctx context.Context, m *message, i *socketIntegration) (answer, error) {
	function := variables(i.function, m.table.variables)
	out, err := g.options.Functions.Invoke(ctx, &backend.Call{
		Function: function, Source: m.arn(m.routeKey()), Account: m.Account, Role: value(i.CredentialsArn), Payload: m.event(),
	})
	switch {
	case err != nil:
		return answer{}, err
	case out.Error != "":
		return answer{status: http.StatusBadGateway}, fmt.Errorf("the function %s failed: %s", function, out.Error)
	}
	if m.kind == eventDisconnect {
		return answer{status: http.StatusOK}, nil // nobody waits for it, whatever it is
	}
	read, err := parseOne(out.Payload, true) // also where nothing goes back: the client is told when it is no answer
	if err != nil {
		return answer{status: http.StatusBadGateway}, fmt.Errorf("the function %s answered what WebSocket APIs do not accept: %w", function, err)
	}
	header := make(map[string]string, len(read.header))
	for name, values := range read.header {
		header[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return answer{read.status, header, read.body}, nil
}

// variables puts the values of stage variables into a text.
func variables(text string, values map[string]string) string {
	if !strings.Contains(text, "${stageVariables.") {
		return text
	}
	e, err := parseExpression(text, anyReference)
	if err != nil {
		return text
	}
	return e.text(func(reference string) string { return values[strings.TrimPrefix(reference, "stageVariables.")] })
}

// request returns the body of the request to the backend: what the template makes of the message, or the message itself.
func (i *socketIntegration) request(m *message) ([]byte, error) {
	t := template(i.templates, i.selection.text(m.resolve))
	if t == nil {
		if i.PassthroughBehavior == "NEVER" || i.PassthroughBehavior == "WHEN_NO_TEMPLATES" && len(i.templates) > 0 {
			return nil, errors.New("no request template is for the message, and PassthroughBehavior does not let it through")
		}
		return m.body, nil
	}
	return m.render(t, m.body)
}

// render runs a template on a body.
func (m *message) render(t *vtl.Template, body []byte) ([]byte, error) {
	about, err := vtl.ParseJSON(string(m.requestContext()))
	if err != nil {
		return nil, err
	}
	known, _ := about.(*vtl.Map) // requestContext is an object
	values := vtl.NewMap()
	for _, name := range slices.Sorted(maps.Keys(m.table.variables)) {
		values.Put(name, m.table.variables[name])
	}
	return t.Render(vtl.Variables(vtl.Request{Body: string(body)}, known, values), vtl.DefaultLimits())
}

// mocked is the answer of a MOCK integration: its template has to make a document with a statusCode.
func mocked(body []byte) (answer, error) {
	var doc struct {
		Status json.Number `json:"statusCode"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return answer{}, fmt.Errorf(`the request template of a MOCK integration has to make a document such as {"statusCode": 200}: %w`, err)
	}
	status, err := strconv.Atoi(doc.Status.String())
	if err != nil || status < 100 || status > 599 {
		return answer{}, errors.New(`the request template of a MOCK integration has to make a document such as {"statusCode": 200}`)
	}
	return answer{status: status}, nil
}

// runHTTP sends a body to an HTTP backend.
func (g *Gateway) runHTTP(ctx context.Context, m *message, i *socketIntegration, body []byte) (answer, error) {
	target := variables(value(i.IntegrationUri), m.table.variables)
	header, query := http.Header{}, url.Values{}
	for name, e := range i.mappings {
		text := e.text(m.resolve)
		switch _, rest, _ := strings.Cut(name, "integration.request."); {
		case strings.HasPrefix(rest, "header."):
			header.Set(strings.TrimPrefix(rest, "header."), text)
		case strings.HasPrefix(rest, "querystring."):
			query.Set(strings.TrimPrefix(rest, "querystring."), text)
		case strings.HasPrefix(rest, "path."):
			target = strings.ReplaceAll(target, "{"+strings.TrimPrefix(rest, "path.")+"}", url.PathEscape(text))
		}
	}
	if len(query) > 0 {
		mark := "?"
		if strings.Contains(target, "?") {
			mark = "&"
		}
		target += mark + query.Encode()
	}
	method := value(i.IntegrationMethod)
	if method == "ANY" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, target, backend.NewWhole(body))
	if err != nil {
		return answer{}, err
	}
	if header.Get("Content-Type") == "" {
		header["Content-Type"] = []string{"application/json"}
	}
	r.Header, r.ContentLength = header, int64(len(body))
	transport, err := g.transport(way{})
	if err != nil {
		return answer{}, err
	}
	got, err := transport.Fetch(r)
	if err != nil {
		return answer{}, err
	}
	return answer{status: got.Status, header: map[string]string{}, body: got.Body}, nil
}

// runService calls a function without the form of a proxy, or another service. selector is what the patterns of integration responses are matched
// with: the status, or for a function its error message.
func (g *Gateway) runService(ctx context.Context, m *message, i *socketIntegration, body []byte) (a answer, selector string, err error) {
	uri := variables(value(i.IntegrationUri), m.table.variables)
	if function, ok := backend.FunctionOf(uri); ok {
		if len(bytes.TrimSpace(body)) == 0 {
			body = []byte("{}")
		}
		if !json.Valid(body) {
			return a, "", errors.New("what goes to the function is not JSON; give the integration a request template that makes JSON")
		}
		out, err := g.options.Functions.Invoke(ctx, &backend.Call{
			Function: function, Source: m.arn(m.routeKey()), Account: m.Account, Role: value(i.CredentialsArn), Payload: body,
		})
		if err != nil {
			return a, "", err
		}
		a = answer{status: http.StatusOK, body: out.Payload}
		if out.Error != "" {
			return a, bodyPath(out.Payload, "errorMessage"), nil
		}
		return a, "", nil
	}
	u, ok := backend.ParseServiceURI(uri)
	if !ok {
		return a, "", fmt.Errorf("the integration URI %s is none of a service", uri)
	}
	header := http.Header{}
	for name, e := range i.mappings {
		if h, ok := strings.CutPrefix(name, "integration.request.header."); ok {
			header.Set(h, e.text(m.resolve))
		}
	}
	out, err := g.options.Services.Call(ctx, &backend.ServiceCall{
		URI: u, Source: m.arn(m.routeKey()), Account: m.Account, Role: value(i.CredentialsArn), Method: value(i.IntegrationMethod), Query: u.Query, Header: header, Body: body,
	})
	if err != nil {
		return a, "", err
	}
	return answer{status: out.Status, body: out.Body}, strconv.Itoa(out.Status), nil
}

// respond applies the integration response that a selector chooses. Without one for it the answer stays as it is.
func (i *socketIntegration) respond(m *message, a answer, selector string) (answer, error) {
	for n := range i.responses {
		r := &i.responses[n]
		if r.pattern != nil && !r.pattern.MatchString(selector) {
			continue
		}
		selected := r.selection.text(func(reference string) string {
			if path, ok := strings.CutPrefix(reference, "integration.response.body."); ok {
				return bodyPath(a.body, path)
			}
			if reference == "integration.response.statuscode" {
				return strconv.Itoa(a.status)
			}
			return m.resolve(reference)
		})
		t := template(r.templates, selected)
		if t == nil {
			return a, nil
		}
		body, err := m.render(t, a.body)
		a.body = body
		return a, err
	}
	return a, nil
}
