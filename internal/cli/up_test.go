package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
)

// stub is a platform whose end the test decides.
type stub struct {
	failed   chan error
	reopened chan struct{}
	closed   bool
}

func (s *stub) URL() string          { return "http://127.0.0.1:1" }
func (s *stub) Failed() <-chan error { return s.failed }
func (s *stub) Reopen()              { s.reopened <- struct{}{} }
func (s *stub) Close(context.Context) error {
	s.closed = true
	return nil
}

// upWith runs `lambent up` with a platform, and returns how it ended and what it said.
func upWith(ctx context.Context, t *testing.T, p Platform) (end <-chan int, talk *bytes.Buffer) {
	t.Helper()
	done, talk := make(chan int, 1), &bytes.Buffer{}
	dir := t.TempDir()
	go func() {
		done <- Run(ctx, Process{
			Args: []string{"up", "--data-dir", dir}, Stdin: strings.NewReader(""), Clock: clock.System{},
			Term:  &term.Terminal{Out: &bytes.Buffer{}, Err: talk, Width: 80},
			Start: func(context.Context, config.Config, *slog.Logger) (Platform, error) { return p, nil },
		})
	}()
	return done, talk
}

func TestUpEndsWhenThePlatformCannotGoOn(t *testing.T) {
	t.Chdir(t.TempDir())
	p := &stub{failed: make(chan error, 1)}
	p.failed <- errors.New("the disk is gone; repair it, then start again")
	end, talk := upWith(t.Context(), t, p)
	if code := <-end; code != ExitFailed || !p.closed || !strings.Contains(talk.String(), "error: the disk is gone; repair it") {
		t.Errorf("up ended with %d (closed: %v) and said:\n%s", code, p.closed, talk)
	}
}

func TestHangupReopensLogs(t *testing.T) {
	t.Chdir(t.TempDir())
	ignored := make(chan os.Signal, 1) // for signals that come when up does not listen
	signal.Notify(ignored, syscall.SIGHUP)
	defer signal.Stop(ignored)
	ctx, stop := context.WithCancel(t.Context())
	p := &stub{failed: make(chan error, 1), reopened: make(chan struct{}, 1)}
	end, talk := upWith(ctx, t, p)
	for reopened := false; !reopened; {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		<-ignored
		select {
		case <-p.reopened:
			reopened = true
		case code := <-end:
			t.Fatalf("up ended with %d and said:\n%s", code, talk)
		default:
		}
	}
	go func() {
		for range p.reopened { // signals on their way
		}
	}()
	stop()
	if code := <-end; code != 0 {
		t.Errorf("up ended with %d", code)
	}
	close(p.reopened)
}
