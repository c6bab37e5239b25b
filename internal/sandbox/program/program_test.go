//go:build linux

package program

import (
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// start runs a program in a plain child and returns the first report.
func start(t *testing.T, build func(p *Program)) (name string, r Report) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	p := New(pair[1])
	build(p)
	pid, err := p.Start(0, -1)
	unix.Close(pair[1])
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := unix.Read(pair[0], buf)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = ParseReport(buf[:n]); err != nil {
		t.Fatal(err)
	}
	if r.Kind == ReportFailed {
		if n, err = unix.Read(pair[0], buf); err != nil {
			t.Fatal(err)
		}
		name = string(buf[:n])
	}
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	return name, r
}

func execve(p *Program, argv ...string) {
	p.Call("exec", unix.SYS_EXECVE, p.String(argv[0]), p.Strings(argv), p.Strings(nil))
}

func TestInitReportsPayloadStatus(t *testing.T) {
	_, r := start(t, func(p *Program) {
		p.Fork()
		p.Call("leave the status socket behind", unix.SYS_CLOSE_RANGE, Int(3), Int(^uint32(0)), Int(unix.CLOSE_RANGE_CLOEXEC))
		execve(p, "/bin/sh", "-c", "exit 7")
	})
	if r.Kind != ReportExited || unix.WaitStatus(r.A).ExitStatus() != 7 {
		t.Fatalf("report %+v", r)
	}
}

func TestFailedStepIsNamed(t *testing.T) {
	name, r := start(t, func(p *Program) {
		p.Try("may fail", unix.SYS_CHDIR, p.String("/does/not/exist"))
		fd := p.Get("open the root", unix.SYS_OPENAT, AtCwd(), p.String("/"), Int(unix.O_PATH), Int(0))
		p.Call("enter the root", unix.SYS_FCHDIR, From(fd))
		p.Call("enter a missing folder", unix.SYS_CHDIR, p.String("/does/not/exist"))
		execve(p, "/bin/true")
	})
	if r.Kind != ReportFailed || name != "enter a missing folder" || r.A != int(unix.ENOENT) {
		t.Fatalf("report %+v: %s", r, name)
	}
}

func TestPathWithNulIsRefused(t *testing.T) {
	p := New(0)
	p.String("a\x00b")
	if p.Err() == nil || !strings.Contains(p.Err().Error(), `"a\x00b"`) {
		t.Fatal(p.Err())
	}
}

// TestStartsWhereCloneThreeIsHidden runs on a thread whose filter answers ENOSYS to clone3, as container engines make it.
func TestStartsWhereCloneThreeIsHidden(t *testing.T) {
	t.Run("thread", func(t *testing.T) {
		runtime.LockOSThread() // for good: the thread ends with the test
		filter := []unix.SockFilter{
			{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
			{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_CLONE3},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
			{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		}
		program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
			t.Fatal(err)
		}
		_, r := start(t, func(p *Program) {
			p.Fork()
			execve(p, "/bin/sh", "-c", "exit 7")
		})
		if r.Kind != ReportExited || unix.WaitStatus(r.A).ExitStatus() != 7 {
			t.Fatalf("report %+v", r)
		}
	})
}
