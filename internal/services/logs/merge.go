package logs

import (
	"container/heap"
	"iter"
	"math"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// merge reads the events of blocks that overlap in time, in order or in reverse. Blocks come in the order of their first events; an event
// is passed on when no later block can hold one that goes before it. A block's body is decoded when its turn has come.
type merge struct {
	r       store.Reader
	s       scope
	groupID string
	reverse bool
	// lo and hi bound what is passed on; the event at hi is not.
	lo, hi position
	open   cursors // a heap
}

// cursor is the place of reading in one block.
type cursor struct {
	block

	next position // of the next event; a bound of it in reverse before the body is decoded
	rest []event  // not read yet; nil before the body is decoded
	skip bool     // nobody wants the events of this block
}

// inGroup yields the events of a group at or after lo and before hi. A block of a stream that is not wanted yields one event with nothing
// but its position, so that the caller can bound what is looked at.
func inGroup(r store.Reader, s scope, groupID string, lo, hi position, wanted func(stream string) bool) iter.Seq2[event, error] {
	m := &merge{r: r, s: s, groupID: groupID, lo: lo, hi: hi}
	prefix := s.blocks(groupID)
	return m.read(prefix, func(p store.Pair) (*cursor, error) {
		b, err := decodeBlock(prefix, p)
		return &cursor{block: b, next: b.first, skip: !wanted(b.first.stream)}, err
	})
}

// inStream yields the events of one stream at or after lo and before hi, in reverse if asked.
func inStream(r store.Reader, s scope, groupID, streamName string, lo, hi position, reverse bool) iter.Seq2[event, error] {
	lo.stream, hi.stream = streamName, streamName
	m := &merge{r: r, s: s, groupID: groupID, reverse: reverse, lo: lo, hi: hi}
	index := s.index(groupID, streamName)
	return m.read(index, func(p store.Pair) (*cursor, error) {
		b, err := decodeIndex(index, streamName, p)
		c := &cursor{block: b, next: b.first}
		if reverse {
			c.next = position{b.last, streamName, math.MaxUint64}
		}
		return c, err
	})
}

// read yields the events of the blocks under prefix, whose keys go on with the time of their first event.
func (m *merge) read(prefix key.Key, decode func(store.Pair) (*cursor, error)) iter.Seq2[event, error] {
	span := prefix.Span()
	span.Reverse = m.reverse
	if m.lo.ms > math.MinInt64+maxBlockSpan {
		span.Lo = prefix.Int(m.lo.ms - maxBlockSpan)
	}
	if m.hi.ms < math.MaxInt64 {
		span.Hi = prefix.Int(m.hi.ms + 1)
	}
	return func(yield func(event, error) bool) {
		if m.lo.compare(m.hi) >= 0 {
			return
		}
		for pair, err := range m.r.Range(span) {
			var c *cursor
			if err == nil {
				c, err = decode(pair)
			}
			if err != nil {
				yield(event{}, err)
				return
			}
			if c.last < m.lo.ms {
				continue
			}
			if !m.emit(&c.first, yield) {
				return
			}
			heap.Push(&m.open, entry{c, m.reverse})
		}
		m.emit(nil, yield)
	}
}

// emit passes on the events that go before every one of the blocks that begin at or behind coming (in reverse: at or before it); all events for nil.
// It reports whether there may be more to read.
func (m *merge) emit(coming *position, yield func(event, error) bool) bool {
	for len(m.open) > 0 {
		c := m.open[0].cursor
		switch {
		case coming == nil:
		case m.reverse && c.next.ms <= coming.ms+maxBlockSpan, !m.reverse && c.next.compare(*coming) >= 0:
			return true
		}
		if c.rest == nil {
			if err := m.load(c); err != nil {
				yield(event{}, err)
				return false
			}
			heap.Fix(&m.open, 0)
			continue
		}
		e := c.take(m.reverse)
		if len(c.rest) == 0 {
			heap.Pop(&m.open)
		} else {
			heap.Fix(&m.open, 0)
		}
		if before, past := e.compare(m.lo) < 0, e.compare(m.hi) >= 0; before || past {
			if before == m.reverse {
				return false
			}
			continue
		}
		if !yield(e, nil) {
			return false
		}
	}
	return true
}

// load decodes the body of a block.
func (m *merge) load(c *cursor) (err error) {
	if c.skip {
		c.rest = []event{{position: c.first}}
		return nil
	}
	if c.body == nil {
		value, err := m.r.Get(m.s.block(m.groupID, c.first))
		if err != nil {
			return err
		}
		if err := c.head(value); err != nil {
			return err
		}
	}
	if c.rest, err = c.events(); err == nil && m.reverse {
		c.next = c.rest[len(c.rest)-1].position
	}
	return err
}

// take returns the next event of a block that has one.
func (c *cursor) take(reverse bool) event {
	if !reverse {
		e := c.rest[0]
		if c.rest = c.rest[1:]; len(c.rest) > 0 {
			c.next = c.rest[0].position
		}
		return e
	}
	last := len(c.rest) - 1
	e := c.rest[last]
	if c.rest = c.rest[:last]; last > 0 {
		c.next = c.rest[last-1].position
	}
	return e
}

// entry is a cursor in the heap of its merge.
type entry struct {
	*cursor

	reverse bool
}

// cursors implements heap.Interface: the cursor whose event comes next is at the top.
type cursors []entry

func (h cursors) Len() int { return len(h) }
func (h cursors) Less(i, j int) bool {
	c := h[i].next.compare(h[j].next)
	if h[i].reverse {
		return c > 0
	}
	return c < 0
}
func (h cursors) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *cursors) Push(x any) { *h = append(*h, x.(entry)) } //nolint:forcetypeassert // the merge pushes nothing else

// Pop implements heap.Interface.
func (h *cursors) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
