package plane

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/vtl"
)

// outgoing is the request to the integration.
type outgoing struct {
	fields fields
	query  pairs
	path   pairs
	body   []byte
}

// build makes the request to the integration: parameters as they are mapped, and the body by its template.
func (x *exchange) build() (*outgoing, *failed) {
	c := x.method.call
	out := &outgoing{}
	if c.Type == "HTTP_PROXY" {
		out.fields, out.query = x.fields.without(notProxied), x.query
	}
	for i := range c.parameters {
		a := &c.parameters[i]
		if f := checkMapped(c.Type, a); f != nil {
			return nil, f
		}
		out.assign(a.place, a.name, a.source.values(x))
	}
	step := x.trace.StepText("integration request", trace.Text{Body: x.body})
	f := x.buildBody(out)
	if f != nil {
		step.End(outcome(f, ""))
		return nil, f
	}
	x.applyOverride(out)
	step.EndText(out.text())
	return out, nil
}

// text is the request as the trace shows it.
func (o *outgoing) text() trace.Text {
	t := trace.Text{Body: o.body}
	if len(o.fields) > 0 {
		t.Head = o.fields
	}
	if len(o.query) > 0 {
		t.Line = "query: " + o.query.encode()
	}
	return t
}

// assign sets a parameter.
func (o *outgoing) assign(place, name string, values []string) {
	if len(values) == 0 {
		return
	}
	switch place {
	case "header":
		o.fields = o.fields.set(name, strings.Join(values, ","))
	case "querystring", "multivaluequerystring":
		o.query = o.query.set(name, values...)
	case "path":
		o.path = o.path.set(name, strings.Join(values, ","))
	}
}

// checkMapped refuses the headers that may not be mapped.
func checkMapped(kind string, a *assignment) *failed {
	if a.place != "header" {
		return nil
	}
	switch lower := strings.ToLower(a.name); lower {
	case "content-length", "transfer-encoding":
		return configuration(errors.New("the header " + a.name + " cannot be mapped"))
	case "authorization", "connection", "expect", "proxy-authenticate", "te":
		if strings.HasPrefix(kind, "AWS") {
			return configuration(errors.New("the header " + a.name + " cannot be mapped to a service"))
		}
	}
	return nil
}

// buildBody fills in the body: as it is, converted, or rendered by the template for its media type.
func (x *exchange) buildBody(out *outgoing) *failed {
	c := x.method.call
	kind := x.contentType()
	binary := x.tree.matchesBinary(kind)
	if c.Type == "HTTP_PROXY" && c.ContentHandling == "" {
		out.body = x.body
		return nil
	}
	p, err := payload{x.body, binary}.convert(c.ContentHandling, binary)
	if err != nil {
		return &failed{kind: "DEFAULT_5XX", message: "Internal server error", err: fmt.Errorf("%s: %w", c.ContentHandling, err)}
	}
	out.body = p.body
	if c.Type == "HTTP_PROXY" {
		return nil
	}
	t, ok := c.templates[kind]
	if !ok {
		behaviour := deref(c.PassthroughBehavior)
		if behaviour == "NEVER" || behaviour == "WHEN_NO_TEMPLATES" && len(c.templates) > 0 {
			return &failed{kind: "UNSUPPORTED_MEDIA_TYPE", message: "Unsupported Media Type"}
		}
		return nil
	}
	if t == nil {
		return nil
	}
	if p.binary {
		return configuration(errors.New("a mapping template cannot read a binary body; give the integration the content handling CONVERT_TO_TEXT"))
	}
	text, err := x.render(t, p.body, false)
	if err != nil {
		return configuration(fmt.Errorf("the mapping template for %s: %w", kind, err))
	}
	out.body = text
	return nil
}

// applyOverride puts in what the template changed.
func (x *exchange) applyOverride(out *outgoing) {
	if x.requestOverride == nil {
		return
	}
	for _, place := range []string{"header", "path", "querystring"} {
		m, ok := x.requestOverride.Get(place).(*vtl.Map)
		if !ok {
			continue
		}
		for _, name := range m.Keys() {
			out.assign(place, name, texts(m.Get(name)))
		}
	}
}

// texts returns the values of an override: one, or those of a list.
func texts(v any) []string {
	list, ok := v.(*vtl.List)
	if !ok {
		return []string{vtlText(v)}
	}
	out := make([]string, 0, len(list.Items))
	for _, item := range list.Items {
		out = append(out, vtlText(item))
	}
	return out
}

func vtlText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// backendHeader makes the header of a request to a backend or a service that is no proxy.
func (x *exchange) backendHeader(out *outgoing) http.Header {
	f := out.fields
	add := func(name, value string) {
		if _, ok := f.get(name); !ok {
			f = append(f, field{name, value})
		}
	}
	if x.method.call.Type != "HTTP_PROXY" {
		add("Accept", "application/json")
		add("User-Agent", "AmazonAPIGateway_"+x.API.ID)
		if len(out.body) > 0 || x.http.Method != http.MethodGet {
			add("Content-Type", x.contentType())
		}
	}
	add("X-Amzn-Apigateway-Api-Id", x.API.ID)
	add("X-Amzn-Trace-Id", x.traceID)
	return f.header()
}
