package reach

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
)

func TestAddressesByPolicy(t *testing.T) {
	for _, c := range []struct {
		address                  string
		private, linked, openNet bool // reached with Private; by a private link; without either
	}{
		{"169.254.169.254", false, false, false},
		{"::ffff:169.254.169.254", false, false, false},
		{"fe80::1", false, false, false},
		{"fd00:ec2::254", false, false, false},
		{"100.100.100.200", false, false, false},
		{"64:ff9b::7f00:1", false, false, false},
		{"2002:7f00:1::", false, false, false},
		{"0.0.0.0", false, false, false},
		{"0.1.2.3", false, false, false},
		{"::", false, false, false},
		{"224.0.0.1", false, false, false},
		{"255.255.255.255", false, false, false},
		{"127.0.0.1", true, false, false},
		{"127.9.9.9", true, false, false},
		{"::1", true, false, false},
		{"::ffff:127.0.0.1", true, false, false},
		{"10.255.254.253", true, true, false},
		{"172.31.255.253", true, true, false},
		{"192.168.254.253", true, true, false},
		{"100.64.0.1", true, true, false},
		{"fd12:3456::1", true, true, false},
		{"203.0.113.7", true, true, true},
		{"2001:db8::1", true, true, true},
	} {
		a := netip.MustParseAddr(c.address)
		for _, way := range []struct {
			policy  Policy
			network Network
			want    bool
		}{{Policy{Private: true}, Internet, c.private}, {Policy{}, PrivateNetwork, c.linked}, {Policy{}, Internet, c.openNet}} {
			if err := way.policy.Check(way.network, a); (err == nil) != way.want || err != nil && !errors.Is(err, ErrBlocked) {
				t.Errorf("%s with %+v for %d: %v, want reached: %t", a, way.policy, way.network, err, way.want)
			}
		}
	}
}

// listen returns a listener on loopback that answers every connection with text.
func listen(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

// read returns what is said at an address.
func read(t *testing.T, p *Policy, n Network, address string) (string, error) {
	t.Helper()
	c, err := p.Dialer(n)(t.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestOwnListenerIsEnteredAsAStranger(t *testing.T) {
	own, other := listen(t, "over the network"), listen(t, "another server")
	enter := func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = io.WriteString(theirs, "as a stranger")
			_ = theirs.Close()
		}()
		return ours, nil
	}
	_, port, err := net.SplitHostPort(own.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []bool{false, true} {
		for _, listener := range []netip.AddrPort{own, netip.AddrPortFrom(netip.IPv4Unspecified(), own.Port()), netip.AddrPortFrom(netip.IPv6Unspecified(), own.Port())} {
			p := &Policy{Private: private, Own: listener, Enter: enter}
			for _, address := range []string{own.String(), "[::ffff:127.0.0.1]:" + port, "localhost:" + port, "0.0.0.0:" + port} {
				if got, err := read(t, p, Internet, address); err != nil || got != "as a stranger" {
					t.Errorf("%s of %s: %q, %v", address, listener, got, err)
				}
			}
			got, err := read(t, p, PrivateNetwork, other.String())
			if private && (err != nil || got != "another server") || !private && !errors.Is(err, ErrBlocked) {
				t.Errorf("another server, private %t: %q, %v", private, got, err)
			}
		}
	}
}
