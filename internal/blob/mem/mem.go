// Package mem keeps blobs in memory, for --ephemeral and for tests.
package mem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"lambent.dev/lambent/internal/blob"
)

// New returns an empty store.
func New() blob.Store { return &memory{blobs: map[blob.ID][]byte{}} }

type memory struct {
	mu      sync.Mutex // guards the fields below
	blobs   map[blob.ID][]byte
	last    uint64
	settled uint64 // the value of last when the last sweep began
	closed  bool
}

// Create implements blob.Store.
func (m *memory) Create(ctx context.Context) (blob.Writer, error) {
	if err := m.usable(ctx); err != nil {
		return nil, err
	}
	return &writer{m: m}, nil
}

// Open implements blob.Store.
func (m *memory) Open(ctx context.Context, id blob.ID, want blob.Span) (blob.ReadSeekCloser, error) {
	if err := m.usable(ctx); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[id]
	if !ok {
		return nil, fmt.Errorf("%w: %s", blob.ErrNotFound, id)
	}
	r := reader{bytes.NewReader(b)}
	if _, err := r.Seek(want.Offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("seek in blob %s: %w", id, err)
	}
	return r, nil
}

// Delete implements blob.Store.
func (m *memory) Delete(ctx context.Context, id blob.ID) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, id)
	return nil
}

// Sweep implements blob.Store.
func (m *memory) Sweep(ctx context.Context, live func(blob.ID) (bool, error)) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	for _, id := range m.settle() {
		keep, err := live(id)
		if err != nil {
			return fmt.Errorf("sweep blobs: %w", err)
		}
		if keep {
			continue
		}
		if err := m.Delete(ctx, id); err != nil {
			return fmt.Errorf("sweep blobs: %w", err)
		}
	}
	return nil
}

// settle returns the blobs that this sweep may delete, and notes those of the next one.
func (m *memory) settle() []blob.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	bound := formatID(m.settled)
	m.settled = m.last
	var old []blob.ID
	for id := range m.blobs {
		if id <= bound {
			old = append(old, id)
		}
	}
	return old
}

func formatID(n uint64) blob.ID { return blob.ID(fmt.Sprintf("%016x", n)) }

// Close implements blob.Store.
func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memory) usable(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return blob.ErrClosed
	}
	return ctx.Err()
}

type reader struct{ *bytes.Reader }

// Close implements io.Closer.
func (reader) Close() error { return nil }

type writer struct {
	m    *memory
	buf  []byte
	done bool
}

var errEnded = errors.New("write blob: it is ended")

// Write implements io.Writer.
func (w *writer) Write(b []byte) (int, error) {
	if w.done {
		return 0, errEnded
	}
	w.buf = append(w.buf, b...)
	return len(b), nil
}

// Commit implements blob.Writer.
func (w *writer) Commit(ctx context.Context) (blob.ID, error) {
	if w.done {
		return "", errEnded
	}
	w.done = true
	if err := ctx.Err(); err != nil {
		return "", err
	}
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.last++
	id := formatID(w.m.last)
	w.m.blobs[id] = w.buf
	return id, nil
}

// Abort implements blob.Writer.
func (w *writer) Abort() {
	w.done = true
}
