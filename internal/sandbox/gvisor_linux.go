package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// With gVisor the payload's kernel is the program runsc. It is started where the payload would be: in the cell's cgroup, and in namespaces of its own, whose network
// has the cell's listeners, which gVisor reaches with the sockets of that network. It puts the payload's root together itself, from a bundle.
// See https://github.com/opencontainers/runtime-spec for bundles and https://gvisor.dev/docs for runsc.

// bundle is the part of an OCI runtime configuration that is used.
type bundle struct {
	Version  string        `json:"ociVersion"`
	Process  bundleProcess `json:"process"`
	Root     bundleRoot    `json:"root"`
	Hostname string        `json:"hostname"`
	Mounts   []bundleMount `json:"mounts"`
	Linux    bundleLinux   `json:"linux"`
}

type bundleProcess struct {
	User struct {
		UID int `json:"uid"`
		GID int `json:"gid"`
	} `json:"user"`
	Args            []string            `json:"args"`
	Env             []string            `json:"env"`
	Dir             string              `json:"cwd"`
	NoNewPrivileges bool                `json:"noNewPrivileges"`
	Capabilities    map[string][]string `json:"capabilities"`
	Limits          []bundleLimit       `json:"rlimits"`
}

type bundleLimit struct {
	Type string `json:"type"`
	Hard uint64 `json:"hard"`
	Soft uint64 `json:"soft"`
}

type bundleRoot struct {
	Path     string `json:"path"`
	ReadOnly bool   `json:"readonly"`
}

type bundleMount struct {
	Target  string   `json:"destination"`
	Type    string   `json:"type"`
	Source  string   `json:"source"`
	Options []string `json:"options"`
}

type bundleLinux struct {
	Namespaces []map[string]string `json:"namespaces"`
}

// writeBundle makes the bundle of a cell in a folder.
func (b *builder) writeBundle(dir string) error {
	c := bundle{Version: "1.0.2", Hostname: "lambent", Root: bundleRoot{Path: filepath.Join(dir, "root"), ReadOnly: true}}
	c.Process = bundleProcess{Args: b.spec.Argv, Env: b.spec.Env, Dir: b.spec.Dir, NoNewPrivileges: true, Capabilities: map[string][]string{}}
	c.Process.User.UID, c.Process.User.GID = UID, GID
	files := min(uint64(b.spec.Limits.Files), b.env.maxFiles)
	c.Process.Limits = []bundleLimit{{Type: "RLIMIT_NOFILE", Hard: files, Soft: files}, {Type: "RLIMIT_CORE"}}
	for _, kind := range []string{"pid", "ipc", "uts", "mount"} {
		c.Linux.Namespaces = append(c.Linux.Namespaces, map[string]string{"type": kind})
	}
	small := b.files()
	mounts := append(b.base(), b.spec.Mounts...)
	if b.spec.Root != "" {
		c.Root.Path, small = b.spec.Root, small[:2]
		mounts = b.spec.Mounts
	}
	for _, m := range mounts {
		if path.Dir(m.Target) == "/dev" {
			continue // gVisor has its own devices
		}
		info, err := os.Stat(m.Source)
		if errors.Is(err, fs.ErrNotExist) && m.Optional {
			continue
		}
		if err == nil && b.spec.Root == "" {
			err = mountPoint(filepath.Join(c.Root.Path, m.Target), info.IsDir())
		}
		if err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		}
		c.Mounts = append(c.Mounts, bundleMount{Target: m.Target, Type: "bind", Source: m.Source, Options: []string{"ro", "rbind", "nosuid", "nodev"}})
	}
	c.Mounts = append(c.Mounts, bundleMount{Target: "/proc", Type: "proc", Source: "proc"},
		bundleMount{Target: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", fmt.Sprintf("size=%dm", b.spec.Limits.TmpMB), "mode=700", fmt.Sprintf("uid=%d", UID), fmt.Sprintf("gid=%d", GID)}})
	if b.spec.Root == "" {
		if err := b.skeleton(c.Root.Path); err != nil {
			return err
		}
	}
	for _, f := range small {
		source := filepath.Join(dir, path.Base(f.target))
		if err := os.WriteFile(source, []byte(f.source), 0o644); err != nil {
			return err
		}
		if b.spec.Root == "" {
			if err := mountPoint(filepath.Join(c.Root.Path, f.target), false); err != nil {
				return err
			}
		}
		c.Mounts = append(c.Mounts, bundleMount{Target: f.target, Type: "bind", Source: source, Options: []string{"ro", "bind"}})
	}
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), doc, 0o600)
}

