//go:build linux

package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func notify(c chan os.Signal) { signal.Notify(c, syscall.SIGTERM) }

func openHost(t testing.TB, o Options) *Host {
	t.Helper()
	h, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// isolatedHost skips the test, with the reason, where the kernel refuses namespaces.
func isolatedHost(t testing.TB) *Host {
	t.Helper()
	h := openHost(t, Options{})
	if !h.Report().Isolated() {
		t.Skip(h.Report().Layer(LayerNamespaces).Detail)
	}
	return h
}

// helper is a copy of the test binary where every user can run it.
func helper(t testing.TB) Mount {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "lambent-helper-") //nolint:usetesting // the folder of a test may be closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "payload"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	return Mount{Source: dir, Target: "/var/task"}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func payloadSpec(m Mount, act string, out io.Writer, env ...string) Spec {
	return Spec{
		Name: act, Argv: []string{"/var/task/payload"}, Env: append([]string{payloadVariable + "=" + act, "PATH=/usr/bin:/bin", mark()}, env...),
		Mounts: []Mount{m}, Dir: "/var/task", Stdout: out, Stderr: out,
	}
}

// mark is a variable that the processes of this test's payloads have, and no others of the machine.
func mark() string { return fmt.Sprintf("MARK=%d", os.Getpid()) }

// marked lists the living processes of payloads, zombies aside.
func marked() []int {
	return processes(func(dir string) bool {
		variables, err := os.ReadFile(filepath.Join(dir, "environ"))
		return err == nil && slices.Contains(strings.Split(string(variables), "\x00"), mark())
	})
}

// runAct runs a payload to its end and returns what it printed.
func runAct(t *testing.T, h *Host, spec Spec) (string, Exit) {
	t.Helper()
	var out syncBuffer
	spec.Stdout, spec.Stderr = &out, &out
	c, err := h.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if err := c.Exit().Err; err != nil {
		t.Fatal(err)
	}
	return out.String(), c.Exit()
}

// hostSecret makes a file of the host that no cell may see.
func hostSecret(t *testing.T) string {
	t.Helper()
	f, err := os.CreateTemp("/tmp", "lambent-secret-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func TestFilesOfTheHostAreOutOfReach(t *testing.T) {
	h := isolatedHost(t)
	out, _ := runAct(t, h, payloadSpec(helper(t), "files", nil, "SECRET="+hostSecret(t)))
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "processes"):
			if line != "processes 2" {
				t.Errorf("the function sees %s, want itself and its init", line)
			}
		case line == "write /tmp done":
		case !strings.Contains(line, "refused"):
			t.Error(line)
		}
	}
	if !strings.Contains(out, "write /tmp done") {
		t.Errorf("/tmp cannot be written:\n%s", out)
	}
}

func TestDangerousCallsAreRefused(t *testing.T) {
	h := isolatedHost(t)
	if l := h.Report().Layer(LayerSeccomp); !l.Active {
		t.Skip(l.Detail)
	}
	out, exit := runAct(t, h, payloadSpec(helper(t), "calls", nil))
	for line := range strings.Lines(out) {
		what, answer, _ := strings.Cut(strings.TrimSpace(line), " refused: ")
		switch {
		case what == "kill init done": // and yet the init lives on, or the rest would not be said
		case what == "setuid" && answer == "invalid argument": // there is no such user in the cell
		case what == "mknod" && answer == "permission denied": // says Landlock
		case answer != "operation not permitted":
			t.Error(line)
		}
	}
	if exit.Code != 0 {
		t.Errorf("exit %+v", exit)
	}
}

func TestDebuggersTraceTheProcessesOfTheirCellAlone(t *testing.T) {
	h := isolatedHost(t)
	if l := h.Report().Layer(LayerSeccomp); !l.Active {
		t.Skip(l.Detail)
	}
	spec := payloadSpec(helper(t), "trace", nil)
	for trace, want := range map[bool]string{
		false: "attach to init refused: operation not permitted\nstart a traced process refused: fork/exec /bin/sleep: operation not permitted\n",
		true:  "attach to init refused: operation not permitted\nstart a traced process done\n",
	} {
		spec.Trace = trace
		if out, _ := runAct(t, h, spec); out != want {
			t.Errorf("with tracing %v:\n%s", trace, out)
		}
	}
}

