//go:build linux

package sandbox

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// payloads are what a hostile function tries. Each prints a line an attempt: what, and "refused: why" or "done".
func payloads() map[string]func() {
	return map[string]func(){
		"files":   payloadFiles,
		"calls":   payloadCalls,
		"network": payloadNetwork,
		"egress":  payloadEgress,
		"fork":    payloadFork,
		"flood":   payloadFlood,
		"memory":  payloadMemory,
		"tmp":     payloadTmp,
		"trace":   payloadTrace,
		"who":     payloadWho,
		"orphans": payloadOrphans,
		"sleep":   func() { fmt.Println("asleep"); time.Sleep(time.Hour) },
		"echo":    payloadEcho,
		"signal":  payloadSignal,
		"listen":  payloadListen,
		"roots":   payloadRoots,
	}
}

func runPayload(act string) int {
	run := payloads()[act]
	if run == nil {
		fmt.Println("unknown payload", act)
		return 2
	}
	run()
	return 0
}

func tell(what string, err error) {
	if err != nil {
		fmt.Printf("%s refused: %v\n", what, err)
		return
	}
	fmt.Println(what, "done")
}

func payloadFiles() {
	for _, f := range []string{"/etc/shadow", "/root", "/home", os.Getenv("SECRET"), "/proc/1/environ", "/proc/1/root", "/proc/1/mem", "/sys/kernel", "/dev/sda", "/dev/vda", "/dev/kmsg", "/dev/mem"} {
		h, err := os.Open(f)
		if err == nil {
			_, err = h.Read(make([]byte, 1))
			if err != nil && strings.Contains(err.Error(), "is a directory") {
				_, err = h.ReadDir(1)
			}
		}
		tell("read "+filepath.Base(f), err)
	}
	for _, f := range []string{"/usr/bin/x", "/etc/x", "/x", "/dev/x", "/var/task/x", "/usr/bin/env"} {
		h, err := os.OpenFile(f, os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_ = h.Close()
		}
		tell("write "+f, err)
	}
	tell("write /tmp", os.WriteFile(filepath.Join(os.TempDir(), "x"), []byte("x"), 0o600))
	pids := 0
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			pids++
		}
	}
	fmt.Println("processes", pids)
}

func payloadCalls() {
	call := func(name string, nr uintptr, args ...uintptr) {
		var a [6]uintptr
		copy(a[:], args)
		_, _, errno := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
		var err error
		if errno != 0 {
			err = errno
		}
		tell(name, err)
	}
	ptr := func(s string) uintptr {
		b := append([]byte(s), 0)
		return uintptr(unsafe.Pointer(&b[0]))
	}
	call("ptrace", unix.SYS_PTRACE, unix.PTRACE_ATTACH, 1)
	call("mount", unix.SYS_MOUNT, ptr("tmpfs"), ptr("/tmp"), ptr("tmpfs"), 0, 0)
	call("umount", unix.SYS_UMOUNT2, ptr("/tmp"), unix.MNT_DETACH)
	call("unshare", unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
	call("clone", unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), 0)
	call("keyctl", unix.SYS_KEYCTL, 0, 0)
	call("bpf", unix.SYS_BPF, 0, 0, 0)
	call("perf", unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0)
	call("io_uring", unix.SYS_IO_URING_SETUP, 1, 0)
	call("userfaultfd", unix.SYS_USERFAULTFD, 0)
	call("chroot", unix.SYS_CHROOT, ptr("/tmp"))
	call("settime", unix.SYS_CLOCK_SETTIME, 0, 0)
	call("hostname", unix.SYS_SETHOSTNAME, ptr("x"), 1)
	call("packet", unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0)
	call("vsock", unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0)
	call("alg", unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0)
	call("x32", 0x40000000+unix.SYS_GETPID)
	call("setuid", unix.SYS_SETUID, 0)
	call("kill init", unix.SYS_KILL, 1, uintptr(unix.SIGKILL))
	call("mknod", unix.SYS_MKNODAT, 0, ptr("/tmp/dev"), unix.S_IFBLK|0o600, 0)
}

