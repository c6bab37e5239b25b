package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"lambent.dev/lambent/internal/store/optimistic"
)

// engine is a pebble.DB as optimistic wants it.
type engine struct {
	db   *pebble.DB
	dir  string
	lock *pebble.Lock
	room *room

	broken chan struct{} // closed when cause is set
	opened atomic.Bool

	mu     sync.Mutex // guards the fields below
	onFail func(error)
	cause  error // does not change when it is set

	snapMu sync.Mutex // guards the field below
	// snap is the snapshot that readers share until the next batch; nil when there is none. Closing a snapshot looks for compactions, which costs more than
	// a read.
	snap *snapshot
}

// fail sets the function that hears of errors in the background, among them those from before.
func (e *engine) fail(fn func(error)) {
	e.mu.Lock()
	e.onFail = fn
	cause := e.cause
	e.mu.Unlock()
	if cause != nil {
		fn(cause)
	}
}

// fatal is called by Pebble where it cannot go on. It does not return: the goroutine ends.
func (e *engine) fatal(err error) {
	e.note(err)
	runtime.Goexit()
}

// note keeps why the engine cannot go on, and tells it.
func (e *engine) note(err error) {
	e.mu.Lock()
	if e.cause == nil {
		e.cause = err
		close(e.broken)
	}
	fn := e.onFail
	e.mu.Unlock()
	if fn != nil {
		fn(err)
	}
}

// Snapshot implements optimistic.Engine.
func (e *engine) Snapshot() (optimistic.Snapshot, error) {
	e.snapMu.Lock()
	defer e.snapMu.Unlock()
	if e.snap == nil {
		e.snap = &snapshot{s: e.db.NewSnapshot()}
		e.snap.users.Store(1) // the engine
	}
	e.snap.users.Add(1)
	return e.snap, nil
}

// renew lets the next reader take a new snapshot.
func (e *engine) renew() error {
	e.snapMu.Lock()
	old := e.snap
	e.snap = nil
	e.snapMu.Unlock()
	if old == nil {
		return nil
	}
	return old.Close()
}

// Batch implements optimistic.Engine.
func (e *engine) Batch() optimistic.Batch { return &batch{e: e, b: e.db.NewBatch()} }

// Admit implements optimistic.Engine.
func (e *engine) Admit(n int, makesRoom bool) error { return e.room.admit(n, makesRoom) }

// Close implements optimistic.Engine. A database that failed, or fails while it is closed, is not closed in order, which
// could block for ever: its files are left as they are after a crash, which the next start recovers from.
func (e *engine) Close(failed bool) error {
	if failed {
		return nil
	}
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(e.renew(), e.db.Close(), e.lock.Close()) }()
	select {
	case err := <-closed:
		return err
	case <-e.broken:
		return fmt.Errorf("close store: %w", e.cause)
	}
}

// snapshot is a pebble.Snapshot that several readers use. The last one closes it.
type snapshot struct {
	s     *pebble.Snapshot
	users atomic.Int64
}

func (s *snapshot) Get(key []byte) ([]byte, bool, error) {
	v, closer, err := s.s.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, true, closer.Close()
}

func (s *snapshot) Iter(lo, hi []byte) (optimistic.Iter, error) {
	it, err := s.s.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return nil, err
	}
	return iterator{it}, nil
}

func (s *snapshot) Close() error {
	if s.users.Add(-1) > 0 {
		return nil
	}
	return s.s.Close()
}

type iterator struct{ it *pebble.Iterator }

func (i iterator) SetBounds(lo, hi []byte) { i.it.SetBounds(lo, hi) }
func (i iterator) SeekGE(key []byte) bool  { return i.it.SeekGE(key) }
func (i iterator) SeekLT(key []byte) bool  { return i.it.SeekLT(key) }
func (i iterator) Next() bool              { return i.it.Next() }
func (i iterator) Prev() bool              { return i.it.Prev() }
func (i iterator) Key() []byte             { return i.it.Key() }
func (i iterator) Value() ([]byte, error)  { return i.it.ValueAndErr() }
func (i iterator) Err() error              { return i.it.Error() }
func (i iterator) Close() error            { return i.it.Close() }

type batch struct {
	e *engine
	b *pebble.Batch
}

func (b *batch) Set(key, value []byte) error     { return b.b.Set(key, value, nil) }
func (b *batch) Delete(key []byte) error         { return b.b.Delete(key, nil) }
func (b *batch) DeleteRange(lo, hi []byte) error { return b.b.DeleteRange(lo, hi, nil) }

// Apply implements optimistic.Batch. Pebble panics when it cannot hand a record to its log; that
// is an error like a failed sync.
func (b *batch) Apply() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("write log: %v", r)
		}
	}()
	b.e.room.wrote(b.b.Len())
	if err := b.e.db.ApplyNoSyncWait(b.b, pebble.Sync); err != nil {
		return err
	}
	return b.e.renew()
}

// Wait implements optimistic.Batch.
func (b *batch) Wait() error {
	if err := b.b.SyncWait(); err != nil {
		return fmt.Errorf("sync log: %w", err)
	}
	return nil
}

func (b *batch) Discard() { _ = b.b.Close() }

// logger hands what Pebble says to slog.
type logger struct {
	log   *slog.Logger
	fatal func(error)
}

func (l logger) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("store engine", slog.String("message", fmt.Sprintf(format, args...)))
	}
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Warn("store engine", slog.String("message", fmt.Sprintf(format, args...)))
}

func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.log.Error("store engine stopped", slog.String("error", err.Error()))
	l.fatal(err)
}
