package clock

import (
	"context"
	"sync"
	"time"
)

// Context is a context that ends with its parent, at its deadline, and with Cancel. It costs what a struct costs until somebody waits for it, which nobody does with most
// requests: the timer and the bookkeeping of package context are made when the channel is asked for that tells of the end. Its time is that of the system. Make one with
// [WithTimeout], or with Init.
type Context struct {
	parent context.Context //nolint:containedctx // what this context adds to
	at     time.Time       // the deadline; zero for that of the parent

	mu sync.Mutex // guards the fields below
	// full does what this context does by package context, since somebody has asked for its channel; nil before.
	full context.Context //nolint:containedctx // see above
	stop context.CancelFunc
	err  error // why the context ended without full
	// hook is told when the context is cancelled, which cancelled notes; see [AfterCancel].
	hook      *Hook
	cancelled bool
}

// WithTimeout is [context.WithTimeout], but for the function that cancels, which is [Context.Cancel].
func WithTimeout(parent context.Context, d time.Duration) *Context {
	c := &Context{}
	c.Init(parent, System{}.Now().Add(d))
	return c
}

// Init makes c a context of parent, before its first use. A zero deadline is none.
func (c *Context) Init(parent context.Context, deadline time.Time) {
	if before, ok := parent.Deadline(); ok && before.Before(deadline) {
		deadline = time.Time{}
	}
	c.parent, c.at = parent, deadline
}

// Cancel ends the context, as a [context.CancelFunc] does.
func (c *Context) Cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancelled = true
	if c.hook != nil {
		go c.hook.fire()
	}
	if c.full != nil {
		c.stop()
		return
	}
	if c.endedLocked() == nil {
		c.err = context.Canceled
	}
}

// endedLocked is Err while nobody has asked for the channel. When the time is up and the parent has ended, too, it does not know what came first, and tells of the time.
func (c *Context) endedLocked() error {
	switch {
	case c.err != nil:
	case !c.at.IsZero() && !(System{}).Now().Before(c.at):
		c.err = context.DeadlineExceeded
	default:
		c.err = c.parent.Err()
	}
	return c.err
}

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full == nil {
		// A context whose time is up ends with the reason of that, also when it was cancelled later.
		_ = c.endedLocked()
		if c.at.IsZero() {
			c.full, c.stop = context.WithCancel(c.parent)
		} else {
			c.full, c.stop = context.WithDeadline(c.parent, c.at)
		}
		if c.err != nil {
			c.stop()
		}
	}
	return c.full.Done()
}

// Err implements [context.Context].
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.full != nil {
		return c.full.Err()
	}
	return c.endedLocked()
}

// Deadline implements [context.Context].
func (c *Context) Deadline() (time.Time, bool) {
	if c.at.IsZero() {
		return c.parent.Deadline()
	}
	return c.at, true
}

// Value implements [context.Context]. Package context finds its own part of c by it.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	full := c.full
	c.mu.Unlock()
	if full != nil {
		return full.Value(key)
	}
	return c.parent.Value(key)
}
