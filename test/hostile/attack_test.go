//go:build linux

package hostile

import (
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// secret is what the neighbour of an attacker has in its environment.
const secret = "victim-7d1"

// battle is an attacker of one language and its neighbour, on a platform.
type battle struct {
	*platform

	// evil has a second, greedy 25; good is the neighbour.
	evil, greedy, good string
	// host are files of the host that nobody may read: the data folder, and shared, which everybody on the host may read and write.
	host   []string
	shared string
	// mark is a number in the arguments of the processes that it leaves.
	mark int
	// listener is a neighbour of all of them.
	listener *listener
}

// attack is one thing that is tried. It reports what it could do.
type attack struct {
	name string
	try  func(b *battle)
}

func attacks() []attack {
	return []attack{
		{"read the host's files", readHost},
		{"write the system", writeSystem},
		{"read the neighbour's code, variables and files", readNeighbour},
		{"see and signal other processes", reachProcesses},
		{"make dangerous calls", makeCalls},
		{"reach the admin side, the machine and its metadata", reachNetwork},
		{"reach a neighbour's sockets and its Runtime API", reachListener},
		{"open files without end", func(b *battle) { b.exhaust("files", `refused after \d{2,4}\b`) }},
		{"fork without end", func(b *battle) { b.exhaust("fork", `refused after \d+`) }},
		{"allocate without end", func(b *battle) { b.exhaust("memory", "") }},
		{"fill the disk", func(b *battle) { b.exhaust("fill", `full after (50\d|51[0-2]) MiB`) }},
		{"leave something behind", leaveBehind},
		{"outlive its invocation", outlive},
		{"spin in all threads", func(b *battle) { b.timesOut("spin") }},
		{"flood the log", func(b *battle) { b.timesOut("shout") }},
		{"exit", func(b *battle) { b.ends("exit", "Runtime exited with error: exit status 3") }},
		{"crash", func(b *battle) { b.ends("segfault", "Runtime exited with error: ") }},
	}
}

// TestAttacksHarmNobody walks the attacks in every language. After each of them the neighbour answers as before.
func TestAttacksHarmNobody(t *testing.T) {
	t.Parallel()
	p := start(t)
	role := p.role()
	shared := hostFile(t)
	host := append(dataFolder(p), shared)
	all := attackers()
	neighbour := listen(p, role, all[len(all)-1].archive(t))
	for i, a := range all {
		t.Run(a.language, func(t *testing.T) {
			t.Parallel()
			p := p.with(t)
			b := &battle{evil: a.language + "-evil", greedy: a.language + "-greedy", good: a.language + "-good", host: host, shared: shared, mark: 90_000 + 10*os.Geteuid() + i, listener: neighbour}
			code := a.archive(t)
			for name, seconds := range map[string]int{b.evil: 1, b.greedy: 25, b.good: 25} {
				p.must(p.createAs(map[string]any{
					"FunctionName": name, "Runtime": a.runtime, "Role": role, "Handler": a.handler, "Timeout": seconds, "MemorySize": a.memory,
					"Environment": map[string]any{"Variables": map[string]string{"WHO": map[bool]string{true: secret}[name == b.good]}},
				}, code))
			}
			b.platform = p
			b.fine()
			for _, attack := range attacks() {
				t.Run(attack.name, func(t *testing.T) {
					b.platform = p.with(t)
					attack.try(b)
					b.fine()
				})
			}
		})
	}
}

// long has the attacks on an ordinary user's platform walked in every language; else in two. `make attacks` sets it.
var long = flag.Bool("long", false, "walk all attacks in all languages, with and without the rights of root")

// TestAttacksOnAnOrdinaryUsersPlatform walks the attacks where Lambent runs without the rights of root.
func TestAttacksOnAnOrdinaryUsersPlatform(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user; the other test is this one already")
	}
	dir, err := os.MkdirTemp("/tmp", "lambent-attackers-") //nolint:usetesting // the folder of a test may be closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "hostile.test"), program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attackers() {
		if err := os.WriteFile(filepath.Join(dir, a.language), a.archive(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	languages := "python|go"
	if *long {
		languages = ".*"
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "hostile.test"), "-test.run=^TestAttacksHarmNobody$/^("+languages+")$", "-test.v")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{}}}
	cmd.Dir = home
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + home, builtVariable + "=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAttacksHarmNobody") {
		t.Errorf("%v\n%s", err, out)
	}
}

