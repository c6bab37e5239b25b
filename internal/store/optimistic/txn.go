package optimistic

import (
	"container/list"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/tidwall/btree"

	"lambent.dev/lambent/internal/store"
)

const (
	// maxAppends is what the 2-byte ordinal of a stamp can count.
	maxAppends = 1 << 16
	// maxReads bounds the single keys and ranges that a transaction may depend on.
	maxReads = 1 << 17
	// writeOverhead is what a write counts beyond its bytes.
	writeOverhead = 16
)

// txn is one run of a closure. It is used by one goroutine.
type txn struct {
	s       *Store
	ctx     context.Context //nolint:containedctx // of the call that the transaction lives in
	snap    Snapshot
	spare   *walker // of a scan that has ended; nil when there is none
	update  bool
	started time.Time
	steps   int
	// version is the last one that the snapshot is known to hold, seen the last one that it may hold.
	version, seen uint64
	// settled says that everything in the snapshot is durable.
	settled bool
	ended   bool
	active  *list.Element // guarded by Store.activeMu

	points map[string]struct{}
	spans  []interval
	// fetched holds what the snapshot has at the keys that were asked for in advance.
	fetched map[string]fetched

	writes   *btree.BTreeG[write] // nil until the first write; an entry wins over deleted
	deleted  intervals
	appends  []appendOp
	onCommit []func()
	size     int
	err      error // the first error of a call that cannot return one
	arena    arena
}

type write struct {
	key    string
	value  []byte
	delete bool
}

type appendOp struct {
	prefix, value []byte
	stamp         *store.Stamp
}

// stampOf returns the stamp of the append that is the nth of the commit version.
func stampOf(version uint64, n int) (s store.Stamp) {
	binary.BigEndian.PutUint64(s[:], version)
	binary.BigEndian.PutUint16(s[8:], uint16(n))
	return s
}

// key returns the key of the append that is the nth of the commit version.
func (a appendOp) key(version uint64, n int) []byte {
	s := stampOf(version, n)
	k := make([]byte, 0, len(a.prefix)+store.StampSize)
	return append(append(k, a.prefix...), s[:]...)
}

// open takes the snapshot that t reads.
func (t *txn) open() error {
	if t.update {
		t.s.activeMu.Lock()
		t.version = t.s.applied.Load()
		t.active = t.s.active.PushBack(t.version)
		t.s.activeMu.Unlock()
	}
	snap, err := t.s.eng.Snapshot()
	if err != nil {
		t.end()
		return fmt.Errorf("open snapshot: %w", err)
	}
	t.snap = snap
	// What the snapshot holds entered the queue before it was applied, so this is not less than the snapshot's version.
	t.seen = t.s.pending.registered.Load()
	t.settled = t.s.pending.durable.Load() >= t.seen
	return nil
}

// end releases what t holds. It may be called again.
func (t *txn) end() {
	t.ended = true
	if t.active != nil {
		t.s.activeMu.Lock()
		t.s.removeActiveLocked(t)
		t.s.activeMu.Unlock()
	}
	if t.spare != nil {
		_ = t.spare.Close()
		t.spare = nil
	}
	if t.snap != nil {
		_ = t.snap.Close()
		t.snap = nil
	}
}

// check returns the error that keeps t from going on.
func (t *txn) check() error {
	if t.err != nil {
		return t.err
	}
	if t.ended {
		return store.ErrClosed
	}
	if t.snap == nil {
		if err := t.open(); err != nil {
			return err
		}
	}
	if t.steps++; t.steps%16 == 1 {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		return t.checkAge()
	}
	return nil
}

func (t *txn) checkAge() error {
	if age := t.s.clk.Now().Sub(t.started); age > store.MaxAge {
		return fmt.Errorf("%w: it ran %s, the limit is %s", store.ErrTooOld, age.Round(time.Millisecond), store.MaxAge)
	}
	return nil
}

// finalErr returns the error that keeps t from being committed.
func (t *txn) finalErr() error {
	if t.err != nil {
		return t.err
	}
	if err := t.ctx.Err(); err != nil {
		return err
	}
	return t.checkAge()
}

