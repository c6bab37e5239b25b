package pebble_test

import (
	"context"
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

// noContext is for helpers that outlive no test.
func noContext() context.Context { return context.Background() }

func newClock() *clock.Fake { return clock.NewFake(time.Unix(1, 0)) }
