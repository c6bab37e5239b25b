package sandbox

import (
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Cells that use much of the processor yield: they run whenever nobody else wants to, and whoever wakes up goes first at once. A weight alone does not do that: the
// kernel lets a process use up its slice, of milliseconds, before another one of the same class may have the processor, so that one call in a hundred of a quiet function
// would wait behind a neighbour that spins. What a cell is held to is its allowance. It yields while it uses more, and competes by its weight again when it
// gets less, so that a machine that is busy with other work does not starve it. See docs/adr/0127-yielding.md.

const (
	// lookInterval is how often cells are looked at while they use the processor, restInterval how often it is found out whether they do.
	lookInterval = 50 * time.Millisecond
	restInterval = 250 * time.Millisecond
	// quiet is the use of all cells, in thousandths of a processor, below which none is looked at.
	quiet = 200
	// leastAllowance is what any cell may use without yielding while the machine has room, in thousandths of a processor.
	leastAllowance = 500
	// idleUse is the use up to which a cell does not count as busy, in thousandths of a processor.
	idleUse = 10
)

// use is what a cell uses of the processor, in thousandths of one.
type use struct {
	// share is what it is entitled to, got what it has had since the last look.
	share, got int
}

// allowances returns how much each of the cells may use without yielding, in thousandths of a processor: half a processor or half of its share, whichever is more, and
// less where those that are busy could use more than half of the machine together.
func allowances(cells []use, processors int) []int {
	out := make([]int, len(cells))
	sum := 0
	for i, c := range cells {
		out[i] = max(leastAllowance, c.share/2)
		if c.got > idleUse {
			sum += out[i]
		}
	}
	if half := processors * 500; sum > half {
		for i := range out {
			out[i] = out[i] * half / sum
		}
	}
	return out
}

// share is what the spawner knows about a cell's use of the processor.
type share struct {
	limits Limits
	// used is the processor time up to the last look, at at.
	used, at time.Duration
	// yields tells that the cell is at the end of the queue.
	yields bool
}

// since returns the use since the last look. The cell has used total now.
func (h *share) since(total, now time.Duration) use {
	u := use{share: h.limits.MilliCPU, got: int((total - h.used) * 1000 / max(now-h.at, 1))}
	h.used, h.at = total, now
	return u
}

// balance has cells yield that use more than their allowance, as long as the process lives. It sleeps while there are no cells, and looks at single ones only
// when all together use some processor, or when one yields.
func (s *spawner) balance() {
	last, total := monotonic(), time.Duration(0)
	for looking := false; ; {
		if !s.occupied() {
			<-s.born
		}
		if looking {
			rest(lookInterval)
		} else {
			rest(restInterval)
		}
		now := monotonic()
		sum, _ := s.env.cgroups.used()
		looking = (sum-total)*1000 > quiet*(now-last)
		last, total = now, sum
		if looking || s.anyYields() {
			looking = s.look(now) || looking
		}
	}
}

// occupied tells whether there are cells.
func (s *spawner) occupied() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.cells) > 0
}

// anyYields tells whether a cell yields.
func (s *spawner) anyYields() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cells {
		if c.share.yields {
			return true
		}
	}
	return false
}

// look compares every cell's use since the last look with its allowance, and tells whether one yields.
func (s *spawner) look(now time.Duration) (yields bool) {
	s.mu.Lock()
	cells := slices.Collect(maps.Values(s.cells))
	s.mu.Unlock()
	totals := make([]time.Duration, len(cells))
	for i, c := range cells {
		totals[i], _ = c.group.used()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	uses := make([]use, len(cells))
	for i, c := range cells {
		uses[i] = c.share.since(totals[i], now)
	}
	for i, allowed := range allowances(uses, runtime.NumCPU()) {
		if c := cells[i]; s.cells[c.id] == c {
			s.yieldLocked(c, uses[i].got > allowed)
			yields = yields || c.share.yields
		}
	}
	return yields
}

// yieldLocked puts a cell at the end of the queue, or gives it its place by weight again. s.mu is held.
func (s *spawner) yieldLocked(c *spawned, yields bool) {
	if c.share.yields == yields {
		return
	}
	if s.env.cgroups.setYields(c.group, c.share.limits, yields) == nil {
		c.share.yields = yields
	}
}

// setYields moves a cell into the kernel's class of idle groups, or back with its weight, which the kernel forgets meanwhile. Kernels before 5.15 have no such class.
func (c *cgroups) setYields(g *cellCgroup, l Limits, yields bool) error {
	dir, weight, value := g.v1["cpu"], "cpu.shares", sharesV1(l)
	if dir == "" && slices.Contains(c.v2has, "cpu") {
		dir, weight, value = g.v2, "cpu.weight", weightV2(l)
	}
	if dir == "" {
		return unix.ENOENT
	}
	if yields {
		return writeCgroup(filepath.Join(dir, "cpu.idle"), "1")
	}
	if err := writeCgroup(filepath.Join(dir, "cpu.idle"), "0"); err != nil {
		return err
	}
	return writeCgroup(filepath.Join(dir, weight), value)
}

// sharesV1 and weightV2 are the weight of a cell in the terms of either version: that of an ordinary process, or more where it may use more than one processor.
func sharesV1(l Limits) string { return strconv.Itoa(max(l.MilliCPU, 1000) * 1024 / 1000) }

func weightV2(l Limits) string { return strconv.Itoa(min(max(l.MilliCPU, 1000)/10, 10000)) }

// used is the processor time of a cell so far; false where it is not known, which is where there is no version 2.
func (g *cellCgroup) used() (time.Duration, bool) { return usedBy(g.v2) }

// used is the processor time of all cells so far, or of all that shares a cgroup with them.
func (c *cgroups) used() (time.Duration, bool) {
	if c.v2 != "" && c.v2 == c.processorBase() {
		return usedBy(filepath.Dir(c.v2))
	}
	return usedBy(c.v2)
}

// usedBy reads the processor time of a cgroup of version 2.
func usedBy(dir string) (time.Duration, bool) {
	if dir == "" {
		return 0, false
	}
	us, ok := readNumber(filepath.Join(dir, "cpu.stat"), "usage_usec")
	return time.Duration(us) * time.Microsecond, ok
}

// monotonic is the time since some moment in the past, which nobody sets.
func monotonic() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}

// rest waits. It may return early.
func rest(d time.Duration) {
	t := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&t, nil)
}
