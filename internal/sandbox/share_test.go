//go:build linux

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestAllowances(t *testing.T) {
	for _, tt := range []struct {
		name       string
		cells      []use
		processors int
		want       []int
	}{
		{"one small cell has half a processor", []use{{72, 1000}}, 2, []int{500}},
		{"a large one has half of its share", []use{{5000, 4000}}, 16, []int{2500}},
		{"a large one has half of a small machine", []use{{5000, 2000}}, 2, []int{1000}},
		{"cells that rest take nothing from others", []use{{72, 0}, {72, 5}, {72, 1000}}, 2, []int{500, 500, 500}},
		{"busy ones share half of the machine", []use{{72, 250}, {72, 250}, {72, 250}, {72, 250}}, 2, []int{250, 250, 250, 250}},
		{"by what they are entitled to", []use{{72, 400}, {3000, 1600}}, 2, []int{250, 750}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := allowances(tt.cells, tt.processors); !slices.Equal(got, tt.want) {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestUseIsAveragedSinceTheLastLook(t *testing.T) {
	s := share{limits: Limits{MilliCPU: 72}, at: time.Second}
	if got := s.since(time.Second, 11*time.Second); got != (use{72, 100}) {
		t.Errorf("one second in ten is %+v", got)
	}
	if got := s.since(time.Second+40*time.Millisecond, 11*time.Second+50*time.Millisecond); got != (use{72, 800}) {
		t.Errorf("40 ms in 50 ms are %+v", got)
	}
}

// fakeGroups are cgroups in a folder, without a kernel behind them.
func fakeGroups(t *testing.T) *cgroups {
	t.Helper()
	dir := t.TempDir()
	return &cgroups{v1: map[string]string{"cpu": filepath.Join(dir, "cpu")}, v2: filepath.Join(dir, "unified"), why: map[string]string{}}
}

// fakeCell adds a cell to a spawner, whose cgroup is one of folders.
func fakeCell(t *testing.T, s *spawner, id uint64) *spawned {
	t.Helper()
	name := strconv.FormatUint(id, 10)
	c := &spawned{id: id, share: share{limits: Limits{MilliCPU: 72}}, group: &cellCgroup{
		v1: map[string]string{"cpu": s.env.cgroups.place(s.env.cgroups.v1["cpu"], name)}, v2: s.env.cgroups.place(s.env.cgroups.v2, name),
	}}
	for _, file := range []string{filepath.Join(c.group.v1["cpu"], "cpu.idle"), filepath.Join(c.group.v1["cpu"], "cpu.shares"), filepath.Join(c.group.v2, "cpu.stat")} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("0"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.cells[id] = c
	return c
}

func (c *spawned) setUsed(t *testing.T, d time.Duration) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.group.v2, "cpu.stat"), fmt.Appendf(nil, "usage_usec %d\nuser_usec 0\n", d.Microseconds()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCellYieldsWhileItUsesMoreThanItsAllowance(t *testing.T) {
	s := &spawner{env: &spawnEnv{cgroups: fakeGroups(t)}, cells: map[uint64]*spawned{}}
	loud, calm := fakeCell(t, s, 1), fakeCell(t, s, 2)
	idle := func(c *spawned) string {
		data, err := os.ReadFile(filepath.Join(c.group.v1["cpu"], "cpu.idle"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for i, step := range []struct {
		loud, calm time.Duration // processor time after each tenth of a second
		want       string
		more       bool
	}{
		{90 * time.Millisecond, time.Millisecond, "1 0", true},
		{180 * time.Millisecond, 2 * time.Millisecond, "1 0", true},
		{180*time.Millisecond + time.Microsecond, 2 * time.Millisecond, "0 0", false},
		{190 * time.Millisecond, 3 * time.Millisecond, "0 0", false},
	} {
		loud.setUsed(t, step.loud)
		calm.setUsed(t, step.calm)
		more := s.look(time.Duration(i+1) * 100 * time.Millisecond)
		if got := idle(loud) + " " + idle(calm); got != step.want || more != step.more {
			t.Errorf("look %d: cpu.idle %s, more to do %t; want %s, %t", i+1, got, more, step.want, step.more)
		}
	}
	if shares, err := os.ReadFile(filepath.Join(loud.group.v1["cpu"], "cpu.shares")); err != nil || string(shares) != "1024" {
		t.Errorf("the weight is %q, %v after it has yielded", shares, err)
	}
	if s.anyYields() {
		t.Error("a cell yields")
	}
}

func TestCellThatBeginsToYieldGoesOnWhileItUsesMuch(t *testing.T) {
	s := &spawner{env: &spawnEnv{cgroups: fakeGroups(t)}, cells: map[uint64]*spawned{}}
	c := fakeCell(t, s, 1)
	s.yieldLocked(c, true)
	c.setUsed(t, 49*time.Millisecond)
	if s.look(50 * time.Millisecond); !c.share.yields {
		t.Error("it no longer yields, though it uses a whole processor")
	}
	c.setUsed(t, 50*time.Millisecond)
	if s.look(100 * time.Millisecond); c.share.yields {
		t.Error("it yields, though it uses nothing")
	}
}

func TestKernelTakesYielding(t *testing.T) {
	c := detectCgroups()
	t.Cleanup(c.close)
	if c.processorBase() == "" {
		t.Skip("no processor controller: " + c.why["cpu"])
	}
	l := Limits{MemoryMB: 128, TmpMB: 16, PIDs: 8, MilliCPU: 2000}
	g, err := c.create("test", l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.remove() })
	if _, err := os.Stat(filepath.Join(c.place(c.processorBase(), "test"), "cpu.idle")); err != nil {
		t.Skipf("this kernel has no idle groups: %v", err)
	}
	for _, yields := range []bool{true, false, true} {
		if err := c.setYields(g, l, yields); err != nil {
			t.Fatalf("yield %t: %v", yields, err)
		}
	}
	if c.v1["cpu"] == "" {
		return
	}
	if err := c.setYields(g, l, false); err != nil {
		t.Fatal(err)
	}
	if n, _ := readNumber(filepath.Join(g.v1["cpu"], "cpu.shares"), ""); n != 2048 {
		t.Errorf("the weight is %d", n)
	}
}
