package clock

import (
	"slices"
	"sync"
	"time"
)

// Fake is a clock that stands still until [Fake.Advance] or [Fake.Set] moves it. The zero value
// is not usable: make one with [NewFake]. It is safe for concurrent use.
type Fake struct {
	mu sync.Mutex // guards the fields below
	// now never moves backwards.
	now    time.Time
	timers []*fakeTimer
}

// NewFake returns a clock that shows now.
func NewFake(now time.Time) *Fake { return &Fake{now: now} }

// Now returns the time that the clock shows.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// NewTimer returns a timer that fires when the clock is moved by d or more.
func (f *Fake) NewTimer(d time.Duration) Timer {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &fakeTimer{clock: f, at: f.now.Add(d), c: make(chan time.Time, 1)}
	if d <= 0 {
		t.c <- f.now
		return t
	}
	f.timers = append(f.timers, t)
	return t
}

// afterFunc is AfterFunc for this clock.
func (f *Fake) afterFunc(d time.Duration, fn func()) (stop func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &fakeTimer{clock: f, at: f.now.Add(d), fn: fn}
	if d <= 0 {
		go fn()
	} else {
		f.timers = append(f.timers, t)
	}
	return t.Stop
}

// Advance moves the clock forward by d and fires the timers that are due, in the order of
// their times.
func (f *Fake) Advance(d time.Duration) { f.Set(f.Now().Add(d)) }

// Set moves the clock forward to t and fires the timers that are due. A t in the past is ignored.
func (f *Fake) Set(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.Before(f.now) {
		return
	}
	f.now = t
	slices.SortStableFunc(f.timers, func(a, b *fakeTimer) int { return a.at.Compare(b.at) })
	due := 0
	for due < len(f.timers) && !f.timers[due].at.After(t) {
		f.timers[due].fire(t)
		due++
	}
	f.timers = slices.Delete(f.timers, 0, due)
}

// Step sets the time that the clock shows by d, back or forth, as when the clock of a machine is set. Timers keep what is left of their durations, as those of an operating
// system do.
func (f *Fake) Step(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	for _, t := range f.timers {
		t.at = t.at.Add(d)
	}
}

type fakeTimer struct {
	clock *Fake
	at    time.Time
	c     chan time.Time
	fn    func() // runs when the timer fires, in place of c
}

func (t *fakeTimer) fire(now time.Time) {
	if t.fn != nil {
		go t.fn()
		return
	}
	t.c <- now
}

func (t *fakeTimer) C() <-chan time.Time { return t.c }

func (t *fakeTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	i := slices.Index(t.clock.timers, t)
	if i < 0 {
		return false
	}
	t.clock.timers = slices.Delete(t.clock.timers, i, i+1)
	return true
}
