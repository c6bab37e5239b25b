//go:build !linux

package sock

import "syscall"

const supported = false

func write(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.ENOSYS }

// Read is there on Linux alone.
func Read(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.ENOSYS }

func peek(uintptr) syscall.Errno { return syscall.ENOSYS }