// nobody is a user without rights.
const nobody = 65534

// dataFolder lists what lies in the data folder.
func dataFolder(p *platform) (paths []string) {
	p.Helper()
	p.must(p.s3("PUT", "/drop", nil))
	p.must(p.s3("PUT", "/drop/key", large))
	err := filepath.WalkDir(p.dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil || len(paths) < 10 {
		p.Fatalf("the data folder has only %v: %v", paths, err)
	}
	return paths
}

// hostFile makes a file that everybody on the host can read and write.
func hostFile(t *testing.T) string {
	t.Helper()
	f, err := os.CreateTemp("/tmp", "lambent-host-") //nolint:usetesting // the folder of a test is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	if _, err = f.WriteString("shared"); err == nil {
		err = f.Chmod(0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// fine checks that the neighbour is as it was.
func (b *battle) fine() {
	b.Helper()
	if d := b.act(b.good, "ok"); d.failure != "" || !slices.Equal(d.lines, []string{"fine"}) {
		b.Errorf("the neighbour answers %s %s", d.failure, d.text)
	}
}

// nothing checks that an attacker could do nothing but what is allowed.
func (b *battle) nothing(d deed, allowed ...string) {
	b.Helper()
	left := slices.DeleteFunc(slices.Clone(d.lines), func(line string) bool { return slices.Contains(allowed, line) })
	if d.failure != "" || len(left) > 0 {
		b.Errorf("it could: %q %s", left, d.failure+" "+d.text)
	}
}

func readHost(b *battle) {
	b.nothing(b.act(b.evil, "read", append([]string{
		"/etc/shadow", "/root/.bashrc", "/root/.profile", "/root/.ssh", "/root/.cache", "/home", "/boot", "/srv", "/proc/1/environ", "/proc/1/mem", "/proc/1/root", "/proc/1/fd", "/proc/1/maps", "/proc/kcore", "/proc/kmsg",
		"/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/sys/kernel/security", "/sys/fs/cgroup", "/run", "/var/run", "/var/lib/dpkg", "/usr/local/bin",
	}, b.host...)...))
}

func writeSystem(b *battle) {
	b.nothing(b.act(
		b.evil, "write", "/var/task/attacker.js", "/var/task/x", "/var/runtime/x", "/opt/x", "/usr/bin/x", "/usr/bin/env", "/etc/x", "/etc/passwd", "/etc/hosts", "/x", "/dev/x", "/dev/shm/x",
		"/var/tmp/x", "/proc/sys/kernel/core_pattern", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger", "/proc/1/oom_score_adj", "/sys/kernel/x", filepath.Join(b.dir, "x"),
	))
	b.act(b.evil, "write", b.shared) // which is a file in its own /tmp
	if text, err := os.ReadFile(b.shared); err != nil || string(text) != "shared" {
		b.Errorf("the host's file is %q: %v", text, err)
	}
}

func readNeighbour(b *battle) {
	b.nothing(b.act(b.good, "write", "/tmp/secret"), "/tmp/secret")
	b.nothing(b.act(b.evil, "read", "/tmp/secret"))
	b.sees(b.evil, secret)
}

// sees checks that a function sees a handful of processes, and a text in none of them.
func (b *battle) sees(function, text string) {
	b.Helper()
	d := b.act(function, "processes")
	if d.failure != "" || len(d.lines) > 3 || strings.Contains(strings.Join(d.lines, "\n"), text) {
		b.Errorf("%s sees %q %s", function, d.lines, d.failure)
	}
}

func reachProcesses(b *battle) {
	b.sees(b.evil, "hostile.test")
	before := b.act(b.evil, "processes")
	pids := []string{"1", strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid()), "4194303"}
	b.nothing(b.act(b.evil, "signal", pids...), "1") // the call succeeds, and the init does not hear it
	if after := b.act(b.evil, "processes"); len(before.lines) == 0 || len(after.lines) != len(before.lines) {
		b.Errorf("processes %q became %q", before.lines, after.lines)
	}
}

// dangerous lists calls as name, number and arguments, and beside EPERM what else may refuse them.
func dangerous() map[string]syscall.Errno {
	call := func(name string, number int, args ...any) string {
		return name + strings.TrimSuffix(fmt.Sprintln(append([]any{"", number}, args...)...), "\n")
	}
	const sigchld = int(unix.SIGCHLD)
	return map[string]syscall.Errno{
		call("ptrace", unix.SYS_PTRACE, unix.PTRACE_ATTACH, 1, 0, 0):                          0,
		call("traceme", unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0, 0):                        0,
		call("process_vm_readv", unix.SYS_PROCESS_VM_READV, 1, 0, 0, 0, 0, 0):                 0,
		call("process_vm_writev", unix.SYS_PROCESS_VM_WRITEV, 1, 0, 0, 0, 0, 0):               0,
		call("pidfd_getfd", unix.SYS_PIDFD_GETFD, 0, 0, 0):                                    0,
		call("raw_socket", unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP):   0,
		call("packet_socket", unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0):              0,
		call("vsock", unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0):                    0,
		call("alg_socket", unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0):              0,
		call("mount", unix.SYS_MOUNT, "tmpfs", "/tmp", "tmpfs", 0, 0):                         0,
		call("umount", unix.SYS_UMOUNT2, "/tmp", unix.MNT_DETACH):                             0,
		call("open_tree", unix.SYS_OPEN_TREE, unix.AT_FDCWD, "/", 1):                          0,
		call("move_mount", unix.SYS_MOVE_MOUNT, unix.AT_FDCWD, "/tmp", unix.AT_FDCWD, "/", 0): 0,
		call("fsopen", unix.SYS_FSOPEN, "tmpfs", 0):                                           0,
		call("pivot_root", unix.SYS_PIVOT_ROOT, "/tmp", "/tmp"):                               0,
		call("chroot", unix.SYS_CHROOT, "/tmp"):                                               0,
		call("mknod", unix.SYS_MKNODAT, 0, "/tmp/dev", unix.S_IFBLK|0o600, 0):                 syscall.EACCES, // says Landlock
		call("open_by_handle", unix.SYS_OPEN_BY_HANDLE_AT, 0, 0, 0):                           0,
		call("unshare_user", unix.SYS_UNSHARE, unix.CLONE_NEWUSER):                            0,
		call("unshare_mount", unix.SYS_UNSHARE, unix.CLONE_NEWNS):                             0,
		call("clone_user", unix.SYS_CLONE, unix.CLONE_NEWUSER|sigchld, 0, 0, 0, 0):            0,
		call("clone3", unix.SYS_CLONE3, 0, 0):                                                 syscall.ENOSYS, // programs fall back to clone
		call("setns", unix.SYS_SETNS, 0, 0):                                                   0,
		call("bpf", unix.SYS_BPF, 0, 0, 0):                                                    0,
		call("keyctl", unix.SYS_KEYCTL, 0, 0):                                                 0,
		call("add_key", unix.SYS_ADD_KEY, "user", "x", "x", 1, 0):                             0,
		call("request_key", unix.SYS_REQUEST_KEY, "user", "x", "x", 0):                        0,
		call("userfaultfd", unix.SYS_USERFAULTFD, 0):                                          0,
		call("perf_event_open", unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0):                      0,
		call("io_uring_setup", unix.SYS_IO_URING_SETUP, 1, 0):                                 0,
		call("init_module", unix.SYS_INIT_MODULE, 0, 0, 0):                                    0,
		call("kexec_load", unix.SYS_KEXEC_LOAD, 0, 0, 0, 0):                                   0,
		call("reboot", unix.SYS_REBOOT, 0, 0, 0, 0):                                           0,
		call("swapon", unix.SYS_SWAPON, "/tmp/x", 0):                                          0,
		call("syslog", unix.SYS_SYSLOG, 3, 0, 0):                                              0,
		call("clock_settime", unix.SYS_CLOCK_SETTIME, 0, 0):                                   0,
		call("sethostname", unix.SYS_SETHOSTNAME, "x", 1):                                     0,
		call("setuid", unix.SYS_SETUID, 0):                                                    syscall.EINVAL, // there is no such user in the cell
	}
}

func makeCalls(b *battle) {
	var list, allowed []string
	for call, other := range dangerous() {
		name, _, _ := strings.Cut(call, " ")
		list = append(list, call)
		allowed = append(allowed, fmt.Sprintf("%s %d", name, int(unix.EPERM)))
		if other != 0 {
			allowed = append(allowed, fmt.Sprintf("%s %d", name, int(other)))
		}
	}
	d := b.act(b.evil, "calls", list...)
	if len(d.lines) != len(list) {
		b.Errorf("%d calls of %d were made: %q %s", len(d.lines), len(list), d.lines, d.text)
	}
	b.nothing(d, allowed...)
}

func reachNetwork(b *battle) {
	_, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		b.Fatal(err)
	}
	targets := []string{"169.254.169.254:80", "169.254.170.2:80", "169.254.169.253:53", "224.0.0.1:" + port}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			targets = append(targets, n.IP.String()+":"+port)
		}
	}
	// A port of the host's loopback device is one of the cell's own in there.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go greet(l)
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.nothing(b.act(b.greedy, "connect", append(targets, "127.0.0.1:"+port, "0.0.0.0:"+port)...))
	d := b.act(b.greedy, "http", "/_lambent/invocations", "/_lambent/clock?advance=1h", "/_lambent/debug?function="+b.good, "/_lambent/decisions/x", "/_lambent/rehearsals")
	for _, line := range d.lines {
		if !strings.HasSuffix(line, " 401") && !strings.HasSuffix(line, " 403") {
			b.Errorf("the platform answers %q", line)
		}
	}
	if len(d.lines) != 5 {
		b.Errorf("%q %s", d.lines, d.text)
	}
}

