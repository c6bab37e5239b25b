package clock

import "time"

// Alarm runs a function in a goroutine of its own when a time has passed, again each time that it is set. Setting an alarm costs less than [AfterFunc]. It must not be used
// by two goroutines at a time.
type Alarm struct {
	clock Clock
	fn    func()
	timer *time.Timer // of the system; nil before the first use, and for another clock
	stop  func() bool // for another clock; nil before the first use
}

// NewAlarm returns an alarm that is not set.
func NewAlarm(c Clock, fn func()) *Alarm { return &Alarm{clock: c, fn: fn} }

// Set has the function run when d has passed from now, and not at the time for which the alarm was set before, if that has not come yet; it reports whether it kept the
// function from running then.
func (a *Alarm) Set(d time.Duration) (kept bool) {
	if _, ok := a.clock.(System); !ok {
		kept = a.Stop()
		a.stop = AfterFunc(a.clock, d, a.fn)
		return kept
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(d, a.fn)
		return false
	}
	return a.timer.Reset(d)
}

// Stop keeps the function from running; it reports whether it did, as Set does.
func (a *Alarm) Stop() (kept bool) {
	if a.timer != nil {
		return a.timer.Stop()
	}
	return a.stop != nil && a.stop()
}
