package optimistic

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/tidwall/btree"

	"lambent.dev/lambent/internal/store"
)

// Range implements store.Reader.
func (t *txn) Range(span store.Span) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		if err := t.scan(span, yield); err != nil {
			yield(store.Pair{}, err)
		}
	}
}

// scan yields the pairs of span; false from yield ends it without an error.
func (t *txn) scan(span store.Span, yield func(store.Pair, error) bool) (err error) {
	if err := t.check(); err != nil {
		return err
	}
	iv, ok := clip(span.Lo, span.Hi)
	if !ok {
		return nil
	}
	base, err := t.walk(iv, span.Reverse)
	if err != nil {
		return fmt.Errorf("open iterator: %w", err)
	}
	defer func() { t.walked(base) }()
	m := merged{base: base, deleted: t.deleted, iv: iv, reverse: span.Reverse}
	if t.writes != nil {
		m.ownTree = t.writes.Copy()
	}
	f := t.newFence(iv, span.Reverse)
	// last is the key that the caller has learned about so far, whole tells that it knows all of iv.
	var last []byte
	whole := false
	defer func() {
		if t.update {
			t.readSpan(cover(iv, last, whole, span.Reverse))
		}
	}()
	m.first()
	for n := 0; ; {
		k, v, ok := m.current()
		if !ok {
			break
		}
		last = t.arena.copy(k)
		if err := f.pass(last); err != nil {
			return err
		}
		if !yield(store.Pair{Key: last, Value: t.arena.copy(v)}, nil) {
			return nil
		}
		if n++; n == span.Limit {
			return nil
		}
		if err := t.check(); err != nil {
			return err
		}
		m.next()
	}
	if m.err != nil {
		return fmt.Errorf("read range: %w", m.err)
	}
	whole = true
	return f.pass(nil)
}

// walker is an iterator over the keys of its bounds.
type walker struct {
	Iter

	bounds interval
}

// walk returns an iterator for a scan of iv: that of a scan before, if there is one. Opening one costs several times as much as a seek, and a seek that goes
// on within the bounds costs less than one after they changed, as it begins where the last one ended.
func (t *txn) walk(iv interval, reverse bool) (*walker, error) {
	w := t.spare
	t.spare = nil
	switch {
	case w == nil:
		it, err := t.snap.Iter([]byte(iv.lo), []byte(iv.hi))
		if err != nil {
			return nil, err
		}
		return &walker{it, iv}, nil
	case reverse || iv.hi != w.bounds.hi || iv.lo < w.bounds.lo:
		w.SetBounds([]byte(iv.lo), []byte(iv.hi))
		w.bounds = iv
	}
	return w, nil
}

// walked keeps an iterator for the next scan, or closes it.
func (t *txn) walked(w *walker) {
	if t.ended || t.spare != nil || w.Err() != nil {
		_ = w.Close()
		return
	}
	t.spare = w
}

// cover returns what a scan of iv has covered: all of it, or what lies up to the key last, which is nil before the first.
func cover(iv interval, last []byte, whole, reverse bool) interval {
	switch {
	case whole:
		return iv
	case last == nil:
		return interval{iv.lo, iv.lo}
	case reverse:
		return interval{string(last), iv.hi}
	}
	return interval{iv.lo, string(last) + "\x00"}
}

// readSpan notes that t depends on iv.
func (t *txn) readSpan(iv interval) {
	if iv.lo < iv.hi {
		t.spans = append(t.spans, iv)
		_ = t.checkReads()
	}
}

// fence makes a view wait for the pending writes that a scan passes. Its marks lie in the order of the scan.
type fence struct {
	t       *txn
	marks   []mark
	reverse bool
	err     error // the store had failed
}

func (t *txn) newFence(iv interval, reverse bool) *fence {
	f := &fence{t: t, reverse: reverse}
	if t.update || t.settled {
		return f
	}
	var commits []*commit
	commits, f.err = t.s.pending.within(t.seen, iv)
	for _, c := range commits {
		i, _ := slices.BinarySearch(c.keys, iv.lo)
		for ; i < len(c.keys) && c.keys[i] < iv.hi; i++ {
			f.marks = append(f.marks, mark{c.keys[i], c.version})
		}
		for _, r := range c.ranges {
			if !r.meets(iv) {
				continue
			}
			at := max(r.lo, iv.lo)
			if reverse {
				at = min(r.hi, iv.hi)
			}
			f.marks = append(f.marks, mark{at, c.version})
		}
	}
	slices.SortFunc(f.marks, func(a, b mark) int {
		if reverse {
			a, b = b, a
		}
		return cmp.Compare(a.key, b.key)
	})
	return f
}

