package rapi

import (
	"context"
	"encoding/json"
	"fmt"
)

// credentialsPath is where a process finds the credentials of its role when they are not in its environment, as the SDKs ask for them:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html.
const credentialsPath = "/2021-04-23/credentials"

// RestoreError says that the process reported that it cannot go on after its snapshot was restored.
type RestoreError struct {
	// Body is the error document of the process.
	Body []byte
	// Type is the error's type in the form Runtime.X or Function.X.
	Type string
}

// Error names the type.
func (e *RestoreError) Error() string { return "function restore failed: " + e.Type }

// snapshot is how far a process is that a snapshot is taken of. Session.mu guards it.
type snapshot struct {
	phase snapshotPhase
	// waiting is the connection that waits for the restoration.
	waiting *conn
	// reached is closed when the process waits for its restoration, or for its first invocation.
	reached chan struct{}
}

type snapshotPhase uint8

const (
	noSnapshot   snapshotPhase = iota // the process is none that a snapshot is taken of
	initialising                      // before the process has asked for its restoration
	taken                             // the process waits to be restored
	restoring                         // until it asks for its first invocation
)

// Snapshot makes the session one of a process that a snapshot is taken of when it is initialised: it may wait for its restoration
// (https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-java.html). It must be called before the process runs.
func (s *Session) Snapshot() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshot = snapshot{phase: initialising, reached: make(chan struct{})}
}

// Credentials sets what answers requests for credentials: the document for a token, or nil if the token is not the process's. It must be called
// before the process runs.
func (s *Session) Credentials(document func(token string) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credentials = document
}

// WaitSnapshot returns when the process is initialised: it waits for its restoration, or for its first invocation if it has nothing to do when it is
// restored. It fails as [Session.WaitReady] does.
func (s *Session) WaitSnapshot(ctx context.Context) error {
	s.mu.Lock()
	reached := s.snapshot.reached
	s.mu.Unlock()
	select {
	case <-reached:
		return nil
	case <-s.over:
		return s.cause()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Restore lets a process go on whose snapshot was taken, and returns when it asks for its first invocation. It fails with a [RestoreError] when the
// process reports one, and as [Session.WaitReady] does.
func (s *Session) Restore(ctx context.Context) error {
	s.mu.Lock()
	c := s.snapshot.waiting
	s.snapshot.waiting = nil
	if c != nil {
		s.snapshot.phase = restoring
	}
	s.mu.Unlock()
	if c != nil {
		if err := c.write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n")); err != nil {
			return fmt.Errorf("restore the process: %w", err)
		}
	}
	return s.WaitReady(ctx)
}

// restoreNext registers a connection that waits for the restoration of its process.
func (c *conn) restoreNext(q request) error {
	if err := c.skip(q); err != nil {
		return err
	}
	s := c.s
	s.mu.Lock()
	ok := s.err == nil && s.snapshot.phase == initialising && s.waiting == nil && !s.started
	if ok {
		s.snapshot.phase, s.snapshot.waiting = taken, c
		close(s.snapshot.reached)
	}
	s.mu.Unlock()
	if !ok {
		return c.reply(403, "InvalidStateTransition", "Transition to RestoreReady is not allowed: the process is not being initialised for a snapshot")
	}
	return nil // answered by Restore
}

// readyLocked notes that a process asks for an invocation, which ends its restoration, or goes without one. s.mu is held.
func (p *snapshot) readyLocked() {
	if p.phase == initialising {
		close(p.reached)
	}
	p.phase, p.waiting = noSnapshot, nil
}

// snapshotting tells whether the calls about restorations are part of the session's API.
func (s *Session) snapshotting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot.reached != nil
}

// restoreError takes the error of a process that cannot go on after its restoration.
func (c *conn) restoreError(q request) error {
	data, err := c.errorBody(q)
	if err != nil {
		return err
	}
	if !c.s.restoreFailed(&RestoreError{Body: data, Type: errorType(q.errorType)}) {
		return c.reply(403, "InvalidStateTransition", "Transition to RestoreError is not allowed: the process is not being restored")
	}
	return c.accepted()
}

// restoreFailed ends the session with the error that the process reports; only while it is restored.
func (s *Session) restoreFailed(e *RestoreError) bool {
	s.mu.Lock()
	is := s.snapshot.phase == restoring
	s.mu.Unlock()
	if is {
		s.fail(e)
	}
	return is
}

// serveCredentials answers a request for the credentials of the process's role.
func (c *conn) serveCredentials(q request) error {
	if err := c.skip(q); err != nil {
		return err
	}
	c.s.mu.Lock()
	document := c.s.credentials
	c.s.mu.Unlock()
	var body []byte
	if document != nil {
		body = document(q.authorization)
	}
	if body == nil {
		return c.reply(404, "NotFound", "there are no credentials for this token")
	}
	return c.write(fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

// errorBody reads the error document of a process that cannot go on.
func (c *conn) errorBody(q request) ([]byte, error) {
	data, err := readBody(c.r.body(q), q.length, maxHead)
	if err == nil && !json.Valid(data) {
		data = errorDocument(errorType(q.errorType), "the function reported an error that is not JSON")
	}
	return data, err
}
