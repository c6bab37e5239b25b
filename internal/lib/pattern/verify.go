package pattern

import (
	"sort"
)

// field is what a branch asks of one path.
type field struct {
	path  int
	tests []test
	// absent tells that having no value is an alternative.
	absent bool
}

// maxTries bounds how many combinations of array elements are looked at for one branch. An event over the bound does not match it.
const maxTries = 100_000

// search looks for one value for each field such that no two lie in different elements of one array.
type search struct {
	e      *event
	fields []field
	fixed  []member // the elements that the values chosen so far lie in
	tries  int
}

// matches tells whether the event matches the branch of fields.
func (e *event) matches(fields []field) bool {
	if len(e.members) == 0 {
		for i := range fields {
			if !e.passes(&fields[i]) {
				return false
			}
		}
		return true
	}
	s := search{e: e, fields: fields, fixed: e.fixed[:0]}
	found := s.from(0)
	e.fixed = s.fixed
	return found
}

// passes tells whether a field alone matches.
func (e *event) passes(f *field) bool {
	values := e.values[f.path]
	if len(values) == 0 {
		return f.absent
	}
	for i := range values {
		if anyPasses(f.tests, &values[i]) {
			return true
		}
	}
	return false
}

func anyPasses(tests []test, v *value) bool {
	for i := range tests {
		if tests[i].passes(v) {
			return true
		}
	}
	return false
}

// from tells whether the fields from i on have values that go with those chosen.
func (s *search) from(i int) bool {
	if i == len(s.fields) {
		return true
	}
	f := &s.fields[i]
	values := s.e.values[f.path]
	if len(values) == 0 {
		return f.absent && s.from(i+1)
	}
	mark := len(s.fixed)
	lo, hi := s.window(values)
	for j := lo; j < hi; j++ {
		if s.tries++; s.tries > maxTries {
			return false
		}
		v := &values[j]
		if !s.agrees(v) || !anyPasses(f.tests, v) {
			continue
		}
		s.fixed = append(s.fixed, s.e.members[v.from:v.to]...)
		if s.from(i + 1) {
			return true
		}
		s.fixed = s.fixed[:mark]
		if v.from == v.to {
			return false // another value outside of arrays would change nothing for the fields that follow
		}
	}
	return false
}

// window returns the values that can lie in the element of the outermost array that is fixed already. Values lie in the order of the event, so
// those of one element are together.
func (s *search) window(values []value) (lo, hi int) {
	first, last := s.outermost(&values[0]), s.outermost(&values[len(values)-1])
	if first == nil || last == nil || first.array != last.array {
		return 0, len(values)
	}
	for _, m := range s.fixed {
		if m.array != first.array {
			continue
		}
		lo = sort.Search(len(values), func(i int) bool { return s.outermost(&values[i]).index >= m.index })
		hi = sort.Search(len(values), func(i int) bool { return s.outermost(&values[i]).index > m.index })
		return lo, hi
	}
	return 0, len(values)
}

// outermost is the element of the outermost array that a value lies in, or nil. All values between two of one array lie in that array.
func (s *search) outermost(v *value) *member {
	if v.from == v.to {
		return nil
	}
	return &s.e.members[v.from]
}

// agrees tells whether a value lies in no other element of an array than the values chosen.
func (s *search) agrees(v *value) bool {
	for _, m := range s.e.members[v.from:v.to] {
		for _, f := range s.fixed {
			if f.array == m.array && f.index != m.index {
				return false
			}
		}
	}
	return true
}
