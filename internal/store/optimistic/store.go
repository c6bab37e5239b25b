package optimistic

import (
	"bytes"
	"container/list"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
)

const (
	// reserved is the least key that belongs to the driver.
	reserved = "\xff"
	// versionKey holds the version up to which stamps may have been given out.
	versionKey = "\xffversion"
	// versionBlock is how many versions are reserved by one write of versionKey.
	versionBlock = 1 << 20
	// maxTries bounds the runs of one closure.
	maxTries = 64
)

// Store is a store.Store over an engine.
type Store struct {
	eng     Engine
	clk     clock.Clock
	hub     *hub
	pending pending
	rows    rows
	// applied is the version of the last batch that is visible to new snapshots.
	applied    atomic.Uint64
	turnstiles [64]chan struct{}
	seed       maphash.Seed

	commitMu sync.Mutex // guards the fields below, and the order of Apply
	version  uint64
	limit    uint64 // the value of versionKey
	window   window

	activeMu sync.Mutex // guards the fields below
	active   *list.List // of uint64: the versions at which running transactions read, ascending

	lifeMu  sync.Mutex // guards the fields below
	running int
	closed  bool
	idle    chan struct{} // closed when closed and nothing runs
	ended   chan struct{} // closed when the engine is closed
	endErr  error
}

// New returns a store over eng, which it owns from now on. clk measures the age of transactions
// only: it should be the real clock even where the services' clock is moved by tests.
func New(eng Engine, clk clock.Clock) (*Store, error) {
	s := NewEmpty(eng, clk)
	if err := s.loadVersion(); err != nil {
		return nil, errors.Join(err, eng.Close(false))
	}
	return s, nil
}

// NewEmpty returns a store over eng, which holds nothing yet; otherwise it is like [New].
func NewEmpty(eng Engine, clk clock.Clock) *Store {
	s := &Store{
		eng: eng, clk: clk, hub: newHub(), seed: maphash.MakeSeed(), window: newWindow(), active: list.New(),
		idle: make(chan struct{}), ended: make(chan struct{}),
	}
	for i := range s.turnstiles {
		s.turnstiles[i] = make(chan struct{}, 1)
	}
	s.pending.notify, s.pending.stopped = s.hub.notify, make(chan struct{})
	return s
}

func (s *Store) loadVersion() error {
	snap, err := s.eng.Snapshot()
	if err != nil {
		return fmt.Errorf("read commit version: %w", err)
	}
	defer func() { _ = snap.Close() }()
	v, ok, err := snap.Get([]byte(versionKey))
	if err != nil {
		return fmt.Errorf("read commit version: %w", err)
	}
	if ok {
		if len(v) != 8 {
			return fmt.Errorf("read commit version: %d bytes, want 8", len(v))
		}
		s.limit = binary.BigEndian.Uint64(v)
	}
	s.version = s.limit
	s.applied.Store(s.version)
	s.rows.version = s.version
	s.pending.registered.Store(s.version)
	s.pending.durable.Store(s.version)
	return nil
}

// Fail stops the store: whatever is not acknowledged yet, and every later call, gets an error that
// wraps store.ErrFailed and cause. Drivers call it for errors that they meet in the background.
func (s *Store) Fail(cause error) {
	s.pending.fail(fmt.Errorf("%w: %w; free the disk or repair it, then start again", store.ErrFailed, cause))
}

