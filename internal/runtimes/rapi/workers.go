package rapi

import (
	"context"
	"slices"
)

// ErrWorker says that the part of a process that had an invocation ended without an answer. The process goes on.
var ErrWorker = &workerError{}

type workerError struct{}

func (*workerError) Error() string { return "Runtime exited without providing a reason" }

// workers are the parts of a process that takes several invocations at a time: each asks for its next one,
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html. The connections are read by their own goroutines.
// Session.mu guards them.
type workers struct {
	limit int
	// bound tells that each worker keeps to a connection of its own, which ends with it. Other clients have a pool of connections for all of their workers: an answer may come
	// on any of them, and one that is closed says nothing about an invocation that came on it.
	bound bool
	freed func() // is told when a worker waits; nil for nobody
	// idle are the connections that wait for an invocation, the one that has waited least at the end.
	idle []*conn
	// running are the invocations by their request ids, with the connections that brought them.
	running map[string]*task
	carried map[*conn]string
	seen    int           // workers that have asked for an invocation
	ready   chan struct{} // closed when the first worker waits
}

// Concurrent makes the session one of a process that takes up to limit invocations at a time. It must be called before the process runs. bound tells that each
// of its workers has a connection of its own. freed, if it is not nil, is told each time that a worker waits, and must not block. [Session.Invoke] may be called by several goroutines
// then, and fails with [ErrBusy] when no worker waits, and, with bound workers, with [ErrWorker] when one ends. An invocation whose caller goes away, or whose time is over, is left to the
// process, and its answer is dropped.
func (s *Session) Concurrent(limit int, bound bool, freed func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers = &workers{limit: limit, bound: bound, freed: freed, running: map[string]*task{}, carried: map[*conn]string{}, ready: make(chan struct{})}
}

// maxConns is how many connections the process may have. s.mu is held.
func (s *Session) maxConns() int {
	if s.workers != nil {
		return maxConns + s.workers.limit
	}
	return maxConns
}

// waitWorker returns when a worker has asked for an invocation.
func (s *Session) waitWorker(ctx context.Context) error {
	select {
	case <-s.workers.ready:
		return s.cause()
	case <-s.over:
		return s.cause()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// invokeWorker is Invoke for a process with workers.
func (s *Session) invokeWorker(ctx context.Context, inv *Invocation) (Answer, error) {
	x := &task{inv: inv, results: make(chan result, 1)}
	c, err := s.employ(x)
	if err != nil {
		return Answer{}, err
	}
	defer s.dismiss(inv.RequestID)
	if inv.Begun != nil {
		inv.Begun()
	}
	if err := c.sendInvocation(inv); err != nil {
		return Answer{}, ErrWorker
	}
	select {
	case r := <-x.results:
		return r.answer, r.err
	case <-s.over:
		select {
		case r := <-x.results: // the answer came before the end
			return r.answer, r.err
		default:
		}
		return Answer{}, s.cause()
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

// IdleWorkers is how many workers wait for an invocation.
func (s *Session) IdleWorkers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.workers.idle)
}

// Gathering tells whether workers are still expected that have not asked for an invocation yet.
func (s *Session) Gathering() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && s.workers.seen < s.workers.limit
}

// employ takes the connection of a worker that waits.
func (s *Session) employ(x *task) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.workers
	switch {
	case s.err != nil:
		return nil, s.err
	case len(w.idle) == 0 || w.running[x.inv.RequestID] != nil:
		return nil, ErrBusy
	}
	c := w.idle[len(w.idle)-1]
	w.idle = w.idle[:len(w.idle)-1]
	w.running[x.inv.RequestID], w.carried[c] = x, x.inv.RequestID
	s.started = true
	return c, nil
}

// dismiss forgets an invocation.
func (s *Session) dismiss(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.workers.running, id)
}

// workLocked registers a worker that asks for its next invocation. s.mu is held.
func (s *Session) workLocked(c *conn) bool {
	w := s.workers
	if s.err != nil || len(w.idle) >= w.limit || slices.Contains(w.idle, c) {
		return false
	}
	if !w.admits(c) {
		return false
	}
	w.carried[c] = ""
	w.idle = append(w.idle, c)
	select {
	case <-w.ready:
	default:
		close(w.ready)
	}
	if w.freed != nil {
		w.freed()
	}
	return true
}

// admits tells whether a request for the next invocation can be one of the process's workers, and counts those. Session.mu is held.
func (w *workers) admits(c *conn) bool {
	if w.bound {
		if x := w.running[w.carried[c]]; x != nil && !x.answered {
			return false
		}
		if _, known := w.carried[c]; !known {
			w.seen++
		}
		return true
	}
	busy := len(w.idle)
	for _, x := range w.running {
		if !x.answered {
			busy++
		}
	}
	w.seen = max(w.seen, min(busy+1, w.limit))
	return busy < w.limit
}

// leftLocked notes that a connection has ended, and with it the worker that had an invocation from it. Session.mu is held.
func (w *workers) leftLocked(c *conn) {
	w.idle = slices.DeleteFunc(w.idle, func(i *conn) bool { return i == c })
	if x := w.running[w.carried[c]]; w.bound && x != nil && !x.answered {
		x.answered = true
		x.results <- result{err: ErrWorker}
	}
	delete(w.carried, c)
}
