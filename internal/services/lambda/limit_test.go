package lambda

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/clock"
)

func TestLimitEndsWhatTakesTooLong(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	tests := map[string]struct {
		run  func(m *limit)
		want error
	}{
		"in time":              {func(*limit) { time.Sleep(time.Second) }, nil},
		"too late":             {func(*limit) { time.Sleep(4 * time.Second) }, first},
		"over, and much later": {func(m *limit) { m.over(); time.Sleep(time.Hour) }, nil},
		"the next one begins before the alarm": {func(m *limit) {
			time.Sleep(2 * time.Second)
			m.over()
			m.begin(3*time.Second, second)
			time.Sleep(2 * time.Second)
		}, nil},
		"the next one takes too long": {func(m *limit) {
			time.Sleep(2 * time.Second)
			m.over()
			m.begin(3*time.Second, second)
			time.Sleep(4 * time.Second)
		}, second},
		"the next one has less time": {func(m *limit) { m.over(); m.begin(time.Second, second); time.Sleep(2 * time.Second) }, second},
		"the next one after the alarm": {func(m *limit) {
			m.over()
			time.Sleep(time.Hour)
			m.begin(time.Second, second)
			time.Sleep(2 * time.Second)
		}, second},
		"closed": {func(m *limit) { m.over(); m.close(); time.Sleep(time.Hour) }, nil},
	}
	for name, tt := range tests {
		for _, c := range []clock.Clock{clock.System{}, clock.NewMovable()} {
			synctest.Test(t, func(t *testing.T) {
				if _, ok := c.(*clock.Movable); ok {
					c = clock.NewMovable()
				}
				ended := make(chan error, 4)
				m := newLimit(c, func(cause error) { ended <- cause })
				defer m.close()
				m.begin(3*time.Second, first)
				tt.run(m)
				synctest.Wait()
				if got := m.over(); got != (tt.want == nil) {
					t.Errorf("%s: in time: %v", name, got)
				}
				if tt.want != nil {
					if got := <-ended; !errors.Is(got, tt.want) {
						t.Errorf("%s: ended by %v, want %v", name, got, tt.want)
					}
				}
				if len(ended) > 0 {
					t.Errorf("%s: ended by %v", name, <-ended)
				}
			})
		}
	}
}

// TestLimitThatRingsLateEndsNothingElse has the alarm ring for what is over after the next thing has begun.
func TestLimitThatRingsLateEndsNothingElse(t *testing.T) {
	c := clock.NewFake(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	ended := make(chan error, 4)
	m := newLimit(c, func(cause error) { ended <- cause })
	m.begin(time.Second, errors.New("first"))
	m.over()
	m.mu.Lock()
	c.Advance(time.Second) // the alarm's call waits for mu
	m.mu.Unlock()
	second := errors.New("second")
	m.begin(time.Hour, second)
	for {
		m.mu.Lock()
		late := m.late
		m.mu.Unlock()
		if late == 0 {
			break
		}
	}
	if !m.over() {
		t.Error("the alarm of the first ended the second")
	}
	m.begin(time.Second, second)
	c.Advance(time.Second)
	if got := <-ended; !errors.Is(got, second) {
		t.Errorf("ended by %v", got)
	}
}
