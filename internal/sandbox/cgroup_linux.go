package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroups are the folders under which this spawner makes the cgroups of its cells. Hosts differ: version 2 with all
// controllers, version 1, or a mixture in which version 2 has no controllers but can still place and kill.
type cgroups struct {
	// v2 is the base in the unified hierarchy; empty without one.
	v2 string
	// v2has are the controllers that children of v2 have.
	v2has []string
	// v1 maps a controller to its base in a hierarchy of its own. The freezer is among them only where there is no v2, which can freeze by itself.
	v1 map[string]string
	// why explains each controller that cannot be used.
	why map[string]string
}

// controllers that cells use.
var controllers = [...]string{"memory", "pids", "cpu"}

const cgroupPrefix = "lambent-"

// detectCgroups makes the base folders. It never fails: what cannot be had is explained in why.
func detectCgroups() *cgroups {
	c := &cgroups{v1: map[string]string{}, why: map[string]string{}}
	mounts, err := readCgroupMounts()
	if err != nil {
		c.explain(err.Error())
		return c
	}
	name := cgroupPrefix + strconv.Itoa(os.Getpid())
	freezer := ""
	for _, m := range mounts {
		removeStale(m.own)
		base := filepath.Join(m.own, name)
		if m.v2 {
			c.openV2(m.own, base)
			continue
		}
		if slices.Contains(m.controllers, freezerController) {
			freezer = base
		}
		for _, ctl := range controllers {
			if slices.Contains(m.controllers, ctl) {
				if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
					c.why[ctl] = fmt.Sprintf("cgroup v1 controller %s is not writable: %v", ctl, err)
					continue
				}
				c.v1[ctl] = base
			}
		}
	}
	c.openFreezer(freezer)
	c.explain("no cgroup hierarchy with this controller is mounted")
	return c
}

// freezerController is the controller of version 1 that stops processes.
const freezerController = "freezer"

// openFreezer makes the base folder for freezing where version 2 does not do that.
func (c *cgroups) openFreezer(base string) {
	if base == "" || c.v2 != "" {
		return
	}
	if err := os.Mkdir(base, 0o755); err == nil || errors.Is(err, os.ErrExist) {
		c.v1[freezerController] = base
	}
}

func (c *cgroups) explain(reason string) {
	for _, ctl := range controllers {
		if !c.has(ctl) && c.why[ctl] == "" {
			c.why[ctl] = reason
		}
	}
}

func (c *cgroups) has(ctl string) bool { return c.v1[ctl] != "" || slices.Contains(c.v2has, ctl) }

// openV2 makes the base folder in the unified hierarchy and turns on its controllers. A cgroup with processes of its own
// cannot hand controllers down, so the daemon and the spawner move into a leaf if they are alone in theirs.
func (c *cgroups) openV2(own, base string) {
	if !canPlace() {
		c.explain("processes cannot be started in a cgroup of version 2: clone3 is refused here")
		return
	}
	if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		for _, ctl := range controllers {
			c.why[ctl] = fmt.Sprintf("cgroup %s is not writable: %v (under systemd, set Delegate=yes)", own, err)
		}
		return
	}
	c.v2 = base
	available, err := os.ReadFile(filepath.Join(own, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, ctl := range controllers {
		if !slices.Contains(strings.Fields(string(available)), ctl) {
			continue
		}
		err := enableController(own, ctl)
		if errors.Is(err, unix.EBUSY) && leaveForLeaf(own) {
			err = enableController(own, ctl)
		}
		if err == nil {
			err = enableController(base, ctl)
		}
		if err != nil {
			c.why[ctl] = fmt.Sprintf("cgroup controller %s cannot be handed to functions: %v", ctl, err)
			continue
		}
		c.v2has = append(c.v2has, ctl)
	}
}

// canPlace tells whether processes can be started inside of a cgroup. The filters of container engines hide clone3, which alone can do that.
func canPlace() bool {
	_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)
	return errno == unix.EINVAL
}

func enableController(dir, ctl string) error {
	return writeCgroup(filepath.Join(dir, "cgroup.subtree_control"), "+"+ctl)
}

// leaveForLeaf moves the daemon and the spawner from own into a child cgroup, if nobody else lives there.
func leaveForLeaf(own string) bool {
	data, err := os.ReadFile(filepath.Join(own, "cgroup.procs"))
	if err != nil {
		return false
	}
	ours := []string{strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid())}
	pids := strings.Fields(string(data))
	for _, pid := range pids {
		if !slices.Contains(ours, pid) {
			return false
		}
	}
	leaf := filepath.Join(own, cgroupPrefix+"daemon")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return false
	}
	for _, pid := range pids {
		if writeCgroup(filepath.Join(leaf, "cgroup.procs"), pid) != nil {
			return false
		}
	}
	return true
}

