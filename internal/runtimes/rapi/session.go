package rapi

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

// Sizes of answers, in bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const (
	// MaxResponse is the largest buffered answer.
	MaxResponse = 6<<20 + 100
	// MaxStream is the largest streamed answer.
	MaxStream = 200 << 20
)

// Invocation is an event for the function.
type Invocation struct {
	// RequestID identifies the invocation; it must not repeat within a session.
	RequestID string
	// FunctionARN is the ARN that was invoked, with its qualifier if it had one.
	FunctionARN string
	// TraceID is the X-Ray header value; may be empty.
	TraceID string
	// ClientContext and CognitoIdentity are JSON documents; may be empty.
	ClientContext, CognitoIdentity string
	// TenantID is the tenant for whom the function runs; may be empty.
	TenantID string
	// Deadline is when the invocation is ended.
	Deadline time.Time
	// Payload is the event.
	Payload []byte
	// Begun is called, for a session with workers, when one has taken the invocation; nil for nobody.
	Begun func()
	// Stream is called when the function streams its answer, with the content type and the stream, on the goroutine
	// that reads from the function; the answer's Body is empty then, but for an error document. Nil collects a streamed answer in Body.
	Stream func(contentType string, body io.Reader) error
}

// Answer is what the function said.
type Answer struct {
	// Body is the response, or the error document when Failed.
	Body []byte
	// ContentType is that of the response.
	ContentType string
	// Failed tells that the function reported an error.
	Failed bool
	// ErrorType is the type of the error in the form Runtime.X or Function.X, for logs and metrics.
	ErrorType string
	// Streamed tells that the function answered in streaming mode.
	Streamed bool
}

// Errors of a session.
var (
	// ErrTooLarge says that the answer was larger than it may be; the process goes on.
	ErrTooLarge = errors.New("response payload size exceeded maximum allowed payload size")
	// ErrTruncated says that the connection ended within the answer.
	ErrTruncated = errors.New("response ended before its announced end")
	// ErrClosed says that the process is gone.
	ErrClosed = errors.New("runtime session closed")
	// ErrBusy says that the session has an invocation already.
	ErrBusy = errors.New("runtime session is busy")
)

// InitError says that the process reported that it cannot start.
type InitError struct {
	// Body is the error document of the process.
	Body []byte
	// Type is the error's type in the form Runtime.X or Function.X.
	Type string
}

// NewInitError is the error of an initialisation that the platform itself has seen to fail.
func NewInitError(kind, message string) *InitError {
	return &InitError{Type: kind, Body: errorDocument(kind, message)}
}

// Error names the type.
func (e *InitError) Error() string { return "function initialisation failed: " + e.Type }

// result is the end of an invocation.
type result struct {
	answer Answer
	err    error
}

// task is an invocation that a process has been given. Session.mu guards answered.
type task struct {
	inv      *Invocation
	answered bool
	results  chan result // has room for the one that comes
}

// Session is the Runtime API of one process.
type Session struct {
	name       string
	extensions *Extensions

	mu sync.Mutex // guards the fields below
	// waiting is the connection that has asked for the next invocation; nil when none has.
	waiting *conn
	// unread is the connection that brought the last answer, if nobody reads from it since.
	unread *conn
	// unreadAt counts the answers, so that the watch can tell an unread connection from a later one.
	unreadAt, watchedAt uint64
	watched             bool // the watch on unread is set
	// driven is the connection that a caller of Invoke or WaitReady reads from. asking tells that it is one of WaitReady, poked that it was called away.
	driven        *conn
	asking, poked bool
	// ready is closed when waiting is set; nil while nobody waits for that.
	ready chan struct{}
	// current is the running invocation, or the last one; nil before the first. It is one, whose channel is used again.
	current *task
	one     task
	// workers are those of a process that takes several invocations at a time; nil for another one.
	workers *workers
	conns   map[*conn]struct{}
	started bool
	// snapshot is that of the process, credentials what answers requests for credentials.
	snapshot    snapshot
	credentials func(token string) []byte
	err         error // set once: the session is over
	over        chan struct{}
}

// NewSession returns the session of a process that has not asked for anything yet. The name is of the environment.
func NewSession(name string) *Session {
	s := &Session{name: name, one: task{results: make(chan result, 1)}, conns: map[*conn]struct{}{}, over: make(chan struct{})}
	s.extensions = &Extensions{session: s}
	return s
}

