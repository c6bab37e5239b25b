package portal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// anyMethod is the name under which documents have what all methods share
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-any-method.html).
const anyMethod = "x-amazon-apigateway-any-method"

// document is an OpenAPI 3.0 document of a stage.
type document struct {
	OpenAPI    string                                `json:"openapi"`
	Info       json.RawMessage                       `json:"info"`
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components components                            `json:"components"`

	Documentation *struct {
		Parts []part `json:"documentationParts"`
	} `json:"x-amazon-apigateway-documentation,omitempty"`
}

type components struct {
	Schemas         map[string]json.RawMessage `json:"schemas,omitempty"`
	SecuritySchemes map[string]json.RawMessage `json:"securitySchemes,omitempty"`
}

// part is a documentation part.
type part struct {
	Location   location `json:"location"`
	Properties struct {
		Summary     string `json:"summary"`
		Description string `json:"description"`
	} `json:"properties"`
}

type location struct {
	Type   string `json:"type"`
	Path   string `json:"path"`
	Method string `json:"method"`
	Status string `json:"statusCode"`
	Name   string `json:"name"`
}

// text is what a part says, in Markdown.
func (p *part) text() string {
	summary, description := strings.TrimSpace(p.Properties.Summary), strings.TrimSpace(p.Properties.Description)
	if summary == "" || description == "" || summary == description {
		return summary + strings.TrimPrefix(description, summary)
	}
	return summary + "\n\n" + description
}

// operation is one method of a document.
type operation struct {
	document     *document
	path, member string

	// body is what the documentation says about the method, in Markdown.
	body       string
	parameters []parameter
	contents   []content
	responses  []response
	// schemes are the names of what secures the method, such as api_key.
	schemes []string
}

// parameter is a parameter of a request. In is path, query or header.
type parameter struct {
	Name, In, Text string
	Required       bool
}

// content is the body of a request or an answer. Schema is a JSON schema with its models in place.
type content struct{ Type, Schema string }

// response is an answer that the method declares.
type response struct {
	Status, Text string
	Headers      []string
	Contents     []content
}

func readDocument(body []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(body, d); err != nil {
		return nil, fmt.Errorf("read the document of an API: %w", err)
	}
	return d, nil
}

// operation returns a method of the document, nil when it has none: its own, or what ANY says for it.
func (d *document) operation(path, method string) *operation {
	member := strings.ToLower(method)
	if method == "ANY" {
		member = anyMethod
	}
	raw, ok := d.Paths[path][member]
	if !ok {
		member = anyMethod
		if raw, ok = d.Paths[path][member]; !ok {
			return nil
		}
	}
	var o struct {
		Parameters []struct {
			Name     string `json:"name"`
			In       string `json:"in"`
			Required bool   `json:"required"`
		} `json:"parameters"`
		Body struct {
			Content map[string]json.RawMessage `json:"content"`
		} `json:"requestBody"`
		Responses map[string]struct {
			Text    string                     `json:"description"`
			Headers map[string]json.RawMessage `json:"headers"`
			Content map[string]json.RawMessage `json:"content"`
		} `json:"responses"`
		Security []map[string]json.RawMessage `json:"security"`
	}
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	out := &operation{document: d, path: path, member: member, contents: d.contents(o.Body.Content), body: cut(d.about(path, method), maxBody)}
	for _, p := range o.Parameters {
		kind := map[string]string{"path": "PATH_PARAMETER", "query": "QUERY_PARAMETER", "header": "REQUEST_HEADER"}[p.In]
		out.parameters = append(out.parameters, parameter{p.Name, p.In, cut(d.said(location{Type: kind, Path: path, Method: method, Name: p.Name}), maxSaid), p.Required})
	}
	out.nameThePath()
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		r := o.Responses[status]
		text := d.said(location{Type: "RESPONSE", Path: path, Method: method, Status: status})
		if text == "" {
			text = r.Text
		}
		out.responses = append(out.responses, response{status, cut(text, maxSaid), slices.Sorted(maps.Keys(r.Headers)), d.contents(r.Content)})
	}
	for _, alternatives := range o.Security {
		out.schemes = append(out.schemes, slices.Sorted(maps.Keys(alternatives))...)
	}
	out.fit()
	return out
}

