package optimistic

import (
	"bytes"
	"slices"
)

// fetched is what a snapshot has at a key.
type fetched struct {
	value []byte
	there bool
}

// Prefetch implements store.Reader: one iterator goes over the keys in their order. What it cannot read is left to Get, which tells why.
func (t *txn) Prefetch(keys ...[]byte) {
	if len(keys) < 2 || t.check() != nil {
		return
	}
	sorted := keys
	if !slices.IsSortedFunc(keys, bytes.Compare) {
		sorted = slices.SortedFunc(slices.Values(keys), bytes.Compare)
	}
	iv, ok := clip(sorted[0], append(slices.Clone(sorted[len(sorted)-1]), 0))
	if !ok {
		return
	}
	w, err := t.walk(iv, false)
	if err != nil {
		return
	}
	defer func() { t.walked(w) }()
	if t.fetched == nil {
		t.fetched = make(map[string]fetched, len(keys))
	}
	seek := seeker{it: w}
	for _, key := range sorted {
		if string(key) < iv.lo || string(key) >= iv.hi {
			continue // no key of ours
		}
		var f fetched
		if seek.find(key) {
			v, err := w.Value()
			if err != nil {
				return
			}
			f = fetched{t.arena.copy(v), true}
		} else if w.Err() != nil {
			return
		}
		t.fetched[string(key)] = f
	}
}

// maxMissed is how many steps may fall short of the key that is looked for until only seeks are made.
const maxMissed = 2

// seeker finds ascending keys. Those that are asked for together mostly lie side by side, and a step costs a tenth of a seek.
type seeker struct {
	it     Iter
	placed bool // the iterator is at a key, which is not less than the last that was looked for
	begun  bool
	missed int // steps that fell short
}

// find moves the iterator to key if it is there, or behind where it would be, and tells whether it is.
func (s *seeker) find(key []byte) bool {
	order := -1
	switch {
	case s.placed:
		order = bytes.Compare(s.it.Key(), key)
	case s.begun:
		return false // there is nothing behind
	}
	if order < 0 && s.placed && s.missed < maxMissed {
		if s.placed = s.it.Next(); !s.placed {
			return false
		}
		if order = bytes.Compare(s.it.Key(), key); order < 0 {
			s.missed++
		}
	}
	if order < 0 {
		s.begun = true
		if s.placed = s.it.SeekGE(key); !s.placed {
			return false
		}
		order = bytes.Compare(s.it.Key(), key)
	}
	return order == 0
}
