package sandbox

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// egressPort is where redirected connections arrive inside a cell. Programs may use the number themselves for outgoing
// connections, but cannot listen on it.
const egressPort = 15001

// The names under which the egress sockets travel to the daemon.
const (
	egressTCP = "\x00egress-tcp"
	egressDNS = "\x00egress-dns"
	// inboundTCP is that of the sockets for connections into the cell.
	inboundTCP = "\x00inbound"
)

// sockets lists the sockets that a cell's network needs, in the order in which they are sent to the daemon.
func (s *cellSpec) sockets() []Listen {
	if !s.Namespaces {
		return nil
	}
	list := s.Listen
	if s.Egress {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		list = append(list[:len(list):len(list)],
			Listen{Name: egressTCP, Addr: netip.AddrPortFrom(loopback, egressPort)},
			Listen{Name: egressDNS, Addr: netip.AddrPortFrom(loopback, 53)})
	}
	for range s.Inbound {
		list = append(list[:len(list):len(list)], Listen{Name: inboundTCP})
	}
	return list
}

// network brings the loopback device up and makes the listeners.
func (b *builder) network() []program.Result {
	udp := b.Get("open a socket", unix.SYS_SOCKET, program.Int(unix.AF_INET), program.Int(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC), program.Int(0))
	ifreq := make([]byte, 40) // struct ifreq: a name of 16 bytes, then the flags
	copy(ifreq, "lo")
	binary.NativeEndian.PutUint16(ifreq[unix.IFNAMSIZ:], unix.IFF_UP|unix.IFF_RUNNING)
	b.Call("bring the loopback device up", unix.SYS_IOCTL, program.From(udp), program.Int(unix.SIOCSIFFLAGS), b.Bytes(ifreq))
	b.Call("close the socket", unix.SYS_CLOSE, program.From(udp))
	if b.spec.Egress {
		b.netlink("make every address local", unix.NETLINK_ROUTE, b.env.route)
		b.netlink("redirect connections", unix.NETLINK_NETFILTER, b.env.redirect)
	}
	var results []program.Result
	for _, l := range b.spec.sockets() {
		if l.Name == inboundTCP {
			results = append(results, b.Get("open a socket for connections into the sandbox", unix.SYS_SOCKET,
				program.Int(unix.AF_INET), program.Int(unix.SOCK_STREAM|unix.SOCK_CLOEXEC), program.Int(0)))
			continue
		}
		results = append(results, b.listen(l))
	}
	return results
}

func (b *builder) netlink(name string, protocol int, messages []byte) {
	s := b.Get("open a netlink socket", unix.SYS_SOCKET, program.Int(unix.AF_NETLINK), program.Int(unix.SOCK_RAW|unix.SOCK_CLOEXEC), program.Int(protocol))
	addr := make([]byte, 12) // struct sockaddr_nl of the kernel
	binary.NativeEndian.PutUint16(addr, unix.AF_NETLINK)
	b.Call(name, unix.SYS_SENDTO, program.From(s), b.Bytes(messages), program.Int(len(messages)), program.Int(0), b.Bytes(addr), program.Int(len(addr)))
	b.Acknowledge(name, s)
	b.Call("close the netlink socket", unix.SYS_CLOSE, program.From(s))
}

// listen makes a TCP listener, or the UDP socket of the name server.
func (b *builder) listen(l Listen) program.Result {
	kind := unix.SOCK_STREAM
	if l.Name == egressDNS {
		kind = unix.SOCK_DGRAM
	}
	at := l.Addr.String()
	fd := b.Get("open a socket for "+at, unix.SYS_SOCKET, program.Int(unix.AF_INET), program.Int(kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK), program.Int(0))
	addr := make([]byte, unix.SizeofSockaddrInet4)
	binary.NativeEndian.PutUint16(addr, unix.AF_INET)
	binary.BigEndian.PutUint16(addr[2:], l.Addr.Port())
	ip := l.Addr.Addr().As4()
	copy(addr[4:], ip[:])
	b.Call("bind "+at, unix.SYS_BIND, program.From(fd), b.Bytes(addr), program.Int(len(addr)))
	if kind == unix.SOCK_STREAM {
		b.Call("listen on "+at, unix.SYS_LISTEN, program.From(fd), program.Int(256))
	}
	return fd
}

// readyReport is the report that the child's network is there.
func (b *builder) readyReport() program.Arg {
	r := make([]byte, program.ReportSize)
	r[0] = program.ReportReady
	return b.Bytes(r)
}

// sendReady reports that the network is there, with the listeners as SCM_RIGHTS, and closes them in the child.
func (b *builder) sendReady(fds []program.Result) {
	iov := &unix.Iovec{Len: program.ReportSize}
	report := make([]byte, program.ReportSize)
	report[0] = program.ReportReady
	b.Bytes(report)
	iov.Base = &report[0]
	msg := &unix.Msghdr{Iov: iov, Iovlen: 1}
	program.Pointer(b.Program, iov)
	if len(fds) > 0 {
		control := unix.UnixRights(make([]int, len(fds))...)
		at := b.Bytes(control)
		for i, r := range fds {
			b.Store(r, program.Offset(at, uintptr(unix.CmsgLen(0)+4*i)))
		}
		msg.Control = &control[0]
		msg.SetControllen(len(control))
	}
	b.Call("hand out the listeners", unix.SYS_SENDMSG, program.Fd(b.fds.status), program.Pointer(b.Program, msg), program.Int(0))
	for _, r := range fds {
		b.Call("close a listener", unix.SYS_CLOSE, program.From(r))
	}
}
