//go:build !linux

package sock

import "syscall"

const supported = false

func write(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.ENOSYS }