func (t *txn) dirty() bool {
	return len(t.appends) > 0 || len(t.deleted) > 0 || t.writes != nil && t.writes.Len() > 0
}

// Get implements store.Reader.
func (t *txn) Get(key []byte) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if len(key) == 0 || key[0] >= reserved[0] {
		return nil, store.ErrNotFound
	}
	var k string
	if t.update {
		k = string(key)
		if w, own := t.own(k); own {
			if w.delete {
				return nil, store.ErrNotFound
			}
			return w.value, nil
		}
	}
	v, ok, err := t.read(key, k)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	switch {
	case t.update:
		err = t.readPoint(k)
	case !t.settled:
		err = t.awaitKey(string(key))
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, store.ErrNotFound
	}
	return v, nil
}

// read returns what the snapshot has at key; k is the key of an update.
func (t *txn) read(key []byte, k string) ([]byte, bool, error) {
	if f, ok := t.fetched[string(key)]; ok {
		return f.value, f.there, nil
	}
	// The snapshot may hold more than version, but when nothing else had entered the queue.
	known := t.update && t.seen == t.version
	if known {
		if v, ok := t.s.rows.get(k, t.version); ok {
			return v, true, nil
		}
	}
	v, ok, err := t.snap.Get(key)
	if known && ok && err == nil {
		t.s.rows.keep(k, v, t.version)
	}
	return v, ok, err
}

// own returns what t itself wrote at k.
func (t *txn) own(k string) (write, bool) {
	if t.writes != nil {
		if w, ok := t.writes.Get(write{key: k}); ok {
			return w, true
		}
	}
	_, gone := t.deleted.find(k)
	return write{key: k, delete: true}, gone
}

// readPoint notes that t, which is validated at its end, depends on k.
func (t *txn) readPoint(k string) error {
	if t.points == nil {
		t.points = map[string]struct{}{}
	}
	t.points[k] = struct{}{}
	return t.checkReads()
}

// awaitKey lets a view wait until what it read at k is durable.
func (t *txn) awaitKey(k string) error {
	v, err := t.s.pending.last(t.seen, func(c *commit) bool { return c.wrote(k) })
	if err != nil {
		return err
	}
	return t.s.pending.wait(t.ctx, v)
}

func (t *txn) checkReads() error {
	if len(t.points)+len(t.spans) > maxReads {
		t.err = fmt.Errorf("%w: it read more than %d keys and ranges", store.ErrTooLarge, maxReads)
	}
	return t.err
}

// newestRead returns the greatest version in the queue that wrote something that t read, or 0.
func (t *txn) newestRead() (uint64, error) {
	if t.settled || len(t.points)+len(t.spans) == 0 {
		return 0, nil
	}
	return t.s.pending.last(t.seen, func(c *commit) bool {
		for k := range t.points {
			if c.wrote(k) {
				return true
			}
		}
		return slices.ContainsFunc(t.spans, c.touches)
	})
}

// Set implements store.Txn.
func (t *txn) Set(key, value []byte) {
	if !t.admit(key, len(value)) {
		return
	}
	t.put(write{key: string(key), value: append(make([]byte, 0, len(value)), value...)})
}

// Delete implements store.Txn.
func (t *txn) Delete(key []byte) {
	if t.admit(key, 0) {
		t.put(write{key: string(key), delete: true})
	}
}

func (t *txn) put(w write) {
	if t.writes == nil {
		less := func(a, b write) bool { return a.key < b.key }
		t.writes = btree.NewBTreeGOptions(less, btree.Options{NoLocks: true, Degree: 8})
	}
	if old, replaced := t.writes.Set(w); replaced {
		t.size -= len(old.key) + len(old.value) + writeOverhead
	}
}

// DeleteRange implements store.Txn.
func (t *txn) DeleteRange(lo, hi []byte) {
	iv, ok := clip(lo, hi)
	if !ok || !t.admitSize(len(iv.lo)+len(iv.hi)) {
		return
	}
	if len(lo) > store.MaxKey || len(hi) > store.MaxKey {
		t.err = fmt.Errorf("%w: a bound of a range is over %d bytes", store.ErrTooLarge, store.MaxKey)
		return
	}
	if t.writes != nil {
		var gone []write
		t.writes.Ascend(write{key: iv.lo}, func(w write) bool {
			if w.key >= iv.hi {
				return false
			}
			gone = append(gone, w)
			return true
		})
		for _, w := range gone {
			t.writes.Delete(w)
		}
	}
	t.deleted = t.deleted.add(iv)
}