// WaitReady returns when the process has asked for an invocation, which ends its initialisation. It fails with an [InitError] when the
// process reports one, with the cause of Close or End, or when ctx ends. It must not be called by two goroutines at a time, nor beside Invoke.
func (s *Session) WaitReady(ctx context.Context) error {
	if s.workers != nil {
		return s.waitWorker(ctx)
	}
	if done, err := s.isReady(); done {
		return err
	}
	defer s.pokeAfter(ctx)()
	for {
		s.mu.Lock()
		if s.err != nil || s.waiting != nil {
			defer s.mu.Unlock()
			return s.err
		}
		if s.unread != nil && ctx.Err() == nil {
			c := s.askLocked()
			s.mu.Unlock()
			s.drive(c, s.Idle)
			continue
		}
		if s.ready == nil {
			s.ready = make(chan struct{})
		}
		ready := s.ready
		s.mu.Unlock()
		select {
		case <-ready:
		case <-s.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// isReady tells whether there is nothing to wait for: the process has asked for an invocation, or the session is over, for which the error is the cause.
func (s *Session) isReady() (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil || s.waiting != nil, s.err
}

// Invoke hands the event to the process and returns its answer. An error means that there is none; unless it is [ErrTooLarge] the
// process must not be used again.
func (s *Session) Invoke(ctx context.Context, inv *Invocation) (Answer, error) {
	if s.workers != nil {
		return s.invokeWorker(ctx, inv)
	}
	if err := s.WaitReady(ctx); err != nil {
		return Answer{}, err
	}
	c, err := s.begin(inv)
	if err != nil {
		return Answer{}, err
	}
	defer s.pokeAfter(ctx)()
	if err := c.sendInvocation(inv); err != nil {
		// The process may have died, or closed this connection: Close or a new "next" will tell which. Or the caller was called away.
		s.fail(cmp.Or(context.Cause(ctx), ErrClosed))
		s.release(c, true)
	} else {
		s.drive(c, func() bool { return len(s.one.results) > 0 })
	}
	select {
	case r := <-s.one.results:
		return r.answer, r.err
	case <-s.over:
		select {
		case r := <-s.one.results: // the answer came before the end
			return r.answer, r.err
		default:
		}
		return Answer{}, s.cause()
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

// cause is why the session is over.
func (s *Session) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// begin takes the waiting connection, which the caller drives from now on.
func (s *Session) begin(inv *Invocation) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if s.waiting == nil || s.current != nil && !s.current.answered {
		return nil, ErrBusy
	}
	c := s.waiting
	s.waiting, s.driven = nil, c
	if s.unread != nil {
		s.giveBackLocked(s.unread, true)
	}
	s.one.inv, s.one.answered = inv, false
	s.current, s.started = &s.one, true
	return c, nil
}

// End ends the session with a cause, which a running Invoke returns at once. Its connections stay open until Close.
func (s *Session) End(cause error) { s.fail(cause) }

// Close ends the session with a cause, which a running Invoke returns, and closes its connections.
func (s *Session) Close(cause error) {
	s.fail(cause)
	s.mu.Lock()
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	for c := range conns {
		_ = c.rw.Close()
	}
}

func (s *Session) fail(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = cause
		close(s.over)
		s.pokeLocked()
	}
}

// Over is closed when the session has ended.
func (s *Session) Over() <-chan struct{} { return s.over }

// Idle tells whether the process waits for an invocation.
func (s *Session) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && s.waiting != nil
}

// wait registers a connection that asks for the next invocation. A process that asks again before it has answered is in
// the wrong state.
func (s *Session) wait(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.workers != nil {
		return s.workLocked(c)
	}
	if s.err != nil || s.waiting != nil || s.current != nil && !s.current.answered {
		return false
	}
	if s.snapshot.phase == taken {
		return false
	}
	s.current = nil
	s.waiting = c
	s.snapshot.readyLocked()
	if s.ready != nil {
		close(s.ready)
		s.ready = nil
	}
	if s.driven != c {
		c.asked = true
		if s.asking {
			s.pokeLocked()
		}
	}
	return true
}

// claim marks the running invocation as answered, if it is the one with this id.
func (s *Session) claim(id string) (*task, claimed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.current
	if s.workers != nil {
		x = s.workers.running[id]
	}
	switch {
	case x == nil || x.inv.RequestID != id:
		return nil, wrongID
	case x.answered:
		return nil, wrongState
	}
	x.answered = true
	return x, accepted
}

type claimed uint8

const (
	accepted claimed = iota
	wrongID
	wrongState
)

// finish hands the answer, which came on c, to Invoke.
func (s *Session) finish(c *conn, x *task, r result) {
	x.results <- r
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.driven != c {
		s.pokeLocked()
	}
}

// initFailed ends the session with the error that the process reports; only before its first invocation.
func (s *Session) initFailed(e *InitError) bool {
	s.mu.Lock()
	started, restored := s.started, s.snapshot.phase == restoring
	s.mu.Unlock()
	switch {
	case started:
		return false
	case restored: // clients before restore/error say it here
		return s.restoreFailed(&RestoreError{Body: e.Body, Type: e.Type})
	}
	s.fail(e)
	return true
}

// errorType is how AWS's service sees the type that a process reports.
func errorType(v string) string {
	for _, prefix := range []string{"Runtime.", "Function."} {
		if i := strings.Index(v, prefix); i >= 0 {
			if rest := v[i+len(prefix):]; len(rest) >= 2 && rest[0] >= 'A' && rest[0] <= 'Z' && letter(rest[1]) {
				return v
			}
		}
	}
	if strings.HasPrefix(v, "Function.") {
		return "Function.Unknown"
	}
	return "Runtime.Unknown"
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
