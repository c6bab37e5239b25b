// Package ids gives out the ids of blobs for drivers that keep them longer than a process lives.
//
// An id is 16 hex digits of a number that only grows. Numbers are reserved in blocks: the driver makes a block ours for ever before the first of
// it is given out, so that no id is given out twice, whatever a crash takes. A [Sequence] also knows which ids are old enough to be swept.
package ids

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/blob"
)

// block is how many ids are reserved at a time.
const block = 1 << 16

// Sequence gives out ids in order. It is safe for concurrent use.
type Sequence struct {
	// reserve makes all ids below limit durably ours.
	reserve func(ctx context.Context, limit uint64) error

	mu      sync.Mutex // guards the fields below
	settled uint64     // blobs with ids below were whole when the last sweep began, or when the sequence was made
	writing map[uint64]struct{}
	next    uint64
	limit   uint64 // ids below are reserved
	closed  bool
}

// New returns a sequence whose ids below next were reserved before. reserve is called, by one goroutine at a time, with the limit of the next block.
func New(next uint64, reserve func(ctx context.Context, limit uint64) error) *Sequence {
	return &Sequence{reserve: reserve, settled: next, next: next, limit: next, writing: map[uint64]struct{}{}}
}

// Take returns a new id, whose blob counts as being written until [Sequence.Ended].
func (s *Sequence) Take(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, blob.ErrClosed
	}
	if s.next == s.limit {
		if err := s.reserve(ctx, s.limit+block); err != nil {
			return 0, fmt.Errorf("reserve ids: %w", err)
		}
		s.limit += block
	}
	id := s.next
	s.next++
	s.writing[id] = struct{}{}
	return id, nil
}

// Ended notes that nothing more is written under an id.
func (s *Sequence) Ended(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.writing, id)
}

// Written tells that nothing is written under an id anymore.
func (s *Sequence) Written(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, writing := s.writing[id]
	return !writing
}

// Settle returns the id below which a sweep that begins now may delete, and notes that for the next one.
func (s *Sequence) Settle() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	bound := s.settled
	s.settled = s.next
	for id := range s.writing {
		s.settled = min(s.settled, id)
	}
	return bound
}

// Close makes Take and Usable refuse from now on.
func (s *Sequence) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// Usable returns blob.ErrClosed after Close, or the error of ctx.
func (s *Sequence) Usable(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return blob.ErrClosed
	}
	return ctx.Err()
}

// Format returns an id as text.
func Format(id uint64) string { return fmt.Sprintf("%016x", id) }

// Parse is the inverse of Format.
func Parse(s string) (uint64, error) {
	if len(s) != 16 || strings.ToLower(s) != s {
		return 0, fmt.Errorf("malformed blob id %q", s)
	}
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("malformed blob id %q", s)
	}
	return n, nil
}

// Folder returns the name of the folder of an id: 256 neighbours share one of 4,096.
func Folder(id uint64) string { return fmt.Sprintf("%03x", id>>8&0xfff) }
