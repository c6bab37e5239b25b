package optimistic

import (
	"github.com/tidwall/btree"
)

// maxWindow bounds the keys and ranges that the window remembers. Transactions from before what
// was forgotten conflict, and run again.
const maxWindow = 1 << 17

// window remembers which keys and ranges were written by which version, as far back as
// a running transaction may ask. Store.commitMu guards it.
type window struct {
	keys   *btree.BTreeG[mark]
	ranges []rangeMark
	fifo   []*commit
	size   int
	// floor is the last version that was forgotten.
	floor uint64
}

type mark struct {
	key     string
	version uint64
}

type rangeMark struct {
	interval
	version uint64
}

func newWindow() window {
	less := func(a, b mark) bool { return a.key < b.key }
	return window{keys: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

// conflict returns a key or the beginning of a range that the reads of t saw and that was
// written after the version at which t read.
func (w *window) conflict(t *txn) (string, bool) {
	if len(t.points) == 0 && len(t.spans) == 0 {
		return "", false
	}
	if t.version < w.floor {
		return "", true
	}
	for k := range t.points {
		if m, ok := w.keys.Get(mark{key: k}); ok && m.version > t.version {
			return k, true
		}
	}
	for _, s := range t.spans {
		if w.spanWritten(s, t.version) {
			return s.lo, true
		}
	}
	for _, r := range w.ranges {
		if r.version <= t.version {
			continue
		}
		for k := range t.points {
			if r.has(k) {
				return k, true
			}
		}
		for _, s := range t.spans {
			if r.meets(s) {
				return s.lo, true
			}
		}
	}
	return "", false
}

func (w *window) spanWritten(s interval, since uint64) bool {
	written := false
	w.keys.Ascend(mark{key: s.lo}, func(m mark) bool {
		if m.key >= s.hi {
			return false
		}
		written = m.version > since
		return !written
	})
	return written
}

// add remembers the writes of c.
func (w *window) add(c *commit) {
	for _, k := range c.keys {
		w.keys.Set(mark{k, c.version})
	}
	for _, r := range c.ranges {
		w.ranges = append(w.ranges, rangeMark{r, c.version})
	}
	w.fifo = append(w.fifo, c)
	w.size += len(c.keys) + len(c.ranges)
}

// forget drops what no transaction that reads at version or later can ask for, and more when
// the window is over its bound.
func (w *window) forget(version uint64) {
	n := 0
	for ; n < len(w.fifo); n++ {
		c := w.fifo[n]
		if c.version > version && w.size <= maxWindow {
			break
		}
		for _, k := range c.keys {
			if m, ok := w.keys.Get(mark{key: k}); ok && m.version == c.version {
				w.keys.Delete(m)
			}
		}
		w.ranges = w.ranges[len(c.ranges):]
		w.size -= len(c.keys) + len(c.ranges)
		w.floor = c.version
		w.fifo[n] = nil
	}
	w.fifo = w.fifo[n:]
	if len(w.fifo) == 0 {
		w.fifo, w.ranges = nil, nil
	}
}