// Failed implements store.Store.
func (s *Store) Failed() <-chan struct{} { return s.pending.stopped }

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(r store.Reader) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	t, err := s.begin(ctx, false)
	if err != nil {
		return err
	}
	defer t.end()
	if err := fn(t); err != nil {
		return err
	}
	return t.err
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(tx store.Txn) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	var held chan struct{}
	release := func() {
		if held != nil {
			<-held
			held = nil
		}
	}
	defer release()
	for range maxTries {
		hot, conflict, err := s.try(ctx, fn, release)
		if !conflict {
			return err
		}
		turn := s.turnstiles[maphash.String(s.seed, hot)%uint64(len(s.turnstiles))]
		if turn == held {
			continue
		}
		release()
		select {
		case turn <- struct{}{}:
			held = turn
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("%w after %d tries", store.ErrConflict, maxTries)
}

// try runs fn once. It reports the key of a conflict, or the outcome. applied is called as soon as
// others can build on the transaction.
func (s *Store) try(ctx context.Context, fn func(tx store.Txn) error, applied func()) (string, bool, error) {
	t, err := s.begin(ctx, true)
	if err != nil {
		return "", false, err
	}
	defer t.end()
	err = fn(t)
	if err == nil {
		err = t.finalErr()
	}
	if err != nil || !t.dirty() {
		return "", false, s.endUnwritten(ctx, t, err)
	}
	if err := s.admit(ctx, t.size); err != nil {
		return "", false, err
	}
	b := s.eng.Batch()
	defer b.Discard()
	if err := t.fill(b); err != nil {
		return "", false, err
	}
	c, hot, err := s.commit(t, b)
	if err != nil {
		return "", false, err
	}
	if c == nil {
		return hot, true, nil
	}
	applied()
	t.end()
	if err := b.Wait(); err != nil {
		s.Fail(err)
	}
	return "", false, s.pending.settle(c)
}

// admit asks the engine whether n bytes may be written.
func (s *Store) admit(ctx context.Context, n int) error {
	err := s.eng.Admit(n, false)
	if errors.Is(err, store.ErrFull) && store.MakesRoom(ctx) {
		return s.eng.Admit(n, true)
	}
	return err
}

// endUnwritten answers a transaction that writes nothing: when all it read is durable.
func (s *Store) endUnwritten(ctx context.Context, t *txn, outcome error) error {
	v, err := t.newestRead()
	if err != nil {
		return err
	}
	if err := s.pending.wait(ctx, v); err != nil {
		return err
	}
	if outcome != nil {
		return outcome
	}
	for _, fn := range t.onCommit {
		fn()
	}
	return nil
}

// commit validates t and applies b as the next version. It returns nil and the key of a conflict
// when t must run again.
func (s *Store) commit(t *txn, b Batch) (*commit, string, error) {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if err := s.pending.failure(); err != nil {
		return nil, "", err
	}
	if hot, conflict := s.window.conflict(t); conflict {
		return nil, hot, nil
	}
	c := &commit{version: s.version + 1, onCommit: t.onCommit, ranges: t.deleted, finished: make(chan struct{})}
	if err := s.stamp(t, b, c); err != nil {
		return nil, "", err
	}
	if err := s.pending.enter(c); err != nil {
		return nil, "", err
	}
	s.version = c.version
	s.rows.note(t, c.version)
	if err := b.Apply(); err != nil {
		s.Fail(err)
		return nil, "", c.err
	}
	s.applied.Store(c.version)
	s.rememberLocked(t, c)
	return c, "", nil
}

// stamp adds to b what depends on the version, and to c the keys that t writes.
func (s *Store) stamp(t *txn, b Batch, c *commit) error {
	c.keys = t.keys(c.version)
	for i, a := range t.appends {
		if err := b.Set(a.key(c.version, i), a.value); err != nil {
			return fmt.Errorf("append: %w", err)
		}
		*a.stamp = stampOf(c.version, i)
	}
	if c.version <= s.limit {
		return nil
	}
	s.limit = c.version + versionBlock
	if err := b.Set([]byte(versionKey), binary.BigEndian.AppendUint64(nil, s.limit)); err != nil {
		return fmt.Errorf("reserve versions: %w", err)
	}
	return nil
}

// rememberLocked keeps the writes of c for the transactions that run beside t. commitMu is held.
func (s *Store) rememberLocked(t *txn, c *commit) {
	s.activeMu.Lock()
	s.removeActiveLocked(t)
	oldest := c.version
	if e := s.active.Front(); e != nil {
		oldest = e.Value.(uint64)
	}
	s.activeMu.Unlock()
	if oldest < c.version {
		s.window.add(c)
	}
	s.window.forget(oldest)
}

func (s *Store) removeActiveLocked(t *txn) {
	if t.active != nil {
		s.active.Remove(t.active)
		t.active = nil
	}
}

// begin starts a transaction. A view opens its snapshot now, so that it is not older than what its
// caller reads elsewhere; an update when it reads first, which many never do.
func (s *Store) begin(ctx context.Context, update bool) (*txn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := &txn{s: s, ctx: ctx, update: update, started: s.clk.Now()}
	if update {
		return t, nil
	}
	return t, t.open()
}

// Watch implements store.Store.
func (s *Store) Watch(prefix []byte) *store.Watcher { return s.hub.watch(string(bytes.Clone(prefix))) }

// enter counts a transaction in, or refuses it.
func (s *Store) enter() error {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	if err := s.pending.failure(); err != nil {
		return err
	}
	s.running++
	return nil
}

func (s *Store) leave() {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.running--; s.running == 0 && s.closed {
		close(s.idle)
	}
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.lifeMu.Lock()
	if s.closed {
		s.lifeMu.Unlock()
		<-s.ended
		return s.endErr
	}
	s.closed = true
	if s.running == 0 {
		close(s.idle)
	}
	s.lifeMu.Unlock()
	select {
	case <-s.idle:
	case <-s.pending.stopped: // an engine that failed may never let go of those that run
	}
	s.endErr = s.eng.Close(s.pending.failure() != nil)
	close(s.ended)
	return s.endErr
}

var _ store.Store = (*Store)(nil)
