// Package respcache keeps answers of integrations for as long as a stage says, bounded in bytes over all of them (github.com/maypok86/otter/v2).
//
// Keys are made by the plane. They begin with the stage and the count of its flushes, so that a flush makes everything before it unreachable at once; what nobody
// asks for any more is what the cache gives up first.
package respcache

import (
	"time"

	"github.com/maypok86/otter/v2"

	"lambent.dev/lambent/internal/clock"
)

const (
	// maxBytes bounds what is kept of all stages together, in bytes.
	maxBytes = 256 << 20
	// maxEntry bounds one answer, in bytes (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html).
	maxEntry = 1 << 20
	// overhead is what an entry takes beside its texts, in bytes.
	overhead = 256
)

// Entry is an answer. It is immutable.
type Entry struct {
	Status int
	// Header has the header lines, name and value in turn.
	Header []string
	Body   []byte

	until time.Time
}

// Cache keeps entries. Make one with [New]. It is safe for concurrent use.
type Cache struct {
	clock   clock.Clock
	entries *otter.Cache[string, *Entry]
}

// New returns an empty cache.
func New(c clock.Clock) *Cache {
	return &Cache{clock: c, entries: otter.Must(&otter.Options[string, *Entry]{MaximumWeight: maxBytes, Weigher: weigh})}
}

func weigh(key string, e *Entry) uint32 {
	n := overhead + len(key) + len(e.Body)
	for _, s := range e.Header {
		n += len(s)
	}
	return uint32(n) //nolint:gosec // bounded by maxEntry
}

// Get returns an answer that still holds.
func (c *Cache) Get(key string) (*Entry, bool) {
	e, ok := c.entries.GetIfPresent(key)
	if !ok || !c.clock.Now().Before(e.until) {
		return nil, false
	}
	return e, true
}

// Put keeps an answer for a time. One that is too large is not kept.
func (c *Cache) Put(key string, e Entry, ttl time.Duration) {
	if ttl <= 0 || weigh(key, &e) > maxEntry {
		return
	}
	e.until = c.clock.Now().Add(ttl)
	c.entries.Set(key, &e)
}

// Delete forgets an answer.
func (c *Cache) Delete(key string) { c.entries.Invalidate(key) }

// Close ends the cache.
func (c *Cache) Close() { c.entries.StopAllGoroutines() }