// pass waits for what lies up to k in the direction of the scan; nil means to its end.
func (f *fence) pass(k []byte) error {
	if f.err != nil {
		return f.err
	}
	var newest uint64
	n := 0
	for n < len(f.marks) && (k == nil || (f.reverse && f.marks[n].key >= string(k)) || (!f.reverse && f.marks[n].key <= string(k))) {
		newest = max(newest, f.marks[n].version)
		n++
	}
	if n == 0 {
		return nil
	}
	f.marks = f.marks[n:]
	return f.t.s.pending.wait(f.t.ctx, newest)
}

// merged walks a snapshot and the writes of a transaction as one ordered sequence.
type merged struct {
	iv      interval
	reverse bool

	base   Iter
	baseOK bool
	// baseKey is valid until the base moves.
	baseKey []byte
	deleted intervals

	ownTree *btree.BTreeG[write]
	own     btree.IterG[write]
	ownOK   bool

	err error
}

func (m *merged) first() {
	if m.reverse {
		m.baseOK = m.base.SeekLT([]byte(m.iv.hi))
	} else {
		m.baseOK = m.base.SeekGE([]byte(m.iv.lo))
	}
	m.skipDeleted()
	if m.ownTree != nil {
		m.own = m.ownTree.Iter()
		m.firstOwn()
	}
	m.skipOwnDeletes()
}

func (m *merged) firstOwn() {
	if !m.reverse {
		m.ownOK = m.own.Seek(write{key: m.iv.lo})
	} else if m.own.Seek(write{key: m.iv.hi}) {
		m.ownOK = m.own.Prev()
	} else {
		m.ownOK = m.own.Last()
	}
	m.boundOwn()
}

func (m *merged) boundOwn() {
	if m.ownOK {
		k := m.own.Item().key
		m.ownOK = k >= m.iv.lo && k < m.iv.hi
	}
}

// order compares where the two sequences are: below 0 the base comes next.
func (m *merged) order() int {
	switch {
	case !m.baseOK && !m.ownOK:
		return 0
	case !m.ownOK:
		return -1
	case !m.baseOK:
		return 1
	}
	c := cmp.Compare(string(m.baseKey), m.own.Item().key)
	if m.reverse {
		return -c
	}
	return c
}

// current returns the pair where the walk is, valid until it moves; an own write hides the snapshot's.
func (m *merged) current() (key, value []byte, ok bool) {
	if m.err != nil || (!m.baseOK && !m.ownOK) {
		return nil, nil, false
	}
	if m.order() >= 0 {
		w := m.own.Item()
		return []byte(w.key), w.value, true
	}
	v, err := m.base.Value()
	if err != nil {
		m.err = err
		return nil, nil, false
	}
	return m.baseKey, v, true
}

func (m *merged) next() {
	m.step()
	m.skipOwnDeletes()
}

func (m *merged) step() {
	c := m.order()
	if c <= 0 && m.baseOK {
		m.baseOK = m.moveBase()
		m.skipDeleted()
	}
	if c >= 0 && m.ownOK {
		if m.reverse {
			m.ownOK = m.own.Prev()
		} else {
			m.ownOK = m.own.Next()
		}
		m.boundOwn()
	}
}

func (m *merged) skipOwnDeletes() {
	for m.ownOK && m.order() >= 0 && m.own.Item().delete {
		m.step()
	}
}

func (m *merged) moveBase() bool {
	if m.reverse {
		return m.base.Prev()
	}
	return m.base.Next()
}

// skipDeleted moves the base out of deleted ranges, and notes where it is.
func (m *merged) skipDeleted() {
	for m.baseOK {
		m.baseKey = m.base.Key()
		if len(m.deleted) == 0 {
			return
		}
		iv, gone := m.deleted.find(string(m.baseKey))
		if !gone {
			return
		}
		if m.reverse {
			m.baseOK = m.base.SeekLT([]byte(iv.lo))
		} else {
			m.baseOK = m.base.SeekGE([]byte(iv.hi))
		}
	}
	if err := m.base.Err(); err != nil {
		m.err = err
	}
}
