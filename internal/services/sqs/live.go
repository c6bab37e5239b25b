package sqs

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

const (
	// maxReady bounds the entries that a queue keeps in memory, loadSize is how many are read from the store at a time.
	maxReady = 16_384
	loadSize = 2048
)

// entry is a visible message of a standard queue, or a ready group of a FIFO queue. Its key is the end of its row's key, behind "ms" or "mr".
type entry struct {
	key   string
	group string
}

// sequence returns the sequence number that the key begins with.
func (e entry) sequence() uint64 { return binary.BigEndian.Uint64([]byte(e.key[:8])) }

// live is the memory of a queue. Everything in it can be made again from the store.
type live struct {
	s      *Service
	meters meters
	// lastUse is when a message was last sent, received or deleted, in Unix milliseconds; 0 before.
	lastUse atomic.Int64
	// loading is held by the one who reads entries from the store.
	loading sync.Mutex

	mu sync.Mutex // guards the fields below
	// ready holds every visible entry up to the horizon.
	ready *btree.BTreeG[entry]
	// aside holds entries behind the horizon where tenants share the queue, so that the quiet ones among them can be preferred; nil otherwise.
	aside *btree.BTreeG[entry]
	// horizon is the last key that was read; whole says that it is behind all keys.
	horizon string
	whole   bool
	// reading says that the store is being read: what becomes ready meanwhile is kept wherever it lies.
	reading bool
	ended   bool
	// opened says that the store was read before.
	opened bool
	// waiters are the receivers that wait, first come first.
	waiters waiters
	// arrivals are told of everything that becomes ready.
	arrivals map[chan struct{}]struct{}
	tenants  tenants
	stripes  stripes
	cursors  cursors
}

func newLive(s *Service, m meters) *live { return &live{s: s, meters: m, ready: newEntries()} }

func newEntries() *btree.BTreeG[entry] {
	return btree.NewBTreeGOptions(func(a, b entry) bool { return a.key < b.key }, btree.Options{NoLocks: true, Degree: 16})
}

// cursors say where the rows of a queue begin, so that nothing walks over those that were deleted. live.mu guards them.
type cursors struct {
	// moved is a time (Unix milliseconds) that no row of a hidden message lies before.
	moved int64
	// oldest is a key that no state row lies before; nil means the first.
	oldest key.Key
	// lowered counts the times that a commit wrote a row in front of a cursor.
	lowered uint64
}

// lower moves the cursors back in front of rows that were written.
func (c *cursors) lower(due int64, state key.Key) {
	if due > 0 && due < c.moved {
		c.moved = due
		c.lowered++
	}
	if state != nil && string(state) < string(c.oldest) {
		c.oldest = state
		c.lowered++
	}
}

// at returns the cursors as they are.
func (l *live) at() cursors {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursors
}

// advance moves the cursors forward from seen, unless a row was written in front of them since.
func (l *live) advance(seen cursors, moved int64, oldest key.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cursors.lowered != seen.lowered {
		return
	}
	l.cursors.moved = max(l.cursors.moved, moved)
	if string(oldest) > string(l.cursors.oldest) {
		l.cursors.oldest = oldest
	}
}

// add notes that entries became ready, and wakes receivers. It runs after the commit that made them so.
func (l *live) add(entries ...entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	for _, e := range entries {
		switch {
		case l.whole || l.reading || e.key <= l.horizon:
			l.ready.Set(e)
		case l.tenants.used() && e.group != "":
			l.setAsideLocked(e)
		}
	}
	l.trimLocked()
	l.waiters.wake(len(entries))
	for c := range l.arrivals {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// setAsideLocked keeps an entry behind the horizon, while there is room.
func (l *live) setAsideLocked(e entry) {
	if l.aside == nil {
		l.aside = newEntries()
	}
	if l.aside.Len() < maxReady {
		l.aside.Set(e)
	}
}

// mergeAsideLocked moves what the horizon has passed to where it belongs.
func (l *live) mergeAsideLocked() {
	for l.aside != nil {
		e, ok := l.aside.Min()
		if !ok || !l.whole && e.key > l.horizon {
			return
		}
		l.aside.PopMin()
		l.ready.Set(e)
	}
}

// trimLocked keeps the memory bounded: what is dropped is read again later.
func (l *live) trimLocked() {
	if l.ready.Len() <= maxReady || l.reading {
		return
	}
	for l.ready.Len() > maxReady-loadSize {
		l.ready.PopMax()
	}
	last, _ := l.ready.Max()
	if l.whole || l.horizon > last.key {
		l.horizon, l.whole = last.key, false
	}
}

// claim takes up to n entries out of the memory. The caller owns them until it gives them back or its commit made them invisible.
func (l *live) claim(n int) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tenants.used() {
		return l.tenants.claim(l.ready, l.aside, n)
	}
	out := make([]entry, 0, n)
	for len(out) < n {
		e, ok := l.ready.PopMin()
		if !ok {
			break
		}
		out = append(out, e)
	}
	return out
}

// exhausted tells whether nothing is ready, here and in the store.
func (l *live) exhausted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready.Len() == 0 && l.whole
}

