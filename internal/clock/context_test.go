package clock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// TestContextEndsAsOthersDo holds a lazy context against one of package context, with and without somebody who has asked for its channel before.
func TestContextEndsAsOthersDo(t *testing.T) {
	type key struct{}
	tests := map[string]struct {
		cancelParent, cancel bool
		timeout, wait        time.Duration
	}{
		"runs":                       {timeout: time.Hour, wait: time.Second},
		"cancelled":                  {timeout: time.Hour, cancel: true},
		"parent cancelled":           {timeout: time.Hour, cancelParent: true},
		"time is up":                 {timeout: time.Second, wait: 2 * time.Second},
		"time is up, then cancelled": {timeout: time.Second, wait: 2 * time.Second, cancel: true},
		"time of the parent is up":   {timeout: 48 * time.Hour, wait: 25 * time.Hour},
		"no time":                    {timeout: -time.Second},
	}
	for name, tt := range tests {
		for _, asked := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				outer, stop := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), 24*time.Hour)
				defer stop()
				parent, cancelParent := context.WithCancel(outer)
				defer cancelParent()
				want, cancelWant := context.WithTimeout(parent, tt.timeout)
				defer cancelWant()
				got := clock.WithTimeout(parent, tt.timeout)
				defer got.Cancel()
				if asked {
					_ = got.Done()
				}
				time.Sleep(tt.wait)
				synctest.Wait()
				if tt.cancelParent {
					cancelParent()
				}
				if tt.cancel {
					cancelWant()
					got.Cancel()
				}
				if g, w := got.Err(), want.Err(); !errors.Is(g, w) || (g == nil) != (w == nil) {
					t.Errorf("%s, asked %v: Err is %v, want %v", name, asked, g, w)
				}
				if g, w := context.Cause(got), context.Cause(want); !errors.Is(g, w) || (g == nil) != (w == nil) {
					t.Errorf("%s, asked %v: the cause is %v, want %v", name, asked, g, w)
				}
				g, _ := got.Deadline()
				if w, _ := want.Deadline(); !g.Equal(w) {
					t.Errorf("%s: the deadline is %v, want %v", name, g, w)
				}
				if got.Value(key{}) != "value" {
					t.Errorf("%s: the value of the parent is lost", name)
				}
				child, cancel := context.WithCancel(got)
				defer cancel()
				if (child.Err() == nil) != (want.Err() == nil) {
					t.Errorf("%s: a child's Err is %v", name, child.Err())
				}
				select {
				case <-got.Done():
					if want.Err() == nil {
						t.Errorf("%s: the channel is closed", name)
					}
				default:
					if want.Err() != nil {
						t.Errorf("%s: the channel is open", name)
					}
				}
				if g, w := got.Err(), want.Err(); !errors.Is(g, w) || (g == nil) != (w == nil) {
					t.Errorf("%s: Err is %v after Done, want %v", name, g, w)
				}
			})
		}
	}
}

func TestWaitersAreToldOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.WithTimeout(t.Context(), time.Minute)
		defer c.Cancel()
		told := make(chan error, 1)
		context.AfterFunc(c, func() { told <- c.Err() })
		from := time.Now()
		if err := <-told; !errors.Is(err, context.DeadlineExceeded) || time.Since(from) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(from))
		}
		var plain clock.Context
		plain.Init(t.Context(), time.Time{})
		if _, ok := plain.Deadline(); ok {
			t.Error("a deadline from nowhere")
		}
		done := plain.Done()
		plain.Cancel()
		<-done
		if !errors.Is(plain.Err(), context.Canceled) {
			t.Errorf("Err is %v", plain.Err())
		}
	})
}

func TestContextThatNobodyWaitsForTakesOneAllocation(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		c := clock.WithTimeout(context.Background(), time.Minute)
		_ = c.Err()
		c.Cancel()
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// passed adds a value to a context.
type passed struct{ clock.Valued }

// TestHooksHearOfCancellations holds AfterCancel against contexts of both kinds, cancelled at every place of a chain, before the hook and after it.
func TestHooksHearOfCancellations(t *testing.T) {
	type key struct{}
	for _, foreign := range []bool{false, true} {
		for cancelled := range 4 { // of three; 3 is none
			for _, early := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					outer := clock.WithTimeout(context.Background(), time.Hour)
					middle := clock.WithTimeout(passed{clock.Valued{Context: outer}}, time.Hour)
					inner := clock.WithTimeout(middle, time.Hour)
					cancels := []func(){outer.Cancel, middle.Cancel, inner.Cancel}
					var ctx context.Context = passed{clock.Valued{Context: inner}}
					if foreign {
						ctx = context.WithValue(ctx, key{}, "value")
					}
					cancel := func() {
						if cancelled < len(cancels) {
							cancels[cancelled]()
						}
						synctest.Wait()
					}
					if early {
						cancel()
					}
					calls := 0
					h := clock.AfterCancel(ctx, func() { calls++ })
					synctest.Wait()
					if !early {
						cancel()
					}
					want := 1
					if cancelled == len(cancels) {
						want = 0
					}
					if stopped := h.Stop(); calls != want || stopped != (want == 0) {
						t.Errorf("foreign %v, cancelled %d, early %v: %d calls, want %d; Stop reports %v", foreign, cancelled, early, calls, want, stopped)
					}
					for _, c := range cancels {
						c()
					}
					if synctest.Wait(); calls != want {
						t.Errorf("foreign %v, cancelled %d, early %v: %d calls after Stop, want %d", foreign, cancelled, early, calls, want)
					}
				})
			}
		}
	}
}

// TestAContextHasSeveralHooks has a second hook on a context that has one.
func TestAContextHasSeveralHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.WithTimeout(context.Background(), time.Hour)
		calls := make(chan string, 2)
		clock.AfterCancel(c, func() { calls <- "first" })
		clock.AfterCancel(c, func() { calls <- "second" })
		c.Cancel()
		synctest.Wait()
		if len(calls) != 2 {
			t.Errorf("%d calls, want 2", len(calls))
		}
	})
}
