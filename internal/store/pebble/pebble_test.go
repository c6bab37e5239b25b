package pebble_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
	"lambent.dev/lambent/internal/store/storetest"
)

func open(t *testing.T, dir string, o pebble.Options) store.Store {
	t.Helper()
	s, err := pebble.Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir(), pebble.Options{}) })
}

func TestCheckpointIsAStoreOfItsOwn(t *testing.T) {
	s, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set := func(key string) {
		t.Helper()
		if err := s.Update(t.Context(), func(tx store.Txn) error { tx.Set([]byte(key), []byte(key)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set("before")
	at := filepath.Join(t.TempDir(), "checkpoint")
	if err := s.Checkpoint(at); err != nil {
		t.Fatal(err)
	}
	set("after")
	if err := s.Checkpoint(at); err == nil {
		t.Error("a checkpoint was written over another one")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := open(t, at, pebble.Options{})
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = c.View(t.Context(), func(r store.Reader) error {
		if _, err := r.Get([]byte("before")); err != nil {
			t.Errorf("what was written before the checkpoint: %v", err)
		}
		if _, err := r.Get([]byte("after")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what was written after the checkpoint: %v, want that it is not there", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// noContext is for helpers that outlive no test.
func noContext() context.Context { return context.Background() }

func newClock() *clock.Fake { return clock.NewFake(time.Unix(1, 0)) }