// skeleton makes the links and folders of the base system.
func (b *builder) skeleton(root string) error {
	for _, dir := range []string{"proc", "tmp", "dev", "mnt", "var/task", "var/runtime", "opt"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, l := range b.env.links {
		if path.Dir(l.target) != "/" {
			continue
		}
		if err := os.Symlink(l.source, filepath.Join(root, l.target)); err != nil {
			return err
		}
	}
	return nil
}

func mountPoint(at string, dir bool) error {
	if dir {
		return os.MkdirAll(at, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.WriteFile(at, nil, 0o644)
}

// gvisor writes the program of a cell whose payload runsc runs.
func (b *builder) gvisor(dir string) error {
	if err := b.writeBundle(dir); err != nil {
		return fmt.Errorf("make the bundle for runsc: %w", err)
	}
	b.watchSpawner()
	b.Await("wait for the gate", b.fds.sync)
	b.enterCgroups()
	listeners := b.network()
	b.Call("make mounts private", unix.SYS_MOUNT, b.String("none"), b.String("/"), program.Int(0), program.Int(unix.MS_REC|unix.MS_PRIVATE), program.Int(0))
	b.mount("mount /proc", "proc", "/proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	b.sendReady(listeners)
	b.Fork()
	b.Call("start a session", unix.SYS_SETSID)
	argv := []string{b.spec.Runsc, "--root", filepath.Join(dir, "state"), "--network=host", "--platform=systrap", "--overlay2=root:memory", "--ignore-cgroups", "run", "--bundle", dir}
	fds := []int{b.fds.stdin, b.fds.stdout, b.fds.stderr}
	if b.fds.socket >= 0 {
		fds = append(fds, b.fds.socket)
		argv = append(argv, "--pass-fd", "3:3")
	}
	for i, fd := range fds {
		b.Call("set up a standard stream", unix.SYS_DUP3, program.Fd(fd), program.Int(i), program.Int(0))
	}
	b.closeOnExec(len(fds))
	argv = append(argv, "cell"+strconv.Itoa(os.Getpid())+path.Base(dir))
	b.execute("run "+b.spec.Runsc, b.String(b.spec.Runsc), b.Strings(argv), b.Strings([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}))
	return b.Err()
}

// useGVisor makes cells be run by runsc from now on, after it has run one.
func (h *Host) useGVisor(ctx context.Context, runsc string, hi hello) error {
	switch {
	case !hi.Root:
		return errors.New("isolation by gVisor needs root: run Lambent as root, or set isolation to namespace")
	case !h.layers.Namespaces:
		return fmt.Errorf("isolation by gVisor needs namespaces: %s", h.report.Layer(LayerNamespaces).Detail)
	}
	h.layers = layers{Namespaces: true, Runsc: runsc}
	h.canPark = false
	var out bytes.Buffer
	spec, err := Spec{Name: "probe", Argv: []string{"/usr/bin/true"}, Limits: Limits{MemoryMB: 512}, Stdout: &out, Stderr: &out}.withDefaults()
	if err != nil {
		return err
	}
	c, err := h.start(ctx, spec, h.layers)
	if err != nil {
		return fmt.Errorf("isolation by gVisor: %w", err)
	}
	<-c.Done()
	if exit := c.Exit(); exit.Err != nil || exit.Code != 0 {
		return fmt.Errorf("isolation by gVisor: %s does not run a program here (%s): %.500s", runsc, exit, &out)
	}
	h.report.Mode = modeGVisor
	for i := range h.report.Layers {
		switch l := &h.report.Layers[i]; l.Name {
		case LayerNamespaces:
			l.Detail = "the kernel of functions is gVisor (" + runsc + "), in mount, pid, network, ipc, uts and cgroup namespaces"
		case LayerSeccomp:
			l.Active, l.Detail = true, "that of gVisor"
		case LayerLandlock:
			l.Active, l.Detail = false, "gVisor's own file system takes its place"
		}
	}
	return nil
}
