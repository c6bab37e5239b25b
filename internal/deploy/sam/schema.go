package sam

import (
	"fmt"
	"slices"
	"strings"
)

// kind says which values a property takes. Its description stands in the error about others, where there is one.
type kind struct {
	description string
	fits        func(any) bool
}

var (
	anything  = kind{fits: func(any) bool { return true }}
	aText     = kind{"string", func(v any) bool { _, ok := text(v); return ok }}
	aMap      = kind{"map", func(v any) bool { _, ok := v.(*dict); return ok }}
	aList     = kind{fits: isList}
	aBool     = kind{fits: isBool}
	anInteger = kind{fits: isInteger}
	textOrMap = oneOf(aText, aMap)
	boolOrMap = oneOf(aBool, aMap)
	// names of policies, documents and references, alone or in a list.
	textsOrMaps  = listOf(textOrMap)
	textOrTexts  = oneOf(aText, listOf(aText))
	mapOfMaps    = mapOf(aMap)
	mapOfTexts   = mapOf(aText)
	mapOfNumbers = mapOf(oneOf(anInteger, aMap))
)

func isList(v any) bool { _, ok := v.([]any); return ok }
func isBool(v any) bool { _, ok := v.(bool); return ok }

// isInteger also takes booleans, which are integers in Python.
func isInteger(v any) bool {
	switch v.(type) {
	case int64, int, bool:
		return true
	}
	return false
}

func oneOf(kinds ...kind) kind {
	return kind{fits: func(v any) bool { return slices.ContainsFunc(kinds, func(k kind) bool { return k.fits(v) }) }}
}

func listOf(item kind) kind {
	return kind{fits: func(v any) bool {
		list, ok := v.([]any)
		return ok && !slices.ContainsFunc(list, func(e any) bool { return !item.fits(e) })
	}}
}

func mapOf(item kind) kind {
	return kind{fits: func(v any) bool {
		d, ok := v.(*dict)
		if !ok {
			return false
		}
		for _, e := range d.all() {
			if !item.fits(e) {
				return false
			}
		}
		return true
	}}
}

// word takes one of a few texts.
func word(words ...string) kind {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + w + "'"
	}
	return kind{"one of the strings: " + strings.Join(quoted, " or "), func(v any) bool { return is(v, words...) }}
}

// rule is what else there is to say of a property.
type rule byte

const (
	// required properties must be there.
	required rule = 1 << iota
	// literal properties do not take an intrinsic function where their kind does not.
	literal
)

// property is one property of a resource type or an event type.
type property struct {
	name string
	kind kind
	rule rule
}

// schema has the properties of a type, in the order in which they are checked.
type schema []property

// check looks at the properties that a resource or event was given.
func (s schema) check(id, typ string, given *dict) error {
	for key := range given.all() {
		if !slices.ContainsFunc(s, func(p property) bool { return p.name == key }) {
			return invalid(id, "property %s not defined for resource of type %s", key, typ)
		}
	}
	for _, p := range s {
		if err := p.check(id, given.get(p.name)); err != nil {
			return err
		}
	}
	return nil
}

func (p property) check(id string, v any) error {
	if d, ok := v.(*dict); ok && p.rule&literal == 0 && d.len() == 1 {
		return nil
	}
	switch {
	case v == nil && p.rule&required != 0:
		return invalid(id, "Missing required property '%s'.", p.name)
	case v == nil || p.kind.fits(v):
		return nil
	}
	return invalid(id, "%s", wrongType("property", p.name, p.kind.description))
}

func wrongType(what, path, description string) string {
	if description == "" {
		return "Type of " + what + " '" + path + "' is invalid."
	}
	return strings.ToUpper(what[:1]) + what[1:] + " '" + path + "' should be a " + description + "."
}

// place is where a value stands: in a resource or an event, at a path. It words the errors about the value.
type place struct {
	id, path string
	event    bool
}

func inResource(id, path string) place { return place{id, path, false} }
func inEvent(id, path string) place    { return place{id, path, true} }

func (p place) fail(format string, args ...any) error {
	if p.event {
		return invalidEvent(p.id, format, args...)
	}
	return invalid(p.id, format, args...)
}

func (p place) wrong(description string) error {
	return p.fail("Property '%s' should be a %s.", p.path, description)
}

// dict returns the mapping that v must be.
func (p place) dict(v any) (*dict, error) {
	if d, ok := v.(*dict); ok {
		return d, nil
	}
	return nil, p.wrong("map")
}

func (p place) list(v any) ([]any, error) {
	if l, ok := v.([]any); ok {
		return l, nil
	}
	return nil, p.wrong("list")
}

func (p place) text(v any) (string, error) {
	if s, ok := text(v); ok {
		return s, nil
	}
	return "", p.wrong("string")
}

// texts returns the list of texts that v must be.
func (p place) texts(v any) ([]any, error) {
	list, err := p.list(v)
	if err != nil {
		return nil, err
	}
	for i, e := range list {
		if _, err := (place{p.id, fmt.Sprintf("%s[%d]", p.path, i), p.event}).text(e); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (p place) bool(v any) error {
	if isBool(v) {
		return nil
	}
	return p.wrong("boolean")
}

func (p place) present(v any) error {
	if v != nil {
		return nil
	}
	return p.fail("Property '%s' is required.", p.path)
}
