package sandbox

import (
	"maps"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// builder writes the program of one cell.
type builder struct {
	*program.Program
	env   *spawnEnv
	spec  *cellSpec
	fds   cellFDs
	group *cellCgroup
	// uid is the host's uid that the payload runs under.
	uid int
	// made are the folders that exist in the new root already.
	made map[string]bool
	// hold is where the program of a held cell will be read to, from the descriptor holdFD.
	hold   []byte
	holdFD int
	// opened are descriptors of this process that the child inherits, to be closed after the clone.
	opened []int
}

// cellFDs are descriptors in the spawner that the daemon sent for a cell.
type cellFDs struct {
	gate                                int // the end of sync that the spawner writes to
	status, sync, stdin, stdout, stderr int
	socket                              int // -1 without one
}

// build writes the whole program of a cell, in the order in which it must happen. dir is a folder of the cell's own, if it has one.
func (b *builder) build(dir string) error {
	if b.spec.Runsc != "" {
		return b.gvisor(dir)
	}
	b.watchSpawner()
	b.Await("wait for the user id mapping", b.fds.sync)
	b.enterCgroups()
	ready := func() {}
	if b.spec.Namespaces {
		if b.spec.Users {
			b.becomeUser(UID, GID)
		}
		listeners := b.network()
		ready = func() { b.sendReady(listeners) }
		if !b.spec.Parked {
			ready()
			ready = func() {}
		}
		if err := b.root(); err != nil {
			return err
		}
		name := b.String("lambent")
		b.Call("set the host name", unix.SYS_SETHOSTNAME, name, program.Int(len("lambent")))
	} else {
		b.Call("send ready", unix.SYS_WRITE, program.Fd(b.fds.status), b.readyReport(), program.Int(program.ReportSize))
		b.Call("become a subreaper", unix.SYS_PRCTL, program.Int(unix.PR_SET_CHILD_SUBREAPER), program.Int(1), program.Int(0), program.Int(0), program.Int(0))
	}
	b.limits()
	b.dropPrivileges()
	ready() // nothing can be attached before the root is complete
	b.Fork()
	b.payload()
	return b.Err()
}

// watchSpawner makes the child end with the spawner from here on. With an end of the gate of its own, a child of a spawner that is killed now would wait there for
// ever, and keep the connection to the daemon open. One that dies just before the signal is asked for is noticed by the daemon, which ends the cell (Host.listen).
func (b *builder) watchSpawner() {
	b.Call("die with the spawner", unix.SYS_PRCTL, program.Int(unix.PR_SET_PDEATHSIG), program.Int(int(unix.SIGKILL)), program.Int(0), program.Int(0), program.Int(0))
	b.Call("close the gate", unix.SYS_CLOSE, program.Fd(b.fds.gate))
}

// enterCgroups joins the version 1 hierarchies; the clone has joined version 2 already.
func (b *builder) enterCgroups() {
	zero := b.Bytes([]byte("0"))
	for _, ctl := range slices.Sorted(maps.Keys(b.group.v1)) {
		dir := b.group.v1[ctl]
		fd, err := unix.Open(dir+"/cgroup.procs", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			b.Call("join cgroup "+dir, unix.SYS_CHDIR, b.String(dir+"/cgroup.procs"))
			continue
		}
		b.opened = append(b.opened, fd)
		b.Call("join cgroup "+dir, unix.SYS_WRITE, program.Fd(fd), zero, program.Int(1))
	}
	adj := b.GetTry("open oom_score_adj", unix.SYS_OPENAT, program.AtCwd(), b.String("/proc/self/oom_score_adj"), program.Int(unix.O_WRONLY|unix.O_CLOEXEC), program.Int(0))
	b.Try("be the first to go when the host runs out of memory", unix.SYS_WRITE, program.From(adj), b.Bytes([]byte("500")), program.Int(3))
	b.Try("close oom_score_adj", unix.SYS_CLOSE, program.From(adj))
}

func (b *builder) becomeUser(uid, gid int) {
	if b.env.root {
		b.Call("drop supplementary groups", unix.SYS_SETGROUPS, program.Int(0), program.Int(0))
	}
	b.Call("set group id", unix.SYS_SETRESGID, program.Int(gid), program.Int(gid), program.Int(gid))
	b.Call("set user id", unix.SYS_SETRESUID, program.Int(uid), program.Int(uid), program.Int(uid))
}

// identity is the user and group of the payload as the cell sees them.
func (b *builder) identity() (uid, gid int) {
	if b.spec.Users {
		return UID, GID
	}
	return b.uid, b.uid
}

// limits sets the resource limits, including those that stand in for missing cgroup controllers.
func (b *builder) limits() {
	l := b.spec.Limits
	b.limit("core dumps", unix.RLIMIT_CORE, 0)
	if !b.env.cgroups.has("pids") {
		b.limit("processes", unix.RLIMIT_NPROC, uint64(l.PIDs+1))
	}
	if !b.env.cgroups.has("memory") {
		b.limit("data", unix.RLIMIT_DATA, uint64(l.MemoryMB+rlimitDataSlackMB)<<20)
	}
}

func (b *builder) limit(name string, resource int, value uint64) {
	b.Call("limit "+name, unix.SYS_PRLIMIT64, program.Int(0), program.Int(resource), program.Pointer(b.Program, &unix.Rlimit{Cur: value, Max: value}), program.Int(0))
}

// rlimitDataSlackMB is what RLIMIT_DATA allows beyond a function's memory, in MiB: it counts address space, such as the stacks of
// threads, of which programs reserve more than they use.
const rlimitDataSlackMB = 512

// dropPrivileges gives up everything that a payload could turn against the host. The order matters: the bounding set and the user
// can be changed only with capabilities, a change of them clears the parent-death signal, and Landlock and seccomp need no_new_privs.
func (b *builder) dropPrivileges() {
	prctl := func(name string, option int, arg Arg) {
		b.Call(name, unix.SYS_PRCTL, program.Int(option), arg, program.Int(0), program.Int(0), program.Int(0))
	}
	if b.spec.Namespaces || b.env.root {
		for c := range b.env.lastCap + 1 {
			b.Try("drop a capability", unix.SYS_PRCTL, program.Int(unix.PR_CAPBSET_DROP), program.Int(c), program.Int(0), program.Int(0), program.Int(0))
		}
	}
	if b.spec.Namespaces && !b.spec.Users {
		b.becomeUser(b.uid, b.uid)
	}
	head := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	b.Call("drop all capabilities", unix.SYS_CAPSET, program.Pointer(b.Program, head), program.Pointer(b.Program, new([2]unix.CapUserData)))
	prctl("forbid reading the init's memory", unix.PR_SET_DUMPABLE, program.Int(0))
	prctl("die with the spawner", unix.PR_SET_PDEATHSIG, program.Int(int(unix.SIGKILL)))
	prctl("forbid new privileges", unix.PR_SET_NO_NEW_PRIVS, program.Int(1))
	if b.spec.Landlock {
		addLandlock(b.Program, b.env.landlock, b.landlockRules())
	}
	if !b.spec.Seccomp {
		return
	}
	filter := b.env.filter
	if b.spec.Trace && (b.spec.Namespaces || b.spec.Landlock) {
		filter = b.env.tracing
	}
	fprog := &unix.SockFprog{Len: uint16(len(filter)), Filter: unsafe.SliceData(filter)}
	b.Call("apply the seccomp filter", unix.SYS_SECCOMP, program.Int(unix.SECCOMP_SET_MODE_FILTER), program.Int(0), program.Pointer(b.Program, fprog))
}

// Arg shortens the signatures above.
type Arg = program.Arg

func (b *builder) landlockRules() []landlockRule {
	const all = landlockExec | landlockWrite | unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	rules := []landlockRule{
		{"/dev", landlockDevices},
		{"/proc", landlockRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE},
	}
	if b.spec.Namespaces {
		return append(rules, landlockRule{"/", landlockExec}, landlockRule{"/tmp", all})
	}
	for _, dir := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ssl", "/etc/alternatives", "/sys/fs/cgroup"} {
		rules = append(rules, landlockRule{dir, landlockExec})
	}
	// What the C library reads to find a user, a host or the hour; a cell with a root of its own has files of its own there.
	for _, file := range []string{"/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/hosts", "/etc/ld.so.cache", "/etc/localtime", "/etc/mime.types"} {
		rules = append(rules, landlockRule{file, unix.LANDLOCK_ACCESS_FS_READ_FILE})
	}
	for _, m := range b.spec.Mounts {
		if info, err := os.Stat(m.Source); err == nil && info.IsDir() {
			rules = append(rules, landlockRule{m.Source, landlockExec})
		}
	}
	// Functions write to /tmp by that name; it cannot be made their own without a mount namespace.
	return append(rules, landlockRule{"/tmp", all}, landlockRule{b.spec.Tmp, all})
}

