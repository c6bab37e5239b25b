package sandbox

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data, in bytes.
const (
	seccompNr   = 0
	seccompArch = 4
	seccompArg0 = 16
)

// Return values of a seccomp filter, see seccomp(2).
const (
	seccompAllow = 0x7fff0000
	seccompKill  = 0x80000000 // SECCOMP_RET_KILL_PROCESS
	seccompErrno = 0x00050000
)

// deniedCalls answer EPERM. Most of them need a capability that a cell does not have; denying them
// anyway keeps the kernel's less travelled code out of reach.
func deniedCalls() []uint32 {
	list := []uint32{
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
		unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
		unix.SYS_UNSHARE, unix.SYS_SETNS,
		unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
		unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_REBOOT,
		unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT,
		unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_ADJTIMEX, unix.SYS_CLOCK_ADJTIME,
		unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_FANOTIFY_INIT, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_NFSSERVCTL,
		unix.SYS_MBIND, unix.SYS_SET_MEMPOLICY, unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES,
	}
	list = append(list, archDenied()...)
	slices.Sort(list)
	return slices.Compact(list)
}

// isTracing tells whether a call is one by which a debugger looks into another process.
func isTracing(call uint32) bool {
	return call == unix.SYS_PTRACE || call == unix.SYS_PROCESS_VM_READV || call == unix.SYS_PROCESS_VM_WRITEV
}

// allowedFamilies are the socket address families that programs have a use for. The others (packet, vsock, kernel crypto, …) have
// been a source of kernel bugs.
func allowedFamilies() []uint32 {
	return []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
}

const cloneNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME

// seccompFilter returns the filter that denies calls, which are sorted, as the kernel's array of struct sock_filter.
func seccompFilter(denied []uint32) ([]unix.SockFilter, error) {
	eperm := bpf.RetConstant{Val: seccompErrno | uint32(unix.EPERM)}
	allow := bpf.RetConstant{Val: seccompAllow}
	prog := []bpf.Instruction{
		bpf.LoadAbsolute{Off: seccompArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: archAudit, SkipTrue: 1},
		bpf.RetConstant{Val: seccompKill},
		bpf.LoadAbsolute{Off: seccompNr, Size: 4},
		// The x32 numbers are a second door to the same calls.
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: 0x40000000, SkipFalse: 1},
		eperm,
		// clone3 hides its flags behind a pointer: libraries fall back to clone when it does not exist.
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_CLONE3, SkipFalse: 1},
		bpf.RetConstant{Val: seccompErrno | uint32(unix.ENOSYS)},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_CLONE, SkipFalse: 4},
		bpf.LoadAbsolute{Off: seccompArg0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: cloneNamespaces, SkipFalse: 1},
		eperm,
		allow,
	}
	families := allowedFamilies()
	prog = append(prog,
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_SOCKET, SkipFalse: uint8(len(families) + 3)},
		bpf.LoadAbsolute{Off: seccompArg0, Size: 4})
	for i, f := range families {
		prog = append(prog, bpf.JumpIf{Cond: bpf.JumpEqual, Val: f, SkipTrue: uint8(len(families) - i)})
	}
	prog = append(prog, eperm, allow)
	prog = append(prog, searchTree(denied, eperm, allow)...)
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return nil, fmt.Errorf("assemble seccomp filter: %w", err)
	}
	out := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		out[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return out, nil
}

// searchTree compares the call number with a sorted list in a logarithmic number of steps.
func searchTree(list []uint32, found, missing bpf.Instruction) []bpf.Instruction {
	if len(list) <= 4 {
		var out []bpf.Instruction
		for i, nr := range list {
			out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: nr, SkipTrue: uint8(len(list) - i)})
		}
		return append(out, missing, found)
	}
	mid := len(list) / 2
	low, high := searchTree(list[:mid], found, missing), searchTree(list[mid:], found, missing)
	return slices.Concat([]bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: list[mid], SkipFalse: 1},
		bpf.Jump{Skip: uint32(len(low))},
	}, low, high)
}
