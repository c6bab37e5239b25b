// Package mem is the store driver that keeps everything in memory, for --ephemeral and for tests.
//
// It is a copy-on-write B-tree under package optimistic, so transactions, conflicts, stamps and wake-ups
// behave exactly as with the durable driver; "durable" means applied. Everything is lost at Close.
package mem

import (
	"sync"

	"github.com/tidwall/btree"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/optimistic"
)

// New returns an empty store.
func New() store.Store { return optimistic.NewEmpty(Engine(), clock.System{}) }

// Engine returns an empty engine, for tests of package optimistic.
func Engine() optimistic.Engine {
	less := func(a, b pair) bool { return a.key < b.key }
	return &engine{tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

type pair struct {
	key   string
	value []byte
}

type engine struct {
	mu   sync.Mutex // guards the fields below
	tree *btree.BTreeG[pair]
	// snap is a copy of tree that readers share until the next batch; nil when there is none.
	snap *btree.BTreeG[pair]
}

// Snapshot implements optimistic.Engine.
func (e *engine) Snapshot() (optimistic.Snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.snap == nil {
		e.snap = e.tree.Copy()
	}
	return snapshot{e.snap}, nil
}

// Batch implements optimistic.Engine.
func (e *engine) Batch() optimistic.Batch { return &batch{e: e} }

// Admit implements optimistic.Engine: memory has no measured limit.
func (e *engine) Admit(int, bool) error { return nil }

// Close implements optimistic.Engine.
func (e *engine) Close(bool) error { return nil }

type snapshot struct{ tree *btree.BTreeG[pair] }

func (s snapshot) Get(key []byte) ([]byte, bool, error) {
	p, ok := s.tree.Get(pair{key: string(key)})
	return p.value, ok, nil
}

func (s snapshot) Iter(lo, hi []byte) (optimistic.Iter, error) {
	return &iterator{it: s.tree.Iter(), lo: string(lo), hi: string(hi)}, nil
}

func (s snapshot) Close() error { return nil }

type iterator struct {
	it     btree.IterG[pair]
	lo, hi string
}

func (i *iterator) within(ok bool) bool {
	return ok && i.it.Item().key >= i.lo && i.it.Item().key < i.hi
}

func (i *iterator) SetBounds(lo, hi []byte) { i.lo, i.hi = string(lo), string(hi) }

func (i *iterator) SeekGE(key []byte) bool {
	return i.within(i.it.Seek(pair{key: max(string(key), i.lo)}))
}

func (i *iterator) SeekLT(key []byte) bool {
	if i.it.Seek(pair{key: min(string(key), i.hi)}) {
		return i.within(i.it.Prev())
	}
	return i.within(i.it.Last())
}

func (i *iterator) Next() bool             { return i.within(i.it.Next()) }
func (i *iterator) Prev() bool             { return i.within(i.it.Prev()) }
func (i *iterator) Key() []byte            { return []byte(i.it.Item().key) }
func (i *iterator) Value() ([]byte, error) { return i.it.Item().value, nil }
func (i *iterator) Err() error             { return nil }
func (i *iterator) Close() error           { return nil }

// batch keeps its writes as steps that are run on the tree by Apply.
type batch struct {
	e     *engine
	steps []func(t *btree.BTreeG[pair])
}

func (b *batch) Set(key, value []byte) error {
	p := pair{string(key), value}
	b.steps = append(b.steps, func(t *btree.BTreeG[pair]) { t.Set(p) })
	return nil
}

func (b *batch) Delete(key []byte) error {
	p := pair{key: string(key)}
	b.steps = append(b.steps, func(t *btree.BTreeG[pair]) { t.Delete(p) })
	return nil
}

func (b *batch) DeleteRange(lo, hi []byte) error {
	from, to := pair{key: string(lo)}, string(hi)
	b.steps = append(b.steps, func(t *btree.BTreeG[pair]) {
		var gone []pair
		t.Ascend(from, func(p pair) bool {
			if p.key >= to {
				return false
			}
			gone = append(gone, p)
			return true
		})
		for _, p := range gone {
			t.Delete(p)
		}
	})
	return nil
}

func (b *batch) Apply() error {
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	b.e.snap = nil
	for _, step := range b.steps {
		step(b.e.tree)
	}
	return nil
}

func (b *batch) Wait() error { return nil }
func (b *batch) Discard()    {}
