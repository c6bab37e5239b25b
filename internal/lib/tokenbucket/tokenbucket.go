// Package tokenbucket holds rates: a bucket fills at a rate up to its size, and what is done takes from it.
//
// Buckets live in memory, are made full when they are first asked for, and are bounded in number: one more starts them all over, full. So a limit can be passed
// for a moment after a start, and is never stricter than it says.
package tokenbucket

import (
	"sync"
	"time"
)

// Limit is a rate and what may come at once.
type Limit struct {
	// Rate is how much flows in a second.
	Rate float64
	// Burst is how much a full bucket holds.
	Burst float64
}

// Buckets are the buckets of one kind, by a key K. Make them with [New]. They are safe for concurrent use.
type Buckets[K comparable] struct {
	max int

	mu      sync.Mutex // guards the fields below
	buckets map[K]*bucket
}

// bucket is what is left. It is below zero when somebody has taken more than there was.
type bucket struct {
	left float64
	at   time.Time
}

// New returns buckets of which at most n are kept.
func New[K comparable](n int) *Buckets[K] {
	return &Buckets[K]{max: max(n, 1), buckets: map[K]*bucket{}}
}

// Left returns what is in a bucket; it is below zero while what was overdrawn flows in again.
func (b *Buckets[K]) Left(k K, l Limit, now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.filledLocked(k, l, now).left
}

// Take takes n from a bucket when it holds that much, and reports whether it did.
func (b *Buckets[K]) Take(k K, l Limit, n float64, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.filledLocked(k, l, now)
	if at.left < n {
		return false
	}
	at.left -= n
	return true
}

// Spend takes n from a bucket, even if it does not hold that much: for what is known only after it was done.
func (b *Buckets[K]) Spend(k K, l Limit, n float64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.filledLocked(k, l, now).left -= n
}

// filledLocked returns a bucket as it is now.
func (b *Buckets[K]) filledLocked(k K, l Limit, now time.Time) *bucket {
	at := b.buckets[k]
	if at == nil {
		if len(b.buckets) >= b.max {
			clear(b.buckets)
		}
		at = &bucket{left: l.Burst, at: now}
		b.buckets[k] = at
	}
	if passed := now.Sub(at.at); passed > 0 {
		at.left, at.at = at.left+l.Rate*passed.Seconds(), now
	}
	at.left = min(l.Burst, at.left)
	return at
}
