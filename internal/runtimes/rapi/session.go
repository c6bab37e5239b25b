package rapi

import (
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
	// Deadline is when the invocation is ended.
	Deadline time.Time
	// Payload is the event.
	Payload []byte
	// Stream is called when the function streams its answer, with the content type and the stream, on the goroutine
	// that reads from the function; the answer's Body is empty then. Nil collects a streamed answer in Body.
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

// Error names the type.
func (e *InitError) Error() string { return "function initialisation failed: " + e.Type }

// result is the end of an invocation.
type result struct {
	answer Answer
	err    error
}

// Session is the Runtime API of one process.
type Session struct {
	mu sync.Mutex // guards the fields below
	// waiting is the connection that has asked for the next invocation; nil when none has.
	waiting *conn
	// ready is closed when waiting is set, and replaced when it is taken.
	ready chan struct{}
	// current is the running invocation, answered tells that its answer is in.
	current  *Invocation
	answered bool
	results  chan result
	conns    map[*conn]struct{}
	started  bool
	err      error // set once: the session is over
	over     chan struct{}
}

// NewSession returns the session of a process that has not asked for anything yet.
func NewSession() *Session {
	return &Session{ready: make(chan struct{}), results: make(chan result, 1), conns: map[*conn]struct{}{}, over: make(chan struct{})}
}

// WaitReady returns when the process has asked for an invocation, which ends its initialisation. It fails with an [InitError] when the
// process reports one, with the cause of Close, or when ctx ends.
func (s *Session) WaitReady(ctx context.Context) error {
	for {
		s.mu.Lock()
		waiting, ready, err := s.waiting, s.ready, s.err
		s.mu.Unlock()
		if err != nil {
			return err
		}
		if waiting != nil {
			return nil
		}
		select {
		case <-ready:
		case <-s.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Invoke hands the event to the process and returns its answer. An error means that there is none; unless it is [ErrTooLarge] the
// process must not be used again.
func (s *Session) Invoke(ctx context.Context, inv *Invocation) (Answer, error) {
	if err := s.WaitReady(ctx); err != nil {
		return Answer{}, err
	}
	c, err := s.begin(inv)
	if err != nil {
		return Answer{}, err
	}
	if err := c.sendInvocation(inv); err != nil {
		// The process may have died, or closed this connection: Close or a new "next" will tell which.
		s.fail(ErrClosed)
		return Answer{}, ErrClosed
	}
	select {
	case r := <-s.results:
		return r.answer, r.err
	case <-s.over:
		select {
		case r := <-s.results: // the answer came before the end
			return r.answer, r.err
		default:
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return Answer{}, s.err
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}

// begin takes the waiting connection.
func (s *Session) begin(inv *Invocation) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if s.waiting == nil || s.current != nil && !s.answered {
		return nil, ErrBusy
	}
	c := s.waiting
	s.waiting, s.ready = nil, make(chan struct{})
	s.current, s.answered, s.started = inv, false, true
	return c, nil
}

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
	}
}

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
	if s.err != nil || s.waiting != nil || s.current != nil && !s.answered {
		return false
	}
	s.current = nil
	s.waiting = c
	close(s.ready)
	return true
}

// claim marks the running invocation as answered, if it is the one with this id.
func (s *Session) claim(id string) (*Invocation, claimed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.current == nil || s.current.RequestID != id:
		return nil, wrongID
	case s.answered:
		return nil, wrongState
	}
	s.answered = true
	return s.current, accepted
}

type claimed uint8

const (
	accepted claimed = iota
	wrongID
	wrongState
)

// finish hands the answer to Invoke.
func (s *Session) finish(r result) { s.results <- r }

// initFailed ends the session with the error that the process reports; only before its first invocation.
func (s *Session) initFailed(e *InitError) bool {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if started {
		return false
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
