package rapi

import (
	"context"
	"strconv"
)

// Assign gives a process that has run nothing but the platform's own code the document that turns it into a function's, as the answer to its
// "next". The session is a new process's then: what comes is its initialisation. Only Lambent's own clients know this answer.
func (s *Session) Assign(ctx context.Context, document []byte) error {
	if err := s.WaitReady(ctx); err != nil {
		return err
	}
	c, err := s.begin(&Invocation{})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.current, s.started = nil, false
	s.mu.Unlock()
	b := append([]byte(nil), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambent-Assignment: 1\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(document)), 10)
	b = append(b, "\r\n\r\n"...)
	err = c.write(append(b, document...))
	// The connection's own goroutine follows the initialisation.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driven = nil
	s.giveBackLocked(c, err == nil)
	return err
}
