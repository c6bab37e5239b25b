package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// dialTimeout bounds connecting, unless the context's deadline is nearer.
const dialTimeout = 10 * time.Second

// ErrBlocked is wrapped by the error for an address that is not reached.
var ErrBlocked = errors.New("the address may not be reached")

// Policy says what is reached. The zero value reaches the internet alone.
type Policy struct {
	// Private lets every dialer reach this machine and private networks.
	Private bool
	// Own is the address of this server's listener; the zero value means that there is none. An unspecified address stands for all of this machine.
	Own netip.AddrPort
	// Enter connects to this server as a stranger. It must be set when Own is.
	Enter func(ctx context.Context) (net.Conn, error)
}

// Network is what a dialer is for.
type Network uint8

// The networks.
const (
	// Internet is reached by everybody.
	Internet Network = iota
	// PrivateNetwork is what a private link leads to: networks of RFC 1918, RFC 4193 and RFC 6598, and the internet. This machine itself is no part of it.
	PrivateNetwork
)

// Dialer returns how to connect for n, in the form of [net.Dialer.DialContext].
func (p *Policy) Dialer(n Network) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		var own atomic.Bool
		d := net.Dialer{Timeout: dialTimeout, Control: func(_, to string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(to)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrBlocked, err)
			}
			at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
			if p.isOwn(at) {
				own.Store(true)
				return errOwn
			}
			return p.Check(n, at.Addr())
		}}
		c, err := d.DialContext(ctx, network, address)
		if err != nil && own.Load() {
			return p.Enter(ctx)
		}
		return c, err
	}
}

var errOwn = errors.New("the address is this server's own")

// isOwn tells whether an address is that of this server's listener.
func (p *Policy) isOwn(at netip.AddrPort) bool {
	switch {
	case !p.Own.IsValid() || at.Port() != p.Own.Port():
		return false
	case p.Own.Addr().IsUnspecified():
		return at.Addr().IsLoopback() || at.Addr().IsUnspecified() || isHost(at.Addr())
	}
	// On Linux the unspecified address leads to loopback.
	return at.Addr() == p.Own.Addr().Unmap() || at.Addr().IsUnspecified() && p.Own.Addr().Unmap().IsLoopback()
}

// Check returns nil when an address may be reached for n; it does not know of this server's own.
func (p *Policy) Check(n Network, a netip.Addr) error {
	a = a.Unmap()
	switch {
	case isMetadata(a):
		return fmt.Errorf("%w: %s is a link-local, multicast or metadata address", ErrBlocked, a)
	case p.Private:
		return nil
	case a.IsLoopback() || isHost(a):
		return fmt.Errorf("%w: %s is this machine's own", ErrBlocked, a)
	case isPrivate(a) && n != PrivateNetwork:
		return fmt.Errorf("%w: %s is in a private network", ErrBlocked, a)
	}
	return nil
}

// isMetadata tells what is never reached: addresses that mean something else on every link, and the metadata services of clouds, which hand out credentials.
func isMetadata(a netip.Addr) bool {
	return !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || slices.ContainsFunc(neverReached(), func(p netip.Prefix) bool { return p.Contains(a) })
}

// neverReached are prefixes that package netip has no name for.
func neverReached() []netip.Prefix {
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{0}), 8),                         // this network (RFC 1122, section 3.2.1.3)
		netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 32),       // broadcast
		netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 100, 100, 200}), 32),       // metadata of Alibaba Cloud
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 0x00, 0x0e, 0xc2}), 32), // metadata of Amazon EC2 over IPv6
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x00, 0x64, 0xff, 0x9b}), 96), // IPv4 behind a translator (RFC 6052), which may lead anywhere
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x02}), 16),             // 6to4, the same (RFC 3056)
	}
}

// isPrivate tells whether an address is of a private network.
func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10).Contains(a)
}

// isHost tells whether an address belongs to an interface of this machine. When that cannot be told it counts as one.
func isHost(a netip.Addr) bool {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(own, func(o net.Addr) bool {
		n, ok := o.(*net.IPNet)
		if !ok {
			return false
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		return ok && ip.Unmap() == a
	})
}
