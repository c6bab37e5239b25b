package plane

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/lib/vtl"
)

// assignment is one line of a parameter mapping: a value for a header, a query parameter or a path parameter.
type assignment struct {
	place  string // header, querystring, path, multivaluequerystring
	name   string
	source source
}

// source is where a mapped value comes from (https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html).
type source struct {
	kind string // static, header, querystring, path, multivalueheader, multivaluequerystring, body, context, stage
	name string
	// answer tells that it is of the integration's answer.
	answer bool
}

// compileAssignments compiles a mapping whose keys begin with prefix. A value of null, or one that names nothing, is left out.
func compileAssignments(from map[string]string, prefix string) ([]assignment, error) {
	out := make([]assignment, 0, len(from))
	for _, key := range slices.Sorted(maps.Keys(from)) {
		rest, ok := strings.CutPrefix(key, prefix)
		place, name, ok2 := strings.Cut(rest, ".")
		if !ok || !ok2 {
			return nil, fmt.Errorf("the mapped parameter %q does not begin with %s", key, prefix)
		}
		s, ok := parseSource(from[key])
		if !ok {
			return nil, fmt.Errorf("the parameter %s is mapped from %q, which names nothing", key, from[key])
		}
		out = append(out, assignment{place, name, s})
	}
	return out, nil
}

// parseSource reads an expression such as method.request.header.Accept, integration.response.body.a.b, context.requestId, stageVariables.x or 'text'.
func parseSource(text string) (s source, ok bool) {
	if n := len(text); n >= 2 && text[0] == '\'' && text[n-1] == '\'' {
		return source{kind: "static", name: text[1 : n-1]}, true
	}
	if rest, found := strings.CutPrefix(text, "context."); found {
		return source{kind: "context", name: rest}, true
	}
	if rest, found := strings.CutPrefix(text, "stageVariables."); found {
		return source{kind: "stage", name: rest}, true
	}
	rest, found := strings.CutPrefix(text, "method.request.")
	if !found {
		if rest, found = strings.CutPrefix(text, "integration.response."); !found {
			return s, false
		}
		s.answer = true
	}
	s.kind, s.name, _ = strings.Cut(rest, ".")
	switch s.kind {
	case "header", "querystring", "path", "multivalueheader", "multivaluequerystring":
		return s, s.name != ""
	case "body":
		if _, after, found := strings.Cut(rest, "body"); found && strings.HasPrefix(after, "[") {
			s.name = after
		}
		return s, true
	}
	if strings.HasPrefix(s.kind, "body[") {
		s.name, s.kind = strings.TrimPrefix(rest, "body"), "body"
		return s, true
	}
	return s, false
}

// values returns the values of a source in a request, or in the answer of its integration; none when it has none.
func (s *source) values(x *exchange) []string {
	one := func(v string, ok bool) []string {
		if !ok {
			return nil
		}
		return []string{v}
	}
	headers := x.fields
	if s.answer {
		if x.answer == nil {
			return nil
		}
		headers = x.answer.fields
	}
	switch s.kind {
	case "static":
		return []string{s.name}
	case "header":
		return one(headers.get(s.name))
	case "multivalueheader":
		return headers.all(s.name)
	case "querystring":
		return one(x.query.get(s.name))
	case "multivaluequerystring":
		return x.query.all(s.name)
	case "path":
		return one(x.params.get(s.name))
	case "stage":
		v, ok := x.variables[s.name]
		return one(v, ok)
	case "context":
		v := x.contextValue(s.name)
		return one(v, v != "")
	case "body":
		body := x.body
		if s.answer {
			body = x.answer.body
		}
		return one(bodyValue(string(body), s.name))
	}
	return nil
}

// value returns the values of a source as one text.
func (s *source) value(x *exchange) (string, bool) {
	v := s.values(x)
	return strings.Join(v, ","), len(v) > 0
}

// bodyValue returns what a path leads to in a body of JSON.
func bodyValue(body, path string) (string, bool) {
	if path == "" || path == "$" {
		return body, body != ""
	}
	variables := vtl.Variables(vtl.Request{Body: body}, nil, nil)
	input, ok := variables["input"].(vtl.Object)
	if !ok {
		return "", false
	}
	if !strings.HasPrefix(path, "$") {
		path = "$." + strings.TrimPrefix(path, ".")
	}
	v, _, err := input.Call("json", []any{path})
	text, isText := v.(string)
	if err != nil || !isText || text == "" || text == `""` {
		return "", false
	}
	var s string
	if json.Unmarshal([]byte(text), &s) == nil {
		return s, true
	}
	return text, true
}

// uri is the URI of an integration with its variables {name} and ${stageVariables.name}.
type uri struct {
	text  string
	parts []uriPart
}

// uriPart is a piece of text and the variable behind it.
type uriPart struct {
	text, param, stage string
}

// parseURI takes a URI apart.
func parseURI(text string) *uri {
	u := &uri{text: text}
	for rest := text; ; {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			u.parts = append(u.parts, uriPart{text: rest})
			return u
		}
		end := strings.IndexByte(rest[i:], '}')
		if end < 0 {
			u.parts = append(u.parts, uriPart{text: rest})
			return u
		}
		name := rest[i+1 : i+end]
		p := uriPart{text: rest[:i]}
		if stage, ok := strings.CutPrefix(name, "stageVariables."); ok && strings.HasSuffix(p.text, "$") {
			p.text, p.stage = strings.TrimSuffix(p.text, "$"), stage
		} else {
			p.param = strings.TrimSuffix(name, "+")
		}
		u.parts = append(u.parts, p)
		rest = rest[i+end+1:]
	}
}

// plain tells that the URI has no variables.
func (u *uri) plain() bool {
	return len(u.parts) == 1 && u.parts[0].param == "" && u.parts[0].stage == ""
}

// fill returns the URI with its variables replaced: by path parameters of the integration request, and by stage variables.
func (u *uri) fill(path pairs, stage map[string]string) string {
	if u.plain() {
		return u.text
	}
	var b strings.Builder
	for i := range u.parts {
		p := &u.parts[i]
		b.WriteString(p.text)
		switch {
		case p.stage != "":
			b.WriteString(stage[p.stage])
		case p.param != "":
			if v, ok := path.get(p.param); ok {
				b.WriteString(v)
			} else {
				b.WriteString("{" + p.param + "}")
			}
		}
	}
	return b.String()
}