func TestFunctionHasNoRights(t *testing.T) {
	out, _ := runAct(t, isolatedHost(t), payloadSpec(helper(t), "who", nil))
	want := "uid 993 gid 990\n"
	if os.Geteuid() == 0 {
		want += "groups []\n"
	}
	for _, w := range []string{want, "CapEff: 0000000000000000\n", "CapBnd: 0000000000000000\n", "NoNewPrivs: 1\n", "Seccomp: 2\n"} {
		if !strings.Contains(out, w) {
			t.Errorf("output lacks %q:\n%s", w, out)
		}
	}
}

func TestForkBombMeetsItsLimit(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			h := openHost(t, Options{Plain: plain})
			if l := h.Report().Layer(LayerPIDs); !l.Active {
				t.Skip(l.Detail)
			}
			var out syncBuffer
			spec := payloadSpec(helper(t), "fork", &out)
			spec.Limits.PIDs = 40
			spec.Limits.MemoryMB = 1024
			c, err := h.Start(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			waitFor(t, &out, "children")
			c.Kill()
			<-c.Done()
			if !strings.Contains(out.String(), "refused") {
				t.Errorf("output %q", out.String())
			}
			if left := marked(); len(left) != 0 {
				t.Errorf("processes left: %v", left)
			}
		})
	}
}

// waitFor waits until the payload has printed a text, by the events of its output.
func waitFor(t *testing.T, out *syncBuffer, text string) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(out.String(), text) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no %q in %q", text, out.String())
		}
	}
}

// processes lists the processes of the host whose folder of /proc is as wanted.
func processes(wanted func(dir string) bool) []int {
	var out []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && wanted(filepath.Join("/proc", e.Name())) {
			out = append(out, pid)
		}
	}
	return out
}

func TestMemoryPastTheLimitEndsTheCell(t *testing.T) {
	h := openHost(t, Options{})
	if l := h.Report().Layer(LayerMemory); !l.Active {
		t.Skip(l.Detail)
	}
	spec := payloadSpec(helper(t), "memory", nil)
	spec.Limits = Limits{MemoryMB: 128, TmpMB: 512}
	_, exit := runAct(t, h, spec)
	// What the function can use of the room for /tmp before it is ended depends on how long the watch takes.
	if exit.Signal != syscall.SIGKILL || !exit.OutOfMemory || exit.PeakBytes < 100<<20 || exit.PeakBytes > 500<<20 {
		t.Errorf("exit %+v", exit)
	}
	t.Logf("ended at %d MiB of 128", exit.PeakBytes>>20)
}

func TestTmpDoesNotCountAsMemory(t *testing.T) {
	h := isolatedHost(t)
	spec := payloadSpec(helper(t), "tmp", nil)
	spec.Limits = Limits{MemoryMB: 64, TmpMB: 256}
	if out, exit := runAct(t, h, spec); exit.OutOfMemory || !strings.Contains(out, "wrote 25") {
		t.Errorf("exit %+v, output %s", exit, out)
	}
}

func TestTmpIsBounded(t *testing.T) {
	h := isolatedHost(t)
	spec := payloadSpec(helper(t), "tmp", nil)
	spec.Limits = Limits{MemoryMB: 128, TmpMB: 32}
	out, _ := runAct(t, h, spec)
	if !strings.Contains(out, "wrote 32\n") && !strings.Contains(out, "wrote 31\n") || !strings.Contains(out, "fill refused: write /tmp/fill: no space left on device") || !strings.Contains(out, "files refused") {
		t.Errorf("output %s", out)
	}
}

