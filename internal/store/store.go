// Package store is the ordered transactional key-value interface under every service, and the
// only place where state lives.
//
// # Promises that every driver keeps
//
//   - Acknowledged means durable: [Store.Update] returns nil only after the log that holds the
//     transaction is on disk (or replicated, for a driver over a network). Many writers share
//     one sync.
//   - Serializable: transactions behave as if run one after another. Update runs its closure
//     optimistically and runs it again when another transaction changed something it read, so
//     a closure must be idempotent: it may touch nothing but the transaction and its own locals.
//   - Nothing is visible before it is durable: what [Store.View] and its readers return, and what
//     [Store.Watch] announces, has reached the disk.
//   - Keys are ordered as bytes. A range read sees one state of the store, and the writes
//     that its own transaction made before the range read began.
//   - A driver that cannot tell what its disk holds (a failed sync) stops: from then on every
//     call returns [ErrFailed], and nothing is acknowledged any more.
//
// # Limits, which every driver can keep
//
// 4 MiB of writes, 65,536 appends and 5 s a transaction, 4 KiB a key, 1 MiB a value. A transaction over a limit
// fails with [ErrTooLarge] or [ErrTooOld] and changes nothing. Larger bodies belong in package blob. An empty key and
// keys that begin with 0xff, which are the driver's own, are refused with [ErrBadKey].
//
// The conformance suite for drivers is package storetest; the key encoding that all services
// share is package key; typed records are in package record, and decoded ones are kept in memory by package memo.
package store

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"
)

// Limits of a transaction, in bytes where not said otherwise.
const (
	MaxKey         = 4 << 10
	MaxValue       = 1 << 20
	MaxTransaction = 4 << 20
)

// MaxAge is how long a transaction may run.
const MaxAge = 5 * time.Second

// Errors that a driver returns; compare with [errors.Is].
var (
	// ErrNotFound is returned by Get for a key that has no value.
	ErrNotFound = errors.New("key not found")
	// ErrConflict is returned by Update when its closure met conflicts until it gave up.
	ErrConflict = errors.New("transaction conflict")
	// ErrTooLarge is returned when a key, a value or a transaction is over its limit.
	ErrTooLarge = errors.New("transaction too large")
	// ErrTooOld is returned when a transaction ran longer than it may.
	ErrTooOld = errors.New("transaction too old")
	// ErrFull is returned when the disk has no room; nothing of the transaction was kept.
	ErrFull = errors.New("no space left for the store")
	// ErrBadKey is returned when a transaction wrote an empty key or one that begins with 0xff.
	ErrBadKey = errors.New("key not allowed")
	// ErrFailed is returned by every method after the driver met an error that leaves the state
	// of the disk in doubt. Restarting recovers everything that was acknowledged.
	ErrFailed = errors.New("store stopped after a disk error")
	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("store closed")
)

// Store holds keys and values. It is safe for concurrent use.
type Store interface {
	// View runs fn with a consistent, durable view of the store. Slices that it hands out
	// are valid until fn returns and must not be changed.
	View(ctx context.Context, fn func(r Reader) error) error
	// Update runs fn and commits what it wrote, all or nothing; nil means durable. When fn
	// returns an error nothing is written and Update returns that error as it is. fn may run
	// several times, and must not call View or Update of the same store.
	Update(ctx context.Context, fn func(tx Txn) error) error
	// Watch returns a watcher whose channel receives a value after a durable commit
	// wrote a key that begins with prefix. Wake-ups that nobody has taken yet are merged into one.
	Watch(prefix []byte) *Watcher
	// Failed returns a channel that is closed when the driver has stopped with ErrFailed. Any call then returns the reason.
	Failed() <-chan struct{}
	// Close waits for running transactions and releases the store. It is idempotent.
	Close() error
}