// processorBase is the base folder in the hierarchy that schedules; empty without one.
func (c *cgroups) processorBase() string {
	if dir := c.v1["cpu"]; dir != "" || !slices.Contains(c.v2has, "cpu") {
		return dir
	}
	return c.v2
}

// place is the folder of a cell. Where processor time is given out it lies beside the base and not in it, so that each cell competes with the platform and the
// rest of the machine by itself: otherwise what one has used would count against all of them.
func (c *cgroups) place(base, name string) string {
	if base == c.processorBase() {
		return base + "-" + name
	}
	return filepath.Join(base, name)
}

// cellCgroup is the place of one cell.
type cellCgroup struct {
	v2   string
	v1   map[string]string
	dirs []string
}

// create makes the cgroups of a cell with its limits.
func (c *cgroups) create(name string, l Limits) (*cellCgroup, error) {
	g := &cellCgroup{v1: map[string]string{}}
	for ctl := range c.v1 {
		if c.v1[ctl] != "" {
			g.v1[ctl] = c.place(c.v1[ctl], name)
			g.dirs = append(g.dirs, g.v1[ctl])
		}
	}
	if c.v2 != "" {
		g.v2 = c.place(c.v2, name)
		g.dirs = append(g.dirs, g.v2)
	}
	slices.Sort(g.dirs)
	g.dirs = slices.Compact(g.dirs)
	for _, dir := range g.dirs {
		if err := os.Mkdir(dir, 0o755); err != nil {
			g.remove()
			return nil, fmt.Errorf("make cgroup: %w", err)
		}
	}
	if err := c.setLimits(g, l); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

// setLimits bounds a cell. Its memory may be made less, but not more than it was: the two limits of version 1 would have to be written in
// the other order.
func (c *cgroups) setLimits(g *cellCgroup, l Limits) error {
	for _, w := range c.limits(g, l) {
		if err := writeCgroup(w.path, w.value); err != nil && !w.optional {
			return fmt.Errorf("limit cell: %w", err)
		}
	}
	return nil
}

type cgroupWrite struct {
	path, value string
	optional    bool
}

// tmpInodesPerMB is how many files /tmp may have for each MiB of its size. The kernel needs about 1 KiB for each, which counts as memory of the cell,
// as do page tables and other things of the kernel, for which there is kernelSlackMB, in MiB.
const (
	tmpInodesPerMB = 96
	kernelSlackMB  = 16
)

// limits lists what to write. The kernel's memory limit has room for /tmp; memoryWatch holds a cell to its own. A function's quota is never below one processor: a small function that runs alone need not be
// slow, and one that uses more than its allowance yields to all others.
func (c *cgroups) limits(g *cellCgroup, l Limits) []cgroupWrite {
	memory := strconv.Itoa((l.MemoryMB + l.TmpMB + l.TmpMB/8 + kernelSlackMB) << 20)
	pids := strconv.Itoa(l.PIDs + 1) // the init of the cell is one of them
	quota := strconv.Itoa(max(l.MilliCPU, 1000) * 100)
	var out []cgroupWrite
	add := func(dir, file, value string, optional bool) {
		out = append(out, cgroupWrite{filepath.Join(dir, file), value, optional})
	}
	for ctl, dir := range g.v1 {
		switch ctl {
		case "memory":
			add(dir, "memory.limit_in_bytes", memory, false)
			add(dir, "memory.memsw.limit_in_bytes", memory, true)
		case "pids":
			add(dir, "pids.max", pids, false)
		case "cpu":
			add(dir, "cpu.shares", sharesV1(l), false)
			add(dir, "cpu.cfs_quota_us", quota, true)
		}
	}
	for _, ctl := range c.v2has {
		switch ctl {
		case "memory":
			add(g.v2, "memory.max", memory, false)
			add(g.v2, "memory.swap.max", "0", true)
			add(g.v2, "memory.oom.group", "1", true)
		case "pids":
			add(g.v2, "pids.max", pids, false)
		case "cpu":
			add(g.v2, "cpu.weight", weightV2(l), false)
			add(g.v2, "cpu.max", quota+" 100000", true)
		}
	}
	return out
}

// memoryFiles are where peak use and out-of-memory kills of the cell are read.
func (g *cellCgroup) memoryFiles() (peak, events string) {
	if dir := g.v1["memory"]; dir != "" {
		return filepath.Join(dir, "memory.max_usage_in_bytes"), filepath.Join(dir, "memory.oom_control")
	}
	if g.v2 != "" {
		return filepath.Join(g.v2, "memory.peak"), filepath.Join(g.v2, "memory.events")
	}
	return "", ""
}

// freezeFile is where the processes of the cell are stopped and let go on; empty where the kernel cannot.
func (g *cellCgroup) freezeFile() string {
	switch {
	case g.v2 != "":
		return filepath.Join(g.v2, "cgroup.freeze")
	case g.v1[freezerController] != "":
		return filepath.Join(g.v1[freezerController], freezerState)
	}
	return ""
}

// freezerState is the file of version 1 that freezes.
const freezerState = "freezer.state"

// freezeWord is what is written to a freezeFile.
func freezeWord(file string, frozen bool) string {
	switch v1 := filepath.Base(file) == freezerState; {
	case v1 && frozen:
		return "FROZEN"
	case v1:
		return "THAWED"
	case frozen:
		return "1"
	}
	return "0"
}

// kill ends every process of the cell at once, where the kernel can. What version 1 has frozen does not end before it goes on.
func (g *cellCgroup) kill() bool {
	if dir := g.v1[freezerController]; dir != "" {
		_ = writeCgroup(filepath.Join(dir, freezerState), freezeWord(freezerState, false))
	}
	return g.v2 != "" && writeCgroup(filepath.Join(g.v2, "cgroup.kill"), "1") == nil
}

// remove removes the folders; it reports whether all are gone. A cgroup stays busy until its last process has been reaped.
func (g *cellCgroup) remove() bool {
	g.dirs = slices.DeleteFunc(g.dirs, func(dir string) bool {
		err := unix.Rmdir(dir)
		return err == nil || errors.Is(err, unix.ENOENT)
	})
	return len(g.dirs) == 0
}

// close removes the base folders.
func (c *cgroups) close() {
	for _, dir := range c.v1 {
		_ = unix.Rmdir(dir)
	}
	if c.v2 != "" {
		_ = unix.Rmdir(c.v2)
	}
}

// removeStale removes what spawners that no longer exist have left in dir.
func removeStale(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		number, _, _ := strings.Cut(strings.TrimPrefix(e.Name(), cgroupPrefix), "-")
		pid, err := strconv.Atoi(number)
		if !strings.HasPrefix(e.Name(), cgroupPrefix) || err != nil || unix.Kill(pid, 0) == nil {
			continue
		}
		base := filepath.Join(dir, e.Name())
		cells, _ := os.ReadDir(base)
		for _, cell := range cells {
			if cell.IsDir() {
				_ = unix.Rmdir(filepath.Join(base, cell.Name()))
			}
		}
		_ = unix.Rmdir(base)
	}
}

