// Package jsonpath is the small dialect of JSONPath by which rules, pipes and schedules choose a part of an event: $, .name, ['name'],
// [n], [*] and .* (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html).
//
// [Path.Get] reads the text of a document: what it finds is a piece of that text as it was written. [Path.Find] looks into a decoded one,
// for those that ask one document many times.
package jsonpath

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// ErrInvalid tells that a text is not a path.
var ErrInvalid = errors.New("not a path: expected $, followed by .name, ['name'], [number] or [*]")

// Path is a parsed path. It is safe for concurrent use.
type Path struct {
	text  string
	steps []step
	many  bool // has a wildcard
}

// step leads to a member, an element, or (all) each of them.
type step struct {
	name  string
	index int // -1 for a member
	all   bool
}

// Parse checks a path. Its error is ErrInvalid.
func Parse(text string) (*Path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, ErrInvalid
	}
	p := &Path{text: text}
	for rest != "" {
		var s step
		if s, rest, ok = parseStep(rest); !ok {
			return nil, ErrInvalid
		}
		p.steps = append(p.steps, s)
		p.many = p.many || s.all
	}
	return p, nil
}

func parseStep(text string) (s step, rest string, ok bool) {
	s.index = -1
	if name, found := strings.CutPrefix(text, "."); found {
		end := strings.IndexAny(name, ".[")
		if end < 0 {
			end = len(name)
		}
		s.name, s.all = name[:end], name[:end] == "*"
		return s, name[end:], end > 0
	}
	inner, found := strings.CutPrefix(text, "[")
	if !found {
		return s, "", false
	}
	for _, quote := range []string{"'", `"`} {
		if name, found := strings.CutPrefix(inner, quote); found {
			s.name, rest, ok = strings.Cut(name, quote+"]")
			return s, rest, ok && s.name != ""
		}
	}
	inner, rest, ok = strings.Cut(inner, "]")
	if inner == "*" {
		s.all = true
		return s, rest, ok
	}
	n, err := strconv.Atoi(inner)
	s.index = n
	return s, rest, ok && err == nil && n >= 0
}

// String returns the text of the path.
func (p *Path) String() string { return p.text }

// Get returns what the path leads to in doc, a JSON document, and whether there is such a thing. A path with a wildcard leads to the
// array of what it finds.
func (p *Path) Get(doc []byte) ([]byte, bool) {
	found := [][]byte{bytes.TrimSpace(doc)}
	for _, s := range p.steps {
		var next [][]byte
		for _, d := range found {
			next = append(next, s.from(d)...)
		}
		found = next
	}
	if p.many {
		out := append([]byte{'['}, bytes.Join(found, []byte{','})...)
		return append(out, ']'), true
	}
	if len(found) == 0 {
		return nil, false
	}
	return found[0], true
}

// from returns what the step leads to.
func (s *step) from(doc []byte) (out [][]byte) {
	if len(doc) == 0 || doc[0] != '{' && doc[0] != '[' {
		return nil
	}
	object := doc[0] == '{'
	if !s.all && object != (s.index < 0) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	if _, err := dec.Token(); err != nil {
		return nil
	}
	for n := 0; dec.More(); n++ {
		var name string
		if object {
			t, err := dec.Token()
			if err != nil {
				return nil
			}
			name, _ = t.(string)
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil
		}
		switch {
		case s.all:
			out = append(out, value)
		case object && name == s.name, !object && n == s.index:
			out = [][]byte{value} // the last member of a name counts
			if !object {
				return out
			}
		}
	}
	return out
}

// Object is a decoded JSON object that [Path.Find] looks into.
type Object interface {
	// Member returns the member of a name and whether there is one.
	Member(name string) (any, bool)
	// Children returns the values of all members, in order.
	Children() []any
}

// Array is a decoded JSON array that [Path.Find] looks into.
type Array interface {
	// Element returns the element at an index and whether there is one.
	Element(index int) (any, bool)
	// Children returns all elements.
	Children() []any
}

// Many tells whether the path has a wildcard, so that it leads to a list of things however many there are.
func (p *Path) Many() bool { return p.many }

// Find returns what the path leads to in a decoded document, and whether there is such a thing. A path with a wildcard leads to a []any of what it finds.
func (p *Path) Find(root any) (any, bool) {
	if p.many {
		return p.findAll(root), true
	}
	v, ok := root, true
	for i := 0; i < len(p.steps) && ok; i++ {
		v, ok = p.steps[i].find(v)
	}
	return v, ok
}

func (p *Path) findAll(root any) []any {
	found := []any{root}
	for i := range p.steps {
		s := &p.steps[i]
		var next []any
		for _, v := range found {
			if !s.all {
				if one, ok := s.find(v); ok {
					next = append(next, one)
				}
			} else if c, ok := v.(interface{ Children() []any }); ok {
				next = append(next, c.Children()...)
			}
		}
		found = next
	}
	return found
}

// find returns what the step, which is no wildcard, leads to.
func (s *step) find(v any) (any, bool) {
	if s.index >= 0 {
		if a, ok := v.(Array); ok {
			return a.Element(s.index)
		}
	} else if o, ok := v.(Object); ok {
		return o.Member(s.name)
	}
	return nil, false
}
