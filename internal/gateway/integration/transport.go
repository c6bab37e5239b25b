package integration

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/sock"
)

const (
	// maxAnswerHead bounds the head of a backend's answer, in bytes.
	maxAnswerHead = 256 << 10
	// maxInformational bounds the informational answers before the real one.
	maxInformational = 16
	// dialTimeout bounds connecting to a backend, unless the request's own deadline is nearer.
	dialTimeout = 10 * time.Second
)

// TransportOptions configure a [Transport].
type TransportOptions struct {
	// TLS is the configuration of connections by https; nil is that of package tls. The server's name is filled in.
	TLS *tls.Config
	// Dial connects; nil connects with the operating system's names and routes.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Transport is an HTTP/1.1 client for a gateway. The goroutine that calls RoundTrip writes the request and reads the answer itself; a [http.Transport] has two
// more for each connection, which costs more than the exchange. Header names go out in the spelling of the map, no header is added but Host and the
// framing, and nothing is decompressed. A request whose body has no known length is sent in chunks. Redirects and proxies are no matter of it.
//
// A body is sent whole before the answer is read, so a backend that answers a large request without reading it may be taken for one that failed.
type Transport struct {
	options TransportOptions
	idle    idle
}

// NewTransport returns a transport without connections. Close closes those that it keeps.
func NewTransport(o TransportOptions) *Transport {
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return &Transport{options: o}
}

// Close closes the connections that are not in use. The transport can still be used.
func (t *Transport) Close() { t.idle.close() }

// conn is a connection to a backend.
type conn struct {
	net.Conn

	place  place
	quiet  *sock.Quiet // of the socket below TLS
	r      *bufio.Reader
	head   io.LimitedReader // what r reads from: bounded while a head is read
	w      io.Writer
	buffer []byte
	used   bool
	idleAt time.Time
	// spoke is set when anything of an answer was read.
	spoke bool
}

// Read reads from the connection and notes that something came.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.spoke = c.spoke || n > 0
	return n, err
}

// reader counts what comes over a plain socket.
type reader struct {
	from io.Reader
	c    *conn
}

// Read implements [io.Reader].
func (r reader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.c.spoke = r.c.spoke || n > 0
	return n, err
}

// RoundTrip implements [http.RoundTripper]. The answer's body must be closed; the connection is kept when it was read to its end.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	at, err := placeOf(r)
	if err != nil {
		return nil, closeBody(r, err)
	}
	if err := checkHead(r); err != nil {
		return nil, closeBody(r, err)
	}
	for {
		c := t.idle.take(at)
		if c == nil {
			if c, err = t.dial(r.Context(), at); err != nil {
				return nil, closeBody(r, err)
			}
		}
		answer, err := t.exchange(c, r)
		if err == nil {
			return answer, nil
		}
		_ = c.Close()
		again := c.retry(r)
		if again == nil {
			return nil, orTime(r.Context(), err)
		}
		r = again
	}
}