// Reader reads one state of the store.
type Reader interface {
	// Get returns the value of key, or ErrNotFound.
	Get(key []byte) ([]byte, error)
	// Prefetch reads many keys at once, which costs less than to read each by itself, so that the calls of Get for them find their values read. It is a hint: Get
	// says what is there, and only Get makes a transaction depend on a key.
	Prefetch(keys ...[]byte)
	// Range yields the pairs of span in order. It ends after the first error. Breaking out of
	// the loop releases what it holds. Writes made while the loop runs do not change what it yields.
	Range(span Span) iter.Seq2[Pair, error]
}

// Txn reads and writes. Its reads see its own writes, except those of Append.
type Txn interface {
	Reader
	// Set gives key a value; both are copied.
	Set(key, value []byte)
	// Delete removes key; a missing key is no error.
	Delete(key []byte)
	// DeleteRange removes every key with lo <= key < hi; a nil hi means no upper bound.
	DeleteRange(lo, hi []byte)
	// Append sets prefix + stamp to value, where the stamp ([StampSize] bytes) grows with every commit
	// of this store and, within a transaction, with every call: rows under one prefix lie in commit order.
	// The stamp is known when the transaction is committed: what is returned holds it in OnCommit and after Update returned nil.
	Append(prefix, value []byte) *Stamp
	// OnCommit runs fn in this process after the transaction is durable, in the order of the calls
	// and before Update returns; transactions run theirs in the order of their commits. fn must not block
	// and must not call the store. It is a hint that saves a wake-up, never a record: a crash loses it.
	OnCommit(fn func())
}

type roomKey struct{}

// MakingRoom returns a context for updates that lead to more room on the disk than they take: deletions, and what ends in one. A driver that keeps
// room in reserve lets them have a part of it, where other updates get ErrFull.
func MakingRoom(ctx context.Context) context.Context { return context.WithValue(ctx, roomKey{}, true) }

// MakesRoom tells drivers whether ctx is one of [MakingRoom].
func MakesRoom(ctx context.Context) bool { return ctx.Value(roomKey{}) != nil }

// StampSize is the length of the commit stamp that Append adds to a prefix, in bytes:
// an 8-byte big-endian commit version and a 2-byte big-endian ordinal.
const StampSize = 10

// Stamp is the place of a row in commit order. Stamps are compared as bytes.
type Stamp [StampSize]byte

// Pair is one key with its value, valid until the closure of its transaction returns.
type Pair struct {
	Key, Value []byte
}

// Span selects keys with Lo <= key < Hi. A nil Hi means no upper bound.
type Span struct {
	Lo, Hi  []byte
	Limit   int  // at most this many pairs; 0 means all
	Reverse bool // from the last key to the first
}

// Prefix returns the span of all keys that begin with p.
func Prefix(p []byte) Span { return Span{Lo: p, Hi: PrefixEnd(p)} }

// PrefixEnd returns the least key that is greater than every key that begins with p, or nil
// when there is none.
func PrefixEnd(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0xff {
			end := append([]byte(nil), p[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// Watcher receives wake-ups; see [Store.Watch].
type Watcher struct {
	c     chan struct{}
	count atomic.Uint64
	stop  func()
}

// NewWatcher returns a watcher for a driver, which calls Wake; stop is called once by Close.
func NewWatcher(stop func()) *Watcher { return &Watcher{c: make(chan struct{}, 1), stop: stop} }

// C returns the channel on which wake-ups arrive.
func (w *Watcher) C() <-chan struct{} { return w.c }

// Count returns how many times the watcher was woken. A durable commit below the prefix is counted before the Update that made it returns,
// so what was read after Count returned n is up to date with everything acknowledged for as long as Count returns n.
func (w *Watcher) Count() uint64 { return w.count.Load() }

// Wake counts a commit, and leaves a wake-up unless one is waiting already. It never blocks.
func (w *Watcher) Wake() {
	w.count.Add(1)
	select {
	case w.c <- struct{}{}:
	default:
	}
}

// Close ends the watch.
func (w *Watcher) Close() { w.stop() }