func TestNetworkOfTheHostIsOutOfReach(t *testing.T) {
	h := isolatedHost(t)
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("host"))
			_ = c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	targets := []string{fmt.Sprintf("127.0.0.1:%d", port), "169.254.169.254:80", "169.254.170.2:80", "0.0.0.0:" + strconv.Itoa(port), "224.0.0.1:80"}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			targets = append(targets, fmt.Sprintf("%s:%d", n.IP, port))
		}
	}
	for _, egress := range []*Egress{nil, {}} {
		spec := payloadSpec(helper(t), "network", nil, "TARGETS="+strings.Join(targets, " "))
		spec.Egress = egress
		out, _ := runAct(t, h, spec)
		if n := strings.Count(out, " refused: "); n != len(targets) {
			t.Errorf("egress %v:\n%s", egress != nil, out)
		}
	}
}

func TestInternetIsReachedThroughThePolicy(t *testing.T) {
	h := isolatedHost(t)
	if l := h.Report().Layer(LayerEgress); !l.Active {
		t.Skip(l.Detail)
	}
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
	dns, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dns.Close()
	go answerDNS(dns)
	var mu sync.Mutex
	var dialed []string
	e := &Egress{
		Resolvers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")},
		Allow: func(a netip.AddrPort) error {
			if a.Port() == 25 {
				return errors.New("no mail")
			}
			return nil
		},
		dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			dialed = append(dialed, network+" "+address)
			mu.Unlock()
			to := server.Addr().String()
			if network == "udp" {
				to = dns.LocalAddr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}
	spec := payloadSpec(helper(t), "egress", nil, "TARGETS=203.0.113.7:443 203.0.113.7:25 169.254.169.254:80")
	spec.Egress = e
	out, _ := runAct(t, h, spec)
	for _, want := range []string{"resolved [203.0.113.9] <nil>", "connect 203.0.113.7:443 done", "connect 203.0.113.7:25 refused", "connect 169.254.169.254:80 refused"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s\ndialed %v", want, out, dialed)
		}
	}
}

// answerDNS answers every query for an address with 203.0.113.9.
func answerDNS(c net.PacketConn) {
	buf := make([]byte, 512)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		q := buf[:n]
		end := 12
		for end < n && q[end] != 0 {
			end += int(q[end]) + 1
		}
		question := q[12:min(end+5, n)]
		isA := len(question) >= 4 && question[len(question)-3] == 1
		a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
		if isA {
			a[7] = 1
			a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 9)
		}
		_, _ = c.WriteTo(a, from)
	}
}

func TestOrphansEndWithTheCell(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			h := openHost(t, Options{Plain: plain})
			out, _ := runAct(t, h, payloadSpec(helper(t), "orphans", nil))
			if strings.Count(out, "done") != 3 {
				t.Fatalf("output %s", out)
			}
			if left := marked(); len(left) != 0 {
				t.Errorf("processes left: %v", left)
			}
		})
	}
}

// TestDrainEndsBesideACellThatNeverStopsWriting drains what a slow sink can never catch up with.
func TestDrainEndsBesideACellThatNeverStopsWriting(t *testing.T) {
	h := openHost(t, Options{})
	sink := &slowSink{began: make(chan struct{})}
	c, err := h.Start(t.Context(), payloadSpec(helper(t), "flood", sink))
	if err != nil {
		t.Fatal(err)
	}
	<-sink.began
	for range 20 {
		c.Drain()
	}
	c.Kill()
	<-c.Done()
}

// slowSink takes longer for what it is given than it takes to write that.
type slowSink struct {
	began chan struct{}
	once  sync.Once
}

func (s *slowSink) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.began) })
	for range 30 {
		_ = sha256.Sum256(p)
	}
	return len(p), nil
}

func TestSilentFunctionCanBeKilled(t *testing.T) {
	h := openHost(t, Options{})
	var out syncBuffer
	c, err := h.Start(t.Context(), payloadSpec(helper(t), "sleep", &out))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, &out, "asleep")
	c.Kill()
	<-c.Done()
	if e := c.Exit(); e.Signal != syscall.SIGKILL {
		t.Errorf("exit %+v", e)
	}
}

