//go:build !race

package sock

import (
	"syscall"
	"unsafe"
)

const supported = true

// write writes to a non-blocking socket; p is not empty.
func write(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), errno
}

// Read reads what a non-blocking file has; p is not empty. It returns EAGAIN when there is nothing, and 0 at the end.
func Read(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), errno
}
