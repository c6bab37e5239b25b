// Package sock reads from and writes to sockets without telling the Go scheduler.
//
// Go's scheduler treats a system call as one that may block: when it lasts for more than some 20 µs, and a write to a loopback socket does when the kernel runs
// the receiver's side or the receiver itself within it, another thread takes the processor over. The first call after a moment without work also wakes the
// scheduler's monitor, which then looks every 20 µs for a while. A call on a non-blocking socket cannot block, so a [Reader] and a [Writer] keep the
// processor, and wait for the socket by the runtime's poller as Go's own do.
package sock

import (
	"io"
	"net"
	"syscall"
)

// Writer writes to one connection. It must not be used by two goroutines at a time.
type Writer struct {
	conn io.Writer
	raw  syscall.RawConn // nil for what is no socket of this system
	step func(fd uintptr) bool

	rest []byte
	err  error
}

// NewWriter returns a writer to c. Deadlines and the end of c hold for it as for c's own Write. A connection that is
// not a socket is written to by its own Write.
func NewWriter(c net.Conn) *Writer {
	w := &Writer{conn: c, raw: rawConn(c)}
	w.step = w.try
	return w
}

// Write writes all of p, or returns an error; see [net.Conn].
func (w *Writer) Write(p []byte) (int, error) {
	if w.raw == nil {
		return w.conn.Write(p)
	}
	w.rest, w.err = p, nil
	err := w.raw.Write(w.step)
	if err == nil {
		err = w.err
	}
	n := len(p) - len(w.rest)
	w.rest, w.err = nil, nil
	return n, err
}

// try writes what the socket takes now. It reports whether there is nothing to wait for.
func (w *Writer) try(fd uintptr) bool {
	for len(w.rest) > 0 {
		n, errno := write(fd, w.rest)
		switch errno {
		case 0:
			w.rest = w.rest[n:]
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			w.err = &net.OpError{Op: "write", Err: errno}
			return true
		}
	}
	return true
}
