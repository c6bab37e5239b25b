package events_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

// TestJobIsNotMuchLateAfterTheClockWasSet stands for a machine that was suspended, too: its timers do not count that time.
func TestJobIsNotMuchLateAfterTheClockWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clk, st := clock.NewFake(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)), mem.New()
		q := events.New(st, clk, slog.New(slog.DiscardHandler))
		ran := 0
		if err := q.Register(events.Kind{Name: "k", Handle: func(context.Context, events.Job) error { ran++; return nil }}); err != nil {
			t.Fatal(err)
		}
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := st.Update(t.Context(), func(tx store.Txn) error {
			return events.Enqueue(tx, events.Job{Kind: "k", NotBefore: clk.Now().Add(time.Hour)})
		}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		clk.Step(8 * time.Hour)
		clk.Advance(time.Minute)
		synctest.Wait()
		if ran != 1 {
			t.Errorf("a job that was due hours ago ran %d times", ran)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
}
