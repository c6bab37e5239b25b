package program

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The reports that a child writes, each one datagram of ReportSize bytes: a kind, then two int32 in native byte order.
const (
	// ReportFailed says that a step failed with errno A. The next datagram is the name of the step.
	ReportFailed = 'F'
	// ReportExited says that the payload ended with wait status A.
	ReportExited = 'X'
	// ReportReady says that the child's network is there; it carries the descriptors of its listeners. A program sends it.
	ReportReady = 'R'
	// ReportSize is the length of a report in bytes.
	ReportSize = 12
)

// Report is a decoded report of a child.
type Report struct {
	Kind byte
	A, B int
}

// ParseReport decodes one datagram.
func ParseReport(b []byte) (Report, error) {
	if len(b) != ReportSize {
		return Report{}, fmt.Errorf("sandbox report has %d bytes, want %d", len(b), ReportSize)
	}
	return Report{
		Kind: b[0],
		A:    int(int32(binary.NativeEndian.Uint32(b[4:]))),
		B:    int(int32(binary.NativeEndian.Uint32(b[8:]))),
	}, nil
}

// cloneArgs is struct clone_args of clone3(2), up to the member cgroup.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// Start clones a child with the given flags (CLONE_NEW… and CLONE_INTO_CGROUP) and lets it run the program. The calling
// goroutine must be locked to its thread, since that thread's death is what a child with a parent-death signal dies of.
// It returns the pid of the child as soon as it exists; what becomes of it is told on the status socket.
func (p *Program) Start(flags uint64, cgroup int) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	args := &cloneArgs{flags: flags | unix.CLONE_CLEAR_SIGHAND, exitSignal: uint64(unix.SIGCHLD)}
	if flags&unix.CLONE_INTO_CGROUP != 0 {
		args.cgroup = uint64(cgroup)
	}
	child := &childState{
		steps:  unsafe.Pointer(unsafe.SliceData(p.steps)),
		count:  len(p.steps),
		values: p.values,
		status: uintptr(p.status),
	}
	child.report[0] = ReportFailed
	for i := range child.blocked {
		child.blocked[i] = ^uint64(0)
	}
	pid, errno := clone(args, child)
	runtime.KeepAlive(p)
	runtime.KeepAlive(args)
	runtime.KeepAlive(child)
	if errno != 0 {
		return 0, fmt.Errorf("clone: %w", errno)
	}
	return pid, nil
}

// childState is all the memory that the child writes to, allocated before the clone.
type childState struct {
	steps   unsafe.Pointer
	count   int
	values  *[maxResults]uintptr
	status  uintptr
	payload uintptr
	report  [ReportSize]byte
	wait    int32
	blocked [1]uint64
	saved   [1]uint64
	info    [128]byte
}

// clone blocks every signal around the clone, so that neither a handler nor a preemption request runs in the child.
//
//go:noinline
//go:norace
//go:nocheckptr
//go:nosplit
func clone(args *cloneArgs, c *childState) (int, syscall.Errno) {
	set, old := uintptr(unsafe.Pointer(&c.blocked)), uintptr(unsafe.Pointer(&c.saved))
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, set, old, 8, 0, 0)
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args), 0, 0, 0, 0)
	if errno == unix.ENOSYS && args.cgroup == 0 {
		// Container engines hide clone3, whose flags their filters cannot read (https://github.com/moby/moby/pull/42681). Without CLONE_CLEAR_SIGHAND the
		// handlers stay until exec; the signals are blocked until then.
		pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(uint32(args.flags))|uintptr(args.exitSignal), 0, 0, 0, 0, 0)
	}
	if errno == 0 && pid == 0 {
		runChild(c)
	}
	syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, old, 0, 8, 0, 0)
	return int(pid), errno
}

// runChild walks the steps. It never returns: the last step replaces the process, and every other way out is an exit.
//
//go:noinline
//go:norace
//go:nocheckptr
//go:nosplit
func runChild(c *childState) {
	for i := 0; i < c.count; i++ {
		s := (*step)(unsafe.Add(c.steps, uintptr(i)*unsafe.Sizeof(step{})))
		if s.kind == kindFork {
			pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
			if errno != 0 {
				failChild(c, s, errno)
			}
			if pid != 0 {
				c.payload = pid
				runInit(c)
			}
			continue
		}
		r, errno := runStep(c, s)
		if errno != 0 && !s.optional {
			failChild(c, s, errno)
		}
		if s.save >= 0 {
			*(*uintptr)(unsafe.Add(unsafe.Pointer(c.values), uintptr(s.save)*unsafe.Sizeof(r))) = r
		}
	}
	exitChild()
}

