// Package lru is a map with a fixed number of entries that forgets the least recently used one.
//
// It is for small, hot lookups inside one process: signing keys, decisions, parsed documents.
// It has no expiry and no weights.
package lru

import (
	"container/list"
	"sync"
)

// Cache is a bounded map. Make one with [New]. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	max int

	mu    sync.Mutex // guards the fields below
	order *list.List // front is the most recently used
	items map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key K
	val V
}

// New returns an empty cache that holds at most n entries; n below one counts as one.
func New[K comparable, V any](n int) *Cache[K, V] {
	return &Cache[K, V]{max: max(n, 1), order: list.New(), items: make(map[K]*list.Element)}
}

// Get returns the value of key and marks it as used.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.items[key]
	if !ok {
		var zero V
		return zero, false
	}
	c.order.MoveToFront(el)
	return el.Value.(*entry[K, V]).val, true
}

// Put sets the value of key, and forgets the least recently used entry when the cache is full.
func (c *Cache[K, V]) Put(key K, val V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.items[key]; ok {
		el.Value.(*entry[K, V]).val = val
		c.order.MoveToFront(el)
		return
	}
	if c.order.Len() < c.max {
		c.items[key] = c.order.PushFront(&entry[K, V]{key, val})
		return
	}
	last := c.order.Back()
	e := last.Value.(*entry[K, V])
	delete(c.items, e.key)
	*e = entry[K, V]{key, val}
	c.order.MoveToFront(last)
	c.items[key] = last
}

// Delete forgets key.
func (c *Cache[K, V]) Delete(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.items[key]; ok {
		c.order.Remove(el)
		delete(c.items, key)
	}
}

// DeleteFunc forgets every entry whose key is one that fn tells. It looks at all of them.
func (c *Cache[K, V]) DeleteFunc(fn func(key K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, el := range c.items {
		if fn(key) {
			c.order.Remove(el)
			delete(c.items, key)
		}
	}
}

// Clear forgets everything.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	clear(c.items)
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}
