//go:build linux

package sandbox

import (
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const insideContainer = "LAMBENT_TEST_INSIDE_CONTAINER"

// TestFallsBackInContainersThatRefuseNamespaces runs a host under a filter like the default one of container engines without CAP_SYS_ADMIN:
// clone3 does not exist, unshare and clones with namespaces are not permitted.
func TestFallsBackInContainersThatRefuseNamespaces(t *testing.T) {
	if os.Getenv(insideContainer) != "" {
		h, err := Open(t.Context(), Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = h.Close() }()
		r := h.Report()
		if reason := r.Layer(LayerNamespaces).Detail; r.Isolated() || !strings.Contains(reason, "operation not permitted") || strings.Contains(reason, "no process") {
			t.Errorf("isolated: %v, namespaces: %s", r.Isolated(), reason)
		}
		if !r.Layer(LayerSeccomp).Active {
			t.Errorf("no process can be started, or it has no filter: %+v", r)
		}
		return
	}
	t.Run("thread", func(t *testing.T) {
		runtime.LockOSThread() // for good: the thread ends with the test
		refuseNamespaces(t)
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestFallsBackInContainersThatRefuseNamespaces$", "-test.v")
		cmd.Env = append(os.Environ(), insideContainer+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

// refuseNamespaces puts the filter on this thread and what it starts.
func refuseNamespaces(t *testing.T) {
	t.Helper()
	const namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	equal := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: yes, Jf: no, K: k}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	filter := []unix.SockFilter{
		load(0),
		equal(unix.SYS_UNSHARE, 5, 0),
		equal(unix.SYS_CLONE3, 5, 0),
		equal(unix.SYS_CLONE, 0, 2),
		load(16), // the first argument: the flags
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 1, K: namespaces},
		answer(unix.SECCOMP_RET_ALLOW),
		answer(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)),
		answer(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)),
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		t.Fatal(err)
	}
}
