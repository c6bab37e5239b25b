package pattern

import (
	"math"
	"net/netip"
	"slices"
)

// crowd is how many branches may be filed in one place before they are filed again by another field.
const crowd = 32

// filed is a branch with its owner.
type filed[K comparable] struct {
	key    K
	fields []field
}

// bucket holds the branches that one value leads to. Up to a crowd it is a list; beyond, those that have a field left to be filed by are in an index.
type bucket[K comparable] struct {
	list  []entry[K]
	index *index[K]
	size  int
}

// entry is a branch with the fields that it has been filed by already, as bits.
type entry[K comparable] struct {
	branch *filed[K]
	used   uint64
}

// index files branches by the values of their fields.
type index[K comparable] struct {
	// paths holds one table for each field that branches are filed by.
	paths map[int]*table[K]
	// absent holds branches that match without any value of their field, and those without a field left.
	absent bucket[K]
}

// table leads from the values of one field to branches.
type table[K comparable] struct {
	texts    map[string]*bucket[K]
	literals map[string]*bucket[K]
	numbers  map[float64]*bucket[K]
	folded   map[string]*bucket[K]
	prefixes affixes[K]
	suffixes affixes[K]
	lowered  affixes[K] // prefixes in which case makes no difference
	trailing affixes[K] // suffixes in which case makes no difference
	nets     map[netip.Prefix]*bucket[K]
	masks    map[int]int // how many nets of IPv4 (positive) and of IPv6 (negative) have this mask, plus one
	// rest holds what only a test of its own can tell.
	rest bucket[K]
}

// affixes are beginnings or ends of texts, by length.
type affixes[K comparable] struct {
	byText  map[string]*bucket[K]
	lengths []int // sorted
}

// spot names a place in a table. Branches with the same spot share a bucket.
type spot struct {
	op   op
	text string
	n    float64
	net  netip.Prefix
}

// restSpot is the place of what is found by testing.
var restSpot = spot{op: opNot}

// spotOf returns where a test is filed.
func spotOf(t *test) spot {
	switch t.op {
	case opText, opLiteral, opFold:
		return spot{op: t.op, text: t.text}
	case opNumber:
		return spot{op: opNumber, n: t.low}
	case opPrefix, opSuffix, opPrefixFold, opSuffixFold:
		if t.text != "" {
			return spot{op: t.op, text: t.text}
		}
	case opCIDR:
		return spot{op: opCIDR, net: t.net}
	case opWildcard:
		if p := t.glob.Prefix(); t.glob.Exact() {
			return spot{op: opText, text: p}
		} else if p != "" {
			return spot{op: opPrefix, text: p}
		}
	}
	return restSpot
}

