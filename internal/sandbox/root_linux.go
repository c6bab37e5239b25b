package sandbox

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// root puts the root file system together and moves into it.
func (b *builder) root() error {
	trees, err := b.openTrees()
	if err != nil {
		return err
	}
	b.made = map[string]bool{"/": true, ".": true}
	b.Call("make mounts private", unix.SYS_MOUNT, b.String("none"), b.String("/"), program.Int(0), program.Int(unix.MS_REC|unix.MS_PRIVATE), program.Int(0))
	if b.spec.Root != "" {
		b.imageRoot(trees)
		return nil
	}
	b.mount("mount the root", "tmpfs", b.env.scratch, unix.MS_NOSUID|unix.MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
	b.Call("enter the root", unix.SYS_CHDIR, b.String(b.env.scratch))
	b.links()
	for _, t := range trees {
		b.attach(t)
	}
	b.mountSystem()
	for _, f := range b.files() {
		b.writeFile(f.target, f.source)
	}
	// The loader remembers which folders of LD_LIBRARY_PATH it did not find: those that a parked cell is given later must be there.
	for _, dir := range []string{"/var/task/lib", "/var/runtime/lib", "/opt/lib", "/mnt"} {
		b.mkdirs(dir)
	}
	b.pivot()
	b.leaveHost()
	b.readOnly("make the root read-only", "/")
	return nil
}

// imageRoot moves into the folder of an image, the first of the trees, and mounts the rest in it. Paths are followed only after the move: links of the image
// lead to other files of the image then, never to those of the host. The host's root is there until /proc is mounted, which the kernel allows only where
// another one can be seen.
func (b *builder) imageRoot(trees []tree) {
	b.mount("mount the scratch folder", "tmpfs", b.env.scratch, unix.MS_NOSUID|unix.MS_NODEV, "size=1m,nr_inodes=64,mode=755")
	b.Call("enter the scratch folder", unix.SYS_CHDIR, b.String(b.env.scratch))
	b.attach(trees[0])
	b.Call("enter the root", unix.SYS_CHDIR, b.String(relative(trees[0].Target)))
	b.pivot()
	clear(b.made)
	b.made["/"], b.made["."], b.made["/etc"], b.made["/dev"] = true, true, true, true
	b.mount("mount /dev", "tmpfs", "dev", unix.MS_NOSUID|unix.MS_NODEV, "size=64k,nr_inodes=64,mode=755")
	b.links()
	for _, t := range trees[1:] {
		if t.device {
			b.attach(t)
			continue
		}
		b.restrict(t)
		b.move(t)
	}
	b.mountSystem()
	for _, f := range b.files()[:2] { // users and groups are the image's own
		from := "/dev/" + path.Base(f.target)
		b.writeFile(from, f.source)
		b.Call("mount "+f.target, unix.SYS_MOUNT, b.String(relative(from)), b.String(relative(f.target)), program.Int(0), program.Int(unix.MS_BIND), program.Int(0))
		b.readOnly("make "+f.target+" read-only", f.target)
		b.Call("remove "+from, unix.SYS_UNLINKAT, program.AtCwd(), b.String(relative(from)), program.Int(0))
	}
	b.readOnly("make /dev read-only", "/dev")
	b.leaveHost()
}

func (b *builder) links() {
	for _, l := range b.env.links {
		if b.spec.Root != "" && path.Dir(l.target) != "/dev" {
			continue
		}
		b.mkdirs(path.Dir(l.target))
		b.Call("link "+l.target, unix.SYS_SYMLINKAT, b.String(l.source), program.AtCwd(), b.String(relative(l.target)))
	}
}

// mountSystem mounts what every cell has of its own.
func (b *builder) mountSystem() {
	b.mkdirs("/proc")
	b.mount("mount /proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	b.mkdirs("/tmp")
	uid, gid := b.identity()
	size := fmt.Sprintf("size=%dm,nr_inodes=%d,mode=700,uid=%d,gid=%d", b.spec.Limits.TmpMB, b.spec.Limits.TmpMB*tmpInodesPerMB, uid, gid)
	b.mount("mount /tmp", "tmpfs", "tmp", unix.MS_NOSUID|unix.MS_NODEV, size)
}

// pivot makes the working folder the root. The host's root is then stacked over it, where no path leads.
func (b *builder) pivot() {
	dot := b.String(".")
	b.Call("pivot_root", unix.SYS_PIVOT_ROOT, dot, dot)
}

func (b *builder) leaveHost() {
	b.Call("detach the host's root", unix.SYS_UMOUNT2, b.String("."), program.Int(unix.MNT_DETACH))
	b.Call("enter the new root", unix.SYS_CHDIR, b.String("/"))
}

func (b *builder) readOnly(name, target string) {
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	b.Call(name, unix.SYS_MOUNT_SETATTR, program.AtCwd(), b.String(target), program.Int(0), program.Pointer(b.Program, attr), program.Int(unsafe.Sizeof(*attr)))
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

// base is what is mounted before the mounts of the spec: of a cell with a root of its own that root first, and devices.
func (b *builder) base() []Mount {
	if b.spec.Root == "" {
		return slices.Clip(b.env.base)
	}
	out := []Mount{{Source: b.spec.Root, Target: "/root"}}
	for _, m := range b.env.base {
		if path.Dir(m.Target) == "/dev" {
			out = append(out, m)
		}
	}
	return out
}

// openTrees takes every bind from the host. Root takes them before the clone, with its own rights: then they need
// not lie under folders that the cell's user may enter. Without privileges the child does it in its own namespace.
func (b *builder) openTrees() ([]tree, error) {
	var trees []tree
	for _, m := range append(b.base(), b.spec.Mounts...) {
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
	b.restrict(t)
	b.move(t)
}

func (b *builder) restrict(t tree) {
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if t.device {
		attr.Attr_set = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
	}
	empty := b.String("")
	b.Call("restrict mount "+t.Target, unix.SYS_MOUNT_SETATTR, t.fd, empty, program.Int(unix.AT_EMPTY_PATH|unix.AT_RECURSIVE), program.Pointer(b.Program, attr), program.Int(unsafe.Sizeof(*attr)))
}

// move puts a tree where it belongs, which must be there.
func (b *builder) move(t tree) {
	b.Call("attach mount "+t.Target, unix.SYS_MOVE_MOUNT, t.fd, b.String(""), program.AtCwd(), b.String(relative(t.Target)), program.Int(unix.MOVE_MOUNT_F_EMPTY_PATH))
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