// greet says something to everybody.
func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte("host"))
		_ = c.Close()
	}
}

// exhaust has the function use something up. Which limit is met first, that of the thing or that of the memory, is up to timing: it is refused, or it ends.
func (b *battle) exhaust(act, refused string) {
	b.Helper()
	d := b.act(b.greedy, act, b.sleeper()...)
	b.Logf("%s: %q %.300s %q", act, d.failure, d.text, d.lines)
	if d.failure == "" && (refused == "" || !regexp.MustCompile(refused).MatchString(strings.Join(d.lines, "\n"))) {
		b.Errorf("it answers %q, want %q or an error", d.lines, refused)
	}
	b.act(b.greedy, "exit") // what it holds, it holds until its environment ends; one that fails with an exception has not ended yet
	b.gone()
}

// sleeper is a program whose processes on the host are known by the language.
func (b *battle) sleeper() []string { return []string{"/bin/sleep", strconv.Itoa(b.mark)} }

// patienceForProcesses is how long processes may take to come or to go on a busy machine: whoever is told of it is told at its beginning.
const patienceForProcesses = 30 * time.Second

// gone waits until the host has none of the processes of the attacker. A thousand of them take a while to be ended where others want the processors, too.
func (b *battle) gone() {
	b.Helper()
	if left := b.awaitProcesses(func(left []string) bool { return len(left) == 0 }); len(left) > 0 {
		b.Errorf("%d processes are left: %q", len(left), left[:min(len(left), 4)])
	}
}

