package rapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// process is the far end of a session: one with connections that a test makes as it likes.
type process struct {
	t *testing.T
	s *Session
}

// inBubble runs a test with a session in a bubble of its own time.
func inBubble(t *testing.T, run func(p *process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &process{t: t, s: NewSession("test")}
		run(p)
		p.s.Close(ErrClosed)
	})
}

// line is one connection of the process.
type line struct {
	net.Conn

	t *testing.T
	r *bufio.Reader
}

func (p *process) dial() *line {
	ours, theirs := net.Pipe()
	go p.s.Serve(ours)
	return &line{Conn: theirs, t: p.t, r: bufio.NewReader(theirs)}
}

func (l *line) send(text string) {
	if _, err := io.WriteString(l, text); err != nil {
		l.t.Error(err)
	}
}

func (l *line) receive() *http.Response {
	l.t.Helper()
	resp, _ := receive(l.t, l.r)
	return resp
}

type outcome struct {
	body string
	err  error
}

// invoke starts an invocation.
func (p *process) invoke(ctx context.Context, id string) <-chan outcome {
	got := make(chan outcome, 1)
	go func() {
		a, err := p.s.Invoke(ctx, invocation(id))
		got <- outcome{string(a.Body), err}
	}()
	return got
}

func (p *process) want(got <-chan outcome, body string) {
	p.t.Helper()
	if o := <-got; o.err != nil || o.body != body {
		p.t.Errorf("answer %q, %v; want %q", o.body, o.err, body)
	}
}

func respond(id, body string) string {
	return post("invocation/"+id+"/response", "Content-Length: "+itoa(len(body))+"\r\n", body)
}

func TestOneConnectionServesOneInvocationAfterAnother(t *testing.T) {
	for _, pipelined := range []bool{true, false} {
		inBubble(t, func(p *process) {
			l := p.dial()
			l.send(next)
			for i := range 5 {
				id := itoa(i + 1)
				got := p.invoke(context.Background(), id)
				if pipelined && i > 0 {
					l.receive() // the acknowledgement of the answer before comes with this event
				}
				l.receive()
				if pipelined {
					l.send(respond(id, "a"+id) + next)
				} else {
					go l.send(respond(id, "a"+id))
					l.receive()
					go l.send(next)
				}
				p.want(got, "a"+id)
				time.Sleep(time.Duration(i) * handBack / 2)
			}
		})
	}
}

// TestAnswerMayComeOnAnotherConnection has a process that opens a connection for every request, as shell scripts do, and does not close those it has used.
func TestAnswerMayComeOnAnotherConnection(t *testing.T) {
	for _, closes := range []bool{true, false} {
		inBubble(t, func(p *process) {
			for i := range 5 {
				id := itoa(i + 1)
				got := p.invoke(context.Background(), id)
				asks := p.dial()
				asks.send(next)
				asks.receive()
				if closes {
					_ = asks.Close()
				}
				answers := p.dial()
				go answers.send(respond(id, "a"+id))
				answers.receive()
				p.want(got, "a"+id)
				if closes {
					_ = answers.Close()
				}
			}
		})
	}
}

func TestNextMayComeOnAnotherConnection(t *testing.T) {
	inBubble(t, func(p *process) {
		a, b := p.dial(), p.dial()
		for i := range 6 {
			id := itoa(i + 1)
			got := p.invoke(context.Background(), id)
			synctest.Wait() // the second time, the caller reads from the connection that brought the last answer
			go a.send(next)
			a.receive()
			go a.send(respond(id, "a"+id))
			a.receive()
			p.want(got, "a"+id)
			a, b = b, a
		}
	})
}

func TestUnreadConnectionIsAnsweredSoon(t *testing.T) {
	inBubble(t, func(p *process) {
		l := p.dial()
		got := p.invoke(context.Background(), "1")
		go l.send(next)
		l.receive()
		go l.send(respond("1", "x"))
		l.receive()
		p.want(got, "x")
		began := time.Now()
		go l.send(respond("1", "again"))
		if resp := l.receive(); resp.StatusCode != http.StatusForbidden || time.Since(began) > 2*handBack {
			t.Errorf("a second answer was answered %d after %s", resp.StatusCode, time.Since(began))
		}
		// The connection is still good for the next invocation.
		got = p.invoke(context.Background(), "2")
		go l.send(next)
		l.receive()
		go l.send(respond("2", "y"))
		l.receive()
		p.want(got, "y")
	})
}

func TestCallerIsCalledAway(t *testing.T) {
	late := errors.New("too late")
	for name, tc := range map[string]struct {
		before string // what the process says after it has the event
		end    func(p *process, cancel context.CancelCauseFunc)
	}{
		"end while it thinks":       {"", func(p *process, _ context.CancelCauseFunc) { p.s.End(late) }},
		"end within its answer":     {post("invocation/1/response", "Content-Length: 10\r\n", "half"), func(p *process, _ context.CancelCauseFunc) { p.s.End(late) }},
		"end within a head":         {"POST /2018-06-01/run", func(p *process, _ context.CancelCauseFunc) { p.s.End(late) }},
		"context while it thinks":   {"", func(_ *process, cancel context.CancelCauseFunc) { cancel(late) }},
		"context within its answer": {post("invocation/1/response", "Content-Length: 10\r\n", "half"), func(_ *process, cancel context.CancelCauseFunc) { cancel(late) }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(p *process) {
				ctx, cancel := context.WithCancelCause(context.Background())
				got := p.invoke(ctx, "1")
				l := p.dial()
				l.send(next)
				l.receive()
				if tc.before != "" {
					l.send(tc.before)
				}
				synctest.Wait()
				tc.end(p, cancel)
				if o := <-got; !errors.Is(o.err, late) {
					t.Errorf("error %v", o.err)
				}
				cancel(nil)
			})
		})
	}
}

func TestEventThatIsNotTakenEndsWithTheSession(t *testing.T) {
	inBubble(t, func(p *process) {
		inv := invocation("1")
		inv.Payload = []byte(strings.Repeat("x", 1<<20))
		got := make(chan error, 1)
		go func() {
			_, err := p.s.Invoke(context.Background(), inv)
			got <- err
		}()
		p.dial().send(next)
		synctest.Wait()
		late := errors.New("too late")
		p.s.End(late)
		if err := <-got; !errors.Is(err, late) {
			t.Errorf("error %v", err)
		}
	})
}

func TestWaitReadyEndsWithItsContext(t *testing.T) {
	inBubble(t, func(p *process) {
		l := p.dial()
		got := p.invoke(context.Background(), "1")
		go l.send(next)
		l.receive()
		go l.send(respond("1", "x"))
		l.receive()
		p.want(got, "x")
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := p.s.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		go l.send(next)
		if err := p.s.WaitReady(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestAssignedProcessStartsAnew(t *testing.T) {
	inBubble(t, func(p *process) {
		l := p.dial()
		assigned := make(chan error, 1)
		go l.send(next)
		go func() { assigned <- p.s.Assign(context.Background(), []byte("{}")) }()
		if resp := l.receive(); resp.Header.Get("Lambent-Assignment") != "1" {
			t.Errorf("header %v", resp.Header)
		}
		if err := <-assigned; err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"1", "2"} {
			got := p.invoke(context.Background(), id)
			go l.send(next)
			l.receive()
			go l.send(respond(id, "x"))
			l.receive()
			p.want(got, "x")
		}
	})
}
