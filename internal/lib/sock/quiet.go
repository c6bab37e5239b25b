package sock

import (
	"net"
	"syscall"
)

// Quiet tells whether a connection that should be idle is: still open, and with nothing to read. A connection that is not a socket of this system
// counts as quiet. It is for one goroutine at a time.
type Quiet struct {
	raw   syscall.RawConn // nil for one that counts as quiet
	look  func(fd uintptr)
	quiet bool
}

// NewQuiet returns what tells of c.
func NewQuiet(c net.Conn) *Quiet {
	q := &Quiet{raw: rawConn(c)}
	q.look = func(fd uintptr) { q.quiet = peek(fd) == syscall.EAGAIN }
	return q
}

// Is looks. It does not wait.
func (q *Quiet) Is() bool {
	if q.raw == nil {
		return true
	}
	q.quiet = false
	err := q.raw.Control(q.look)
	return err == nil && q.quiet
}
