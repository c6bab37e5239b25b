// Package clock is the one source of time.
//
// Product code takes a [Clock] from its dependencies and never asks the operating system for
// the time, so that expiry, schedules, retries and token lifetimes can be tested by moving the
// clock. [System] is the real one; [Fake] stands still until it is moved.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and wakes sleepers.
type Clock interface {
	// Now returns the current time with a monotonic reading where the clock has one.
	Now() time.Time
	// NewTimer returns a timer that fires once, d from now. A d of zero or less fires at once.
	NewTimer(d time.Duration) Timer
}

// Timer fires once on its channel. It is the part of [time.Timer] that can be faked.
type Timer interface {
	// C returns the channel on which the time of firing is sent once.
	C() <-chan time.Time
	// Stop keeps the timer from firing; it reports whether it did.
	Stop() bool
}

// Sleep waits for d on c, or until ctx ends; it returns the error of ctx in that case.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AfterFunc runs fn in a goroutine of its own when d has passed on c, unless stop is called before; stop reports whether it kept fn from running.
// With the clocks of this package nothing but the timer exists until then.
func AfterFunc(c Clock, d time.Duration, fn func()) (stop func() bool) {
	switch c := c.(type) {
	case System:
		return time.AfterFunc(d, fn).Stop
	case *Fake:
		return c.afterFunc(d, fn)
	}
	t := c.NewTimer(d)
	stopped := make(chan struct{})
	go func() {
		select {
		case <-t.C():
			fn()
		case <-stopped:
		}
	}()
	return func() bool {
		if !t.Stop() {
			return false
		}
		close(stopped)
		return true
	}
}

// System is the operating system's clock.
type System struct{}

// Now returns the time of day of the operating system.
func (System) Now() time.Time { return time.Now() }

// NewTimer returns a runtime timer.
func (System) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

type systemTimer struct{ t *time.Timer }

func (s systemTimer) C() <-chan time.Time { return s.t.C }
func (s systemTimer) Stop() bool          { return s.t.Stop() }
