//go:build linux

package sandbox

import "golang.org/x/sys/unix"

const archAudit = unix.AUDIT_ARCH_X86_64

// archDenied are denied calls that only this architecture has.
func archDenied() []uint32 {
	return []uint32{unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT, unix.SYS_USELIB, unix.SYS__SYSCTL, unix.SYS_CREATE_MODULE, unix.SYS_KEXEC_LOAD}
}
