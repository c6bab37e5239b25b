package front

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// helloTimeout bounds the wait for a connection's first byte, and then for its TLS handshake.
const helloTimeout = 10 * time.Second

// tlsRecord is the first byte of a TLS handshake record (RFC 8446, section 5.1). No HTTP request begins with it.
const tlsRecord = 0x16

// splitListener accepts plain and TLS connections on one port. First byte and handshake are awaited
// outside of Accept, so that a silent client holds nobody up. Accept returns those that are for net/http.
type splitListener struct {
	net.Listener

	tls       *tls.Config // nil refuses TLS
	direct    *directServer
	sandboxed bool // marks the connections
	conns     chan net.Conn
	ctx       context.Context //nolint:containedctx // the lifetime of the listener, which net.Listener has no way to pass
	stop      context.CancelFunc
	wg        sync.WaitGroup
}

func split(l net.Listener, config *tls.Config, direct *directServer, sandboxed bool) *splitListener {
	ctx, stop := context.WithCancel(context.Background())
	s := &splitListener{Listener: l, tls: config, direct: direct, sandboxed: sandboxed, conns: make(chan net.Conn), ctx: ctx, stop: stop}
	s.wg.Go(s.accept)
	return s
}

// Accept returns the next connection whose protocol is known: a *headConn for HTTP/1.1, a *tls.Conn for HTTP/2 over TLS.
func (s *splitListener) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close stops accepting and waits for the goroutines of the listener. It is idempotent.
func (s *splitListener) Close() error {
	s.stop()
	err := s.Listener.Close()
	s.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *splitListener) accept() {
	for s.ctx.Err() == nil {
		c, err := s.Listener.Accept()
		if err != nil {
			// Errors other than the end of the listener (too many open files) pass; wait a little for that.
			_ = clock.Sleep(s.ctx, clock.System{}, 5*time.Millisecond)
			continue
		}
		s.wg.Go(func() { s.sniff(c) })
	}
}

// sniff hands c on once it is known what it speaks.
func (s *splitListener) sniff(c net.Conn) {
	release := context.AfterFunc(s.ctx, func() { _ = c.Close() })
	conn, err := s.identify(c)
	if !release() || err != nil {
		_ = c.Close()
		return
	}
	if h, ok := conn.(*headConn); ok && !h.secure {
		// The direct server waits for its connections itself.
		go func() {
			if conn := s.direct.serve(h); conn != nil {
				s.pass(conn)
			}
		}()
		return
	}
	s.pass(conn)
}

// pass hands a connection to net/http.
func (s *splitListener) pass(c net.Conn) {
	select {
	case s.conns <- c:
	case <-s.ctx.Done():
		_ = c.Close()
	}
}

func (s *splitListener) identify(c net.Conn) (net.Conn, error) {
	if err := c.SetDeadline(clock.System{}.Now().Add(helloTimeout)); err != nil {
		return nil, err
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return nil, err
	}
	p := &replayConn{Conn: c, pending: first}
	var conn net.Conn
	if first[0] != tlsRecord {
		conn = &headConn{Conn: p, sandboxed: s.sandboxed}
	} else {
		if s.tls == nil {
			return nil, errors.New("tls is not configured")
		}
		t := tls.Server(p, s.tls)
		if err := t.HandshakeContext(s.ctx); err != nil {
			return nil, err
		}
		conn = t
		if t.ConnectionState().NegotiatedProtocol != "h2" {
			conn = &headConn{Conn: t, secure: true, sandboxed: s.sandboxed}
		}
	}
	return conn, c.SetDeadline(time.Time{})
}

// replayConn is a connection of which some has been read already.
type replayConn struct {
	net.Conn

	pending []byte
}

// Read returns what is pending, and then reads from the connection itself. The server's reads do not overlap.
func (p *replayConn) Read(b []byte) (int, error) {
	if len(p.pending) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.pending)
	p.pending = p.pending[n:]
	return n, nil
}
