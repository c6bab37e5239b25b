package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of a document.
const (
	maxBytes = 6 << 20
	maxDepth = 200
	maxNodes = 1_000_000
)

// object is a mapping of a document. Numbers are [json.Number], so that a version such as 1.0 keeps its text.
type object = map[string]any

// document is a parsed document.
type document struct {
	root object
	// v3 tells OpenAPI 3 from Swagger 2.0.
	v3 bool
}

// errDocument is returned for what is no document at all.
var errDocument = errors.New("no OpenAPI document")

// parse reads a document in JSON or YAML.
func parse(body []byte) (*document, error) {
	root, err := tree(body)
	if err != nil {
		return nil, err
	}
	version := text(root["openapi"])
	switch {
	case strings.HasPrefix(version, "3."):
		return &document{root, true}, nil
	case version == "" && strings.HasPrefix(text(root["swagger"]), "2"):
		return &document{root, false}, nil
	}
	return nil, fmt.Errorf("%w: it has neither swagger: \"2.0\" nor openapi: \"3.0…\"", errDocument)
}

// tree reads a mapping in JSON or YAML.
func tree(body []byte) (object, error) {
	if len(body) > maxBytes {
		return nil, fmt.Errorf("%w: it is %d bytes long, and at most %d are read", errDocument, len(body), maxBytes)
	}
	var v any
	if json.Valid(body) {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, errors.Join(errDocument, err)
		}
		if err := bounded(v); err != nil {
			return nil, err
		}
	} else {
		var err error
		if v, err = fromYAML(body); err != nil {
			return nil, errors.Join(errDocument, err)
		}
	}
	root, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("%w: it is no mapping", errDocument)
	}
	return root, nil
}

func bounded(v any) error {
	if depth(v, 0) > maxDepth {
		return fmt.Errorf("%w: it is nested deeper than %d", errDocument, maxDepth)
	}
	return nil
}

func depth(v any, at int) int {
	if at > maxDepth {
		return at
	}
	deepest := at
	switch v := v.(type) {
	case object:
		for _, e := range v {
			deepest = max(deepest, depth(e, at+1))
		}
	case []any:
		for _, e := range v {
			deepest = max(deepest, depth(e, at+1))
		}
	}
	return deepest
}

// fromYAML reads YAML by its nodes: a key is its text, and a number or a date keeps how it was written.
func fromYAML(body []byte) (any, error) {
	var n yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(body)).Decode(&n); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errDocument
		}
		return nil, err
	}
	left := maxNodes
	return fromNode(&n, 0, &left)
}

func fromNode(n *yaml.Node, at int, left *int) (any, error) {
	if *left--; *left < 0 || at > maxDepth {
		return nil, fmt.Errorf("it has more than %d nodes, or is nested deeper than %d", maxNodes, maxDepth)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return fromNode(n.Content[0], at, left)
	case yaml.AliasNode:
		return fromNode(n.Alias, at+1, left)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, e := range n.Content {
			v, err := fromNode(e, at+1, left)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		return fromMapping(n, at, left)
	}
	return scalar(n), nil
}

func fromMapping(n *yaml.Node, at int, left *int) (any, error) {
	out := make(object, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		v, err := fromNode(n.Content[i+1], at+1, left)
		if err != nil {
			return nil, err
		}
		if n.Content[i].Tag != "!!merge" {
			out[n.Content[i].Value] = v
			continue
		}
		merged, ok := v.(object)
		if !ok {
			return nil, fmt.Errorf("line %d merges what is no mapping", n.Line)
		}
		for k, e := range merged {
			if _, own := out[k]; !own {
				out[k] = e
			}
		}
	}
	return out, nil
}

func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

// text returns a scalar as its text; anything else is "".
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// flag tells whether a scalar is true.
func flag(v any) bool { return strings.EqualFold(text(v), "true") }

// number returns a scalar as a number, or nil.
func number(v any) *int32 {
	f, err := json.Number(text(v)).Float64()
	if err != nil || f != float64(int32(f)) {
		return nil
	}
	n := int32(f)
	return &n
}

func child(o object, name string) object {
	c, _ := o[name].(object)
	return c
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// texts returns a list of scalars as texts.
func texts(v any) []string {
	var out []string
	for _, e := range list(v) {
		if s := text(e); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// mapping returns an object of texts as a map, without what is no text.
func mapping(v any) map[string]string {
	o, _ := v.(object)
	var out map[string]string
	for k, e := range o {
		if s, ok := e.(string); ok {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = s
		}
	}
	return out
}

// templates returns an object of mapping templates; one that is no text is written as JSON.
func templates(v any) map[string]string {
	o, _ := v.(object)
	var out map[string]string
	for k, e := range o {
		s, ok := e.(string)
		if !ok && e != nil {
			b, err := json.Marshal(e)
			if err != nil {
				continue
			}
			s = string(b)
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = s
	}
	return out
}

// maxReferences is how many references lead from one to another at most.
const maxReferences = 20

// resolve follows the references of v within the document.
func (d *document) resolve(v any) object {
	o, _ := v.(object)
	for range maxReferences {
		ref, ok := o["$ref"].(string)
		if !ok {
			return o
		}
		if o, ok = d.at(ref).(object); !ok {
			return nil
		}
	}
	return nil
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}")

// at returns what a reference such as "#/definitions/Pet" names, or nil.
func (d *document) at(ref string) any {
	rest, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	var v any = d.root
	for name := range strings.SplitSeq(rest, "/") {
		o, _ := v.(object)
		v = o[unescape.Replace(name)]
	}
	return v
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func ptr[T any](v T) *T { return &v }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
