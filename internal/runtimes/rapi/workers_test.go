package rapi

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
)

// team is a session of a process with two workers of a client of ours, which wait on connections of their own.
func team(t *testing.T) (s *Session, conns [2]net.Conn, readers [2]*bufio.Reader) {
	t.Helper()
	s, conns, readers, _ = teamOf(t, true)
	return s, conns, readers
}

// teamOf is team; without bound the workers share their connections. idle is told when one waits, but for the first time of each.
func teamOf(t *testing.T, bound bool) (s *Session, conns [2]net.Conn, readers [2]*bufio.Reader, idle chan struct{}) {
	t.Helper()
	s, conns[0] = NewSession("test"), nil
	idle = make(chan struct{}, 8)
	s.Concurrent(2, bound, func() { idle <- struct{}{} })
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
	return s, conns, readers, idle
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

// TestWorkersMayShareConnections has a client with a pool of connections, as that of aws-lambda-go: what an invocation came on says nothing about who has it.
func TestWorkersMayShareConnections(t *testing.T) {
	s, conns, readers, idle := teamOf(t, false)
	first := s.invokeAside(t.Context(), "a")
	receive(t, readers[1])
	second := s.invokeAside(t.Context(), "b")
	receive(t, readers[0])
	// The connection that b came on is closed as one too many, and b answered on the other one.
	if err := conns[0].Close(); err != nil {
		t.Fatal(err)
	}
	go send(t, conns[1], "POST /2018-06-01/runtime/invocation/b/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n2")
	if got := <-second; string(got.answer.Body) != "2" || got.err != nil {
		t.Errorf("b: %+v", got)
	}
	if resp, _ := receive(t, readers[1]); resp.StatusCode != http.StatusAccepted {
		t.Errorf("the answer of b is taken with %s", resp.Status)
	}
	// The worker that had b asks on the connection that a came on, while a goes on.
	send(t, conns[1], next)
	<-idle
	third := s.invokeAside(t.Context(), "c")
	if resp, _ := receive(t, readers[1]); resp.Header.Get("Lambda-Runtime-Aws-Request-Id") != "c" {
		t.Fatalf("instead of c: %s %v", resp.Status, resp.Header)
	}
	for id, got := range map[string]<-chan invoked{"a": first, "c": third} {
		go send(t, conns[1], "POST /2018-06-01/runtime/invocation/"+id+"/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
		if got := <-got; string(got.answer.Body) != "1" || got.err != nil {
			t.Errorf("%s: %+v", id, got)
		}
		receive(t, readers[1])
	}
}