// fit leaves out the schemas that are too many.
func (o *operation) fit() {
	left := maxSchemas
	each := func(contents []content) {
		for i := range contents {
			if left -= len(contents[i].Schema); left < 0 {
				contents[i].Schema = ""
			}
		}
	}
	each(o.contents)
	for i := range o.responses {
		each(o.responses[i].Contents)
	}
}

// nameThePath adds the parameters of the path that the method does not declare.
func (o *operation) nameThePath() {
	for element := range strings.SplitSeq(o.path, "/") {
		if !strings.HasPrefix(element, "{") || !strings.HasSuffix(element, "}") {
			continue
		}
		name := strings.TrimSuffix(element[1:len(element)-1], "+")
		if !slices.ContainsFunc(o.parameters, func(p parameter) bool { return p.In == "path" && p.Name == name }) {
			o.parameters = append(o.parameters, parameter{Name: name, In: "path", Required: true})
		}
	}
	slices.SortStableFunc(o.parameters, func(a, b parameter) int {
		return strings.Compare(a.In+"\x00"+a.Name, b.In+"\x00"+b.Name)
	})
}

func (d *document) contents(from map[string]json.RawMessage) (out []content) {
	for _, kind := range slices.Sorted(maps.Keys(from)) {
		var c struct {
			Schema json.RawMessage `json:"schema"`
		}
		if json.Unmarshal(from[kind], &c) != nil {
			continue
		}
		out = append(out, content{kind, d.schema(c.Schema)})
	}
	return out
}

// What is shown of an operation, in bytes: of one schema, of all of them, of what is said about the method (AWS's quota for a page), and about a parameter or an answer.
const (
	maxSchema  = 32 << 10
	maxSchemas = 128 << 10
	maxBody    = 32 << 10
	maxSaid    = 2 << 10
)

// cut returns the beginning of a text that is longer than n bytes.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "\n…"
}

// schema returns a schema for people: what it refers to is in its place, and it is indented.
func (d *document) schema(raw json.RawMessage) string {
	var ref struct {
		Ref string `json:"$ref"`
	}
	if json.Unmarshal(raw, &ref) == nil && ref.Ref != "" {
		if model, ok := d.Components.Schemas[ref.Ref[strings.LastIndexByte(ref.Ref, '/')+1:]]; ok {
			raw = model
		}
	}
	var b bytes.Buffer
	if len(raw) == 0 || json.Indent(&b, raw, "", "  ") != nil {
		return ""
	}
	return cut(b.String(), maxSchema)
}

// about is what the documentation says about a method: the part of the method, or else that of its resource.
func (d *document) about(path, method string) string {
	if text := d.said(location{Type: "METHOD", Path: path, Method: method}); text != "" {
		return text
	}
	return d.said(location{Type: "RESOURCE", Path: path})
}

// said is what the documentation says about a place. What a place does not say itself, it has of the places around it: any method, any status, and the paths above
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-documenting-api-content-representation.html).
func (d *document) said(l location) string {
	if d.Documentation == nil {
		return ""
	}
	for path := l.Path; ; path = path[:strings.LastIndexByte(path, '/')] {
		if path == "" {
			path = "/"
		}
		for _, status := range []string{l.Status, "*"} {
			for _, method := range []string{l.Method, "*"} {
				if p := d.part(location{l.Type, path, method, status, l.Name}); p != nil {
					return p.text()
				}
			}
		}
		if path == "/" {
			return ""
		}
	}
}

func (d *document) part(l location) *part {
	is := func(have, want, unsaid string) bool { return have == want || have == "" && want == unsaid }
	for i := range d.Documentation.Parts {
		p := &d.Documentation.Parts[i]
		at := &p.Location
		if at.Type == l.Type && is(at.Path, l.Path, "/") && is(at.Method, l.Method, "*") && is(at.Status, l.Status, "*") && at.Name == l.Name {
			return p
		}
	}
	return nil
}

// raw returns the document of the operation alone, in JSON.
func (o *operation) raw() (*string, error) {
	only := *o.document
	only.Paths = map[string]map[string]json.RawMessage{o.path: {o.member: o.document.Paths[o.path][o.member]}}
	b, err := json.Marshal(&only)
	return ptr(string(b)), err
}