// spotsOf returns where a field is filed: a value that passes leads to one of the spots.
func spotsOf(f *field) []spot {
	var out []spot
	for i := range f.tests {
		if s := spotOf(&f.tests[i]); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// bucket returns the place of a spot, which it makes if create is set and otherwise may be nil.
func (t *table[K]) bucket(s spot, create bool) *bucket[K] {
	switch s.op {
	case opText:
		return at(&t.texts, s.text, create)
	case opLiteral:
		return at(&t.literals, s.text, create)
	case opNumber:
		return at(&t.numbers, s.n, create)
	case opFold:
		return at(&t.folded, s.text, create)
	case opPrefix:
		return t.prefixes.bucket(s.text, create)
	case opSuffix:
		return t.suffixes.bucket(s.text, create)
	case opPrefixFold:
		return t.lowered.bucket(s.text, create)
	case opSuffixFold:
		return t.trailing.bucket(s.text, create)
	case opCIDR:
		b := at(&t.nets, s.net, create)
		if create && b.size == 0 {
			if t.masks == nil {
				t.masks = map[int]int{}
			}
			t.masks[maskOf(s.net)]++
		}
		return b
	}
	return &t.rest
}

// forget removes the empty place of a spot.
func (t *table[K]) forget(s spot) {
	switch s.op {
	case opText:
		delete(t.texts, s.text)
	case opLiteral:
		delete(t.literals, s.text)
	case opNumber:
		delete(t.numbers, s.n)
	case opFold:
		delete(t.folded, s.text)
	case opPrefix:
		t.prefixes.forget(s.text)
	case opSuffix:
		t.suffixes.forget(s.text)
	case opPrefixFold:
		t.lowered.forget(s.text)
	case opSuffixFold:
		t.trailing.forget(s.text)
	case opCIDR:
		delete(t.nets, s.net)
		if m := maskOf(s.net); t.masks[m] <= 1 {
			delete(t.masks, m)
		} else {
			t.masks[m]--
		}
	}
}

func at[K, M comparable](m *map[M]*bucket[K], key M, create bool) *bucket[K] {
	b := (*m)[key]
	if b == nil && create {
		b = &bucket[K]{}
		if *m == nil {
			*m = map[M]*bucket[K]{}
		}
		(*m)[key] = b
	}
	return b
}

func (a *affixes[K]) bucket(text string, create bool) *bucket[K] {
	b := at(&a.byText, text, create)
	if create && b.size == 0 {
		if i, ok := slices.BinarySearch(a.lengths, len(text)); !ok {
			a.lengths = slices.Insert(a.lengths, i, len(text))
		}
	}
	return b
}

func (a *affixes[K]) forget(text string) {
	delete(a.byText, text)
	for other := range a.byText {
		if len(other) == len(text) {
			return
		}
	}
	if i, ok := slices.BinarySearch(a.lengths, len(text)); ok {
		a.lengths = slices.Delete(a.lengths, i, i+1)
	}
}

func maskOf(p netip.Prefix) int {
	if p.Addr().Is4() {
		return p.Bits() + 1
	}
	return -p.Bits() - 1
}

// choose returns the field by which a branch is filed: the one whose spots are emptiest, those that are found by testing last. It is -1 when no
// field is left that a value leads to.
func (x *index[K]) choose(e entry[K]) int {
	best, least := -1, math.MaxInt
	for i := range e.branch.fields {
		f := &e.branch.fields[i]
		if i >= 64 || e.used&(1<<i) != 0 || f.absent {
			continue
		}
		cost := 0
		for _, s := range spotsOf(f) {
			if s == restSpot {
				cost += 1 << 40
			} else if s.op != opText && s.op != opNumber && s.op != opLiteral {
				cost++
			}
			if t := x.paths[f.path]; t != nil {
				if b := t.bucket(s, false); b != nil {
					cost += 2 * b.size
				}
			}
		}
		if cost < least {
			best, least = i, cost
		}
	}
	return best
}

// add files a branch.
func (x *index[K]) add(e entry[K]) {
	i := x.choose(e)
	if i < 0 {
		x.absent.list = append(x.absent.list, e)
		return
	}
	f := &e.branch.fields[i]
	t := x.paths[f.path]
	if t == nil {
		t = &table[K]{}
		if x.paths == nil {
			x.paths = map[int]*table[K]{}
		}
		x.paths[f.path] = t
	}
	e.used |= 1 << i
	for _, s := range spotsOf(f) {
		t.bucket(s, true).add(e)
	}
}

// remove takes a branch away. Where it was filed is not noted: each of its fields is looked at.
func (x *index[K]) remove(b *filed[K]) {
	x.absent.remove(b)
	for i := range b.fields {
		f := &b.fields[i]
		t := x.paths[f.path]
		if t == nil {
			continue
		}
		for _, s := range spotsOf(f) {
			place := t.bucket(s, false)
			if place == nil || !place.remove(b) || place.size > 0 {
				continue
			}
			t.forget(s)
		}
	}
}

func (p *bucket[K]) add(e entry[K]) {
	p.size++
	if p.index != nil {
		p.index.add(e)
		return
	}
	p.list = append(p.list, e)
	if len(p.list)%crowd == 1 && len(p.list) > crowd && slices.ContainsFunc(p.list, entry[K].divisible) {
		p.index = &index[K]{}
		for _, old := range p.list {
			p.index.add(old)
		}
		p.list = nil
	}
}

// divisible tells whether a branch has another field by which it can be filed.
func (e entry[K]) divisible() bool {
	for i := range e.branch.fields {
		if f := &e.branch.fields[i]; i < 64 && e.used&(1<<i) == 0 && !f.absent && !slices.Contains(spotsOf(f), restSpot) {
			return true
		}
	}
	return false
}

// remove reports whether the branch was here.
func (p *bucket[K]) remove(b *filed[K]) bool {
	n := len(p.list)
	p.list = slices.DeleteFunc(p.list, func(e entry[K]) bool { return e.branch == b })
	found := len(p.list) < n
	if p.index != nil {
		found = p.index.holds(b)
		p.index.remove(b)
	}
	if found {
		p.size--
	}
	return found
}

// holds tells whether a branch is filed in the index.
func (x *index[K]) holds(b *filed[K]) bool {
	if x.absent.holds(b) {
		return true
	}
	for i := range b.fields {
		if t := x.paths[b.fields[i].path]; t != nil {
			for _, s := range spotsOf(&b.fields[i]) {
				if p := t.bucket(s, false); p != nil && p.holds(b) {
					return true
				}
			}
		}
	}
	return false
}

func (p *bucket[K]) holds(b *filed[K]) bool {
	return slices.ContainsFunc(p.list, func(e entry[K]) bool { return e.branch == b }) || p.index != nil && p.index.holds(b)
}
