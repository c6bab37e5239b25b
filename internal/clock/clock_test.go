package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/clock"
)

func TestFakeFiresDueTimersOnly(t *testing.T) {
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c := clock.NewFake(start)
	soon, late, stopped := c.NewTimer(time.Second), c.NewTimer(time.Hour), c.NewTimer(time.Second)
	if !stopped.Stop() {
		t.Fatal("Stop of a pending timer reported false")
	}
	c.Advance(time.Minute)
	if got := <-soon.C(); !got.Equal(start.Add(time.Minute)) {
		t.Errorf("timer fired with %v, want %v", got, start.Add(time.Minute))
	}
	for name, ch := range map[string]<-chan time.Time{"late": late.C(), "stopped": stopped.C()} {
		select {
		case <-ch:
			t.Errorf("%s timer fired", name)
		default:
		}
	}
	if soon.Stop() {
		t.Error("Stop of a fired timer reported true")
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := clock.Sleep(ctx, clock.NewFake(time.Time{}), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Sleep = %v, want context.Canceled", err)
	}
}

func TestMovableFiresWhatItIsMovedPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := clock.NewMovable()
		soon, late, stopped := c.NewTimer(time.Hour), c.NewTimer(3*time.Hour), c.NewTimer(time.Hour)
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop does not report what it did")
		}
		c.Advance(2 * time.Hour)
		if got := <-soon.C(); !got.Equal(start.Add(2 * time.Hour)) {
			t.Errorf("timer fired with %v", got)
		}
		synctest.Wait()
		select {
		case <-late.C():
			t.Error("a timer fired an hour early")
		case <-stopped.C():
			t.Error("a stopped timer fired")
		default:
		}
		<-late.C()
		if passed := time.Since(start); passed != time.Hour {
			t.Errorf("the last hour took %v", passed)
		}
		if got := c.Now(); !got.Equal(start.Add(3 * time.Hour)) {
			t.Errorf("the clock shows %v", got)
		}
		at := c.NewTimer(0)
		<-at.C()
	})
}
