package runtimes

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/demand"
	"lambent.dev/lambent/internal/sandbox"
)

// launcher returns a launcher on a sandbox host that can park cells.
func (b *bench) launcher(t testing.TB, parked int64) *Launcher {
	t.Helper()
	if !b.host.CanPark() {
		t.Skip("cells cannot be parked here: that takes root and a memory controller")
	}
	l := NewLauncher(LauncherOptions{Host: b.host, Clock: clock.System{}, MaxParked: parked})
	t.Cleanup(l.Close)
	return l
}

// filled waits until a launcher has parked n cells.
func filled(t testing.TB, l *Launcher, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if cells, _ := l.Parked(); cells >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no cells were parked")
		}
		if err := clock.Sleep(t.Context(), clock.System{}, 5*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSecondStartTakesAParkedCellUnlessAFreshOneIsWanted(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	l := b.launcher(t, 1<<30)
	s, out := b.spec(t, "python3.11", "app.handler", map[string]string{"app.py": "import os\ndef handler(e, c): return os.environ.get('WHO')\n"}, "WHO=me")
	for i := range 3 {
		s.Fresh = i == 2
		e, err := l.Start(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := e.Invoke(t.Context(), event("1", `{}`))
		if err != nil || string(answer.Body) != `"me"` || e.WasParked() != (i == 1) {
			t.Fatalf("start %d, parked is %v: %s %v\n%s", i, e.WasParked(), answer.Body, err, out)
		}
		filled(t, l, leastParked)
		e.Kill()
		<-e.Done()
	}
}

func TestParkedCellsKeepToTheirMemory(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	l := b.launcher(t, guess+1)
	s, _ := b.spec(t, "python3.11", "app.handler", map[string]string{"app.py": "def handler(e, c): return 1\n"})
	e, err := l.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Kill()
	filled(t, l, 1)
	l.Close()
	if cells, bytes := l.Parked(); cells != 0 || bytes != 0 {
		t.Errorf("%d cells with %d bytes after the end", cells, bytes)
	}
	p := &pool{bytes: 10 << 20, asked: demand.Average{Last: time.Now()}}
	l.pools[kind{}], l.parked, l.o.MaxParked = p, 11<<20, 20<<20
	if l.neediestLocked(time.Now()) == p {
		t.Error("a cell would be parked beyond the limit")
	}
}

func TestPoolFollowsDemand(t *testing.T) {
	now := time.Unix(1e9, 0)
	p := &pool{took: 100 * time.Millisecond}
	p.asked.Add(now)
	if n := p.target(now); n != leastParked+1 {
		t.Errorf("target %d after one start", n)
	}
	for range 600 { // ten a second for a minute
		now = now.Add(100 * time.Millisecond)
		p.asked.Add(now)
	}
	if n := p.target(now); n < 4 || n > 6 {
		t.Errorf("target %d with ten starts a second", n)
	}
	if n := p.target(now.Add(20 * time.Minute)); n > leastParked+1 {
		t.Errorf("target %d after twenty minutes without one", n)
	}
	l := &Launcher{pools: map[kind]*pool{{}: p}}
	if l.expireLocked(now.Add(poolLife)); len(l.pools) != 0 {
		t.Error("the pool is kept without demand")
	}
}

func TestFailedParkingIsTriedAgainLater(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	l := b.launcher(t, 1<<30)
	now := time.Now()
	p := &pool{like: Spec{Name: "x", Runtime: &Runtime{ID: "python3.11", Family: FamilyPython, argv: []string{"/does/not/exist"}}}, asked: demand.Average{Last: now}}
	l.pools[kind{}] = p
	l.fill(p)
	if len(p.cells) != 0 || !p.retry.After(now) {
		t.Fatalf("pool %+v", p)
	}
	if l.neediestLocked(p.retry.Add(-1)) != nil || l.neediestLocked(p.retry) != p {
		t.Error("the pool is not tried again at its time")
	}
}

// TestStartsGoOnWhenParkedCellsAreGone kills a parked cell, and then the spawner with all cells that it has: the next start succeeds each time.
func TestStartsGoOnWhenParkedCellsAreGone(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	l := b.launcher(t, 1<<30)
	s, out := b.spec(t, "python3.11", "app.handler", map[string]string{"app.py": "def handler(e, c): return 1\n"})
	run := func() int {
		t.Helper()
		e, err := l.Start(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Kill()
		if answer, err := e.Invoke(t.Context(), event("1", `{}`)); err != nil || string(answer.Body) != "1" {
			t.Fatalf("%s %v\n%s", answer.Body, err, out)
		}
		status, err := os.ReadFile("/proc/" + strconv.Itoa(e.PID()) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "PPid:")
		spawner, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		return spawner
	}
	run()
	filled(t, l, leastParked)
	for _, c := range parkedIn(l) {
		c.kill()
		<-c.env.Done()
	}
	spawner := run()
	filled(t, l, leastParked)
	lost := parkedIn(l)
	if err := syscall.Kill(spawner, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, c := range lost {
		<-c.env.Done()
	}
	if again := run(); again == spawner {
		t.Error("the spawner was not replaced")
	}
}

// parkedIn lists the cells that a launcher has parked.
func parkedIn(l *Launcher) (all []*parkedCell) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pools {
		all = append(all, p.cells...)
	}
	return all
}

// TestBootVariablesBypassBootedCells gives functions variables that a process reads when it starts: they work although cells are parked.
func TestBootVariablesBypassBootedCells(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.launcher(t, 1<<30)
	b.parked = true
	e, out := b.start(t, "nodejs20.x", "index.handler", map[string]string{
		"index.js": "exports.handler = async () => globalThis.early", "early.js": "globalThis.early = 'loaded'",
	}, "NODE_OPTIONS=--require /var/task/early.js")
	answer, err := e.Invoke(t.Context(), event("1", `{}`))
	if err != nil || string(answer.Body) != `"loaded"` {
		t.Errorf("%s %v\n%s", answer.Body, err, out)
	}
	for _, tc := range []struct {
		env       string
		held, own bool
	}{
		{"A=b", false, false},
		{"PYTHONHASHSEED=0", false, true},
		{"TZ=:UTC", false, false},
		{"TZ=Europe/Berlin", false, true},
		{"LD_LIBRARY_PATH=/opt/x", false, true},
		{"LD_PRELOAD=/var/task/x.so", true, false},
		{"NODE_OPTIONS=--enable-source-maps --require /var/task/x.js", true, false},
		{"JAVA_TOOL_OPTIONS=-javaagent:/opt/x.jar", true, false},
		{"X=\xff", true, false},
	} {
		s, _ := b.spec(t, "python3.11", "app.handler", nil, tc.env)
		if k, _ := kindOf(&s); k.held != tc.held || (k.own != "") != tc.own {
			t.Errorf("%q: held is %v, own is %v", tc.env, k.held, k.own != "")
		}
	}
}

// TestThirdStartTakesACellOfItsOwn gives a function variables with which its runtime has to boot: after two starts a cell is kept for it alone.
func TestThirdStartTakesACellOfItsOwn(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	l := b.launcher(t, 1<<30)
	s, out := b.spec(t, "python3.11", "app.handler", map[string]string{"app.py": "import os, sys\ndef handler(e, c): return [sys.flags.hash_randomization, os.environ['WHO'], 'LAMBENT_PARKED' in os.environ]\n"}, "PYTHONHASHSEED=0", "WHO=me")
	own, _ := kindOf(&s)
	start := func() *Environment {
		t.Helper()
		e, err := l.Start(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			e.Kill()
			<-e.Done()
		})
		answer, err := e.Invoke(t.Context(), event("1", `{}`))
		if err != nil || string(answer.Body) != `[0, "me", false]` {
			t.Fatalf("%s %v\n%s", answer.Body, err, out)
		}
		return e
	}
	kept := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.pools[own].cells)
	}
	start()
	if n := kept(); n != 0 {
		t.Errorf("%d cells of its own after one start", n)
	}
	start()
	filled(t, l, 1+leastParked) // held ones are parked as well
	if n := kept(); n != 1 {
		t.Fatalf("%d cells of its own after two starts", n)
	}
	if e := start(); !e.WasParked() {
		t.Error("the third start did not take it")
	}
	other := s
	other.Name = "other"
	if k, _ := kindOf(&other); k == own {
		t.Error("another function would take it")
	}
}

