package schemas

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

const (
	// maxDepth is how deep values are looked into, and maxMembers how many members of an object are kept.
	maxDepth   = 32
	maxMembers = 1000
)

// The kinds of JSON values.
const (
	kindArray   = "array"
	kindBoolean = "boolean"
	kindNull    = "null"
	kindNumber  = "number"
	kindObject  = "object"
	kindString  = "string"
)

// shape is what is known of the values at one place of events. A shape does not change: [shape.merge] makes a new one.
type shape struct {
	// Kinds are the kinds of the values, in order.
	Kinds []string
	// Time tells that every text was a time (RFC 3339).
	Time bool `json:",omitempty"`
	// Members are those of objects, of which Required were in every one.
	Members  map[string]*shape `json:",omitempty"`
	Required []string          `json:",omitempty"`
	// Items is the shape of the elements of arrays; nil when all were empty.
	Items *shape `json:",omitempty"`
}

// shapeOf returns the shape of a JSON value that json.Unmarshal has read into an any.
func shapeOf(v any, depth int) *shape {
	switch v := v.(type) {
	case nil:
		return &shape{Kinds: []string{kindNull}}
	case bool:
		return &shape{Kinds: []string{kindBoolean}}
	case float64:
		return &shape{Kinds: []string{kindNumber}}
	case string:
		_, err := time.Parse(time.RFC3339Nano, v)
		return &shape{Kinds: []string{kindString}, Time: err == nil}
	case []any:
		out := &shape{Kinds: []string{kindArray}}
		if depth < maxDepth {
			for _, e := range v {
				out.Items, _ = out.Items.merge(shapeOf(e, depth+1))
			}
		}
		return out
	case map[string]any:
		out := &shape{Kinds: []string{kindObject}}
		if depth < maxDepth {
			names := slices.Sorted(maps.Keys(v))
			names = names[:min(len(names), maxMembers)]
			out.Members = make(map[string]*shape, len(names))
			for _, name := range names {
				out.Members[name] = shapeOf(v[name], depth+1)
			}
			out.Required = names
		}
		return out
	}
	return &shape{}
}

// decodeShape returns the shape of a JSON document.
func decodeShape(b []byte) (*shape, error) {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, err
	}
	return shapeOf(v, 0), nil
}

func (s *shape) has(kind string) bool { return slices.Contains(s.Kinds, kind) }

// merge returns the shape of the values of both, and whether that is another than s.
func (s *shape) merge(o *shape) (*shape, bool) {
	switch {
	case o == nil:
		return s, false
	case s == nil:
		return o, true
	}
	out, changed := *s, false
	for _, k := range o.Kinds {
		if !s.has(k) {
			out.Kinds = append(slices.Clone(out.Kinds), k)
			slices.Sort(out.Kinds)
			changed = true
		}
	}
	if o.has(kindString) {
		out.Time = o.Time && (s.Time || !s.has(kindString))
		changed = changed || out.Time != s.Time
	}
	if o.has(kindObject) {
		changed = out.mergeMembers(s, o) || changed
	}
	items, more := s.Items.merge(o.Items)
	out.Items = items
	if !changed && !more {
		return s, false
	}
	return &out, true
}

// mergeMembers merges the members of objects into out, which begins as a copy of s, and tells whether they are others.
func (s *shape) mergeMembers(old, o *shape) bool {
	changed, cloned := false, false
	for _, name := range slices.Sorted(maps.Keys(o.Members)) {
		m, more := old.Members[name].merge(o.Members[name])
		if !more || old.Members[name] == nil && len(s.Members) >= maxMembers {
			continue
		}
		if !cloned {
			s.Members, cloned = maps.Clone(old.Members), true
			if s.Members == nil {
				s.Members = map[string]*shape{}
			}
		}
		s.Members[name], changed = m, true
	}
	required := o.Required
	if old.has(kindObject) {
		required = nil
		for _, name := range old.Required {
			if slices.Contains(o.Required, name) {
				required = append(required, name)
			}
		}
	}
	if !slices.Equal(required, old.Required) {
		s.Required, changed = required, true
	}
	return changed
}

// document returns the shape as a schema object of OpenAPI 3 or JSON Schema draft 4.
func (s *shape) document(draft4 bool) map[string]any {
	out := map[string]any{}
	if s == nil {
		return out
	}
	kinds := slices.DeleteFunc(slices.Clone(s.Kinds), func(k string) bool { return k == kindNull })
	nullable := len(kinds) < len(s.Kinds)
	if len(kinds) != 1 {
		return out // any value
	}
	kind := kinds[0]
	out["type"] = kind
	if nullable && draft4 {
		out["type"] = []string{kind, kindNull}
	} else if nullable {
		out["nullable"] = true
	}
	switch {
	case kind == kindString && s.Time:
		out["format"] = "date-time"
	case kind == kindArray:
		out["items"] = s.Items.document(draft4)
	case kind == kindObject && len(s.Members) > 0:
		members := make(map[string]any, len(s.Members))
		for name, m := range s.Members {
			members[name] = m.document(draft4)
		}
		out["properties"] = members
		if len(s.Required) > 0 {
			out["required"] = s.Required
		}
	}
	return out
}