// shown waits until the host has a process of the attacker.
func (b *battle) shown() bool {
	return len(b.awaitProcesses(func(left []string) bool { return len(left) > 0 })) > 0
}

// awaitProcesses returns the processes of the attacker, once they are what is wanted or patience ends.
func (b *battle) awaitProcesses(wanted func([]string) bool) []string {
	end := time.After(patienceForProcesses)
	for {
		list := commands(strings.Join(b.sleeper(), " "))
		if wanted(list) {
			return list
		}
		select {
		case <-end:
			return list
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// commands lists the processes of the host whose arguments have a text.
func commands(text string) (out []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if line := strings.ReplaceAll(string(b), "\x00", " "); err == nil && strings.Contains(line, text) && !strings.Contains(line, "test") {
			out = append(out, line)
		}
	}
	return out
}

// shm is a shared memory segment's key.
const shm = 0x1a3b

func leaveBehind(b *battle) {
	b.nothing(b.act(b.evil, "write", "/tmp/left"), "/tmp/left")
	b.nothing(b.act(b.evil, "calls", fmt.Sprintf("shmget %d %d 4096 %d", unix.SYS_SHMGET, shm, unix.IPC_CREAT|0o666)), "shmget done")
	b.nothing(b.act(b.evil, "spawn", b.sleeper()...), "spawned")
	clean := func(function string) {
		b.Helper()
		b.nothing(b.act(function, "read", "/tmp/left"))
		b.nothing(b.act(function, "calls", fmt.Sprintf("shmget %d %d 4096 0", unix.SYS_SHMGET, shm)), fmt.Sprintf("shmget %d", int(unix.ENOENT)))
		b.sees(function, strconv.Itoa(b.mark))
	}
	clean(b.good)
	b.act(b.evil, "exit")
	clean(b.evil) // its next environment
	b.gone()
}

func outlive(b *battle) {
	b.nothing(b.act(b.evil, "spawn", b.sleeper()...), "spawned")
	if !b.shown() {
		b.Error("the process that it leaves cannot be seen")
	}
	b.timesOut("sleep")
	b.gone()
}

func (b *battle) timesOut(act string) {
	b.Helper()
	if d := b.act(b.evil, act); d.failure != "Unhandled" || !strings.Contains(d.text, "Task timed out after 1.00 seconds") {
		b.Errorf("%s: %s %.400s", act, d.failure, d.text)
	}
}

func (b *battle) ends(act, text string) {
	b.Helper()
	if d := b.act(b.evil, act); d.failure != "Unhandled" || !strings.Contains(d.text, text) {
		b.Errorf("%s: %s %.400s, want %s", act, d.failure, d.text, text)
	}
}

// TestFunctionsCallThePlatformAsTheirRoleAlone signs calls with the pair that everybody knows, with nothing, and with the function's own keys.
func TestFunctionsCallThePlatformAsTheirRoleAlone(t *testing.T) {
	p := start(t)
	all := attackers()
	p.must(p.create(p.role(), "evil", 10, all[len(all)-1].archive(t)))
	// A call without a signature is one of S3, for a bucket that does not exist.
	d := p.act("evil", "sign")
	body := strings.Join(d.lines, "\n")
	if d.failure != "" || strings.Contains(body, " 200 ") || strings.Contains(body, "FunctionName") || strings.Count(body, " 403 ") != 2 {
		t.Errorf("%s %s", d.failure, body)
	}
	if !strings.Contains(body, "UnrecognizedClientException") || !strings.Contains(body, "AccessDeniedException") {
		t.Errorf("the refusals do not tell why: %s", body)
	}
}
