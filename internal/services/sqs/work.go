package sqs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// counts are the messages of a queue by where they are.
type counts struct{ visible, delayed, inFlight int64 }

func (c counts) plus(o counts) counts {
	return counts{c.visible + o.visible, c.delayed + o.delayed, c.inFlight + o.inFlight}
}

func (c counts) encode() []byte {
	b := make([]byte, 0, 12)
	return binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(b, c.visible), c.delayed), c.inFlight)
}

func decodeCounts(b []byte) (counts, error) {
	var v [3]int64
	for i := range v {
		n, size := binary.Varint(b)
		if size <= 0 {
			return counts{}, errors.New("counter row is cut off")
		}
		v[i], b = n, b[size:]
	}
	return counts{v[0], v[1], v[2]}, nil
}

// stripes hands out the stripes of a queue's counters, so that transactions that run at a time write different rows.
type stripes struct {
	mu   sync.Mutex // guards the fields below
	free []byte
	next int
}

func (s *stripes) take() (stripe byte, shared bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		stripe, s.free = s.free[n-1], s.free[:n-1]
		return stripe, false
	}
	if s.next > 254 {
		return 255, true // everyone who comes too late meets here
	}
	s.next++
	return byte(s.next - 1), false
}

func (s *stripes) give(stripe byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, stripe)
}

// count returns the counters of a queue. What became due and was not made visible yet counts as visible.
func (q *queue) count(r store.Reader, now int64) (counts, error) {
	var sum counts
	prefix := q.base("mc")
	for p, err := range r.Range(prefix.Span()) {
		if err != nil {
			return sum, err
		}
		c, err := decodeCounts(p.Value)
		if err != nil {
			return sum, err
		}
		sum = sum.plus(c)
	}
	q.live.mu.Lock()
	from := q.live.cursors.moved
	q.live.mu.Unlock()
	hidden := q.base("mh")
	for p, err := range r.Range(store.Span{Lo: hidden.Uint(uint64(from)), Hi: hidden.Uint(uint64(now) + 1)}) {
		if err != nil {
			return sum, err
		}
		_, number := lotAt(hidden, p.Key)
		for id := range idsIn(p.Value) {
			st, ok, err := q.state(r, id)
			if err != nil {
				return sum, err
			}
			if ok && st.in(number) {
				sum = sum.plus(counts{visible: 1}).plus(st.where.counted(-1))
			}
		}
	}
	return sum, nil
}

// work is one transaction on queues, with what follows from its commit.
type work struct {
	s   *Service
	tx  store.Txn
	now int64 // Unix milliseconds
	on  []*effect
	// leases are the stripes held; they outlive a run of the closure that met a conflict.
	leases *leases
}

// effect is what a transaction does to one queue beside its rows.
type effect struct {
	q       *queue
	changed counts
	ready   []entry
	// due is the earliest time at which the queue must be tended because of the transaction, 0 for none.
	due int64
	// lowest is the first state row that was written, nil for none.
	lowest key.Key
	// hidden and left are the lots that messages come into and leave.
	hidden, left []lot
	// started and ended are the tenants whose messages came in and out of flight.
	started, ended []string
}

type lease struct {
	live   *live
	stripe byte
	shared bool
}

type leases []lease

func (l *leases) of(x *live) byte {
	for _, have := range *l {
		if have.live == x {
			return have.stripe
		}
	}
	stripe, shared := x.stripes.take()
	*l = append(*l, lease{x, stripe, shared})
	return stripe
}

func (l *leases) release() {
	for _, have := range *l {
		if !have.shared {
			have.live.stripes.give(have.stripe)
		}
	}
}

// update runs fn in a transaction.
func (s *Service) update(ctx context.Context, fn func(w *work) error) error {
	held := &leases{}
	defer held.release()
	return storeError(s.store.Update(ctx, func(tx store.Txn) error {
		w := &work{s: s, tx: tx, now: s.nowMS(), leases: held}
		if err := fn(w); err != nil {
			return err
		}
		return w.finish()
	}))
}

func (w *work) at(q *queue) *effect {
	for _, e := range w.on {
		if e.q.live == q.live {
			return e
		}
	}
	e := &effect{q: q}
	w.on = append(w.on, e)
	return e
}

// count notes that messages came to a place or left it.
func (w *work) count(q *queue, c counts) {
	e := w.at(q)
	e.changed = e.changed.plus(c)
}

// lower notes that the state row at k was written.
func (e *effect) lower(k key.Key) {
	if e.lowest == nil || string(k) < string(e.lowest) {
		e.lowest = k
	}
}

// dueAt notes that the queue must be tended at ms.
func (w *work) dueAt(q *queue, ms int64) {
	if e := w.at(q); e.due == 0 || ms < e.due {
		e.due = ms
	}
}

// finish writes the counters and arranges what happens after the commit.
func (w *work) finish() error {
	for _, e := range w.on {
		if err := w.settle(e); err != nil {
			return err
		}
		if e.changed != (counts{}) {
			k := e.q.counterKey(w.leases.of(e.q.live))
			c, err := w.counterAt(k)
			if err != nil {
				return err
			}
			w.tx.Set(k, c.plus(e.changed).encode())
		}
		if len(e.ready)+len(e.started)+len(e.ended) > 0 || e.due > 0 {
			w.tx.OnCommit(func() { e.apply(w.s) })
		}
	}
	return nil
}

func (w *work) counterAt(k []byte) (counts, error) {
	b, err := w.tx.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return counts{}, nil
	}
	if err != nil {
		return counts{}, err
	}
	c, err := decodeCounts(b)
	if err != nil {
		return c, fmt.Errorf("counter %q: %w", k, err)
	}
	return c, nil
}

// apply brings the memory of the queue up to date after the commit.
func (e *effect) apply(s *Service) {
	l := e.q.live
	if len(e.started)+len(e.ended) > 0 || e.due > 0 || e.lowest != nil {
		l.mu.Lock()
		l.cursors.lower(e.due, e.lowest)
		for _, g := range e.started {
			l.tenants.started(g)
		}
		for _, g := range e.ended {
			l.tenants.ended(g)
		}
		l.mu.Unlock()
	}
	if len(e.ready) > 0 {
		l.add(e.ready...)
	}
	if e.due > 0 {
		s.agenda.at(e.q, e.due)
	}
}
