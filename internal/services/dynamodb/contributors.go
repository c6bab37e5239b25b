package dynamodb

import (
	"container/heap"
	"sync"
	"time"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/lib/order"
)

// Contributors are the keys of a table or an index with most of its traffic. They are counted in memory, for tables that ask for it: in this process and in
// the last hour or two, with a bounded number of counters. So the counts of keys that are seldom used may be too high, by at most what is said with them; those
// of keys that stand out are right (the algorithm is Space-Saving: Metwally and others, "Efficient computation of frequent and top-k elements in data streams", 2005).

const (
	// maxContributors is how many keys are counted for each list.
	maxContributors = 256
	// contributorPeriod is for how long counting goes on before it begins anew; the counts of one period before are kept.
	contributorPeriod = time.Hour
	// maxWatched bounds the tables and indexes that are counted; one more starts them over.
	maxWatched = 1024
)

// contributor is a key with what it was counted for.
type contributor struct {
	key string // in DynamoDB's JSON
	// count is at most excess too high.
	count, excess float64
	at            int // in the heap
}

// ranking counts keys.
type ranking struct {
	byKey map[string]*contributor
	heap  contributorHeap
}

func (r *ranking) add(key string, n float64) {
	if c := r.byKey[key]; c != nil {
		c.count += n
		heap.Fix(&r.heap, c.at)
		return
	}
	c := &contributor{key: key, count: n}
	if len(r.heap) < maxContributors {
		if r.byKey == nil {
			r.byKey = map[string]*contributor{}
		}
		heap.Push(&r.heap, c)
	} else { // the key takes the place of the one that was counted least
		least := r.heap[0]
		delete(r.byKey, least.key)
		*c = contributor{key: key, count: least.count + n, excess: least.count}
		r.heap[0] = c
		heap.Fix(&r.heap, 0)
	}
	r.byKey[key] = c
}

// contributorHeap has the key with the least count first.
type contributorHeap []*contributor

func (h contributorHeap) Len() int           { return len(h) }
func (h contributorHeap) Less(i, j int) bool { return h[i].count < h[j].count }
func (h contributorHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements [heap.Interface].
func (h *contributorHeap) Push(x any) {
	if c, ok := x.(*contributor); ok {
		c.at = len(*h)
		*h = append(*h, c)
	}
}

// Pop implements [heap.Interface].
func (h *contributorHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}

// rankings are the lists of a table or an index.
type rankings struct{ partitions, items, throttledPartitions, throttledItems ranking }

// watched are the counts of a table or an index in the present and the last period.
type watched struct {
	began     time.Time // of the present period
	now, last *rankings
}

// contributors counts the keys of tables and indexes. The zero value is ready.
type contributors struct {
	mu    sync.Mutex // guards the fields below
	byKey map[string]*watched
}

// turn returns what counts a table or an index at a time. The lock is held.
func (c *contributors) turnLocked(id string, now time.Time) *watched {
	w := c.byKey[id]
	if w == nil {
		if c.byKey == nil || len(c.byKey) >= maxWatched {
			c.byKey = map[string]*watched{}
		}
		w = &watched{began: now, now: &rankings{}}
		c.byKey[id] = w
	}
	switch age := now.Sub(w.began); {
	case age >= 2*contributorPeriod:
		*w = watched{began: now, now: &rankings{}}
	case age >= contributorPeriod:
		*w = watched{began: w.began.Add(contributorPeriod), now: &rankings{}, last: w.now}
	}
	return w
}

// forget drops the counts of a table or an index.
func (c *contributors) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byKey, id)
}

// count counts units of capacity that a key consumed, or a request that was refused. item is the key's text, and empty for what has no sort key.
func (c *contributors) count(id string, now time.Time, partition, item string, units float64, throttled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.turnLocked(id, now).now
	partitions, items := &r.partitions, &r.items
	if throttled {
		partitions, items = &r.throttledPartitions, &r.throttledItems
	}
	partitions.add(partition, units)
	if item != "" {
		items.add(item, units)
	}
}

