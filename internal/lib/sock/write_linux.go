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
