package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/sock"
)

const (
	// idleTimeout and headTimeout are how long a connection may be without a request, and how long a request's head may take.
	idleTimeout = 5 * time.Minute
	headTimeout = 30 * time.Second
	// directBuffer is the size of the read buffer of a connection in bytes. A request whose head does not fit is left to net/http.
	directBuffer = 8 << 10
	// maxDrain is how much of a body that the handler left unread is read to keep the connection, in bytes.
	maxDrain = 256 << 10
	// lingerTime and maxLinger, in bytes, bound what is still read from a client that did not wait for the end of its request.
	lingerTime = 500 * time.Millisecond
	maxLinger  = 64 << 20
)

// errHandOver ends direct serving: net/http has to take the connection, beginning with the request that was read last.
var errHandOver = errors.New("the request is for net/http")

// direct serves the ordinary requests of one plain HTTP/1.1 connection without net/http's server, on one goroutine, with one
// read and one write for a small exchange. What is not ordinary (an upgrade, an Expect, HTTP/1.0, HTTP/2 with prior
// knowledge, a large head, and everything that is malformed) goes to net/http with the rest of the connection, byte for byte.
type direct struct {
	*headConn

	raw    net.Conn // the connection itself
	out    *sock.Writer
	server *directServer
	remote string
	in     *sock.Reader
	r      *bufio.Reader // of in; nil while the watch waits without a buffer
	// taken is what was read of the request that net/http has to take.
	taken []byte
	// deadline is when reading ends; it is moved seldom, since a minute more or less does not matter.
	deadline time.Time
	state    atomic.Int32 // idle, busy or ended
	watch    watch
	response response // of the request that is served
}

// The states of a connection.
const (
	idle int32 = iota
	busy
	ended
)

// directServer keeps count of the direct connections of a server.
type directServer struct {
	handler http.Handler
	pause   time.Duration // of a body, see Options
	log     *slog.Logger
	buffers buffers
	readers readers
	hangups sock.Hangups
	date    date

	closing atomic.Bool
	looking atomic.Bool // the next look at running requests is on its way

	mu    sync.Mutex // guards the fields below
	conns map[*direct]struct{}
	wg    sync.WaitGroup
}

func newDirectServer(h http.Handler, pause time.Duration, log *slog.Logger) *directServer {
	return &directServer{handler: h, pause: pause, log: log, conns: map[*direct]struct{}{}}
}

// serve answers the requests of c, whose first byte has been read already. It returns the connection for net/http, or nil when it has ended.
func (s *directServer) serve(c *headConn) net.Conn {
	d := &direct{headConn: c, raw: c.Conn, server: s, remote: c.RemoteAddr().String()}
	var pending []byte
	if replay, ok := c.Conn.(*replayConn); ok {
		d.raw, pending = replay.Conn, replay.pending
	}
	d.in = sock.NewReader(d.raw)
	d.r = s.readers.get(pending, d.in)
	d.out = sock.NewWriter(d.raw)
	if !s.enter(d) {
		_ = c.Close()
		return nil
	}
	defer s.leave(d)
	if err := d.serve(); !errors.Is(err, errHandOver) || d.SetReadDeadline(time.Time{}) != nil {
		_ = c.Close()
		return nil
	}
	rest, _ := d.r.Peek(d.r.Buffered())
	return &headConn{Conn: &replayConn{Conn: d.raw, pending: slices.Concat(d.taken, rest)}, sandboxed: c.sandboxed}
}

// readers is the pool of the read buffers of one server.
type readers struct{ pool sync.Pool }

// get returns a reader of what is pending, and of in behind it.
func (p *readers) get(pending []byte, in io.Reader) *bufio.Reader {
	if len(pending) > 0 {
		in = io.MultiReader(bytes.NewReader(pending), in)
	}
	r, ok := p.pool.Get().(*bufio.Reader)
	if !ok {
		return bufio.NewReaderSize(in, directBuffer)
	}
	r.Reset(in)
	return r
}

// put takes a reader back that holds nothing.
func (p *readers) put(r *bufio.Reader) {
	r.Reset(nil)
	p.pool.Put(r)
}

// enter counts a connection in; false means that the server is shutting down.
func (s *directServer) enter(d *direct) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[d] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *directServer) leave(d *direct) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, d)
	s.wg.Done()
}

// begin notes that a request is served; false means that the connection has to end.
func (d *direct) begin() bool { return d.state.CompareAndSwap(idle, busy) }

// end notes that the request has been served; false means that the connection has to end.
func (d *direct) end() bool {
	d.state.Store(idle)
	return !d.server.closing.Load()
}

