package lambda

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// crowd enters n times and stays for a while each time; it returns how many are in.
func crowd(t *testing.T, r *ramp, function string, n int, stay time.Duration) *atomic.Int32 {
	var in atomic.Int32
	for range n {
		go func() {
			leave, err := r.enter(t.Context(), function, nil)
			if err != nil {
				return
			}
			in.Add(1)
			time.Sleep(stay)
			in.Add(-1)
			leave()
		}()
	}
	synctest.Wait()
	return &in
}

func TestRampGrowsWhileEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRamp(clock.System{}, 2, 50)
		in := crowd(t, r, "f", 90, time.Hour)
		if n := in.Load(); n != 4 {
			t.Errorf("%d at first, want 4", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := in.Load(); n < 18 || n > 22 {
			t.Errorf("%d after a second, want about 20", n)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := in.Load(); n != 50 {
			t.Errorf("%d in the end, want all 50", n)
		}
		if leave, err := r.enter(t.Context(), "other", nil); err != nil {
			t.Errorf("another function is held up: %v", err)
		} else {
			leave()
		}
		time.Sleep(3 * time.Hour)
	})
}

func TestRampHandsPlacesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRamp(clock.System{}, 1, 4)
		began := time.Now()
		in := crowd(t, r, "f", 80, time.Millisecond)
		for in.Load() > 0 {
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if d := time.Since(began); d != 20*time.Millisecond {
			t.Errorf("80 short events at four a time took %v", d)
		}
		if len(r.functions) != 0 {
			t.Error("a function without events is remembered")
		}
	})
}

// TestRampKeepsToWhatAFunctionHasReserved has events of a function with two reserved places follow each other, until it has three.
func TestRampKeepsToWhatAFunctionHasReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRamp(clock.System{}, 2, 50)
		var in atomic.Int32
		enter := func(n int, reserved int32) (busy int) {
			errs := make(chan error, n)
			for range n {
				go func() {
					leave, err := r.enter(t.Context(), "f", &reserved)
					errs <- err
					if err == nil {
						in.Add(1)
						time.Sleep(time.Minute)
						in.Add(-1)
						leave()
					}
				}()
				synctest.Wait()
				if len(errs) > 0 && errors.Is(<-errs, errBusy) {
					busy++
				}
			}
			return busy
		}
		if busy := enter(2+2*waitersOfPlace+3, 2); busy != 3 {
			t.Errorf("%d are put off, want 3", busy)
		}
		for range waitersOfPlace / 2 {
			if n := in.Load(); n != 2 {
				t.Errorf("%d run, want 2", n)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		if enter(1, 3); in.Load() != 3 {
			t.Errorf("%d run when three places are reserved", in.Load())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(r.functions) != 0 {
			t.Error("a function without events is remembered")
		}
	})
}

func TestRampPutsOffWhatIsTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRamp(clock.System{}, 1, 4)
		crowd(t, r, "f", 4+rampWaiters, time.Hour)
		if _, err := r.enter(t.Context(), "f", nil); !errors.Is(err, errBusy) {
			t.Errorf("one too many: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r2 := newRamp(clock.System{}, 1, 4)
		crowd(t, r2, "f", 4, time.Hour)
		failed := make(chan error)
		go func() {
			_, err := r2.enter(ctx, "f", nil)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("one that gives up: %v", err)
		}
		time.Sleep(100 * time.Hour)
	})
}
