package sock

import (
	"io"
	"net"
	"syscall"
)

// Reader reads from one connection. It must not be used by two goroutines at a time.
type Reader struct {
	conn io.Reader
	raw  syscall.RawConn // nil for what is no socket of this system
	step func(fd uintptr) bool

	into  []byte
	n     int
	errno syscall.Errno
}

// NewReader returns a reader from c. Deadlines and the end of c hold for it as for c's own Read. A connection that is
// not a socket is read by its own Read.
func NewReader(c net.Conn) *Reader {
	r := &Reader{conn: c, raw: rawConn(c)}
	r.step = r.try
	return r
}

// Read reads what there is, and waits for it; see [net.Conn].
func (r *Reader) Read(p []byte) (int, error) {
	if r.raw == nil || len(p) == 0 {
		return r.conn.Read(p)
	}
	r.into, r.n, r.errno = p, 0, 0
	err := r.raw.Read(r.step)
	r.into = nil
	switch {
	case err != nil:
		return 0, err
	case r.errno != 0:
		return 0, &net.OpError{Op: "read", Err: r.errno}
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// try reads once. It reports whether there is nothing to wait for.
func (r *Reader) try(fd uintptr) bool {
	for {
		n, errno := Read(fd, r.into)
		switch errno {
		case 0:
			r.n = n
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		default:
			r.errno = errno
		}
		return true
	}
}

// rawConn returns the socket of c, or nil.
func rawConn(c net.Conn) syscall.RawConn {
	s, ok := c.(syscall.Conn)
	if !ok || !supported {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