// TestParkedCellLeavesNothingOfItself compares what a function sees in a parked cell with what it sees in a fresh one.
func TestParkedCellLeavesNothingOfItself(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	b.launcher(t, 1<<30)
	for _, tc := range []struct{ id, handler, file, code string }{
		{"nodejs20.x", "index.handler", "index.js", `const fs = require('fs');
exports.handler = async () => ({ env: process.env, cwd: process.cwd(), tmp: fs.readdirSync('/tmp'), args: process.execArgv,
  globals: Object.getOwnPropertyNames(globalThis).sort(), loaded: Object.keys(require.cache).sort(), fds: fs.readdirSync('/proc/self/fd').length,
  child: require('child_process').execFileSync('/usr/bin/env').toString().split('\n').sort() })`},
		{"python3.11", "app.handler", "app.py", `import os, sys, logging, subprocess
def handler(e, c):
    return {"env": dict(os.environ), "cwd": os.getcwd(), "tmp": os.listdir("/tmp"), "path": sys.path, "log": [str(logging.getLogger()), len(logging.getLogger().handlers)],
      "modules": sorted(m for m in sys.modules if m.startswith("lambent") or m == "app"),
      "child": sorted(subprocess.run(["/usr/bin/env"], capture_output=True, text=True).stdout.split("\n"))}
`},
	} {
		var seen []string
		for _, parked := range []bool{false, true} {
			b.parked = parked
			e, out := b.start(t, tc.id, tc.handler, map[string]string{tc.file: tc.code}, "A=b", "C=d e=f", "AWS_LAMBDA_LOG_STREAM_NAME=x")
			answer, err := e.Invoke(t.Context(), event("1", `{}`))
			if err != nil || answer.Failed {
				t.Fatalf("%s: %v %s\n%s", tc.id, err, answer.Body, out)
			}
			seen = append(seen, string(answer.Body))
		}
		// The order of variables is not the same.
		sorted := func(s string) string {
			f := strings.Split(strings.NewReplacer("{", ",", "}", ",", "[", ",", "]", ",", " ", "").Replace(s), ",")
			slices.Sort(f)
			return strings.Join(f, "\n")
		}
		if diff := cmp.Diff(sorted(seen[0]), sorted(seen[1])); diff != "" {
			t.Errorf("%s: a fresh cell shows -, a parked one +:\n%s", tc.id, diff)
		}
	}
}