// report returns since when keys were counted, and the first of each list.
func (c *contributors) report(id string, now time.Time, limit int) (since time.Time, lists [4][]contributor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.turnLocked(id, now)
	since = w.began
	if w.last != nil {
		since = w.began.Add(-contributorPeriod)
	}
	for i, of := range []func(*rankings) *ranking{
		func(r *rankings) *ranking { return &r.partitions }, func(r *rankings) *ranking { return &r.items },
		func(r *rankings) *ranking { return &r.throttledPartitions }, func(r *rankings) *ranking { return &r.throttledItems },
	} {
		sum := map[string]contributor{}
		for _, r := range []*rankings{w.now, w.last} {
			if r == nil {
				continue
			}
			for _, k := range of(r).heap {
				s := sum[k.key]
				sum[k.key] = contributor{key: k.key, count: s.count + k.count, excess: s.excess + k.excess}
			}
		}
		for _, k := range sum {
			lists[i] = append(lists[i], k)
		}
		order.Sort(lists[i], func(a, b contributor) int {
			if a.count != b.count {
				return int(b.count*1e6) - int(a.count*1e6)
			}
			if a.key < b.key {
				return -1
			}
			return 1
		})
		lists[i] = lists[i][:min(limit, len(lists[i]))]
	}
	return since, lists
}

// watchID names what is counted: a table, or an index of it.
func (t *table) watchID(ix *index) string {
	if ix == nil {
		return t.ID
	}
	return t.ID + "/" + ix.Name
}

// watches returns how the keys of a table or an index are counted, or nil.
func (t *table) watches(ix *index) *insightsState {
	if t.Insights == nil { // most tables
		return nil
	}
	name := ""
	if ix != nil {
		name = ix.Name
	}
	return t.Insights[name]
}

// see counts what an item, or a key, of a table or an index consumed.
func (s *Service) see(t *table, ix *index, item attr.Map, units float64) {
	if w := t.watches(ix); w != nil && units > 0 && !w.throttledOnly() {
		s.countKeys(t, ix, item, units, false)
	}
}

// seer returns what counts the entries that a reading of a source reads: each consumes its part of the reading's units. It is nil when they are not counted.
func (s *Service) seer(src source, consistent bool) func(item attr.Map) {
	if src.watches(src.index) == nil {
		return nil
	}
	return func(item attr.Map) {
		units := float64(item.Size()) / readUnit
		if !consistent {
			units /= 2
		}
		s.see(src.table, src.index, item, units)
	}
}

// seeWrite counts what a write consumed in its table and its indexes when it is durable.
func (s *Service) seeWrite(t *table, key attr.Map, done written) {
	s.see(t, nil, key, done.units.table)
	for name, u := range done.units.indexes {
		ix := t.index(name)
		if ix == nil || t.watches(ix) == nil {
			continue
		}
		for _, item := range []attr.Map{done.new, done.old} {
			if ix.covers(item) {
				s.see(t, ix, item, u.units)
				break
			}
		}
	}
}

// seeThrottled counts a request that was refused for want of throughput.
func (s *Service) seeThrottled(t *table, ix *index, item attr.Map) {
	if t.watches(ix) != nil {
		s.countKeys(t, ix, item, 1, true)
	}
}

func (s *Service) countKeys(t *table, ix *index, item attr.Map, units float64, throttled bool) {
	ks := &t.keys
	if ix != nil {
		ks = &ix.keys
	}
	whole := ""
	if len(ks.sort) > 0 && ks.covers(item) {
		whole = keyText(item, ks.all)
	}
	s.contributors.count(t.watchID(ix), s.clock.Now(), keyText(item, ks.hash), whole, units, throttled)
}

// keyText returns attributes of an item in DynamoDB's JSON.
func keyText(item attr.Map, attrs []keyAttr) string {
	fields := make([]attr.Field, 0, len(attrs))
	for _, a := range attrs {
		if v := item.Get(a.name); v != nil {
			fields = append(fields, attr.Field{Name: a.name, Value: v})
		}
	}
	b, err := attr.NewMap(fields...).AppendJSON(nil)
	if err != nil {
		return "" // an item that was read or checked has no invalid value
	}
	return string(b)
}
