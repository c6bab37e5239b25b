package rapi

import (
	"context"
	"errors"
	"os"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// handBack is how long a connection may stay unread after an answer, twice at most. A process that is asked often has asked for
// the next invocation by then, and is not read from before that comes; what another one says is answered after this time.
const handBack = 25 * time.Millisecond

// A warm invocation passes no goroutine but its caller's: the caller writes the event, and reads from the connection itself until the answer is there. What the
// process says next, its request for the next invocation as a rule, is read by the caller of the next one. The connection's own goroutine
// sleeps meanwhile. It gets the connection back when that ends, or has nothing to do with invocations any more.

// letGo tells whether c's own goroutine has to let go of it, because it has read a request for an invocation.
func (s *Session) letGo(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := c.asked
	c.asked = false
	return asked
}

// askLocked takes the unread connection, to drive it until the process asks for an invocation.
func (s *Session) askLocked() *conn {
	s.driven, s.unread, s.asking = s.unread, nil, true
	return s.driven
}

// drive answers requests of c on the goroutine of the caller, who has it, until done, until somebody calls the caller away, or
// until the connection ends. Then c is the session's again.
func (s *Session) drive(c *conn, done func() bool) {
	for {
		err := c.step()
		if err != nil {
			s.release(c, !s.calledAway(err))
			return
		}
		if done() || s.calledAway(os.ErrDeadlineExceeded) {
			s.release(c, false)
			return
		}
	}
}

// calledAway tells whether err is what a poke leads to.
func (s *Session) calledAway(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.poked && errors.Is(err, os.ErrDeadlineExceeded)
}

// release gives up the driven connection. One that has asked for the next invocation waits for it; one that has not stays unread for a while.
func (s *Session) release(c *conn, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driven, s.asking = nil, false
	if s.poked {
		s.poked = false
		_ = c.rw.SetDeadline(time.Time{})
	}
	switch {
	case ended:
		s.giveBackLocked(c, false)
	case s.waiting == c:
	case s.waiting != nil:
		// The process asks on another connection.
		s.giveBackLocked(c, true)
	default:
		s.unread = c
		s.unreadAt++
		s.watchLocked()
	}
}

// giveBackLocked wakes the goroutine of a connection that has been lent.
func (s *Session) giveBackLocked(c *conn, more bool) {
	if s.unread == c {
		s.unread = nil
	}
	if s.waiting == c {
		s.waiting = nil
	}
	c.back <- more // its goroutine is waiting, or about to
}

// pokeLocked calls the driver away from its connection.
func (s *Session) pokeLocked() {
	if s.driven != nil && !s.poked {
		s.poked = true
		_ = s.driven.rw.SetDeadline(time.Unix(1, 0))
	}
}

// pokeAfter has the driver called away when ctx ends, until the function that it returns is called.
func (s *Session) pokeAfter(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	undo := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pokeLocked()
	})
	return func() { undo() }
}

// watchLocked sees to it that a connection that stays unread goes back to its goroutine.
func (s *Session) watchLocked() {
	if s.watched {
		return
	}
	s.watched, s.watchedAt = true, s.unreadAt
	clock.AfterFunc(clock.System{}, handBack, s.watch)
}

func (s *Session) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = false
	switch {
	case s.unread == nil || s.err != nil:
	case s.unreadAt == s.watchedAt:
		s.giveBackLocked(s.unread, true)
	default:
		s.watchLocked()
	}
}
