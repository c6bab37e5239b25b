package property

import (
	"maps"
	"slices"
)

// Description says what a property may be.
type Description struct {
	// Form is the form of its value in a few words, such as "list of object".
	Form                            string
	Required, CreateOnly, WriteOnly bool
}

// Lookup describes the property at a path; entries of lists need no name. A nil shape has none.
func (s *Shape) Lookup(path ...string) (Description, bool) {
	var f *field
	for _, name := range path {
		s = s.holder()
		if s == nil {
			return Description{}, false
		}
		if s.kind == anyKind || s.kind == rawKind || s.kind == mapKind {
			return Description{Form: "any value"}, true
		}
		if f = s.field(name); f == nil {
			return Description{}, false
		}
		s = f.shape
	}
	if f == nil {
		return Description{}, false
	}
	return Description{Form: f.shape.form(), Required: f.required, CreateOnly: f.createOnly, WriteOnly: f.writeOnly}, true
}

// Members lists the names of the properties inside of the value at a path, sorted.
func (s *Shape) Members(path ...string) []string {
	for _, name := range path {
		if s = s.holder(); s == nil || s.fields[name] == nil {
			return nil
		}
		s = s.fields[name].shape
	}
	if s = s.holder(); s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.fields))
}

// holder goes to the entries of lists.
func (s *Shape) holder() *Shape {
	for s != nil && s.kind == listKind {
		s = s.elem
	}
	return s
}

func (s *Shape) form() string {
	switch s.kind {
	case stringKind:
		return "string"
	case boolKind:
		return "boolean"
	case intKind:
		return "integer"
	case floatKind:
		return "number"
	case listKind:
		return "list of " + s.elem.form()
	case mapKind, structKind:
		return "object"
	}
	return "any value"
}
