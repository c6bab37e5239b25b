package optimistic

import (
	"slices"
	"strings"
)

// interval is the keys lo <= key < hi.
type interval struct{ lo, hi string }

func (i interval) has(k string) bool     { return i.lo <= k && k < i.hi }
func (i interval) meets(o interval) bool { return i.lo < o.hi && o.lo < i.hi }

// intervals are sorted, apart from each other, and never changed in place.
type intervals []interval

// add returns s with iv, joined with those it meets or touches.
func (s intervals) add(iv interval) intervals {
	from := s.search(iv.lo)
	if from > 0 && s[from-1].hi >= iv.lo {
		from--
	}
	to := from
	for to < len(s) && s[to].lo <= iv.hi {
		iv.lo, iv.hi = min(iv.lo, s[to].lo), max(iv.hi, s[to].hi)
		to++
	}
	out := make(intervals, 0, len(s)-(to-from)+1)
	return append(append(append(out, s[:from]...), iv), s[to:]...)
}

// search returns the index of the first interval with lo >= k.
func (s intervals) search(k string) int {
	i, _ := slices.BinarySearchFunc(s, k, func(iv interval, k string) int { return strings.Compare(iv.lo, k) })
	return i
}

// find returns the interval that has k.
func (s intervals) find(k string) (interval, bool) {
	if len(s) == 0 {
		return interval{}, false
	}
	i := s.search(k)
	if i < len(s) && s[i].lo == k {
		return s[i], true
	}
	if i > 0 && s[i-1].has(k) {
		return s[i-1], true
	}
	return interval{}, false
}
