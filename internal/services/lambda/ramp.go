package lambda

import (
	"context"
	"errors"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// ramp bounds how many queued events of one function run at the same time, so that a burst does not start more environments at once than the
// machine can boot: a function begins with a few, and while more of its events wait the bound grows steadily. Callers that wait for an answer
// are not held up. A function with reserved concurrency runs no more events at the same time than that: the others wait for a place instead of being throttled,
// and follow at once.
type ramp struct {
	clock clock.Clock
	// first is how many events of a function run at first, most how many at most; the bound grows by one every step.
	first, most int
	step        time.Duration

	mu        sync.Mutex // guards the fields below
	functions map[string]*climb
}

// climb is how far one function has come.
type climb struct {
	running, limit int
	// most is how many events of this function run at most, by what it has reserved now.
	most    int
	raised  time.Time
	growing bool // a timer for the next step runs
	// waiting are those that wait for a place, the first to get one at the front. A place is given by closing the channel.
	waiting []chan struct{}
}

// rampWaiters bounds the events of a function that wait in memory, waitersOfPlace those for each place of a function with reserved concurrency, which may wait for long;
// further ones are put off for a while.
const (
	rampWaiters    = 250
	waitersOfPlace = 16
)

// errBusy tells that too many events of a function wait already.
var errBusy = errors.New("too many events of the function wait")

// newRamp returns a ramp for a machine with a number of processors: on two, four events at first and sixteen more every second.
func newRamp(c clock.Clock, processors, most int) *ramp {
	n := max(processors, 1)
	return &ramp{clock: c, first: max(4, 2*n), most: most, step: time.Second / time.Duration(8*n), functions: map[string]*climb{}}
}

// enter waits for a place for an event of a function, of which there are as many as it has reserved; nil reserves nothing. leave gives it back and must be called. It fails
// with errBusy, or with ctx.
func (r *ramp) enter(ctx context.Context, function string, reserved *int32) (leave func(), err error) {
	r.mu.Lock()
	c := r.functions[function]
	if c == nil {
		c = &climb{limit: min(r.first, r.most), raised: r.clock.Now()}
		r.functions[function] = c
	}
	waiters := rampWaiters
	if c.most = r.most; reserved != nil {
		c.most = max(min(c.most, int(*reserved)), 1)
		waiters = min(waiters, waitersOfPlace*c.most)
	}
	r.fillLocked(c)
	if r.roomLocked(c) && len(c.waiting) == 0 {
		c.running++
		r.mu.Unlock()
		return func() { r.leave(function, c) }, nil
	}
	if len(c.waiting) >= waiters {
		r.mu.Unlock()
		return nil, errBusy
	}
	place := make(chan struct{})
	c.waiting = append(c.waiting, place)
	r.growLocked(c)
	r.mu.Unlock()
	return r.wait(ctx, function, c, place)
}

// roomLocked tells whether another event may run; it raises the bound when it is time. r.mu is held.
func (r *ramp) roomLocked(c *climb) bool {
	if c.running < min(c.limit, c.most) {
		return true
	}
	if now := r.clock.Now(); c.limit < c.most && now.Sub(c.raised) >= r.step {
		c.limit, c.raised = c.limit+1, now
		return true
	}
	return false
}

// wait waits for a place that is given.
func (r *ramp) wait(ctx context.Context, function string, c *climb, place chan struct{}) (func(), error) {
	select {
	case <-place:
		return func() { r.leave(function, c) }, nil
	case <-ctx.Done():
		return nil, r.giveUp(ctx, function, c, place)
	}
}

// growLocked sees to it that the bound grows while events wait. r.mu is held.
func (r *ramp) growLocked(c *climb) {
	if c.growing || len(c.waiting) == 0 || c.limit >= c.most {
		return
	}
	c.growing = true
	clock.AfterFunc(r.clock, r.step, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		c.growing = false
		r.fillLocked(c)
		r.growLocked(c)
	})
}

// giveUp takes one out of the row that will not wait any longer. A place that it was given meanwhile is given back.
func (r *ramp) giveUp(ctx context.Context, function string, c *climb, place chan struct{}) error {
	r.mu.Lock()
	for i, w := range c.waiting {
		if w == place {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			r.mu.Unlock()
			return ctx.Err()
		}
	}
	r.mu.Unlock()
	r.leave(function, c)
	return ctx.Err()
}

// fillLocked gives the places that there are to those who wait. r.mu is held.
func (r *ramp) fillLocked(c *climb) {
	for len(c.waiting) > 0 && r.roomLocked(c) {
		c.running++
		close(c.waiting[0])
		c.waiting = c.waiting[1:]
	}
}

// leave gives a place back. A function of which nothing runs and nothing waits begins anew.
func (r *ramp) leave(function string, c *climb) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.running--
	r.fillLocked(c)
	if c.running == 0 && len(c.waiting) == 0 && r.functions[function] == c {
		delete(r.functions, function)
	}
}