// shutdown closes the idle connections and waits for the busy ones until ctx ends; then it closes those too and returns the error of ctx.
func (s *directServer) shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true) // a connection that becomes idle from now on ends by itself
	for d := range s.conns {
		if d.state.CompareAndSwap(idle, ended) {
			_ = d.Close()
		}
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for d := range s.conns {
		_ = d.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}

// serve answers requests until the connection ends (nil) or is for net/http (errHandOver).
func (d *direct) serve() error {
	for {
		r, m, err := d.next()
		if err != nil {
			return err
		}
		if !d.begin() {
			return nil
		}
		keep := d.exchange(r, m)
		if !d.end() || !keep {
			return nil
		}
	}
}

// next reads the head of the next request.
func (d *direct) next() (*http.Request, *room, error) {
	if err := d.awaitHead(); err != nil {
		return nil, nil, err
	}
	m := newRoom(d)
	m.ctx.head = string(d.head)
	if r := plainRequest(m.ctx.head, m); r != nil {
		r.RemoteAddr = d.remote
		_, err := d.r.Discard(len(d.head))
		return r, m, err
	}
	before := d.r.Buffered()
	r, err := http.ReadRequest(d.r)
	if err != nil || !ordinary(r, d.head) {
		d.taken = d.head[:before-d.r.Buffered()]
		return nil, nil, errHandOver
	}
	r.RemoteAddr = d.remote
	return r.WithContext(&m.ctx), m, nil
}

// awaitHead reads until a whole head is buffered, and keeps a copy of it. At the end of the connection it returns io.EOF.
func (d *direct) awaitHead() error {
	now := clock.System{}.Now()
	if d.deadline.Sub(now) < idleTimeout-time.Minute {
		if err := d.readUntil(now.Add(idleTimeout)); err != nil {
			return err
		}
	}
	d.head = d.head[:0]
	slow := false
	for n := 1; ; {
		if _, err := d.r.Peek(n); err != nil {
			return io.EOF
		}
		b, _ := d.r.Peek(d.r.Buffered())
		if i := bytes.Index(b, headEnd); i >= 0 {
			d.head = append(d.head, b[:i+len(headEnd)]...)
			d.full = true
			if slow {
				return d.readUntil(now.Add(idleTimeout))
			}
			return nil
		}
		if len(b) == directBuffer || bytes.Contains(b, []byte("\n\n")) || bytes.Contains(b, []byte("\n\r\n")) {
			return errHandOver // a large head, or one with bare line feeds
		}
		if n = len(b) + 1; !slow {
			slow = true
			if err := d.readUntil(clock.System{}.Now().Add(headTimeout)); err != nil {
				return err
			}
		}
	}
}

func (d *direct) readUntil(t time.Time) error {
	d.deadline = t
	return d.SetReadDeadline(t)
}

// ordinary tells whether a request is served here. The checks that net/http's server makes beyond ReadRequest are left to it: what would not pass is not ordinary.
func ordinary(r *http.Request, head []byte) bool {
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Method == http.MethodConnect || r.Host == "" || !plainHost(r.Host) || len(head) == 0 {
		return false
	}
	for name := range r.Header {
		if name == "Upgrade" || name == "Expect" || name == "Trailer" || !validName(name) {
			return false
		}
	}
	return true
}

// plainHost tells whether a Host header has nothing but what names, addresses and ports are made of.
func plainHost(host string) bool {
	for i := range len(host) {
		c := host[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte(".-_:[]", c) < 0 {
			return false
		}
	}
	return true
}

// exchange runs the handler and sends its answer. It reports whether the connection can be used for another request.
func (d *direct) exchange(r *http.Request, m *room) (keep bool) {
	defer m.ctx.Cancel()
	body := &m.body
	body.ReadCloser, body.length = r.Body, r.ContentLength
	if r.ContentLength == 0 {
		r.Body = http.NoBody
		body.ended.Store(true)
	} else {
		r.Body = body
		if r.ContentLength < 0 || int64(d.r.Buffered()) < r.ContentLength {
			body.slow = d
		}
	}
	w := &d.response
	w.reset(d, r)
	defer w.release()
	d.watch.start(body, m.ctx.Cancel)
	d.server.lookLater()
	defer func() {
		gone := d.watch.stop(d)
		if cause := recover(); cause != nil {
			keep = false
			if cause != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				d.server.log.ErrorContext(&m.ctx, "handler panicked", slog.Any("panic", cause), slog.String("stack", string(debug.Stack())))
			}
			return
		}
		whole := gone || d.drained(body)
		keep = w.finish(whole) && !gone
		if !whole {
			d.linger()
		}
	}()
	d.server.handler.ServeHTTP(w, r)
	return true
}

// awaitByte waits for more bytes of the connection, or its end. When nothing is buffered it waits without a buffer, since what waits long may be thousands.
func (d *direct) awaitByte() error {
	if !d.giveBuffer() {
		_, err := d.r.Peek(d.r.Buffered() + 1)
		return err
	}
	var first [1]byte
	n, err := d.in.Read(first[:])
	d.r = d.server.readers.get(first[:n], d.in)
	return err
}

// giveBuffer gives the read buffer back unless it holds something, and tells whether it did.
func (d *direct) giveBuffer() bool {
	if d.r.Buffered() > 0 {
		return false
	}
	d.server.readers.put(d.r)
	d.r = nil
	return true
}

// awaitBody sets the deadline for more of a body, unless there is time enough; it is moved seldom.
func (d *direct) awaitBody() error {
	if now := (clock.System{}).Now(); d.deadline.Sub(now) < d.server.pause || d.deadline.Sub(now) > 2*d.server.pause {
		return d.readUntil(now.Add(2 * d.server.pause))
	}
	return nil
}

// linger lets the client read its answer although it is still sending: a connection that is closed with bytes unread is reset, answer and all.
func (d *direct) linger() {
	c, ok := d.raw.(interface{ CloseWrite() error })
	if !ok || c.CloseWrite() != nil || d.readUntil(clock.System{}.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, d.raw, maxLinger)
}

// drained reads what the handler has left of the body, and tells whether it came to an end.
func (d *direct) drained(body *requestBody) bool {
	if body.ended.Load() {
		return true
	}
	if body.length > maxDrain {
		return false
	}
	n, err := io.CopyN(io.Discard, body, maxDrain)
	return n < maxDrain && errors.Is(err, io.EOF)
}
