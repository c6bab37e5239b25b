// Package memo keeps in memory what was read from the store and decoded: records, compiled policies, route tables.
//
// # The promise
//
// A value is never older than the last acknowledged write. A [Cache] watches the prefixes that its values are made of; the store counts a commit
// in its watchers before the Update that made it returns ([store.Watcher.Count]), and a value is given out only while
// that count is what it was before the value was read. So nobody who writes has to remember to drop anything, and
// a caller that has changed a record sees the change at its next call. A value may be older than a write that is
// still on its way, as a read that came a moment earlier would be.
//
// Values are dropped by partition, all at once: a partition is what changes together and seldom, such as the functions of an account
// and region. State that changes with every request does not belong here.
//
// # Invariants
//
// A load reads only what is watched: the [store.Reader] that it is given refuses every other key. Values are shared between
// callers and must not be changed. The cache is bounded in values and partitions.
//
// Locks: Cache.mu is a leaf; the store is never called while it is held, save for Watch.
package memo

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"

	"lambent.dev/lambent/internal/store"
)

// maxPartitions bounds the partitions of a cache; one more starts it over.
const maxPartitions = 64

// Cache keeps values of type V by a key K within partitions P. Make one with [New]. It is safe for concurrent use.
type Cache[P, K comparable, V any] struct {
	store    store.Store
	prefixes func(p P) [][]byte
	max      int

	mu    sync.RWMutex // guards the fields below
	parts map[P]*part[K, V]
}

// part is one partition.
type part[K comparable, V any] struct {
	prefixes [][]byte
	watchers []*store.Watcher
	// count is the sum of the watchers' counts at which the values were read.
	count  uint64
	values map[K]V
}

// New returns an empty cache over s. The values of a partition p are made of the keys below prefixes(p); at most
// maxValues of them are kept for each partition.
func New[P, K comparable, V any](s store.Store, maxValues int, prefixes func(p P) [][]byte) *Cache[P, K, V] {
	return &Cache[P, K, V]{store: s, prefixes: prefixes, max: maxValues, parts: map[P]*part[K, V]{}}
}

// Get returns the value of k in p, made by load if it is not there. An error of load is returned as it is, and not kept;
// that something does not exist is kept if load says it by a value.
func (c *Cache[P, K, V]) Get(ctx context.Context, p P, k K, load func(r store.Reader) (V, error)) (V, error) {
	part, kept, ok := c.find(p, k)
	if ok {
		return kept, nil
	}
	if part == nil {
		part = c.add(p)
	}
	return c.load(ctx, part, k, load)
}

// load reads the value of k, and keeps it.
func (c *Cache[P, K, V]) load(ctx context.Context, part *part[K, V], k K, load func(r store.Reader) (V, error)) (v V, err error) {
	before := part.now()
	err = c.store.View(ctx, func(r store.Reader) (err error) {
		v, err = load(&fence{r: r, prefixes: part.prefixes})
		return err
	})
	if err == nil {
		c.keep(part, before, k, v)
	}
	return v, err
}

// Peek returns the value of k in p if it is kept, for callers that cannot load: those in a transaction, who read the record, and spare themselves
// its decoding when the value was made of the same.
func (c *Cache[P, K, V]) Peek(p P, k K) (V, bool) {
	_, v, ok := c.find(p, k)
	return v, ok
}

// find returns a partition, which may be nil, and what it keeps.
func (c *Cache[P, K, V]) find(p P, k K) (found *part[K, V], v V, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	found = c.parts[p]
	if found != nil && found.count == found.now() {
		v, ok = found.values[k]
	}
	return found, v, ok
}

// now is the sum of what the watchers have counted.
func (p *part[K, V]) now() uint64 {
	var n uint64
	for _, w := range p.watchers {
		n += w.Count()
	}
	return n
}

// add returns the partition p, and makes it when nobody else has.
func (c *Cache[P, K, V]) add(p P) *part[K, V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.parts[p]; found != nil {
		return found
	}
	if len(c.parts) >= maxPartitions {
		c.dropLocked()
	}
	made := &part[K, V]{prefixes: c.prefixes(p), values: map[K]V{}}
	for _, prefix := range made.prefixes {
		made.watchers = append(made.watchers, c.store.Watch(prefix))
	}
	c.parts[p] = made
	return made
}

// keep puts in a value that was read when the watchers had counted to before.
func (c *Cache[P, K, V]) keep(p *part[K, V], before uint64, k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.now() != before {
		return // it may be older than a write that has been acknowledged
	}
	if p.count != before || len(p.values) >= c.max {
		clear(p.values)
	}
	p.count = before
	p.values[k] = v
}

func (c *Cache[P, K, V]) dropLocked() {
	for _, p := range c.parts {
		for _, w := range p.watchers {
			w.Close()
		}
	}
	clear(c.parts)
}

// Close forgets everything and ends the watches. The cache can still be used.
func (c *Cache[P, K, V]) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked()
}

// fence is a reader that refuses keys that nobody watches.
type fence struct {
	r        store.Reader
	prefixes [][]byte
}

// Get implements [store.Reader].
func (f *fence) Get(key []byte) ([]byte, error) {
	for _, p := range f.prefixes {
		if bytes.HasPrefix(key, p) {
			return f.r.Get(key)
		}
	}
	return nil, fmt.Errorf("memo: key %q is below none of the prefixes that the cache watches", key)
}

// Prefetch implements [store.Reader].
func (f *fence) Prefetch(keys ...[]byte) { f.r.Prefetch(keys...) }

// Range implements [store.Reader].
func (f *fence) Range(span store.Span) iter.Seq2[store.Pair, error] {
	for _, p := range f.prefixes {
		whole := store.Prefix(p)
		if bytes.Compare(span.Lo, whole.Lo) >= 0 && (whole.Hi == nil || span.Hi != nil && bytes.Compare(span.Hi, whole.Hi) <= 0) {
			return f.r.Range(span)
		}
	}
	return func(yield func(store.Pair, error) bool) {
		yield(store.Pair{}, fmt.Errorf("memo: the span from %q to %q is below none of the prefixes that the cache watches", span.Lo, span.Hi))
	}
}
