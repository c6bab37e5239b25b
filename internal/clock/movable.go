package clock

import (
	"sync"
	"time"
)

// Movable is the operating system's clock, set forward by what [Movable.Advance] was told. It lets a test of the running program
// see what expires. The zero value is not usable: make one with [NewMovable]. It is safe for concurrent use.
type Movable struct {
	mu sync.Mutex // guards the fields below
	// ahead is how far the clock is before the system's.
	ahead  time.Duration
	timers map[*movableTimer]struct{} // those that have not fired
}

// NewMovable returns a clock that shows the system's time.
func NewMovable() *Movable { return &Movable{timers: map[*movableTimer]struct{}{}} }

// Now returns the time that the clock shows.
func (m *Movable) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.ahead)
}

// NewTimer returns a timer that fires d from now, or when the clock is moved past that.
func (m *Movable) NewTimer(d time.Duration) Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &movableTimer{clock: m, at: time.Now().Add(m.ahead + d), c: make(chan time.Time, 1)}
	m.timers[t] = struct{}{}
	t.wake = time.AfterFunc(d, t.fire)
	return t
}

// Advance moves the clock forward by d and fires the timers that are due.
func (m *Movable) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead += d
	now := time.Now().Add(m.ahead)
	for t := range m.timers {
		t.wake.Reset(t.at.Sub(now))
	}
}

type movableTimer struct {
	clock *Movable
	at    time.Time
	c     chan time.Time
	wake  *time.Timer
}

func (t *movableTimer) fire() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if _, waits := t.clock.timers[t]; waits {
		delete(t.clock.timers, t)
		t.c <- time.Now().Add(t.clock.ahead)
	}
}

// C returns the channel on which the time of firing is sent.
func (t *movableTimer) C() <-chan time.Time { return t.c }

// Stop keeps the timer from firing.
func (t *movableTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	_, waits := t.clock.timers[t]
	delete(t.clock.timers, t)
	t.wake.Stop()
	return waits
}

// Unmoved returns c, or the system's clock for a [Movable]. It is for comparing times with those of programs that do not know
// that the clock was moved.
func Unmoved(c Clock) Clock {
	if _, ok := c.(*Movable); ok {
		return System{}
	}
	return c
}
