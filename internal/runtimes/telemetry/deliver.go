package telemetry

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// Waits before a batch is sent again that was not taken.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// answerLimit bounds the time that a receiver has to take a batch.
const answerLimit = 10 * time.Second

// held is how many batches a buffer holds at most; what comes then is dropped.
const held = 4

// subscription sends the events that it wants to one extension.
type subscription struct {
	*settings

	clock clock.Clock
	dial  func(port uint16) (net.Conn, error)
	ctx   context.Context //nolint:containedctx // of the goroutine that run is
	stop  context.CancelFunc
	wake  chan struct{} // has a value when a batch is full or should be sent at once

	conn net.Conn // of run alone

	mu      sync.Mutex // guards the fields below
	events  [][]byte
	bytes   int
	since   time.Time // when the first of events came
	dropped struct{ records, bytes int }
	hurry   bool
	idle    chan struct{} // closed when everything has been sent; nil while nobody waits
	busy    bool          // a batch is on its way
}

func newSubscription(set *settings, c clock.Clock, dial func(port uint16) (net.Conn, error)) *subscription {
	s := &subscription{settings: set, clock: c, dial: dial, wake: make(chan struct{}, 1)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// take puts an event into the buffer.
func (s *subscription) take(e Event) {
	if !slices.Contains(s.types, e.stream()) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.dialect(e) {
		b, err := e.encode()
		if err != nil {
			continue // maps of texts and numbers have an encoding
		}
		if len(s.events) >= held*s.items || s.bytes+len(b) > held*s.settings.bytes {
			s.dropped.records++
			s.dropped.bytes += len(b)
			continue
		}
		if len(s.events) == 0 {
			s.since = s.clock.Now()
			s.poke()
		}
		s.events = append(s.events, b)
		if s.bytes += len(b); s.fullLocked() {
			s.poke()
		}
	}
}

func (s *subscription) fullLocked() bool {
	return len(s.events) >= s.items || s.bytes >= s.settings.bytes
}

func (s *subscription) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sends batches until the subscription is stopped.
func (s *subscription) run() {
	defer s.hangUp()
	for s.ctx.Err() == nil {
		batch, wait := s.next()
		if batch == nil {
			s.sleep(wait)
			continue
		}
		for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
			if s.send(batch) == nil || clock.Sleep(s.ctx, s.clock, delay) != nil {
				break
			}
		}
		s.mu.Lock()
		s.busy = false
		s.mu.Unlock()
	}
}

// next takes a batch that is to be sent now; or tells how long to wait for one, 0 for until there is something.
func (s *subscription) next() (batch [][]byte, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 && s.dropped.records == 0 {
		s.hurry = false
		if s.idle != nil {
			close(s.idle)
			s.idle = nil
		}
		return nil, 0
	}
	if left := s.wait - s.clock.Now().Sub(s.since); left > 0 && !s.hurry && !s.fullLocked() {
		return nil, left
	}
	n, size := 0, 0
	for n < len(s.events) && n < s.items && (n == 0 || size+len(s.events[n]) <= s.settings.bytes) {
		size += len(s.events[n])
		n++
	}
	batch = s.events[:n:n]
	s.events, s.bytes, s.since = s.events[n:], s.bytes-size, s.clock.Now()
	if s.dropped.records > 0 {
		e := Event{Time: s.clock.Now(), Type: "platform.logsDropped", Record: map[string]any{
			"reason":         "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.",
			"droppedRecords": s.dropped.records, "droppedBytes": s.dropped.bytes,
		}}
		if b, err := e.encode(); err == nil {
			batch = append(batch, b)
		}
		s.dropped.records, s.dropped.bytes = 0, 0
	}
	s.busy = true
	return batch, 0
}

func (s *subscription) sleep(d time.Duration) {
	var due <-chan time.Time
	if d > 0 {
		t := s.clock.NewTimer(d)
		defer t.Stop()
		due = t.C()
	}
	select {
	case <-s.wake:
	case <-due:
	case <-s.ctx.Done():
	}
}

// flush sends what is there, and waits until that is done or ctx ends.
func (s *subscription) flush(ctx context.Context) {
	s.mu.Lock()
	if len(s.events) == 0 && s.dropped.records == 0 && !s.busy {
		s.mu.Unlock()
		return
	}
	s.hurry = true
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	s.poke()
	select {
	case <-idle:
	case <-s.ctx.Done():
	case <-ctx.Done():
	}
}

// send sends a batch, over the connection that is there or a new one.
func (s *subscription) send(batch [][]byte) error {
	if s.conn == nil {
		conn, err := s.dial(s.port)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	conn := s.conn
	end := func() { _ = conn.Close() }
	defer context.AfterFunc(s.ctx, end)()
	defer clock.AfterFunc(s.clock, answerLimit, end)()
	var err error
	if s.tcp {
		_, err = conn.Write(append(bytes.Join(batch, []byte("\n")), '\n'))
	} else {
		err = s.post(batch)
	}
	if err != nil {
		s.hangUp()
	}
	return err
}

func (s *subscription) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

var errRefused = errors.New("the receiver refused a batch")

// post sends a batch as the body of an HTTP request and reads the answer.
func (s *subscription) post(batch [][]byte) error {
	body := append(append([]byte("["), bytes.Join(batch, []byte(","))...), ']')
	head := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: sandbox.localdomain:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", s.path, s.port, len(body))
	if _, err := s.conn.Write(append(head, body...)); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(s.conn, maxAnswer)), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if err == nil {
		err = answer.Body.Close()
	}
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%w: %s", errRefused, answer.Status)
	}
	if err == nil && answer.Close {
		s.hangUp()
	}
	return err
}

// maxAnswer bounds what a receiver may answer, in bytes.
const maxAnswer = 64 << 10
