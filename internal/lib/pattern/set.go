package pattern

import (
	"net/netip"
	"slices"
	"sync"
)

// Set finds the patterns that match an event. Each pattern is added under a key of the caller. The zero value is an empty set; it is safe for
// concurrent use, and a change holds readers up for the time that it takes to file one pattern.
type Set[K comparable] struct {
	mu       sync.RWMutex // guards the fields below
	root     segment
	paths    int
	index    index[K]
	branches map[K][]*filed[K]
}

// Add adds a pattern; it takes the place of the one that has the key.
func (s *Set[K]) Add(key K, p *Pattern) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(key)
	if s.branches == nil {
		s.branches = map[K][]*filed[K]{}
		s.root.id = -1
	}
	for _, b := range p.branches {
		f := &filed[K]{key: key, fields: s.fieldsLocked(b)}
		s.branches[key] = append(s.branches[key], f)
		s.index.add(entry[K]{branch: f})
	}
}

// fieldsLocked gives the paths of a branch their numbers. Fields are in the order of their paths, so that those below one array are together.
func (s *Set[K]) fieldsLocked(b branch) []field {
	var out []field
	for _, path := range sortedPaths(b) {
		seg := s.root.find(path)
		if seg.id < 0 {
			seg.id = s.paths
			s.paths++
		}
		f := field{path: seg.id, tests: b[path]}
		for i := range f.tests {
			f.absent = f.absent || f.tests[i].op == opAbsent
		}
		out = append(out, f)
	}
	return out
}

// Remove removes the pattern of key, if there is one.
func (s *Set[K]) Remove(key K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(key)
}

func (s *Set[K]) removeLocked(key K) {
	for _, b := range s.branches[key] {
		s.index.remove(b)
	}
	delete(s.branches, key)
	if len(s.branches) == 0 {
		s.root, s.paths, s.index = segment{id: -1}, 0, index[K]{}
	}
}

// Len returns the number of patterns.
func (s *Set[K]) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.branches)
}

// Match returns the keys of the patterns that match an event, a JSON object, each once and in no order. It fails with [ErrEvent] for anything else.
func (s *Set[K]) Match(data []byte) ([]K, error) { return s.AppendMatches(nil, data) }

// AppendMatches is Match for callers that bring the slice for the result.
func (s *Set[K]) AppendMatches(keys []K, data []byte) ([]K, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := events.Get().(*event)
	defer events.Put(e)
	e.reset(data, s.paths)
	if err := e.read(&s.root); err != nil {
		return keys, err
	}
	m := matcher[K]{e: e, keys: keys, start: len(keys)}
	m.index(&s.index)
	return m.keys, nil
}

// matcher collects the keys of one event.
type matcher[K comparable] struct {
	e     *event
	keys  []K
	start int
	seen  map[K]struct{} // of keys, once there are many
}

// many is the number of results from which on a table finds duplicates.
const many = 32

func (m *matcher[K]) has(key K) bool {
	found := m.keys[m.start:]
	if len(found) < many {
		return slices.Contains(found, key)
	}
	if m.seen == nil {
		m.seen = make(map[K]struct{}, 2*many)
		for _, k := range found {
			m.seen[k] = struct{}{}
		}
	}
	_, ok := m.seen[key]
	return ok
}

func (m *matcher[K]) index(x *index[K]) {
	m.bucket(&x.absent)
	// Of the tables and the event's values, the fewer are gone through.
	if len(x.paths) <= len(m.e.used) {
		for path, t := range x.paths {
			m.values(t, m.e.values[path])
		}
		return
	}
	for _, path := range m.e.used {
		if t := x.paths[path]; t != nil {
			m.values(t, m.e.values[path])
		}
	}
}

func (m *matcher[K]) values(t *table[K], values []value) {
	if len(values) == 0 {
		return
	}
	m.bucket(&t.rest)
	for i := range values {
		switch v := &values[i]; v.kind {
		case stringValue:
			m.text(t, v)
		case numberValue:
			if v.exact {
				m.maybe(t.numbers[v.number])
			}
			m.maybe(t.literals[string(v.text)])
		default:
			m.maybe(t.literals[string(v.text)])
		}
	}
}

func (m *matcher[K]) text(t *table[K], v *value) {
	m.maybe(t.texts[string(v.text)])
	m.affixes(&t.prefixes, v.text, false)
	m.affixes(&t.suffixes, v.text, true)
	if t.folded != nil || t.lowered.byText != nil || t.trailing.byText != nil {
		lower := v.folded()
		m.maybe(t.folded[string(lower)])
		m.affixes(&t.lowered, lower, false)
		m.affixes(&t.trailing, lower, true)
	}
	if len(t.masks) == 0 || !v.addr().IsValid() {
		return
	}
	for mask := range t.masks {
		bits, v4 := mask-1, true
		if mask < 0 {
			bits, v4 = -mask-1, false
		}
		if v4 == v.addr().Is4() {
			m.maybe(t.nets[netip.PrefixFrom(v.addr(), bits).Masked()])
		}
	}
}

func (m *matcher[K]) affixes(a *affixes[K], text []byte, end bool) {
	for _, n := range a.lengths {
		if n > len(text) {
			return
		}
		part := text[:n]
		if end {
			part = text[len(text)-n:]
		}
		m.maybe(a.byText[string(part)])
	}
}

func (m *matcher[K]) maybe(p *bucket[K]) {
	if p != nil {
		m.bucket(p)
	}
}

// bucket tests the branches of a place.
func (m *matcher[K]) bucket(p *bucket[K]) {
	for _, e := range p.list {
		if !m.has(e.branch.key) && m.e.matches(e.branch.fields) {
			m.keys = append(m.keys, e.branch.key)
			if m.seen != nil {
				m.seen[e.branch.key] = struct{}{}
			}
		}
	}
	if p.index != nil {
		m.index(p.index)
	}
}
