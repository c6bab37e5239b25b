// Package registry has what AWS's public registry of resource types says of the types that serverless applications use: which properties there are, the form of
// their values, and what a change of one does.
//
// The data (types.json.gz) comes from the schemas that the package cfn-lint carries under MIT-0, without their descriptions; tools/registry writes it. It is for
// people who ask: what this Lambent takes is decided by the property structs of its resource types alone.
package registry

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

//go:embed types.json.gz
var packed []byte

// Registry has the types by name.
type Registry map[string]*Type

// Type is the schema of a resource type.
type Type struct {
	Schema
	Definitions map[string]*Schema `json:"definitions"`
	// The lists are JSON pointers, such as /properties/QueueName.
	CreateOnly        []string `json:"createOnlyProperties"`
	ConditionalCreate []string `json:"conditionalCreateOnlyProperties"`
	ReadOnly          []string `json:"readOnlyProperties"`
	WriteOnly         []string `json:"writeOnlyProperties"`
	Identifier        []string `json:"primaryIdentifier"`
}

// Schema is the form of a value.
type Schema struct {
	Type       any                `json:"type"` // a string or a list of strings
	Enum       []any              `json:"enum"`
	Default    any                `json:"default"`
	Minimum    *float64           `json:"minimum"`
	Maximum    *float64           `json:"maximum"`
	MinLength  *int               `json:"minLength"`
	MaxLength  *int               `json:"maxLength"`
	MinItems   *int               `json:"minItems"`
	MaxItems   *int               `json:"maxItems"`
	Required   []string           `json:"required"`
	Ref        string             `json:"$ref"`
	Items      *Schema            `json:"items"`
	Properties map[string]*Schema `json:"properties"`
}

// Load reads the registry.
func Load() (Registry, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read the registry: %w", err)
	}
	var out Registry
	if err := json.NewDecoder(r).Decode(&out); err != nil {
		return nil, fmt.Errorf("read the registry: %w", err)
	}
	return out, nil
}

// Document returns the schema of a type as a JSON object of its own, as it is kept; nil for a type that the registry does not have.
func Document(name string) (map[string]any, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read the registry: %w", err)
	}
	var all map[string]json.RawMessage
	if err := json.NewDecoder(r).Decode(&all); err != nil {
		return nil, fmt.Errorf("read the registry: %w", err)
	}
	if all[name] == nil {
		return nil, nil //nolint:nilnil // nothing is known of it, and nothing is wrong
	}
	var out map[string]any
	if err := json.Unmarshal(all[name], &out); err != nil {
		return nil, fmt.Errorf("read the registry's %s: %w", name, err)
	}
	return out, nil
}

// Names returns the names of the types, sorted.
func (r Registry) Names() []string { return slices.Sorted(maps.Keys(r)) }

// Property is one property of a type.
type Property struct {
	// Path leads to it from the type: names, and "*" for the entries of a list.
	Path   []string
	Schema *Schema
	// Required tells that a value is needed where the object around it is given.
	Required bool
	// Replaces tells that a change makes the resource anew, MayReplace that it does so in some cases.
	Replaces, MayReplace bool
	// ReadOnly tells that only the service sets it, WriteOnly that it is never shown.
	ReadOnly, WriteOnly bool
}

// Property returns the property at a path; entries of lists need no name.
func (t *Type) Property(path ...string) (Property, bool) {
	p := Property{Schema: &t.Schema}
	for _, name := range path {
		holder := t.object(p.Schema)
		for holder != nil && holder.Items != nil {
			p.Path = append(p.Path, "*")
			holder = t.object(holder.Items)
		}
		if holder == nil || holder.Properties[name] == nil {
			return Property{}, false
		}
		p.Path, p.Required = append(p.Path, name), slices.Contains(holder.Required, name)
		p.Schema = t.object(holder.Properties[name])
	}
	at := "/properties/" + strings.Join(p.Path, "/")
	p.Replaces, p.MayReplace = slices.Contains(t.CreateOnly, at), slices.Contains(t.ConditionalCreate, at)
	p.ReadOnly, p.WriteOnly = slices.Contains(t.ReadOnly, at), slices.Contains(t.WriteOnly, at)
	return p, len(path) > 0
}

// Members returns the properties of the object at a path, or of the entries of the list there, sorted by name. An empty path is the type.
func (t *Type) Members(path ...string) []Property {
	s := &t.Schema
	if len(path) > 0 {
		p, ok := t.Property(path...)
		if !ok {
			return nil
		}
		s = p.Schema
	}
	for s.Items != nil {
		s = t.object(s.Items)
	}
	var out []Property
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if p, ok := t.Property(append(slices.Clone(path), name)...); ok {
			out = append(out, p)
		}
	}
	return out
}

// object follows references to definitions.
func (t *Type) object(s *Schema) *Schema {
	for range 16 { // no chain of references is longer
		if s == nil || s.Ref == "" {
			return s
		}
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		if strings.HasPrefix(s.Ref, "#/properties/") {
			s = t.Properties[name]
		} else {
			s = t.Definitions[name]
		}
	}
	return nil
}

// Form describes the form of a value in a few words, such as "list of object" or "integer, 0 to 900".
func (t *Type) Form(s *Schema) string {
	s = t.object(s)
	if s == nil {
		return "any value"
	}
	form := "any value"
	switch kind := s.Type.(type) {
	case string:
		form = kind
	case []any:
		names := make([]string, len(kind))
		for i := range kind {
			names[i] = fmt.Sprint(kind[i])
		}
		form = strings.Join(names, " or ")
	default:
		if s.Properties != nil {
			form = "object"
		}
	}
	if form == "array" {
		form = "list"
		if s.Items != nil {
			form += " of " + t.Form(s.Items)
		}
	}
	parts := []string{form, between(s.Minimum, s.Maximum, ""), between(s.MinLength, s.MaxLength, " characters"), between(s.MinItems, s.MaxItems, " entries")}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}

func between[N int | float64](low, high *N, unit string) string {
	number := func(n N) string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }
	switch {
	case low != nil && high != nil:
		return number(*low) + " to " + number(*high) + unit
	case low != nil:
		return "at least " + number(*low) + unit
	case high != nil:
		return "at most " + number(*high) + unit
	}
	return ""
}

// Open tells that the value at a path, or around it, is one whose members the registry does not list: a document, or a mapping of free names.
func (t *Type) Open(path ...string) bool {
	s := &t.Schema
	for _, name := range path {
		for s = t.object(s); s != nil && s.Items != nil; s = t.object(s) {
			s = s.Items
		}
		if s == nil || len(s.Properties) == 0 {
			return true
		}
		if s.Properties[name] == nil {
			return false
		}
		s = s.Properties[name]
	}
	return false
}
