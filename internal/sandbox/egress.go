package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Egress is a cell's way to the internet, see the package documentation. One value can serve many cells.
type Egress struct {
	// Allow has the last word about an address that is not refused anyway (the host's own, loopback,
	// link-local, multicast, unspecified); nil allows all of these.
	Allow func(netip.AddrPort) error
	// Resolvers are the name servers that answer for the cell's; empty means those of the host.
	Resolvers []netip.AddrPort

	// dial replaces the network in tests.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Bounds of one cell's egress.
const (
	maxEgressConns   = 1024
	maxEgressQueries = 64
	dialTimeout      = 10 * time.Second
	queryTimeout     = 5 * time.Second
)

// ErrBlocked is wrapped by the error for an address that a cell must not reach.
var ErrBlocked = errors.New("address is not reachable from a function")

// Check returns nil when a cell may connect to the address.
func (e *Egress) Check(to netip.AddrPort) error {
	a := to.Addr().Unmap()
	if !a.IsGlobalUnicast() {
		return fmt.Errorf("%w: %s is not an internet address", ErrBlocked, a)
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("%w: the host's own addresses are unknown: %w", ErrBlocked, err)
	}
	for _, o := range own {
		if n, ok := o.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == a {
				return fmt.Errorf("%w: %s belongs to the host", ErrBlocked, a)
			}
		}
	}
	if e.Allow != nil {
		if err := e.Allow(to); err != nil {
			return fmt.Errorf("%w: %w", ErrBlocked, err)
		}
	}
	return nil
}

func (e *Egress) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	if e.dial != nil {
		return e.dial
	}
	return new(net.Dialer).DialContext
}

// relay is the egress of one live cell.
type relay struct {
	egress *Egress
	tcp    net.Listener
	dns    net.PacketConn
	ctx    context.Context //nolint:containedctx // it is the lifetime of the relay, which Close ends
	cancel context.CancelFunc
	wg     sync.WaitGroup
	conns  chan struct{} // one token per open connection
	asks   chan struct{} // one token per running query
}

func startRelay(e *Egress, tcp net.Listener, dns net.PacketConn) *relay {
	r := &relay{egress: e, tcp: tcp, dns: dns, conns: make(chan struct{}, maxEgressConns), asks: make(chan struct{}, maxEgressQueries)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.wg.Go(r.serveTCP)
	r.wg.Go(r.serveDNS)
	return r
}

// close ends every connection and waits for the goroutines.
func (r *relay) close() {
	r.cancel()
	_ = r.tcp.Close()
	_ = r.dns.Close()
	r.wg.Wait()
}

func (r *relay) serveTCP() {
	for {
		c, err := r.tcp.Accept()
		if err != nil {
			return
		}
		select {
		case r.conns <- struct{}{}:
			r.wg.Go(func() {
				r.connect(c.(*net.TCPConn))
				<-r.conns
			})
		default:
			abort(c)
		}
	}
}

// abort closes a connection with a reset, so that the program sees a failure and not an empty answer.
func abort(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// connect carries one connection of the cell to where it was meant to go.
func (r *relay) connect(c *net.TCPConn) {
	to, err := originalDestination(c)
	if err != nil {
		abort(c)
		return
	}
	target := to.String()
	if to.Addr().IsLoopback() {
		resolvers := r.egress.resolvers()
		if to.Port() != 53 || len(resolvers) == 0 {
			abort(c)
			return
		}
		target = resolvers[0].String()
	} else if r.egress.Check(to) != nil {
		abort(c)
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, dialTimeout)
	up, err := r.egress.dialer()(ctx, "tcp4", target)
	cancel()
	if err != nil {
		abort(c)
		return
	}
	stop := context.AfterFunc(r.ctx, func() { _ = c.Close(); _ = up.Close() })
	defer stop()
	done := make(chan struct{})
	r.wg.Go(func() {
		copyHalf(up, c)
		close(done)
	})
	copyHalf(c, up)
	<-done
	_ = c.Close()
	_ = up.Close()
}

// copyHalf copies one direction and passes its end on. A failure ends both directions.
func copyHalf(dst, src net.Conn) {
	if _, err := io.Copy(dst, src); err != nil {
		abort(dst)
		abort(src)
		return
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

func (r *relay) serveDNS() {
	buf := make([]byte, 4096)
	for {
		n, from, err := r.dns.ReadFrom(buf)
		if err != nil {
			return
		}
		query := append([]byte(nil), buf[:n]...)
		select {
		case r.asks <- struct{}{}:
			r.wg.Go(func() {
				if answer := r.resolve(query); answer != nil {
					_, _ = r.dns.WriteTo(answer, from)
				}
				<-r.asks
			})
		default: // the client asks again
		}
	}
}

// resolve asks the name servers in turn; nil when none answers.
func (r *relay) resolve(query []byte) []byte {
	for _, server := range r.egress.resolvers() {
		if answer, err := r.ask(server, query); err == nil {
			return answer
		}
	}
	return nil
}

func (r *relay) ask(server netip.AddrPort, query []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.ctx, queryTimeout)
	defer cancel()
	c, err := r.egress.dialer()(ctx, "udp", server.String())
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	defer func() { _ = c.Close() }()
	if _, err := c.Write(query); err != nil {
		return nil, err
	}
	answer := make([]byte, 65535)
	n, err := c.Read(answer)
	if err != nil {
		return nil, err
	}
	return answer[:n], nil
}

func (e *Egress) resolvers() []netip.AddrPort {
	if len(e.Resolvers) > 0 {
		return e.Resolvers
	}
	return hostResolvers()
}