func writeCgroup(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// cgroupMount is a mounted hierarchy with the folder of this process in it.
type cgroupMount struct {
	own         string
	v2          bool
	controllers []string
}

func readCgroupMounts() ([]cgroupMount, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("cgroups are not available: %w", err)
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("mounts cannot be read: %w", err)
	}
	return parseCgroupMounts(string(own), string(info)), nil
}

// parseCgroupMounts reads /proc/self/cgroup and /proc/self/mountinfo, see cgroups(7) and proc(5).
func parseCgroupMounts(own, mountinfo string) []cgroupMount {
	paths := map[string]string{} // controller, or "" for version 2, to this process's path
	for line := range strings.Lines(own) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 {
			for _, ctl := range strings.Split(parts[1], ",") {
				paths[ctl] = parts[2]
			}
		}
	}
	var out []cgroupMount
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		fields, fs := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(fs) < 3 {
			continue
		}
		root, point := fields[3], fields[4]
		switch fs[0] {
		case "cgroup2":
			if p, ok := paths[""]; ok {
				out = append(out, cgroupMount{own: filepath.Join(point, strings.TrimPrefix(p, root)), v2: true})
			}
		case "cgroup":
			list := strings.Split(fs[2], ",")
			for _, ctl := range list {
				if p, ok := paths[ctl]; ok && ctl != "" {
					out = append(out, cgroupMount{own: filepath.Join(point, strings.TrimPrefix(p, root)), controllers: list})
					break
				}
			}
		}
	}
	return out
}