// orTime returns err, or why the time of ctx is up: the connection may have noticed first.
func orTime(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

// retry returns the request to be sent again when a kept connection ended before anything was answered; nil when it must not be.
func (c *conn) retry(r *http.Request) *http.Request {
	if !c.used || c.spoke || r.Context().Err() != nil {
		return nil
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete, http.MethodTrace:
	default:
		return nil
	}
	again := *r
	if r.Body == nil || r.Body == http.NoBody {
		return &again
	}
	if r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	again.Body = body
	return &again
}

// dial makes a connection.
func (t *Transport) dial(ctx context.Context, at place) (*conn, error) {
	raw, err := t.options.Dial(ctx, "tcp", at.address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, quiet: sock.NewQuiet(raw), place: at}
	if at.secure {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if t.options.TLS != nil {
			config = t.options.TLS.Clone()
		}
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(at.address)
		}
		config.NextProtos = []string{"http/1.1"}
		secured := tls.Client(raw, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		c.Conn, c.w = secured, secured
		c.head.R = c
	} else {
		c.w = sock.NewWriter(raw)
		c.head.R = reader{sock.NewReader(raw), c}
	}
	c.r = bufio.NewReaderSize(&c.head, 4<<10)
	return c, nil
}

// exchange sends the request and reads the answer's head.
func (t *Transport) exchange(c *conn, r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	end, _ := ctx.Deadline()
	if err := c.SetDeadline(end); err != nil {
		return nil, err
	}
	hook := clock.AfterCancel(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	answer, err := c.do(r)
	if err != nil {
		hook.Stop()
		return nil, err
	}
	b := &body{ReadCloser: answer.Body, ctx: ctx, conn: c, transport: t, hook: hook, reusable: !answer.Close && !r.Close && answer.StatusCode != http.StatusSwitchingProtocols}
	answer.Body = b
	if answer.ContentLength == 0 || r.Method == http.MethodHead || !bodyAllowed(answer.StatusCode) {
		b.end()
		answer.Body = http.NoBody
	}
	return answer, nil
}

// do writes the request and reads the head of the answer.
func (c *conn) do(r *http.Request) (*http.Response, error) {
	c.spoke = false
	c.head.N = maxAnswerHead
	sent := c.send(r)
	if sent != nil && !isNetwork(sent) {
		return nil, sent
	}
	// A backend may have answered before it closed its side.
	for range maxInformational {
		answer, err := http.ReadResponse(c.r, r)
		switch {
		case err != nil && sent != nil:
			return nil, sent
		case err != nil && c.head.N <= 0:
			return nil, fmt.Errorf("the head of the answer has more than %d bytes", maxAnswerHead)
		case err != nil:
			return nil, err
		case answer.StatusCode >= 100 && answer.StatusCode < 200 && answer.StatusCode != http.StatusSwitchingProtocols:
			continue
		}
		answer.Close = answer.Close || sent != nil
		c.head.N = 1<<63 - 1
		return answer, nil
	}
	return nil, fmt.Errorf("the backend sent more than %d informational answers", maxInformational)
}

// isNetwork tells a failure of the connection from one of the request's own body.
func isNetwork(err error) bool {
	var of *net.OpError
	return errors.As(err, &of)
}

// send writes the request; a small one with one write.
func (c *conn) send(r *http.Request) error {
	b := appendHead(c.buffer[:0], r)
	defer func() { c.buffer = b[:0] }()
	if r.Body == nil || r.Body == http.NoBody {
		_, err := c.w.Write(b)
		return err
	}
	defer func() { _ = r.Body.Close() }()
	if r.ContentLength < 0 {
		if _, err := c.w.Write(b); err != nil {
			return err
		}
		return c.sendChunks(r.Body)
	}
	if whole, ok := r.Body.(*Whole); ok && len(whole.b) <= 4<<10 {
		b = append(b, whole.b...)
		_, err := c.w.Write(b)
		return err
	}
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	n, err := io.Copy(c.w, io.LimitReader(r.Body, r.ContentLength))
	if err == nil && n < r.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// sendChunks sends a body of unknown length (RFC 9112, section 7.1).
func (c *conn) sendChunks(from io.Reader) error {
	const room = 16
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b[room : len(b)-2])
		if n > 0 {
			size := strconv.AppendInt(make([]byte, 0, room), int64(n), 16)
			size = append(size, '\r', '\n')
			start := room - len(size)
			copy(b[start:], size)
			copy(b[room+n:], "\r\n")
			if _, err := c.w.Write(b[start : room+n+2]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			_, err = io.WriteString(c.w, "0\r\n\r\n")
			return err
		}
		if err != nil {
			return err
		}
	}
}

// checkHead refuses a request that could not be written without changing its meaning.
func checkHead(r *http.Request) error {
	if !httpevent.ValidHeader(r.Method, r.Host) {
		return fmt.Errorf("the method %q or the host %q cannot be sent", r.Method, r.Host)
	}
	for i := range len(r.URL.Opaque) {
		if c := r.URL.Opaque[i]; c <= ' ' || c == 0x7f {
			return errors.New("the path has a character that cannot be sent")
		}
	}
	for name, values := range r.Header {
		for _, v := range values {
			if !httpevent.ValidHeader(name, v) {
				return fmt.Errorf("the header %q cannot be sent", name)
			}
		}
	}
	return nil
}

// appendHead appends the head of the request. Framing is of this package alone.
func appendHead(b []byte, r *http.Request) []byte {
	b = append(append(b, r.Method...), ' ')
	target := r.URL.Opaque
	if target == "" {
		target = r.URL.RequestURI()
	}
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	b = append(append(b, target...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, host...), "\r\n"...)
	for name, values := range r.Header {
		if isFraming(name) {
			continue
		}
		for _, v := range values {
			b = append(append(b, name...), ": "...)
			b = append(append(b, v...), "\r\n"...)
		}
	}
	switch {
	case r.Body != nil && r.Body != http.NoBody && r.ContentLength < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case r.ContentLength > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		b = strconv.AppendInt(append(b, "Content-Length: "...), max(0, r.ContentLength), 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// isFraming names the headers that say where a message ends, and Host.
func isFraming(name string) bool {
	switch len(name) {
	case len("host"):
		return strings.EqualFold(name, "host")
	case len("content-length"):
		return strings.EqualFold(name, "content-length")
	case len("transfer-encoding"):
		return strings.EqualFold(name, "transfer-encoding")
	case len("connection"): // and of keep-alive
		return strings.EqualFold(name, "connection") || strings.EqualFold(name, "keep-alive")
	}
	return false
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func closeBody(r *http.Request, err error) error {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return err
}

// body is the body of an answer, which gives its connection back at its end.
type body struct {
	io.ReadCloser

	ctx       context.Context //nolint:containedctx // of the request, which the body is a part of
	conn      *conn
	transport *Transport
	hook      *clock.Hook
	reusable  bool
	ended     bool
}

// Read reads on, and ends the exchange at the end of the body.
func (b *body) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.end()
	} else if err != nil {
		err = orTime(b.ctx, err)
		b.reusable = false
		b.end()
	}
	return n, err
}

// Close ends the exchange; a connection on which the rest of the body would still come is closed.
func (b *body) Close() error {
	if !b.ended {
		b.reusable = false
		b.end()
	}
	return nil
}

// end gives the connection back or closes it.
func (b *body) end() {
	if b.ended {
		return
	}
	b.ended = true
	if !b.hook.Stop() {
		b.reusable = false // the deadline may still be changed
	}
	c := b.conn
	if !b.reusable || c.r.Buffered() > 0 || c.SetDeadline(time.Time{}) != nil {
		_ = c.Close()
		return
	}
	c.used, c.idleAt = true, b.transport.idle.now()
	b.transport.idle.put(c)
}

// Whole is a request body that is in memory. Small ones leave with the head in one write.
type Whole struct {
	bytes.Reader

	b []byte
}

// NewWhole returns a body of b, which must not be changed while the request is on its way.
func NewWhole(b []byte) *Whole {
	w := &Whole{b: b}
	w.Reset(b)
	return w
}

// Close does nothing.
func (w *Whole) Close() error { return nil }
