package front

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync"
)

// MaxHead is the size in bytes up to which a request head is kept as it was sent.
const MaxHead = 16 << 10

var headEnd = []byte("\r\n\r\n")

// headConn is a connection that keeps the head of the request being read.
type headConn struct {
	net.Conn

	// secure tells that Conn is a TLS connection, sandboxed that it comes from inside a sandbox.
	secure, sandboxed bool

	mu sync.Mutex // guards the fields below
	// head holds what was read since the current request began, up to the end of its head.
	head []byte
	// full is set when head holds a whole head or has reached MaxHead.
	full bool
}

// Read reads from the connection and keeps what belongs to a request head.
func (c *headConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.keep(p[:n], len(p) == 1)
	}
	return n, err
}

// keep appends b to the head. watch marks the one-byte read by which net/http notices a
// closed connection: its byte is the first of the next request.
func (c *headConn) keep(b []byte, watch bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if watch {
		c.resetLocked()
	}
	if c.full {
		return
	}
	room := MaxHead - len(c.head)
	if len(b) > room {
		b = b[:room]
		c.full = true
	}
	from := max(0, len(c.head)-len(headEnd)+1)
	c.head = append(c.head, b...)
	if i := bytes.Index(c.head[from:], headEnd); i >= 0 {
		c.head = c.head[:from+i+len(headEnd)]
		c.full = true
	}
}

// idle forgets the head of the request that ended, unless the first byte of the next one is here already.
func (c *headConn) idle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.head) > 1 {
		c.resetLocked()
	}
}

func (c *headConn) resetLocked() {
	c.head = c.head[:0]
	c.full = false
}

// of returns a copy of the head if it is r's.
func (c *headConn) of(r *http.Request) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	line, _, ok := bytes.Cut(c.head, []byte("\r\n"))
	method, rest, ok2 := bytes.Cut(line, []byte(" "))
	target, _, ok3 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || !ok3 || string(method) != r.Method || string(target) != r.RequestURI || !bytes.HasSuffix(c.head, headEnd) {
		return nil
	}
	return bytes.Clone(c.head)
}

type (
	connKey struct{}
	headKey struct{}
)

// RawHead returns the head of r as it was sent, request line and header lines with their line ends,
// or nil when it was not kept: HTTP/2, a pipelined request, or a head over [MaxHead].
func RawHead(r *http.Request) []byte {
	if c, ok := r.Context().Value(connKey{}).(*headConn); ok && r.ProtoMajor == 1 {
		return c.of(r)
	}
	return nil
}

// Head is [RawHead] as a text, which is empty when the head was not kept.
func Head(r *http.Request) string {
	if c, ok := r.Context().Value(headKey{}).(*exchangeContext); ok {
		return c.head
	}
	return string(RawHead(r))
}

// Secure tells whether r came over TLS.
func Secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	c, ok := r.Context().Value(connKey{}).(*headConn)
	return ok && c.secure
}

// Certificates returns the certificates that the client of r showed in the handshake of its connection, not verified; nil when it showed none.
func Certificates(r *http.Request) []*x509.Certificate {
	if r.TLS != nil {
		return r.TLS.PeerCertificates
	}
	c, ok := r.Context().Value(connKey{}).(*headConn)
	if !ok || !c.secure {
		return nil
	}
	if t, ok := c.Conn.(*tls.Conn); ok {
		return t.ConnectionState().PeerCertificates
	}
	return nil
}

// Sandboxed tells whether r came over a listener inside a function's sandbox, or from [Server.Dial]. Such a caller's address looks like this machine's own and
// earns none of the trust of a person at this machine.
func Sandboxed(r *http.Request) bool {
	c, ok := r.Context().Value(connKey{}).(*headConn)
	return ok && c.sandboxed
}

// withConn is the server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if h, ok := c.(*headConn); ok {
		return context.WithValue(ctx, connKey{}, h)
	}
	return ctx
}

// connState is the server's ConnState hook.
func connState(c net.Conn, s http.ConnState) {
	if h, ok := c.(*headConn); ok && s == http.StateIdle {
		h.idle()
	}
}
