package front

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// inside is a listener for connections from within the process.
type inside struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newInside() *inside { return &inside{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept implements [net.Listener].
func (l *inside) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *inside) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *inside) Addr() net.Addr { return insideAddr() }

// insideAddr is what the server sees as the address of a connection from within, as it does of one from a sandbox.
func insideAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// insideConn is the server's end of a connection from within.
type insideConn struct{ net.Conn }

// RemoteAddr implements [net.Conn].
func (insideConn) RemoteAddr() net.Addr { return insideAddr() }

// LocalAddr implements [net.Conn].
func (insideConn) LocalAddr() net.Addr { return insideAddr() }

// Dial connects to the server from within the process, for requests that the server makes on behalf of others: their caller is a stranger, whom [Sandboxed] tells
// from a person at this machine. The connection speaks what the server's port does, but for HTTP/2 over TLS.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case s.inside.conns <- insideConn{theirs}:
		return ours, nil
	case <-s.inside.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// insideTLS is the configuration of TLS for connections from within: without HTTP/2, whose requests could not be told from others.
func insideTLS(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	return c
}
