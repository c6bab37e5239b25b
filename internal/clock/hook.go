package clock

import (
	"context"
	"sync/atomic"
)

// Hook waits for the cancellation of a context, see [AfterCancel].
type Hook struct {
	f     func()
	state atomic.Bool // f was called, or will not be
	stop  func() bool // of package context; nil where the contexts themselves call
	on    [maxHooked]*Context
	n     int
}

// maxHooked bounds how many contexts, each the parent of another, a hook hangs on.
const maxHooked = 4

// AfterCancel calls f in a goroutine of its own when ctx or one of its parents is cancelled, as [context.AfterFunc] does. It need not tell of a deadline, which is for callers that watch
// the time by other means, such as the deadline of a connection. Where all contexts up to the background are of this package or add values only, no channels and timers are made for it.
func AfterCancel(ctx context.Context, f func()) *Hook {
	h := &Hook{f: f}
	if !h.hang(ctx) {
		h.Stop()
		h = &Hook{f: f}
		h.stop = context.AfterFunc(ctx, h.fire)
	}
	return h
}

// hang hangs the hook on a context and its parents. It reports false where one of them is of another kind, or has a hook already.
func (h *Hook) hang(ctx context.Context) bool {
	for ctx != context.Background() {
		switch c := ctx.(type) {
		case interface{ lazy() *Context }:
			own := c.lazy()
			if h.n == maxHooked || !own.hang(h) {
				return false
			}
			h.on[h.n] = own
			h.n++
			ctx = own.parent
		case interface{ Inner() context.Context }:
			ctx = c.Inner()
		default:
			return false
		}
	}
	return true
}

// Stop ends the wait, and reports false when f was called, or is.
func (h *Hook) Stop() bool {
	if h.stop != nil {
		return h.stop()
	}
	for _, c := range h.on[:h.n] {
		c.unhang(h)
	}
	return h.state.CompareAndSwap(false, true)
}

// fire calls f once.
func (h *Hook) fire() {
	if h.state.CompareAndSwap(false, true) {
		h.f()
	}
}

func (c *Context) lazy() *Context { return c }

// hang makes h the hook of c, unless it has one. A context that was cancelled before calls it at once.
func (c *Context) hang(h *Hook) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hook != nil {
		return false
	}
	c.hook = h
	if c.cancelled {
		go h.fire()
	}
	return true
}

func (c *Context) unhang(h *Hook) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hook == h {
		c.hook = nil
	}
}

// Valued is a context with values beside those of its parent. It ends with it, and Value finds the values: an implementation embeds it.
type Valued struct{ context.Context } //nolint:containedctx // what the values are added to

// Inner returns the parent.
func (v Valued) Inner() context.Context { return v.Context }
