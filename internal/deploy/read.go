package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// Actual is a resource as its service has it now.
type Actual struct {
	service.Resource

	// Properties are those of a template, normalised, without those that can only be written.
	Properties map[string]any
}

// Model returns the properties and the attributes that are read-only, as the Cloud Control API shows them. An attribute with dots in its name is a member of an object, and so is a part of the identifier.
func (a *Actual) Model(identifier []string, id service.Identifier) map[string]any {
	model := maps.Clone(a.Properties)
	for _, name := range slices.Sorted(maps.Keys(a.Attributes)) {
		put(model, strings.Split(name, "."), a.Attributes[name])
	}
	for i, name := range identifier {
		if i < len(id) {
			put(model, strings.Split(name, "."), id[i])
		}
	}
	return model
}

// Member returns a property, or a member of one where the name has dots; nil when it is not there.
func Member(properties map[string]any, name string) any {
	at := any(properties)
	for member := range strings.SplitSeq(name, ".") {
		object, _ := at.(map[string]any)
		at = object[member]
	}
	return at
}

// put sets a member that is not there yet.
func put(model map[string]any, path []string, v any) {
	if len(path) == 1 {
		if _, has := model[path[0]]; !has {
			model[path[0]] = v
		}
		return
	}
	inner, ok := model[path[0]].(map[string]any)
	if !ok {
		if _, has := model[path[0]]; has {
			return
		}
		inner = map[string]any{}
		model[path[0]] = inner
	}
	put(inner, path[1:], v)
}

// Readable tells whether the resources of a type can be compared with their template.
func (t Types) Readable(name string) bool {
	typ, _ := t.Of(name)
	return typ.Read != nil || typ.Reread != nil
}

// Read returns a resource as it is, or an error that wraps [service.ErrGone].
func (t Types) Read(ctx context.Context, name string, id service.Identifier) (*Actual, error) {
	typ, ok := t.Of(name)
	if !ok || typ.Read == nil {
		return nil, fmt.Errorf("resources of type %s cannot be read", name)
	}
	state, err := typ.Read(ctx, id)
	if err != nil {
		return nil, err
	}
	shape, err := property.Of(typ.NewProperties())
	if err != nil {
		return nil, err
	}
	return &Actual{Resource: state.Resource, Properties: shape.Encode(state.Properties)}, nil
}

// Identify returns what identifies a resource outside of its stack: each part is a property that the template sets, an attribute, or the physical id, or that one's part in the same place.
func (t Types) Identify(name string, s Snapshot) service.Identifier {
	typ, _ := t.Of(name)
	id := make(service.Identifier, len(typ.Identifier))
	parts := strings.Split(s.PhysicalID, "|")
	for i, part := range typ.Identifier {
		if text, ok := template.Text(s.Properties[part]); ok && s.Properties[part] != nil && text != "" {
			id[i] = text
			continue
		}
		if text, ok := template.Text(s.Attributes[part]); ok && s.Attributes[part] != nil {
			id[i] = text
			continue
		}
		if id[i] = s.PhysicalID; len(parts) == len(id) {
			id[i] = parts[i]
		}
	}
	return id
}

// Reader reads the resources of a stack.
type Reader struct {
	Types Types
	Stack Stack
	// Dynamic is as in a [Run].
	Dynamic func(ctx context.Context, d template.Dynamic) (string, error)
}

// Compared is a resource of a stack beside what it should be.
type Compared struct {
	// Expected and Actual are the properties that the template sets and that can be read. Actual is nil when the resource is gone.
	Expected, Actual map[string]any
	Drift            []property.Drift
	// Model are all properties as they are, with those that the template leaves out.
	Model map[string]any
}

// Compare reads a resource of a stack, and compares it with what its template says. The error wraps [service.ErrGone] when it is not there, and the result then has what was expected.
func (r *Reader) Compare(ctx context.Context, row *Resource) (*Compared, error) {
	run := &Run{Stack: r.Stack, Types: r.Types, Dynamic: r.Dynamic}
	typ, recorded, err := run.former(ctx, row.Type, row.Properties)
	if err != nil {
		return nil, err
	}
	shape, err := property.Of(typ.NewProperties())
	if err != nil {
		return nil, err
	}
	live, err := resolved(ctx, row.Properties, r.Dynamic)
	if err != nil {
		return nil, err
	}
	properties, _ := live.(map[string]any)
	c := &Compared{Expected: shape.Readable(properties)}
	if typ.Reread == nil {
		var actual *Actual
		if actual, err = r.Types.Read(ctx, row.Type, r.Types.Identify(row.Type, row.Snapshot)); err == nil {
			c.Model = actual.Properties
		}
	} else {
		var p any
		if p, err = typ.Reread(ctx, run.call(row, row.PhysicalID, "read"), recorded); err == nil {
			c.Model = shape.Encode(p)
		}
	}
	if err != nil {
		return c, err
	}
	withoutTags(c.Model, c.Expected, row.Tags)
	c.Actual = map[string]any{}
	for name := range c.Expected {
		if v, has := c.Model[name]; has {
			c.Actual[name] = v
		}
	}
	c.Drift = shape.Drift(c.Expected, c.Actual)
	return c, nil
}

// withoutTags takes the tags that a stack gave its resource from the properties that were read, but for those that the template says too.
func withoutTags(model, expected map[string]any, tags map[string]string) {
	own := tagsOf(expected["Tags"])
	fromStack := func(key string, value any) bool {
		v, has := tags[key]
		_, said := own[key]
		return has && !said && v == value
	}
	switch list := model["Tags"].(type) {
	case map[string]any:
		maps.DeleteFunc(list, fromStack)
	case []any:
		model["Tags"] = slices.DeleteFunc(list, func(e any) bool {
			tag, _ := e.(map[string]any)
			key, _ := tag["Key"].(string)
			return fromStack(key, tag["Value"])
		})
	}
}

// tagsOf returns a Tags property, which is a list or an object, as an object.
func tagsOf(v any) map[string]any {
	if m, ok := v.(map[string]any); ok {
		return m
	}
	out := map[string]any{}
	list, _ := v.([]any)
	for _, e := range list {
		tag, _ := e.(map[string]any)
		if key, ok := tag["Key"].(string); ok {
			out[key] = tag["Value"]
		}
	}
	return out
}
