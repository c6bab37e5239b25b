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

// watchAfter is how long a handler runs before anybody looks whether the client is still there.
const watchAfter = 50 * time.Millisecond

// requestBody is a body that knows when it has been read to its end.
type requestBody struct {
	io.ReadCloser

	length int64
	ended  atomic.Bool
}

// Read notes the end.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
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

// watch cancels the context of a request whose client goes away while the handler runs. Most handlers are done before it begins.
type watch struct {
	d      *direct
	body   *requestBody
	cancel context.CancelFunc
	timer  func() bool

	mu      sync.Mutex // guards the fields below
	stopped bool
	// reading is closed when the read that waits for the end of the connection has ended; nil while there is none.
	reading chan struct{}
	gone    bool
}

func (d *direct) watch(body *requestBody, cancel context.CancelFunc) *watch {
	w := &watch{d: d, body: body, cancel: cancel}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = clock.AfterFunc(clock.System{}, watchAfter, w.begin)
	return w
}

// begin starts to watch, or waits once more while the body is not read.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	if !w.body.ended.Load() {
		w.timer = clock.AfterFunc(clock.System{}, watchAfter, w.begin)
		return
	}
	w.reading = make(chan struct{})
	go w.read(w.reading)
}

// read waits for the next bytes of the connection, which nobody else reads now, or its end. A byte is the beginning of the next
// request and stays in the buffer.
func (w *watch) read(done chan<- struct{}) {
	defer close(done)
	_, err := w.d.r.Peek(w.d.r.Buffered() + 1)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, bufio.ErrBufferFull) {
		return
	}
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	w.cancel()
}

// stop ends the watch, and reports whether the client has gone away.
func (w *watch) stop() (gone bool) {
	w.mu.Lock()
	w.stopped = true
	w.timer()
	reading := w.reading
	w.mu.Unlock()
	if reading == nil {
		return false
	}
	_ = w.d.SetReadDeadline(time.Unix(1, 0))
	<-reading
	_ = w.d.SetReadDeadline(w.d.deadline)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gone
}
