//go:build !linux

package sock

import "net"

// Hangups tells when the peers of connections go away, on Linux alone.
type Hangups struct{}

// Watch has no way to tell here.
func (*Hangups) Watch(net.Conn, func()) (stop func(), ok bool) { return nil, false }