// payloadTrace does what debuggers do: with a process of its own, and with the init of the cell.
func payloadTrace() {
	runtime.LockOSThread()
	tell("attach to init", unix.PtraceAttach(1))
	child := exec.Command("/bin/sleep", "1000")
	child.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	tell("start a traced process", child.Start())
}

func payloadNetwork() {
	for _, addr := range strings.Fields(os.Getenv("TARGETS")) {
		c, err := net.DialTimeout("tcp4", addr, time.Second)
		if err == nil {
			// A connection may be accepted for the platform and refused behind it.
			_ = c.SetDeadline(time.Now().Add(time.Second))
			_, _ = c.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
			_, err = c.Read(make([]byte, 1))
			_ = c.Close()
		}
		tell("connect "+addr, err)
	}
}

func payloadEgress() {
	addrs, err := net.LookupHost("example.test")
	fmt.Println("resolved", addrs, err)
	payloadNetwork()
}

func payloadFork() {
	n := 0
	for ; n < 10_000; n++ {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{payloadVariable + "=sleep"}
		if err := cmd.Start(); err != nil {
			fmt.Println("fork refused:", err)
			break
		}
	}
	fmt.Println("children", n)
	time.Sleep(time.Hour)
}

func payloadMemory() {
	var kept [][]byte
	for i := range 1 << 20 {
		b := make([]byte, 8<<20)
		for j := 0; j < len(b); j += 4096 {
			b[j] = byte(i)
		}
		kept = append(kept, b)
	}
	fmt.Println(len(kept))
}

func payloadTmp() {
	block := make([]byte, 1<<20)
	f, err := os.Create("/tmp/fill")
	n := 0
	for err == nil && n < 10_000 {
		if _, err = f.Write(block); err == nil {
			n++
		}
	}
	fmt.Println("wrote", n)
	tell("fill", err)
	files := 0
	for err = nil; err == nil && files < 1_000_000; files++ {
		var h *os.File
		if h, err = os.Create(fmt.Sprintf("/tmp/f%d", files)); err == nil {
			_ = h.Close()
		}
	}
	tell("files", err)
}

func payloadWho() {
	fmt.Println("uid", os.Getuid(), "gid", os.Getgid())
	groups, _ := os.Getgroups()
	groups = slices.DeleteFunc(groups, func(g int) bool { return g == os.Getgid() })
	fmt.Println("groups", groups)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 2 && slices.Contains([]string{"CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:"}, f[0]) {
			fmt.Println(f[0], f[1])
		}
	}
}

// payloadOrphans leaves processes that no longer have the payload as their parent.
func payloadOrphans() {
	for range 3 {
		cmd := exec.Command("/bin/sh", "-c", "setsid sleep 1000 & exit 0")
		tell("leave a process", cmd.Run())
	}
}

// payloadEcho answers on the inherited socket until it ends.
func payloadEcho() {
	f := os.NewFile(3, "socket")
	buf := make([]byte, 64)
	for {
		n, err := f.Read(buf)
		if err != nil || n == 0 {
			return
		}
		if _, err := f.Write(buf[:n]); err != nil {
			return
		}
	}
}

// payloadListen sends back what connections to its port send, until they end.
func payloadListen() {
	l, err := net.Listen("tcp4", "127.0.0.1:7000")
	tell("listen", err)
	if err != nil {
		return
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}()
	}
}

// payloadRoots tells what is where a sandbox mounts something.
func payloadRoots() {
	for _, dir := range []string{"/", "/dev", "/var/task"} {
		entries, err := os.ReadDir(dir)
		names := make([]string, len(entries))
		for i, e := range entries {
			names[i] = e.Name()
		}
		if err != nil {
			names = append(names, err.Error())
		}
		fmt.Println(dir, strings.Join(names, " "))
	}
	for _, name := range []string{"/etc/hosts", "/etc/resolv.conf"} {
		b, err := os.ReadFile(name)
		fmt.Println(name, string(b), err)
	}
}

func payloadSignal() {
	c := make(chan os.Signal, 1)
	notify(c)
	fmt.Println("waiting")
	fmt.Println("got", <-c)
}

// payloadFlood writes without end.
func payloadFlood() {
	line := []byte(strings.Repeat("flood ", 100) + "\n")
	for {
		if _, err := os.Stdout.Write(line); err != nil {
			return
		}
	}
}