// load reads entries behind the horizon when none is in memory.
func (q *queue) load(ctx context.Context) error {
	l := q.live
	l.loading.Lock()
	defer l.loading.Unlock()
	l.mu.Lock()
	if l.whole || l.ready.Len() > 0 {
		l.mu.Unlock()
		return nil
	}
	horizon := l.horizon
	// From here on, add keeps everything: the view below holds all that was durable before it.
	l.reading = true
	l.mu.Unlock()
	var read []entry
	var last string
	var whole bool
	var n counts
	err := l.s.store.View(ctx, func(r store.Reader) error {
		var err error
		if read, last, whole, err = q.readReady(r, horizon); err == nil && horizon == "" {
			n, err = q.count(r, l.s.nowMS())
		}
		return err
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = false
	if err != nil {
		return err
	}
	if !l.opened {
		l.opened = true
		l.tenants.total = int(n.inFlight)
	}
	for _, e := range read {
		l.ready.Set(e)
	}
	l.whole = whole
	if last != "" {
		l.horizon = last
	}
	l.mergeAsideLocked()
	l.trimLocked()
	return nil
}

// readReady reads what is ready behind the horizon. It looks at some rows and returns the last of them; whole says that there are no more.
func (q *queue) readReady(r store.Reader, horizon string) (out []entry, last string, whole bool, err error) {
	prefix := q.base("ms")
	if q.fifo {
		prefix = q.base("mr")
	}
	span := prefix.Span()
	if horizon != "" {
		span.Lo = append(prefix.Raw([]byte(horizon)), 0)
	} else if oldest := q.live.at().oldest; oldest != nil && !q.fifo {
		span.Lo = oldest
	}
	span.Limit = loadSize
	seen := 0
	for p, err := range r.Range(span) {
		if err != nil {
			return nil, "", false, err
		}
		seen++
		last = string(p.Key[len(prefix):])
		if q.fifo {
			out = append(out, entry{key: last, group: key.Decode([]byte(last[8:])).Str()})
			continue
		}
		st, err := decodeState(p.Value)
		if err != nil {
			return nil, "", false, err
		}
		if st.where == visible {
			out = append(out, entry{key: last, group: st.group})
		}
	}
	return out, last, seen < loadSize, nil
}

// clear forgets all entries after a purge.
func (l *live) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready.Clear()
	l.aside = nil
	l.tenants.clear()
	l.whole, l.horizon = true, ""
}

// end wakes everyone who waits for a queue that was deleted.
func (l *live) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.ready.Clear()
	l.waiters.wakeAll()
}

// waiter is a receiver that waits.
type waiter struct {
	woken      chan struct{}
	prev, next *waiter
	waiting    bool
}

// waiters is a line of receivers; live.mu guards it.
type waiters struct{ first, last *waiter }

func (w *waiters) push(x *waiter) {
	x.waiting, x.prev, x.next = true, w.last, nil
	if w.last != nil {
		w.last.next = x
	} else {
		w.first = x
	}
	w.last = x
}

func (w *waiters) remove(x *waiter) {
	if !x.waiting {
		return
	}
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		w.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		w.last = x.prev
	}
	x.waiting, x.prev, x.next = false, nil, nil
}

// wake wakes up to n receivers.
func (w *waiters) wake(n int) {
	for ; n > 0 && w.first != nil; n-- {
		x := w.first
		w.remove(x)
		x.woken <- struct{}{}
	}
}

func (w *waiters) wakeAll() {
	for w.first != nil {
		w.wake(1)
	}
}

// enter puts x into the line when there is nothing to receive, and reports whether it did.
func (l *live) enter(x *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.ready.Len() > 0 || !l.whole {
		return false
	}
	l.waiters.push(x)
	return true
}

// leave takes x out of the line. A receiver that was woken and goes away without taking anything passes the wake-up on.
func (l *live) leave(x *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if x.waiting {
		l.waiters.remove(x)
		return
	}
	select {
	case <-x.woken:
		if l.ready.Len() > 0 {
			l.waiters.wake(1)
		}
	default:
	}
}

// Arrivals implements [port.Arrivals] for the queue of an ARN: the channel holds a value after a message became visible.
func (s *Service) Arrivals(source string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	none := func() {}
	p, name, ok := resolveARN(source)
	if !ok {
		return c, none
	}
	q, err := s.viewNamed(context.Background(), p, name)
	if err != nil {
		return c, none
	}
	l := q.live
	l.mu.Lock()
	if l.arrivals == nil {
		l.arrivals = map[chan struct{}]struct{}{}
	}
	l.arrivals[c] = struct{}{}
	l.mu.Unlock()
	c <- struct{}{} // what is there already
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.arrivals, c)
	}
}
