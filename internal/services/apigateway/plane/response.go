package plane

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/vtl"
)

// respond makes the client's response of the integration's answer.
func (x *exchange) respond() (*response, *failed) {
	if x.answer.proxied {
		return x.proxied(), nil
	}
	k := x.selectResponse()
	if k == nil {
		return nil, configuration(fmt.Errorf("no integration response has a pattern for %q, and none is the default", x.answer.text))
	}
	if k.broken != nil {
		return nil, configuration(k.broken)
	}
	x.status = k.status
	out := &response{status: k.status, header: http.Header{}, body: x.answer.body}
	contentType, f := x.responseBody(k, out)
	if f != nil {
		return nil, f
	}
	setHeader(out.header, "Content-Type", contentType)
	for i := range k.parameters {
		a := &k.parameters[i]
		if values := a.source.values(x); len(values) > 0 && a.place == "header" {
			x.respondHeader(out.header, a.name, values)
		}
	}
	x.responseOverrides(out)
	return out, nil
}

// respondHeader sets a mapped header of the response.
func (x *exchange) respondHeader(h http.Header, name string, values []string) {
	for _, v := range values {
		if !httpevent.ValidHeader(name, v) {
			return
		}
	}
	if strings.EqualFold(name, "Transfer-Encoding") {
		return // how the body is sent is no matter of mappings
	}
	if remapped(strings.ToLower(name), false) {
		name = "x-amzn-Remapped-" + name
	}
	setHeader(h, name, values...)
}

// selectResponse returns the integration response whose pattern is that of the answer, or the one without.
func (x *exchange) selectResponse() *integrationResponse {
	c := x.method.call
	for _, k := range c.responses {
		if k.pattern != nil && k.pattern.MatchString(x.answer.text) {
			return k
		}
	}
	return c.fallback
}

// responseBody renders or converts the body, and returns its media type.
func (x *exchange) responseBody(k *integrationResponse, out *response) (contentType string, f *failed) {
	mock := x.method.call.Type == "MOCK"
	p := payload{body: out.body}
	if !mock {
		answered, ok := x.answer.fields.get("Content-Type")
		if !ok {
			answered = "application/json" // of a function
		}
		p.binary = x.tree.matchesBinary(answered)
		var err error
		if p, err = p.convert(k.ContentHandling, x.tree.matchesBinary(x.acceptedType())); err != nil {
			return "", configuration(fmt.Errorf("the integration response %d: %w", k.status, err))
		}
	}
	out.body = p.body
	t, kind := k.template(x.accepts())
	if kind == "" {
		kind = "application/json"
	}
	if t == nil {
		if mock {
			out.body = nil
		}
		return kind, nil
	}
	if p.binary {
		return "", configuration(errors.New("a mapping template cannot read a binary answer; give the integration response the content handling CONVERT_TO_TEXT"))
	}
	body := out.body
	if mock {
		body = nil
	}
	text, err := x.render(t, body, false)
	if err != nil {
		return "", configuration(fmt.Errorf("the mapping template of the integration response %d: %w", k.status, err))
	}
	out.body = text
	if k.ContentHandling == toBinary {
		if decoded, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
			out.body = decoded
		}
	}
	return kind, nil
}

// template returns the template for what the client accepts, for JSON, or the first.
func (k *integrationResponse) template(accepts string) (*vtl.Template, string) {
	if len(k.types) == 0 {
		return nil, ""
	}
	for _, kind := range []string{accepts, "application/json"} {
		if t, ok := k.templates[kind]; ok {
			return t, kind
		}
	}
	return k.templates[k.types[0]], k.types[0]
}

// responseOverrides puts in what the template changed of the response.
func (x *exchange) responseOverrides(out *response) {
	if x.responseOverride == nil {
		return
	}
	if n, err := strconv.Atoi(vtlText(x.responseOverride.Get("status"))); err == nil && n >= 200 && n <= 599 {
		out.status, x.status = n, n
	}
	if m, ok := x.responseOverride.Get("header").(*vtl.Map); ok {
		for _, name := range m.Keys() {
			x.respondHeader(out.header, name, texts(m.Get(name)))
		}
	}
}

// smallMap is how many members a map holds without a table, which costs several times as much to make.
const smallMap = 8

// proxied makes the response of an answer that goes to the client as it is, save for the headers that are API Gateway's.
func (x *exchange) proxied() *response {
	a := x.answer
	out := &response{status: a.status, header: make(http.Header, max(len(a.fields), smallMap)), body: a.body}
	function := x.method.call.Type == "AWS_PROXY"
	typed := false
	values := make([]string, len(a.fields)) // one piece of memory for all of them
	for i, f := range a.fields {
		lower := lowerName(f.name)
		switch {
		case lower == "transfer-encoding" || lower == "keep-alive" || function && lower == "x-amzn-requestid" || lower == "x-amz-apigw-id":
			continue
		case remapped(lower, true) || lower == "x-amzn-requestid": // of a backend that is an AWS service's
			f.name = "x-amzn-Remapped-" + f.name
		case lower == "content-type":
			typed = true
		}
		name := f.name
		if _, ok := out.header[name]; !ok {
			for k := range out.header {
				if strings.EqualFold(k, name) {
					name = k
					break
				}
			}
		}
		if before, ok := out.header[name]; ok {
			out.header[name] = append(before, f.value)
			continue
		}
		values[i] = f.value
		out.header[name] = values[i : i+1 : i+1]
	}
	if !typed && (function || len(a.body) > 0 || a.stream != nil) {
		out.header["Content-Type"] = []string{"application/json"}
	}
	return out
}

// compress compresses a body when the API and the client want it.
func (x *exchange) compress(h http.Header, body []byte) []byte {
	if x.tree.minimum < 0 || len(body) < x.tree.minimum || len(body) == 0 {
		return body
	}
	for name := range h {
		if strings.EqualFold(name, "Content-Encoding") {
			return body
		}
	}
	accepted, _ := x.fields.get("Accept-Encoding")
	if !slices.ContainsFunc(strings.Split(accepted, ","), func(e string) bool {
		e, q, _ := strings.Cut(strings.TrimSpace(e), ";")
		return e == "gzip" && strings.ReplaceAll(q, " ", "") != "q=0"
	}) {
		return body
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil || w.Close() != nil {
		return body
	}
	h["Content-Encoding"] = []string{"gzip"}
	return b.Bytes()
}