// payload turns the forked process into the program.
func (b *builder) payload() {
	b.Call("start a session", unix.SYS_SETSID)
	fds := []int{b.fds.stdin, b.fds.stdout, b.fds.stderr}
	if b.fds.socket >= 0 {
		fds = append(fds, b.fds.socket)
	}
	for i, fd := range fds {
		b.Call("set up a standard stream", unix.SYS_DUP3, program.Fd(fd), program.Int(i), program.Int(0))
	}
	// Not earlier: until its program runs, the child has the descriptors of the spawner, which knows many cells.
	b.limit("open files", unix.RLIMIT_NOFILE, min(uint64(b.spec.Limits.Files), b.env.maxFiles))
	if b.spec.Held {
		b.heldPayload(len(fds))
		return
	}
	b.closeOnExec(len(fds))
	b.Call(StepWorkingDir+" "+b.spec.Dir, unix.SYS_CHDIR, b.String(b.spec.Dir))
	b.execute("run "+b.spec.Argv[0], b.String(b.spec.Argv[0]), b.Strings(b.spec.Argv), b.Strings(b.spec.Env))
}

func (b *builder) closeOnExec(first int) {
	b.Call("close the rest on exec", unix.SYS_CLOSE_RANGE, program.Int(first), program.Int(^uint32(0)), program.Int(unix.CLOSE_RANGE_CLOEXEC))
}

// execute replaces the process by a program.
func (b *builder) execute(name string, file, argv, env Arg) {
	b.Call("unblock signals", unix.SYS_RT_SIGPROCMASK, program.Int(unix.SIG_SETMASK), b.Bytes(make([]byte, 8)), program.Int(0), program.Int(8))
	b.Call(name, unix.SYS_EXECVE, file, argv, env)
}
