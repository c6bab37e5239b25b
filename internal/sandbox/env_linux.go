package sandbox

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// spawnEnv is what a spawner finds out about the machine once.
type spawnEnv struct {
	// root tells whether the spawner may take mounts and identities with the host's own rights.
	root bool
	// uidBase is the first of the uids that cells run under, when root.
	uidBase  int
	cgroups  *cgroups
	landlock int
	// filter is that of most cells, tracing that of cells with debuggers.
	filter, tracing []unix.SockFilter
	// scratch is an existing folder, over which the new root is mounted in the cell's own namespace.
	scratch string
	// base and links make up the system under every cell.
	base  []Mount
	links []pair
	// route and redirect are the netlink messages for egress.
	route, redirect []byte
	lastCap         int
	maxFiles        uint64
}

// The uids of cells: a range that distributions leave to containers.
const (
	uidBase  = 0x4c000000
	uidCount = 1 << 16
)

func newSpawnEnv() (*spawnEnv, error) {
	denied := deniedCalls()
	filter, err := seccompFilter(denied)
	if err != nil {
		return nil, err
	}
	tracing, err := seccompFilter(slices.DeleteFunc(denied, isTracing))
	if err != nil {
		return nil, err
	}
	e := &spawnEnv{
		cgroups:  detectCgroups(),
		landlock: landlockABI(),
		filter:   filter,
		tracing:  tracing,
		route:    localRoute(),
		redirect: redirectRules(egressPort),
		lastCap:  40,
	}
	for _, dir := range []string{"/tmp", "/mnt", "/var", "/usr"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			e.scratch = dir
			break
		}
	}
	if e.scratch == "" {
		return nil, errors.New("none of /tmp, /mnt, /var and /usr exists on this host")
	}
	if n, ok := readNumber("/proc/sys/kernel/cap_last_cap", ""); ok && n < 64 {
		e.lastCap = int(n)
	}
	var files unix.Rlimit
	e.maxFiles = math.MaxInt32
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		e.maxFiles = files.Max
	}
	e.uidBase, e.root = chooseUIDs()
	e.base, e.links = baseSystem()
	return e, nil
}

func (e *spawnEnv) hello() *hello {
	h := &hello{Root: e.root, Landlock: e.landlock, Cgroups: map[string]string{}, Missing: e.cgroups.why, Place: e.cgroups.v2 != ""}
	for _, ctl := range controllers {
		switch {
		case e.cgroups.v1[ctl] != "":
			h.Cgroups[ctl] = "cgroup v1 at " + e.cgroups.v1[ctl]
		case e.cgroups.has(ctl):
			h.Cgroups[ctl] = "cgroup v2 at " + e.cgroups.v2
		}
	}
	return h
}

// chooseUIDs returns the first uid for cells, if this process has the rights of root and uids to give: inside a
// container root often has just one.
func chooseUIDs() (int, bool) {
	if os.Geteuid() != 0 || !canAdminister() {
		return 0, false
	}
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		var inside, outside, count int
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			continue
		}
		if inside <= uidBase && inside+count >= uidBase+uidCount {
			return uidBase, true
		}
		if count >= 2*uidCount {
			return inside + count - uidCount, true
		}
	}
	return 0, false
}

// canAdminister tells whether the process has the capabilities that mounts, uid maps and uid changes need.
func canAdminister() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&head, &data[0]) != nil {
		return false
	}
	for _, c := range []int{unix.CAP_SYS_ADMIN, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_CHOWN} {
		if data[0].Effective&(1<<c) == 0 {
			return false
		}
	}
	return true
}

// baseSystem is what every cell sees of the host: its programs and libraries, but neither what was installed beside the
// distribution (/usr/local) nor any data.
func baseSystem() ([]Mount, []pair) {
	var mounts []Mount
	for _, dir := range []string{
		"/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share",
		"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/fonts", "/etc/mime.types",
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
	} {
		if _, err := os.Stat(dir); err == nil {
			mounts = append(mounts, Mount{Source: dir, Target: dir, Optional: true})
		}
	}
	links := []pair{{"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"}}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64"} {
		if to, err := os.Readlink(dir); err == nil {
			links = append(links, pair{to, dir})
		} else if info, err := os.Stat(dir); err == nil && info.IsDir() {
			mounts = append(mounts, Mount{Source: dir, Target: dir})
		}
	}
	return mounts, links
}

// onHost replaces what a cell would find under its own paths and addresses by where it is on the host.
func (s *cellSpec) onHost(tmp string) {
	s.Tmp = tmp
	paths := []rewrite{{"/tmp", tmp}}
	for _, m := range s.Mounts {
		paths = append(paths, rewrite{m.Target, m.Source})
	}
	all := func(list []string) {
		for i, v := range list {
			for _, r := range s.Rewrite {
				v = strings.ReplaceAll(v, r.From, r.To)
			}
			list[i] = replacePaths(v, paths)
		}
	}
	all(s.Argv)
	all(s.Env)
	s.Env = append(s.Env, "TMPDIR="+tmp)
	s.Dir = replacePaths(s.Dir, paths)
}

// replacePaths replaces each path of the list, and what lies below it, wherever one begins in v: at the start, behind "=", ":"
// or ",". The longest match counts.
func replacePaths(v string, list []rewrite) string {
	var b strings.Builder
	for i := 0; i < len(v); {
		best := rewrite{}
		if v[i] == '/' && (i == 0 || strings.IndexByte("=:,", v[i-1]) >= 0) {
			for _, r := range list {
				rest, ok := strings.CutPrefix(v[i:], r.From)
				if ok && len(r.From) > len(best.From) && (rest == "" || strings.IndexByte("/:,", rest[0]) >= 0) {
					best = r
				}
			}
		}
		if best.From != "" {
			b.WriteString(best.To)
			i += len(best.From)
			continue
		}
		b.WriteByte(v[i])
		i++
	}
	return b.String()
}

// cellName is the name under which logs and files know a cell.
func cellName(name string, id uint64) string {
	return filepath.Base(name) + "-" + strconv.FormatUint(id, 10)
}
