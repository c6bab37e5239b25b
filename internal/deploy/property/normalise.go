package property

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/deploy/template"
)

// Error is a fault in the properties of a resource.
type Error struct {
	// Path are the keys that lead to the fault.
	Path []string
	// Message is what is wrong, in CloudFormation's words where it has some.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Normalise checks v against the shape and returns it with its scalars brought to the types of their fields: string, bool, int64 and
// float64 inside []any and map[string]any. v is not changed.
func (s *Shape) Normalise(v map[string]any) (map[string]any, []*Error) {
	n := &normaliser{}
	out, _ := n.value(s, v).(map[string]any)
	return out, n.errs
}

type normaliser struct {
	path []string
	errs []*Error
}

func (n *normaliser) fail(format string, args ...any) any {
	n.errs = append(n.errs, &Error{Path: slices.Clone(n.path), Message: fmt.Sprintf(format, args...)})
	return nil
}

func (n *normaliser) at(key string, s *Shape, v any) any {
	n.path = append(n.path, key)
	defer func() { n.path = n.path[:len(n.path)-1] }()
	return n.value(s, v)
}

func (n *normaliser) value(s *Shape, v any) any {
	if u, ok := v.(template.Unknown); ok {
		return u
	}
	switch s.kind {
	case anyKind, rawKind:
		return v
	case listKind:
		list, ok := v.([]any)
		if !ok {
			// CloudFormation takes a single value for a list of one.
			if _, isMap := v.(map[string]any); isMap || v == nil {
				return n.fail("Value of property %s must be of type List", n.name())
			}
			list = []any{v}
		}
		out := make([]any, len(list))
		for i, x := range list {
			out[i] = n.at(strconv.Itoa(i), s.elem, x)
		}
		return out
	case mapKind, structKind:
		m, ok := v.(map[string]any)
		if !ok {
			return n.fail("Value of property %s must be an object", n.name())
		}
		return n.mapping(s, m)
	}
	return n.scalar(s, v)
}

func (n *normaliser) mapping(s *Shape, m map[string]any) any {
	out := make(map[string]any, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if s.kind == mapKind {
			out[k] = n.at(k, s.elem, m[k])
			continue
		}
		f := s.field(k)
		if f == s.rest && f != nil {
			out[k] = texts(m[k])
			continue
		}
		if f == nil {
			n.path = append(n.path, k)
			n.fail("Encountered unsupported property %s", k)
			n.path = n.path[:len(n.path)-1]
			continue
		}
		if m[k] == nil {
			n.path = append(n.path, k)
			n.fail("Null values are not allowed in templates (property %s)", n.name())
			n.path = n.path[:len(n.path)-1]
			continue
		}
		out[k] = n.at(k, f.shape, m[k])
	}
	for _, k := range slices.Sorted(maps.Keys(s.fields)) {
		if _, has := m[k]; s.fields[k].required && !has {
			n.fail("Property %s cannot be empty.", k)
		}
	}
	return out
}

// texts copies a value with its scalars as strings, which is how CloudFormation hands properties to custom resources.
func texts(v any) any {
	switch x := v.(type) {
	case template.Unknown:
		return x
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = texts(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			out[k] = texts(x[k])
		}
		return out
	}
	if s, ok := template.Text(v); ok {
		return s
	}
	return v
}

func (n *normaliser) name() string {
	if len(n.path) == 0 {
		return "Properties"
	}
	return strings.Join(n.path, "/")
}

func (n *normaliser) scalar(s *Shape, v any) any {
	text, ok := template.Text(v)
	if !ok {
		return n.fail("Value of property %s must be of type %s", n.name(), s.typeName())
	}
	switch s.kind {
	case stringKind:
		return text
	case boolKind:
		switch text {
		case "true", "True", "TRUE":
			return true
		case "false", "False", "FALSE":
			return false
		}
	case intKind:
		if i, err := strconv.ParseInt(text, 10, s.typ.Bits()); err == nil {
			return i
		}
		if f, isFloat := v.(float64); isFloat && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f)
		}
	case floatKind:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	}
	return n.fail("Value of property %s must be of type %s", n.name(), s.typeName())
}

func (s *Shape) typeName() string {
	switch s.kind {
	case boolKind:
		return "Boolean"
	case intKind:
		return "Integer"
	case floatKind:
		return "Number"
	}
	return "String"
}