// TestAssignedCellIsBound checks that code and layers attached to a parked cell are there, read-only, and that another function's are not.
func TestAssignedCellIsBound(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	l := b.launcher(t, 1<<30)
	files := map[string]string{"app.py": `import os
import layered
def handler(e, c):
    seen = os.listdir("/var/task") + os.listdir("/opt/python") + [layered.name]
    for path in ("/var/task/x", "/opt/x", "/var/runtime/x", "/x"):
        try:
            open(path, "w")
            seen.append("wrote " + path)
        except OSError:
            pass
    return sorted(seen)
`}
	for i := range 3 {
		name := "only" + strconv.Itoa(i)
		s, out := b.spec(t, "python3.11", "app.handler", files)
		s.Layers = t.TempDir()
		for file, text := range map[string]string{filepath.Join(s.Code, name): "", filepath.Join(s.Layers, "python", "layered.py"): "name = 'of " + name + "'\n"} {
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if i > 0 {
			filled(t, l, 1)
		}
		e, err := l.Start(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if e.WasParked() != (i > 0) {
			t.Errorf("start %d: parked is %v", i, e.WasParked())
		}
		answer, err := e.Invoke(t.Context(), event("1", `{}`))
		if want := `["app.py", "layered.py", "of ` + name + `", "` + name + `"]`; err != nil || string(answer.Body) != want {
			t.Errorf("%s %v, want %s\n%s", answer.Body, err, want, out)
		}
		e.Kill()
		<-e.Done()
	}
}

// BenchmarkColdStart measures a start up to the first answer, fresh and from a parked cell.
func BenchmarkColdStart(b *testing.B) {
	for _, tc := range []struct{ id, handler, file, code string }{
		{"nodejs20.x", "index.handler", "index.js", "exports.handler = async (e) => e"},
		{"python3.11", "app.handler", "app.py", "def handler(e, c): return e\n"},
	} {
		for _, parked := range []bool{false, true} {
			b.Run(tc.id+"/parked="+strconv.FormatBool(parked), func(b *testing.B) {
				t := newBench(b, sandbox.Options{})
				s, out := t.spec(b, tc.id, tc.handler, map[string]string{tc.file: tc.code})
				var times []time.Duration
				for b.Loop() {
					var c *parkedCell
					if parked {
						c = t.park(b, &s)
					}
					began := time.Now()
					var e *Environment
					var err error
					if parked {
						e, err = c.assign(b.Context(), &s)
					} else {
						e, err = t.fresh().startFresh(b.Context(), s)
					}
					if err != nil {
						b.Fatal(err)
					}
					if _, err := e.Invoke(b.Context(), event("1", `{"a":1}`)); err != nil {
						b.Fatalf("%v %s", err, out)
					}
					times = append(times, time.Since(began))
					e.Kill()
					<-e.Done()
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-p50")
				b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "ms-p99")
			})
		}
	}
}
