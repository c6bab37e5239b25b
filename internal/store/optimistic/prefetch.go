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
	sorted := slices.SortedFunc(slices.Values(keys), bytes.Compare)
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
	for _, key := range sorted {
		if string(key) < iv.lo || string(key) >= iv.hi {
			continue // no key of ours
		}
		var f fetched
		if w.SeekGE(key) && bytes.Equal(w.Key(), key) {
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
