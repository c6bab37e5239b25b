package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
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
	status, sync, stdin, stdout, stderr int
	socket                              int // -1 without one
}

// build writes the whole program of a cell, in the order in which it must happen.
func (b *builder) build() error {
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

// enterCgroups joins the version 1 hierarchies; the clone has joined version 2 already.
func (b *builder) enterCgroups() {
	zero := b.Bytes([]byte("0"))
	for _, ctl := range controllers {
		dir := b.group.v1[ctl]
		if dir == "" {
			continue
		}
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

// root puts the root file system together and moves into it.
func (b *builder) root() error {
	trees, err := b.openTrees()
	if err != nil {
		return err
	}
	b.made = map[string]bool{"/": true, ".": true}
	b.Call("make mounts private", unix.SYS_MOUNT, b.String("none"), b.String("/"), program.Int(0), program.Int(unix.MS_REC|unix.MS_PRIVATE), program.Int(0))
	b.mount("mount the root", "tmpfs", b.env.scratch, unix.MS_NOSUID|unix.MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
	b.Call("enter the root", unix.SYS_CHDIR, b.String(b.env.scratch))
	for _, l := range b.env.links {
		b.mkdirs(path.Dir(l.target))
		b.Call("link "+l.target, unix.SYS_SYMLINKAT, b.String(l.source), program.AtCwd(), b.String(relative(l.target)))
	}
	for _, t := range trees {
		b.attach(t)
	}
	b.mkdirs("/proc")
	b.mount("mount /proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	b.mkdirs("/tmp")
	uid, gid := b.identity()
	size := fmt.Sprintf("size=%dm,nr_inodes=%d,mode=700,uid=%d,gid=%d", b.spec.Limits.TmpMB, b.spec.Limits.TmpMB*tmpInodesPerMB, uid, gid)
	b.mount("mount /tmp", "tmpfs", "tmp", unix.MS_NOSUID|unix.MS_NODEV, size)
	for _, f := range b.files() {
		b.writeFile(f.target, f.source)
	}
	// The loader remembers which folders of LD_LIBRARY_PATH it did not find: those that a parked cell is given later must be there.
	for _, dir := range []string{"/var/task/lib", "/var/runtime/lib", "/opt/lib", "/mnt"} {
		b.mkdirs(dir)
	}
	dot := b.String(".")
	b.Call("pivot_root", unix.SYS_PIVOT_ROOT, dot, dot)
	b.Call("detach the host's root", unix.SYS_UMOUNT2, dot, program.Int(unix.MNT_DETACH))
	b.Call("enter the new root", unix.SYS_CHDIR, b.String("/"))
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	b.Call("make the root read-only", unix.SYS_MOUNT_SETATTR, program.AtCwd(), b.String("/"), program.Int(0), program.Pointer(b.Program, attr), program.Int(unsafe.Sizeof(*attr)))
	return nil
}

// pair is a link or a small file: where it is, and what is in it.
type pair struct{ source, target string }

// files are the small files that programs expect in /etc.
func (b *builder) files() []pair {
	resolv := "options timeout:1 attempts:1\n"
	if b.spec.Egress {
		resolv = "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"
	}
	uid, gid := b.identity()
	return []pair{
		{resolv, "/etc/resolv.conf"},
		{"127.0.0.1 localhost lambent sandbox sandbox.localdomain\n::1 localhost\n", "/etc/hosts"},
		{"hosts: files dns\npasswd: files\ngroup: files\n", "/etc/nsswitch.conf"},
		{fmt.Sprintf("root:x:0:0:root:/root:/sbin/nologin\n%s:x:%d:%d::/home/%s:/sbin/nologin\n", User, uid, gid, User), "/etc/passwd"},
		{fmt.Sprintf("root:x:0:\n%s:x:%d:\n", User, gid), "/etc/group"},
	}
}

// tree is a mount that has been taken from the host but not attached yet.
type tree struct {
	Mount
	fd     program.Arg
	dir    bool
	device bool
}

// openTrees takes every bind from the host. Root takes them before the clone, with its own rights: then they need
// not lie under folders that the cell's user may enter. Without privileges the child does it in its own namespace.
func (b *builder) openTrees() ([]tree, error) {
	var trees []tree
	for _, m := range append(b.env.base[:len(b.env.base):len(b.env.base)], b.spec.Mounts...) {
		info, err := os.Stat(m.Source)
		if err != nil {
			if m.Optional {
				continue
			}
			return nil, fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		}
		t := tree{Mount: m, dir: info.IsDir(), device: info.Mode()&fs.ModeDevice != 0}
		flags := unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_RECURSIVE
		if b.env.root {
			fd, err := unix.OpenTree(unix.AT_FDCWD, m.Source, uint(flags))
			if err != nil {
				return nil, fmt.Errorf("take mount %s: %w", m.Source, err)
			}
			b.opened = append(b.opened, fd)
			t.fd = program.Fd(fd)
		} else {
			t.fd = program.From(b.Get("take mount "+m.Source, unix.SYS_OPEN_TREE, program.AtCwd(), b.String(m.Source), program.Int(flags)))
		}
		trees = append(trees, t)
	}
	return trees, nil
}

func (b *builder) attach(t tree) {
	if t.dir {
		b.mkdirs(t.Target)
	} else {
		b.writeFile(t.Target, "")
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if t.device {
		attr.Attr_set = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
	}
	empty := b.String("")
	b.Call("restrict mount "+t.Target, unix.SYS_MOUNT_SETATTR, t.fd, empty, program.Int(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE), program.Pointer(b.Program, attr), program.Int(unsafe.Sizeof(*attr)))
	b.Call("attach mount "+t.Target, unix.SYS_MOVE_MOUNT, t.fd, empty, program.AtCwd(), b.String(relative(t.Target)), program.Int(unix.MOVE_MOUNT_F_EMPTY_PATH))
}

func (b *builder) mount(name, kind, target string, flags uintptr, data string) {
	b.Call(name, unix.SYS_MOUNT, b.String(kind), b.String(target), b.String(kind), program.Int(flags), b.String(data))
}

// mkdirs makes an absolute folder and its parents in the new root. It exists already where a mount brought it.
func (b *builder) mkdirs(dir string) {
	if b.made[dir] {
		return
	}
	b.mkdirs(path.Dir(dir))
	b.made[dir] = true
	b.Try("make "+dir, unix.SYS_MKDIRAT, program.AtCwd(), b.String(relative(dir)), program.Int(0o755))
}

func (b *builder) writeFile(name, content string) {
	b.mkdirs(path.Dir(name))
	flags := unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC | unix.O_CLOEXEC
	fd := b.Get("make "+name, unix.SYS_OPENAT, program.AtCwd(), b.String(relative(name)), program.Int(flags), program.Int(0o644))
	if content != "" {
		b.Call("write "+name, unix.SYS_WRITE, program.From(fd), b.Bytes([]byte(content)), program.Int(len(content)))
	}
	b.Call("close "+name, unix.SYS_CLOSE, program.From(fd))
}

func relative(p string) string { return strings.TrimPrefix(p, "/") }

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
	b.Call("enter the working directory "+b.spec.Dir, unix.SYS_CHDIR, b.String(b.spec.Dir))
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
