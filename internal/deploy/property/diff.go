package property

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/deploy/template"
)

// Difference is one property that differs between two sets of properties.
type Difference struct {
	// Path leads to the property, such as "Code/S3Key".
	Path string
	// Replaces tells that the property can only be set when a resource is created.
	Replaces bool
	// Maybe tells that one side is not known before the deploy.
	Maybe bool
	// WaitsFor names what a value that is not known yet depends on.
	WaitsFor template.Unknown
	// Before and After are the values; nil where the property is not set.
	Before, After any `json:",omitempty"`
}

// Diff lists where two normalised sets of properties differ, in the order of their names. A property that stands on one
// side only differs.
func (s *Shape) Diff(old, changed map[string]any) []Difference {
	var out []Difference
	s.diffStruct(nil, false, old, changed, &out)
	return out
}

func (s *Shape) diffStruct(path []string, replaces bool, old, changed map[string]any, out *[]Difference) {
	keys := map[string]bool{}
	for k := range old {
		keys[k] = true
	}
	for k := range changed {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		f := s.field(k)
		if f == nil {
			continue
		}
		a, hadIt := old[k]
		b, hasIt := changed[k]
		at, fixed := append(slices.Clone(path), k), replaces || f.createOnly
		am, aok := a.(map[string]any)
		bm, bok := b.(map[string]any)
		if f != s.rest && f.shape.kind == structKind && hadIt && hasIt && aok && bok {
			f.shape.diffStruct(at, fixed, am, bm, out)
			continue
		}
		u, unknown := findUnknown(b)
		if !unknown && hadIt == hasIt && Equal(a, b) {
			continue
		}
		*out = append(*out, Difference{Path: strings.Join(at, "/"), Replaces: fixed || f != s.rest && f.shape.fixed(), Maybe: unknown, WaitsFor: u, Before: a, After: Shown(b)})
	}
}

// fixed tells whether a change inside of a list or a whole struct may touch a createOnly property.
func (s *Shape) fixed() bool {
	switch s.kind {
	case listKind:
		return false
	case structKind:
		for _, f := range s.fields {
			if f.createOnly {
				return true
			}
		}
	}
	return false
}

// KnownAfterDeploy stands for a value that a change set cannot know.
const KnownAfterDeploy = "{{changeSet:KNOWN_AFTER_APPLY}}"

// Shown returns a value with [KnownAfterDeploy] in the place of what is not known.
func Shown(v any) any {
	switch t := v.(type) {
	case template.Unknown:
		return KnownAfterDeploy
	case []any:
		out := make([]any, len(t))
		for i := range t {
			out[i] = Shown(t[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k := range t {
			out[k] = Shown(t[k])
		}
		return out
	}
	return v
}

func findUnknown(v any) (template.Unknown, bool) {
	switch t := v.(type) {
	case template.Unknown:
		return t, true
	case []any:
		for _, x := range t {
			if u, ok := findUnknown(x); ok {
				return u, true
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(t)) {
			if u, ok := findUnknown(t[k]); ok {
				return u, true
			}
		}
	}
	return template.Unknown{}, false
}

// Equal compares plain values; numbers are equal whatever their Go type, since recorded values went through JSON.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, has := y[k]
			if !has || !Equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Equal)
	case int64:
		if y, ok := b.(float64); ok {
			return float64(x) == y
		}
	case float64:
		if y, ok := b.(int64); ok {
			return x == float64(y)
		}
	}
	return reflect.DeepEqual(a, b)
}
