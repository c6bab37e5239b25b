package property

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/deploy/template"
)

// The kinds of drift, in the words of CloudFormation.
const (
	Added    = "ADD"
	Removed  = "REMOVE"
	NotEqual = "NOT_EQUAL"
)

// Drift is one value that is not what a template says.
type Drift struct {
	// Path leads to the value, such as "/RedrivePolicy/maxReceiveCount".
	Path string
	// Kind is [Added], [Removed] or [NotEqual].
	Kind string
	// Expected and Actual are the values; nil where there is none.
	Expected, Actual any
}

// Drift lists where the actual properties are not what is expected, in the order of their paths. Only what the template sets is compared: what a service gives a property that the template
// leaves out is no drift, but what was added inside of a property that it sets is.
func (s *Shape) Drift(expected, actual map[string]any) []Drift {
	var out []Drift
	for _, k := range slices.Sorted(maps.Keys(expected)) {
		f := s.field(k)
		if f == nil || f.writeOnly {
			continue
		}
		f.drift("/"+k, expected[k], actual[k], &out)
	}
	return out
}

func (f *field) drift(path string, expected, actual any, out *[]Drift) {
	f.shape.drift(path, f.unordered, expected, actual, out)
}

func (s *Shape) drift(path string, unordered bool, expected, actual any, out *[]Drift) {
	expected = decoded(expected, actual)
	if same(expected, actual) {
		return
	}
	if empty(actual) {
		*out = append(*out, Drift{path, Removed, expected, nil})
		return
	}
	switch e := expected.(type) {
	case map[string]any:
		if a, ok := actual.(map[string]any); ok {
			s.driftMap(path, e, a, out)
			return
		}
	case []any:
		if a, ok := actual.([]any); ok {
			s.driftList(path, unordered, e, a, out)
			return
		}
	}
	*out = append(*out, Drift{path, NotEqual, expected, actual})
}

func (s *Shape) driftMap(path string, expected, actual map[string]any, out *[]Drift) {
	keys := maps.Clone(expected)
	if s.kind != structKind { // members of a structure that the template leaves out have the service's defaults
		maps.Copy(keys, actual)
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		e, has := expected[k]
		if !has {
			*out = append(*out, Drift{path + "/" + k, Added, nil, actual[k]})
			continue
		}
		inner, unordered := s.inner(k)
		inner.drift(path+"/"+k, unordered, e, actual[k], out)
	}
}

// inner returns the shape of a member or an element.
func (s *Shape) inner(name string) (shape *Shape, unordered bool) {
	anything := &Shape{kind: anyKind}
	switch s.kind {
	case structKind:
		if f := s.field(name); f != nil && f != s.rest {
			if f.writeOnly {
				return anything, false
			}
			return f.shape, f.unordered
		}
	case mapKind, listKind:
		return s.elem, false
	}
	return anything, false
}

// driftList compares lists. Elements without an order are matched with their equals first; what is left is compared by its place.
func (s *Shape) driftList(path string, unordered bool, expected, actual []any, out *[]Drift) {
	inner, _ := s.inner("")
	type element struct {
		index int
		value any
	}
	var missing, extra []element
	taken := make([]bool, len(actual))
	for i, e := range expected {
		j := slices.IndexFunc(actual, func(a any) bool { return inner.covers(e, a) })
		for unordered && j >= 0 && taken[j] {
			next := slices.IndexFunc(actual[j+1:], func(a any) bool { return inner.covers(e, a) })
			if next < 0 {
				j = -1
				break
			}
			j += 1 + next
		}
		switch {
		case unordered && j >= 0:
			taken[j] = true
		case !unordered && i < len(actual):
			taken[i] = true
			inner.drift(path+"/"+strconv.Itoa(i), false, e, actual[i], out)
		default:
			missing = append(missing, element{i, e})
		}
	}
	for j, a := range actual {
		if !taken[j] {
			extra = append(extra, element{j, a})
		}
	}
	for _, m := range missing {
		*out = append(*out, Drift{path + "/" + strconv.Itoa(m.index), Removed, m.value, nil})
	}
	for _, x := range extra {
		*out = append(*out, Drift{path + "/" + strconv.Itoa(x.index), Added, nil, x.value})
	}
}

// covers tells whether there is no drift between two values.
func (s *Shape) covers(expected, actual any) bool {
	var found []Drift
	s.drift("", false, expected, actual, &found)
	return len(found) == 0
}

// decoded returns a text with a JSON document as that document, where a document stands in its place.
func decoded(expected, actual any) any {
	text, ok := expected.(string)
	if !ok {
		return expected
	}
	switch actual.(type) {
	case map[string]any, []any:
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			return v
		}
	}
	return expected
}

// same compares two values; scalars are compared by their text, since what a template writes as 5 a service may keep as "5".
func same(expected, actual any) bool {
	if empty(expected) && empty(actual) || Equal(expected, actual) {
		return true
	}
	e, scalar := template.Text(expected)
	a, alsoScalar := template.Text(actual)
	if scalar && alsoScalar {
		return e == a || namedBy(e, a) || namedBy(a, e)
	}
	el, eok := expected.([]any)
	al, aok := actual.([]any)
	if eok != aok && (eok && len(el) == 1 && alsoScalar || aok && len(al) == 1 && scalar) { // a list of one and its element, as in a policy
		if eok {
			return same(el[0], actual)
		}
		return same(expected, al[0])
	}
	return false
}

// namedBy tells whether arn is the ARN of what name names: a template may say either where the service says one of them.
func namedBy(arn, name string) bool {
	return name != "" && strings.HasPrefix(arn, "arn:") && (strings.HasSuffix(arn, ":"+name) || strings.HasSuffix(arn, "/"+name))
}

// empty tells whether a value says nothing, as one that is absent.
func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case bool:
		return !x
	case []any:
		return len(x) == 0
	case map[string]any:
		for _, e := range x {
			if !empty(e) {
				return false
			}
		}
		return true
	}
	return false
}
