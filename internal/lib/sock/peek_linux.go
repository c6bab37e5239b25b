package sock

import (
	"syscall"
	"unsafe"
)

// peek looks whether a socket has something to read: EAGAIN when it has not, 0 when it has or has ended.
func peek(fd uintptr) syscall.Errno {
	var b [1]byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno
}

// Waiting returns how many bytes a file has to read (FIONREAD).
func Waiting(fd uintptr) (int, syscall.Errno) {
	var n int32
	_, _, errno := syscall.RawSyscall(syscall.SYS_IOCTL, fd, syscall.TIOCINQ, uintptr(unsafe.Pointer(&n)))
	return int(n), errno
}
