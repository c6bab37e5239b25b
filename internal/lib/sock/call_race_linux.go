//go:build race

package sock

import (
	"errors"
	"syscall"
)

const supported = true

// write is that of package syscall, by which the race detector knows that what happens before a write happens before the read of it.
func write(fd uintptr, p []byte) (int, syscall.Errno) { return told(syscall.Write(int(fd), p)) }

// Read is that of package syscall, for the same reason.
func Read(fd uintptr, p []byte) (int, syscall.Errno) { return told(syscall.Read(int(fd), p)) }

func told(n int, err error) (int, syscall.Errno) {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return n, errno
	}
	return n, 0
}
