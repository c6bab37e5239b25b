package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockets are unconnected sockets that were made in a cell's network namespace, and stay in it wherever they are connected from. One that is not
// needed any more is disconnected, and used again.
type sockets struct {
	mu     sync.Mutex // guards the fields below
	free   []int
	closed bool
}

var errInboundBusy = errors.New("all connections into the sandbox are in use; close one")

func (s *sockets) dial(port uint16) (net.Conn, error) {
	s.mu.Lock()
	if len(s.free) == 0 {
		s.mu.Unlock()
		return nil, errInboundBusy
	}
	fd := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.mu.Unlock()
	conn, err := connectInside(fd, port)
	if err != nil {
		s.giveBack(fd)
		return nil, fmt.Errorf("connect to port %d of the sandbox: %w", port, err)
	}
	return &inboundConn{TCPConn: conn, back: sync.OnceFunc(func() { s.giveBack(fd) })}, nil
}

// connectInside connects a socket, which is done or refused at once since it stays on the loopback device.
func connectInside(fd int, port uint16) (*net.TCPConn, error) {
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(dup), "inbound")
	conn, err := net.FileConn(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("it is a %T", conn), conn.Close())
	}
	return tcp, nil
}

// giveBack makes a socket one that is not connected again.
func (s *sockets) giveBack(fd int) {
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, code := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none))
	err := unix.SetNonblock(fd, false) // the connection was
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || code != 0 || err != nil {
		_ = unix.Close(fd)
		return
	}
	s.free = append(s.free, fd)
}

func (s *sockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	closeAll(s.free)
	s.free = nil
}

// inboundConn is a connection into a cell.
type inboundConn struct {
	*net.TCPConn
	back func()
}

// Close ends the connection, and makes its socket free for another.
func (c *inboundConn) Close() error {
	err := errors.Join(c.CloseWrite(), c.TCPConn.Close())
	c.back()
	return err
}
