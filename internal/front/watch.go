package front

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// watchAfter is how long a handler runs at least, and half of how long it runs at most, before anybody looks whether the client is still there.
const watchAfter = 50 * time.Millisecond

// requestBody is a body that knows when it has been read to its end.
type requestBody struct {
	io.ReadCloser

	length int64
	// slow is the connection of a body that had not arrived whole when its request was served; nil for every other.
	slow  *direct
	ended atomic.Bool
}

// Read notes the end. What comes after it may take as long as the handler.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.slow != nil {
		if err := b.slow.awaitBody(); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if b.slow != nil && errors.Is(err, io.EOF) {
			_ = b.slow.readUntil(time.Time{})
		}
		b.ended.Store(errors.Is(err, io.EOF))
	}
	return n, err
}

// Close reads what is left, as bodies of net/http do.
func (b *requestBody) Close() error {
	err := b.ReadCloser.Close()
	if err == nil {
		b.ended.Store(true)
	}
	return err
}

// watch cancels the context of a request whose client goes away while the handler runs. A connection has one for all its requests. Most handlers
// are done before anybody looks, so looking is what costs time, and not to be looked at: see [directServer.look].
type watch struct {
	mu     sync.Mutex // guards the fields below
	body   *requestBody
	cancel context.CancelFunc // nil while no handler runs
	// request counts the requests of the connection, looks how many times the present one was looked at.
	request, looks int
	// stopWatch ends the watch of a connection that nobody reads; nil while there is none. bare says that it has no read buffer meanwhile.
	stopWatch func()
	bare      bool
	// reading is closed when the read that waits for the end of the connection has ended, where it cannot be watched otherwise; nil while there is none.
	reading chan struct{}
	gone    bool
}

// start begins the watch of a request.
func (w *watch) start(body *requestBody, cancel context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request++
	w.body, w.cancel, w.looks, w.stopWatch, w.bare, w.reading, w.gone = body, cancel, 0, nil, false, nil, false
}

// look is called every watchAfter while it reports that the request has to be looked at again. A request that was there the last time already
// and whose body has been read is watched from then on.
func (w *watch) look(d *direct) (again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel == nil || w.stopWatch != nil || w.reading != nil {
		return false
	}
	if w.looks++; w.looks == 1 || !w.body.ended.Load() {
		return true
	}
	request := w.request
	if stop, ok := d.server.hangups.Watch(d.raw, func() { w.hungUp(request) }); ok {
		w.stopWatch, w.bare = stop, d.giveBuffer()
		return false
	}
	w.reading = make(chan struct{})
	go w.read(d, w.cancel, w.reading)
	return false
}

// hungUp notes that the client of a request has gone away.
func (w *watch) hungUp(request int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.request == request && w.cancel != nil {
		w.gone = true
		w.cancel()
	}
}

// read waits for the next bytes of the connection, which nobody else reads now, or its end. A byte is the beginning of the next
// request and stays in the buffer.
func (w *watch) read(d *direct, cancel context.CancelFunc, done chan<- struct{}) {
	defer close(done)
	err := d.awaitByte()
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, bufio.ErrBufferFull) {
		return
	}
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	cancel()
}

// stop ends the watch, and reports whether the client has gone away.
func (w *watch) stop(d *direct) (gone bool) {
	w.mu.Lock()
	w.cancel, w.body = nil, nil
	reading, stopWatch := w.reading, w.stopWatch
	w.mu.Unlock()
	if stopWatch != nil {
		stopWatch()
		if w.bare {
			d.r = d.server.readers.get(nil, d.in)
		}
		return w.gone
	}
	if reading == nil {
		return false
	}
	_ = d.SetReadDeadline(time.Unix(1, 0))
	<-reading
	_ = d.SetReadDeadline(d.deadline)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone
}

// lookLater has the requests looked at in a while. One timer serves all connections, and runs only while there is a request that nobody watches.
func (s *directServer) lookLater() {
	if s.looking.CompareAndSwap(false, true) {
		clock.AfterFunc(clock.System{}, watchAfter, s.look)
	}
}

// look looks at every running request.
func (s *directServer) look() {
	s.looking.Store(false) // before looking: a request that begins meanwhile has the next look made
	again := false
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.conns {
		again = d.watch.look(d) || again
	}
	if again {
		s.lookLater()
	}
}