func TestSignalReachesThePayload(t *testing.T) {
	h := openHost(t, Options{})
	var out syncBuffer
	c, err := h.Start(t.Context(), payloadSpec(helper(t), "signal", &out))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, &out, "waiting")
	c.Signal(syscall.SIGTERM)
	<-c.Done()
	if !strings.Contains(out.String(), "got terminated") || c.Exit().Code != 0 {
		t.Errorf("exit %+v, output %q", c.Exit(), out.String())
	}
}

func TestSocketAndListenerConnectThePayload(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			h := openHost(t, Options{Plain: plain})
			spec := payloadSpec(helper(t), "echo", nil)
			spec.Socket = true
			c, err := h.Start(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Kill()
			if _, err := c.Socket().Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 5)
			if _, err := io.ReadFull(c.Socket(), buf); err != nil || string(buf) != "hello" {
				t.Fatalf("%q, %v", buf, err)
			}

			var out syncBuffer
			spec = payloadSpec(helper(t), "network", &out, "TARGETS=127.0.0.1:9001")
			spec.Listen = []Listen{{Name: "api", Addr: netip.MustParseAddrPort("127.0.0.1:9001")}}
			c, err = h.Start(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := c.Listener("api").Accept()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write([]byte("x"))
			_ = conn.Close()
			<-c.Done()
			if !strings.Contains(out.String(), "done") {
				t.Errorf("output %q", out.String())
			}
		})
	}
}

func TestMissingProgramNamesTheStep(t *testing.T) {
	for _, plain := range []bool{false, true} {
		h := openHost(t, Options{Plain: plain})
		c, err := h.Start(t.Context(), Spec{Name: "missing", Argv: []string{"/does/not/exist"}})
		if err != nil {
			t.Fatal(err)
		}
		<-c.Done()
		var failed *StartError
		if !errors.As(c.Exit().Err, &failed) || failed.Step != "run /does/not/exist" || !errors.Is(failed.Err, unix.ENOENT) {
			t.Errorf("exit %+v", c.Exit())
		}
	}
}

func TestBadSpecIsRefused(t *testing.T) {
	h := openHost(t, Options{})
	for name, spec := range map[string]Spec{
		"no program":   {},
		"relative":     {Argv: []string{"x"}},
		"NUL":          {Argv: []string{"/x", "a\x00b"}},
		"huge":         {Argv: []string{"/x"}, Env: []string{"A=" + strings.Repeat("x", maxArgs)}},
		"climbing":     {Argv: []string{"/x"}, Mounts: []Mount{{Source: "/usr", Target: "/a/../../b"}}},
		"root mount":   {Argv: []string{"/x"}, Mounts: []Mount{{Source: "/usr", Target: "/"}}},
		"open address": {Argv: []string{"/x"}, Listen: []Listen{{Name: "x", Addr: netip.MustParseAddrPort("0.0.0.0:80")}}},
	} {
		if _, err := h.Start(t.Context(), spec); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNothingIsLeftWhenTheSpawnerIsKilled(t *testing.T) {
	h := openHost(t, Options{})
	var out syncBuffer
	c, err := h.Start(t.Context(), payloadSpec(helper(t), "sleep", &out))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, &out, "asleep")
	if err := h.spawner.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if c.Exit().Signal != syscall.SIGKILL {
		t.Errorf("exit %+v", c.Exit())
	}
	if out, _ := runAct(t, h, payloadSpec(helper(t), "who", nil)); !strings.Contains(out, "uid") {
		t.Errorf("no cell can be started afterwards: %q", out)
	}
}

// daemonVariable makes the test TestDaemon act as a daemon that is killed.
const daemonVariable = "LAMBENT_TEST_DAEMON"

func TestNothingIsLeftWhenTheDaemonIsKilled(t *testing.T) {
	if os.Getenv(daemonVariable) != "" {
		h := openHost(t, Options{})
		var out syncBuffer
		c, err := h.Start(t.Context(), payloadSpec(helper(t), "sleep", &out))
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, &out, "asleep")
		fmt.Printf("cell %d spawner %d\n", c.PID(), h.spawner.cmd.Process.Pid)
		<-c.Done()
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestNothingIsLeftWhenTheDaemonIsKilled$")
	cmd.Env = append(os.Environ(), daemonVariable+"=1")
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, &out, "spawner")
	var cell, spawner int
	if _, err := fmt.Sscanf(out.String(), "cell %d spawner %d", &cell, &spawner); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	fds := []int{openPID(t, cell), openPID(t, spawner)}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for i, fd := range fds {
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000); n != 1 {
			t.Errorf("process %d of cell and spawner lives on: %v", i, err)
		}
	}
}