// Append implements store.Txn.
func (t *txn) Append(prefix, value []byte) *store.Stamp {
	stamp := new(store.Stamp)
	if !t.admit(prefix, len(value)+store.StampSize) {
		return stamp
	}
	switch {
	case len(prefix)+store.StampSize > store.MaxKey:
		t.err = fmt.Errorf("%w: a key is over %d bytes", store.ErrTooLarge, store.MaxKey)
	case len(t.appends) == maxAppends:
		t.err = fmt.Errorf("%w: more than %d appends", store.ErrTooLarge, maxAppends)
	default:
		t.appends = append(t.appends, appendOp{slices.Clone(prefix), slices.Clone(value), stamp})
	}
	return stamp
}

// OnCommit implements store.Txn.
func (t *txn) OnCommit(fn func()) { t.onCommit = append(t.onCommit, fn) }

// admit reports whether a write of key and n bytes of value is allowed, and counts it.
func (t *txn) admit(key []byte, n int) bool {
	if t.err != nil {
		return false
	}
	switch {
	case len(key) == 0:
		t.err = fmt.Errorf("%w: it is empty", store.ErrBadKey)
	case key[0] >= reserved[0]:
		t.err = fmt.Errorf("%w: it begins with 0xff", store.ErrBadKey)
	case len(key) > store.MaxKey:
		t.err = fmt.Errorf("%w: a key of %d bytes, the limit is %d", store.ErrTooLarge, len(key), store.MaxKey)
	case n > store.MaxValue+store.StampSize:
		t.err = fmt.Errorf("%w: a value of %d bytes, the limit is %d", store.ErrTooLarge, n, store.MaxValue)
	}
	return t.err == nil && t.admitSize(len(key)+n)
}

func (t *txn) admitSize(n int) bool {
	if t.err != nil {
		return false
	}
	if t.size += n + writeOverhead; t.size > store.MaxTransaction {
		t.err = fmt.Errorf("%w: its writes are over %d bytes", store.ErrTooLarge, store.MaxTransaction)
	}
	return t.err == nil
}

// fill adds to b the writes of t that do not depend on its version: ranges first, since a
// later write of a key in a deleted range wins.
func (t *txn) fill(b Batch) error {
	for _, iv := range t.deleted {
		if err := b.DeleteRange([]byte(iv.lo), []byte(iv.hi)); err != nil {
			return fmt.Errorf("delete range: %w", err)
		}
	}
	if t.writes == nil {
		return nil
	}
	var err error
	t.writes.Scan(func(w write) bool {
		if w.delete {
			err = b.Delete([]byte(w.key))
		} else {
			err = b.Set([]byte(w.key), w.value)
		}
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

// keys returns every key that t writes as version, sorted.
func (t *txn) keys(version uint64) []string {
	var out []string
	if t.writes != nil {
		out = make([]string, 0, t.writes.Len()+len(t.appends))
		t.writes.Scan(func(w write) bool {
			out = append(out, w.key)
			return true
		})
	}
	if len(t.appends) == 0 {
		return out
	}
	for i, a := range t.appends {
		out = append(out, string(a.key(version, i)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// clip returns the allowed keys with lo <= key < hi, and whether there can be any.
func clip(lo, hi []byte) (interval, bool) {
	iv := interval{string(lo), reserved}
	if hi != nil && string(hi) < reserved {
		iv.hi = string(hi)
	}
	if iv.lo == "" {
		iv.lo = "\x00"
	}
	return iv, iv.lo < iv.hi
}

// arena hands out memory for copies that live as long as a transaction.
type arena struct{ free []byte }

func (a *arena) copy(b []byte) []byte {
	if len(b) > len(a.free) {
		if len(b) > 4<<10 {
			return slices.Clone(b)
		}
		a.free = make([]byte, 16<<10)
	}
	out := a.free[:len(b):len(b)]
	a.free = a.free[len(b):]
	copy(out, b)
	return out
}
