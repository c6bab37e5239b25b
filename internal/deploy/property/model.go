package property

import (
	"maps"
	"math"
	"slices"
	"strconv"
)

// CheckModel checks a model that was read from JSON against the shape, more strictly than [Shape.Normalise]: the Cloud Control API brings no scalar to another type. whole tells that what can only be
// written is required too, as in the model of a resource that is to be made. It returns the faults in that API's words.
func (s *Shape) CheckModel(model map[string]any, whole bool) []string {
	c := modelCheck{whole: whole}
	c.value(s, "#", model)
	return c.faults
}

type modelCheck struct {
	whole  bool
	faults []string
}

func (c *modelCheck) value(s *Shape, path string, v any) {
	want, found := s.jsonType(), jsonType(v)
	if want != "" && want != found && (want != "Number" || found != "Integer") {
		c.faults = append(c.faults, path+": expected type: "+want+", found: "+found)
		return
	}
	switch x := v.(type) {
	case []any:
		for i := range x {
			if s.kind == listKind {
				c.value(s.elem, path+"/"+strconv.Itoa(i), x[i])
			}
		}
	case map[string]any:
		c.members(s, path, x)
	}
}

func (c *modelCheck) members(s *Shape, path string, m map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch {
		case s.kind == mapKind:
			c.value(s.elem, path+"/"+k, m[k])
		case s.kind != structKind || s.rest != nil && s.fields[k] == nil:
		case s.fields[k] == nil:
			c.faults = append(c.faults, path+": extraneous key ["+k+"] is not permitted")
		default:
			c.value(s.fields[k].shape, path+"/"+k, m[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.fields)) {
		if _, has := m[k]; !has && s.fields[k].required && (c.whole || !s.fields[k].writeOnly) {
			c.faults = append(c.faults, path+": required key ["+k+"] not found")
		}
	}
}

// jsonType names the type that a shape takes; empty for any.
func (s *Shape) jsonType() string {
	switch s.kind {
	case stringKind:
		return "String"
	case boolKind:
		return "Boolean"
	case intKind:
		return "Integer"
	case floatKind:
		return "Number"
	case listKind:
		return "JSONArray"
	case mapKind, structKind:
		return "JSONObject"
	}
	return ""
}

func jsonType(v any) string {
	switch x := v.(type) {
	case string:
		return "String"
	case bool:
		return "Boolean"
	case int64:
		return "Integer"
	case float64:
		if x == math.Trunc(x) {
			return "Integer"
		}
		return "Number"
	case []any:
		return "JSONArray"
	case map[string]any:
		return "JSONObject"
	}
	return "Null"
}

// Known returns the members of a model that are properties of the shape.
func (s *Shape) Known(model map[string]any) map[string]any {
	out := maps.Clone(model)
	maps.DeleteFunc(out, func(k string, _ any) bool { return s.field(k) == nil })
	return out
}
