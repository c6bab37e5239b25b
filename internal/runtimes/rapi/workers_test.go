package rapi

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
)

// team is a session of a process with two workers, which wait on connections of their own.
func team(t *testing.T) (s *Session, conns [2]net.Conn, readers [2]*bufio.Reader) {
	t.Helper()
	s, conns[0] = NewSession("test"), nil
	idle := make(chan struct{}, 8)
	s.Concurrent(2, func() { idle <- struct{}{} })
	for i := range conns {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			s.Serve(ours)
			close(done)
		}()
		t.Cleanup(func() {
			s.Close(ErrClosed)
			_ = theirs.Close()
			<-done
		})
		conns[i], readers[i] = theirs, bufio.NewReader(theirs)
		send(t, theirs, next)
		<-idle
	}
	return s, conns, readers
}

type invoked struct {
	answer Answer
	err    error
}

func (s *Session) invokeAside(ctx context.Context, id string) <-chan invoked {
	out := make(chan invoked, 1)
	go func() {
		a, err := s.Invoke(ctx, invocation(id))
		out <- invoked{a, err}
	}()
	return out
}

func TestWorkersAnswerInAnyOrder(t *testing.T) {
	s, conns, readers := team(t)
	if err := s.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := s.invokeAside(t.Context(), "a") // taken by the one that has waited least
	if resp, _ := receive(t, readers[1]); resp.Header.Get("Lambda-Runtime-Aws-Request-Id") != "a" {
		t.Fatalf("got %v", resp.Header)
	}
	second := s.invokeAside(t.Context(), "b")
	receive(t, readers[0])
	if _, err := s.Invoke(t.Context(), invocation("c")); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	go send(t, conns[0], "POST /2018-06-01/runtime/invocation/b/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n2")
	if got := <-second; string(got.answer.Body) != "2" || got.err != nil {
		t.Errorf("b: %+v", got)
	}
	go send(t, conns[1], "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
	if got := <-first; string(got.answer.Body) != "1" || got.err != nil {
		t.Errorf("a: %+v", got)
	}
}

func TestWorkerThatEndsFailsItsInvocationAlone(t *testing.T) {
	s, conns, readers := team(t)
	first := s.invokeAside(t.Context(), "a")
	receive(t, readers[1])
	if err := conns[1].Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-first; !errors.Is(got.err, ErrWorker) {
		t.Errorf("a: %+v", got)
	}
	second := s.invokeAside(t.Context(), "b")
	receive(t, readers[0])
	go send(t, conns[0], "POST /2018-06-01/runtime/invocation/b/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n2")
	if got := <-second; string(got.answer.Body) != "2" {
		t.Errorf("b: %+v", got)
	}
	if n := s.IdleWorkers(); n != 0 {
		t.Errorf("%d workers wait", n)
	}
}

func TestAnswerAfterTheEndOfAnInvocationIsDropped(t *testing.T) {
	s, conns, readers := team(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("time is over")
	first := s.invokeAside(ctx, "a")
	receive(t, readers[1])
	cancel(over)
	if got := <-first; !errors.Is(got.err, over) {
		t.Errorf("a: %+v", got)
	}
	go send(t, conns[1], "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
	if resp, _ := receive(t, readers[1]); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("the late answer is %s", resp.Status)
	}
	if s.IdleWorkers() != 1 {
		t.Error("the worker that was late waits already")
	}
}
