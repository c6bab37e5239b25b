package sock

import (
	"net"
	"syscall"
)

// Quiet reports whether a connection that should be idle is: still open, and with nothing to read. A connection that is not a socket of this system
// counts as quiet. It does not wait.
func Quiet(c net.Conn) bool {
	raw := rawConn(c)
	if raw == nil {
		return true
	}
	quiet := false
	err := raw.Control(func(fd uintptr) { quiet = peek(fd) == syscall.EAGAIN })
	return err == nil && quiet
}
