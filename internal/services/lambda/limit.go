package lambda

import (
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// limit ends an environment whose process takes too long. Its alarm goes on when what it was set for is over in time, as nearly everything is: setting it again for what
// comes next is all that an invocation costs. It counts in durations, so that setting the clock of the machine moves no limit.
type limit struct {
	end   func(cause error)
	alarm *clock.Alarm

	mu sync.Mutex // guards the fields below, and alarm
	// cause is what ends the environment when what runs takes too long; nil while nothing runs.
	cause error
	// passed tells that the environment was ended.
	passed bool
	// set tells that the alarm is, and late counts its calls for what is over that are still to come.
	set  bool
	late int
}

func newLimit(c clock.Clock, end func(cause error)) *limit {
	m := &limit{end: end}
	m.alarm = clock.NewAlarm(c, m.ring)
	return m
}

// begin begins something that may take so long.
func (m *limit) begin(most time.Duration, cause error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cause, m.passed = cause, false
	if kept := m.alarm.Set(most); m.set && !kept {
		m.late++
	}
	m.set = true
}

// over reports whether what was begun last has come to its end in time.
func (m *limit) over() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cause = nil
	return !m.passed
}

// close stops the alarm.
func (m *limit) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cause = nil
	m.alarm.Stop()
}

// ring is called by the alarm.
func (m *limit) ring() {
	m.mu.Lock()
	if m.late > 0 {
		m.late--
		m.mu.Unlock()
		return
	}
	cause := m.cause
	m.set, m.passed = false, cause != nil
	m.mu.Unlock()
	if cause != nil {
		m.end(cause)
	}
}
