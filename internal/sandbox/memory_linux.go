package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// memoryWatch ends a cell whose processes use more memory than their limit. The kernel's own limit has to leave room for /tmp, which is memory of the cell
// too, so it alone would let a function with an empty /tmp use all of that. The watch waits for events and never polls: anonymous memory
// can pass its limit only after the total has grown by what is left of it, so the next look is due when the kernel reports that it has.
type memoryWatch struct {
	dir   string
	usage string // the file of the total
	anon  string // the key of anonymous memory in memory.stat
	// arm asks for an event when the total passes a number of bytes.
	arm    func(bytes int64) error
	events *os.File // becomes readable with an event
	buf    [4096]byte
}

// memoryStep is the least growth that a watch looks at, in bytes.
const memoryStep = 1 << 20

// newMemoryWatch returns the watch of a cgroup, or nil where there is no memory controller.
func (c *cgroups) newMemoryWatch(g *cellCgroup) (*memoryWatch, error) {
	switch {
	case g.v1["memory"] != "":
		return watchV1(g.v1["memory"])
	case slices.Contains(c.v2has, "memory"):
		return watchV2(g.v2)
	}
	return nil, nil //nolint:nilnil // there is nothing to watch
}

// watchV1 uses the thresholds of version 1: an eventfd and a byte count written to cgroup.event_control, see the kernel's
// admin-guide/cgroup-v1/memory.rst.
func watchV1(dir string) (*memoryWatch, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make eventfd: %w", err)
	}
	w := &memoryWatch{dir: dir, usage: filepath.Join(dir, "memory.usage_in_bytes"), anon: "rss", events: os.NewFile(uintptr(fd), "memory events")}
	w.arm = func(bytes int64) error {
		usage, err := unix.Open(w.usage, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(usage) }()
		return writeCgroup(filepath.Join(dir, "cgroup.event_control"), fmt.Sprintf("%d %d %d", fd, usage, bytes))
	}
	return w, nil
}

// watchV2 uses memory.high, whose breach changes memory.events. It also slows the cell down, which is over as soon as it is raised.
func watchV2(dir string) (*memoryWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make inotify: %w", err)
	}
	if _, err := unix.InotifyAddWatch(fd, filepath.Join(dir, "memory.events"), unix.IN_MODIFY); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("watch memory.events: %w", err)
	}
	w := &memoryWatch{dir: dir, usage: filepath.Join(dir, "memory.current"), anon: "anon", events: os.NewFile(uintptr(fd), "memory events")}
	w.arm = func(bytes int64) error {
		return writeCgroup(filepath.Join(dir, "memory.high"), strconv.FormatInt(bytes, 10))
	}
	return w, nil
}

// run calls kill when the anonymous memory of the cell passes limit bytes. It returns then, or when the watch is closed.
func (w *memoryWatch) run(limit int64, kill func()) {
	for {
		usage, ok := readNumber(w.usage, "")
		if !ok {
			return // the cell is gone
		}
		next := max(limit, usage+memoryStep) // while the total is within the limit, what is a part of it is, too
		if usage > limit {
			anon, _ := readNumber(filepath.Join(w.dir, "memory.stat"), w.anon)
			if anon > limit {
				kill()
				return
			}
			next = usage + max(limit-anon, memoryStep)
		}
		if w.arm(next) != nil {
			return
		}
		if now, _ := readNumber(w.usage, ""); now >= next {
			continue // it was passed before the kernel watched for it
		}
		if _, err := w.events.Read(w.buf[:]); err != nil {
			return
		}
	}
}

func (w *memoryWatch) close() {
	if w != nil {
		_ = w.events.Close()
	}
}