func openPID(t *testing.T, pid int) int {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// TestOrdinaryUserGetsTheSameSandbox runs the other tests as the user nobody, in whose name only user namespaces help.
func TestOrdinaryUserGetsTheSameSandbox(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^Test(Files|Dangerous|Debuggers|Function|Fork|Tmp|Network|Internet|Orphans|Silent|Signal|Socket|Missing)", "-test.v")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{}}}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/tmp"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "SKIP") || strings.Contains(line, "RLIMIT") || strings.Contains(line, "refused") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if !bytes.Contains(out, []byte("--- PASS: TestFilesOfTheHostAreOutOfReach")) {
		t.Logf("%s", out)
	}
}

// TestWithoutUserNamespacesCellsArePlainProcesses runs other tests as in a container that may not make user namespaces.
func TestWithoutUserNamespacesCellsArePlainProcesses(t *testing.T) {
	if os.Getenv(noUsersVariable) != "" {
		h := openHost(t, Options{})
		r := h.Report()
		if r.Isolated() || !strings.Contains(r.Layer(LayerNamespaces).Detail, "no space left on device") {
			t.Errorf("report:\n%s", r)
		}
		out, _ := runAct(t, h, payloadSpec(helper(t), "who", nil))
		for _, want := range []string{"CapEff: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"} {
			if !strings.Contains(out, want) {
				t.Errorf("output lacks %q:\n%s", want, out)
			}
		}
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^Test(Without|Orphans|Silent|Signal|Socket|Missing)", "-test.v")
	cmd.Env = append(os.Environ(), noUsersVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestPlainCellsKnowTheUsersOfTheHost(t *testing.T) {
	h := openHost(t, Options{Plain: true})
	for what, argv := range map[string][]string{"a user's name": {"/usr/bin/id", "-un"}, "a host's name": {"/usr/bin/getent", "hosts", "localhost"}} {
		if out, exit := runAct(t, h, Spec{Name: "id", Argv: argv}); exit.Code != 0 || strings.TrimSpace(out) == "" {
			t.Errorf("%s: exit code %d, output %q", what, exit.Code, out)
		}
	}
}

// TestRootNeedsNoUserNamespace holds the fallback of root to the same promises.
func TestRootNeedsNoUserNamespace(t *testing.T) {
	h := isolatedHost(t)
	if !canAdminister() {
		t.Skip("only root can do without user namespaces")
	}
	h.layers.Users = false
	m := helper(t)
	out, _ := runAct(t, h, payloadSpec(m, "who", nil))
	for _, want := range []string{"groups []", "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"} {
		if !strings.Contains(out, want) || strings.Contains(out, "uid 0") {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	out, _ = runAct(t, h, payloadSpec(m, "files", nil, "SECRET="+hostSecret(t)))
	if strings.Count(out, "done") != 1 || !strings.Contains(out, "write /tmp done") || !strings.Contains(out, "processes 2") {
		t.Errorf("output %s", out)
	}
}

func BenchmarkStart(b *testing.B) {
	h := openHost(b, Options{})
	for b.Loop() {
		c, err := h.Start(b.Context(), Spec{Name: "true", Argv: []string{"/bin/true"}})
		if err != nil {
			b.Fatal(err)
		}
		<-c.Done()
	}
}
