//go:build linux

package sandbox

import "golang.org/x/sys/unix"

const archAudit = unix.AUDIT_ARCH_AARCH64

// archDenied are denied calls that only this architecture has.
func archDenied() []uint32 { return nil }