//go:noinline
//go:norace
//go:nocheckptr
//go:nosplit
func runStep(c *childState, s *step) (uintptr, syscall.Errno) {
	switch s.kind {
	case kindStore:
		*(*int32)(s.memory) = int32(value(c, s, 0))
		return 0, 0
	case kindAck:
		const header = 16 // struct nlmsghdr, which struct nlmsgerr follows
		if e := *(*int32)(unsafe.Add(s.memory, header)); e != 0 {
			return 0, syscall.Errno(-e)
		}
		return 0, 0
	}
	r, _, errno := syscall.RawSyscall6(s.nr, value(c, s, 0), value(c, s, 1), value(c, s, 2), value(c, s, 3), value(c, s, 4), value(c, s, 5))
	if s.kind == kindRead && errno == 0 && r == 0 {
		return r, unix.EPIPE
	}
	return r, errno
}

//go:norace
//go:nocheckptr
//go:nosplit
func value(c *childState, s *step, i uintptr) uintptr {
	a := *(*uintptr)(unsafe.Add(unsafe.Pointer(&s.args), i*unsafe.Sizeof(uintptr(0))))
	if s.refs&(1<<i) == 0 {
		return a
	}
	return *(*uintptr)(unsafe.Add(unsafe.Pointer(c.values), a*unsafe.Sizeof(uintptr(0))))
}

// failChild reports the failed step and ends the process.
//
//go:noinline
//go:norace
//go:nocheckptr
//go:nosplit
func failChild(c *childState, s *step, errno syscall.Errno) {
	*(*int32)(unsafe.Add(unsafe.Pointer(&c.report), 4)) = int32(errno)
	syscall.RawSyscall6(unix.SYS_WRITE, c.status, uintptr(unsafe.Pointer(&c.report)), ReportSize, 0, 0, 0)
	syscall.RawSyscall6(unix.SYS_WRITE, c.status, uintptr(s.name), s.nameLen, 0, 0, 0)
	exitChild()
}

//go:noinline
//go:norace
//go:nocheckptr
//go:nosplit
func exitChild() {
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 127, 0, 0, 0, 0, 0)
	}
}

// runInit is the life of the sandbox's first process: it keeps nothing open but the status socket, reaps, passes signals
// on, and ends with the payload.
//
//go:noinline
//go:norace
//go:nocheckptr
//go:nosplit
func runInit(c *childState) {
	if c.status > 0 {
		syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, 0, c.status-1, 0, 0, 0, 0)
	}
	syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, c.status+1, ^uintptr(0)>>32, 0, 0, 0, 0)
	set, info := uintptr(unsafe.Pointer(&c.blocked)), uintptr(unsafe.Pointer(&c.info))
	for {
		sig, _, errno := syscall.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, set, info, 0, 8, 0, 0)
		if errno != 0 {
			continue
		}
		if sig != uintptr(unix.SIGCHLD) {
			syscall.RawSyscall6(unix.SYS_KILL, c.payload, sig, 0, 0, 0, 0)
			continue
		}
		reap(c)
	}
}

//go:noinline
//go:norace
//go:nocheckptr
//go:nosplit
func reap(c *childState) {
	for {
		pid, _, errno := syscall.RawSyscall6(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&c.wait)), unix.WNOHANG, 0, 0, 0)
		if errno != 0 || pid == 0 {
			return
		}
		if pid != c.payload {
			continue
		}
		c.report[0] = ReportExited
		*(*int32)(unsafe.Add(unsafe.Pointer(&c.report), 4)) = c.wait
		*(*int32)(unsafe.Add(unsafe.Pointer(&c.report), 8)) = 0
		syscall.RawSyscall6(unix.SYS_WRITE, c.status, uintptr(unsafe.Pointer(&c.report)), ReportSize, 0, 0, 0)
		for {
			syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
		}
	}
}
