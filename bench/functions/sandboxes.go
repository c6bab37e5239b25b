package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/sandbox"
)

// The parts below start environments in this process, without the platform around them.

// starter starts the environments of a language.
type starter struct {
	host     *sandbox.Host
	launcher *runtimes.Launcher
	catalog  *runtimes.Catalog
	language language
	code     string
}

// open returns a starter for each language, and what ends them. parked is the memory for parked cells in bytes, plain starts plain processes.
func (b *bench) open(ctx context.Context, parked int64, plain bool) ([]*starter, func() error, error) {
	host, err := sandbox.Open(ctx, sandbox.Options{Plain: plain})
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "runtimes-")
	if err != nil {
		return nil, nil, errors.Join(err, host.Close())
	}
	catalog, err := runtimes.NewCatalog(runtimes.Options{Dir: dir})
	if err != nil {
		return nil, nil, errors.Join(err, host.Close())
	}
	launcher := runtimes.NewLauncher(runtimes.LauncherOptions{Host: host, Clock: clock.System{}, MaxParked: parked})
	var out []*starter
	for _, l := range b.languages() {
		code, err := b.code(l)
		if err != nil {
			return nil, nil, errors.Join(err, host.Close())
		}
		out = append(out, &starter{host, launcher, catalog, l, code})
	}
	return out, func() error { launcher.Close(); return host.Close() }, nil
}

// code writes the function of a language to a folder.
func (b *bench) code(l language) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "code-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	for name, content := range l.files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	if l.files == nil && err == nil {
		err = os.Link(b.hello, filepath.Join(dir, "bootstrap"))
	}
	return dir, err
}

func (s *starter) start(ctx context.Context) (*runtimes.Environment, error) {
	r, err := s.catalog.Lookup(ctx, s.language.runtime)
	if err != nil {
		return nil, err
	}
	return s.launcher.Start(ctx, runtimes.Spec{
		Name: s.language.name, Runtime: r, Code: s.code, Output: io.Discard, Limits: sandbox.Limits{MemoryMB: 128},
		Env: []string{"_HANDLER=" + s.language.handler, "AWS_LAMBDA_FUNCTION_NAME=bench", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128"},
	})
}

func invoke(ctx context.Context, e *runtimes.Environment, id int) error {
	answer, err := e.Invoke(ctx, &rapi.Invocation{
		RequestID: strconv.Itoa(id), FunctionARN: "arn:aws:lambda:us-east-1:000000000000:function:bench", Deadline: time.Now().Add(time.Minute), Payload: []byte(`{}`),
	})
	if err == nil && answer.Failed {
		err = fmt.Errorf("the function failed: %s", answer.Body)
	}
	return err
}

// once starts an environment, has it answer one event, and ends it.
func (s *starter) once(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	e, err := s.start(ctx)
	if err != nil {
		return 0, err
	}
	err = invoke(ctx, e, 1)
	took := time.Since(began)
	e.Kill()
	<-e.Done()
	return took, err
}

// fresh compares a start in a sandbox made for it, which is what happens when no cell is parked, with the same client as a plain process.
func (b *bench) fresh(ctx context.Context) (err error) {
	isolated, stop, err := b.open(ctx, 0, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	plain, stopPlain, err := b.open(ctx, 0, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopPlain()) }()
	for i, s := range isolated {
		var got pairs
		for range b.samples {
			ours, err := s.once(ctx)
			if err != nil {
				return err
			}
			theirs, err := plain[i].once(ctx)
			if err != nil {
				return err
			}
			got.ours, got.theirs = append(got.ours, ours), append(got.theirs, theirs)
		}
		most50, most99 := 1.25, 2.0
		if s.language.name == "Go" {
			// It starts in less time than any sandbox is made in: what is promised is a rate.
			most50, most99 = math.Inf(1), math.Inf(1)
		}
		ratioRow("no cell left: full sandbox cold "+s.language.name+" ÷ the same bootstrap as a plain process", &got, most50, most99)
	}
	return nil
}

// rate measures how many fresh sandboxes a core starts, has answer and ends in a second: their number by the processor time that all of it took.
func (b *bench) rate(ctx context.Context) (err error) {
	all, stop, err := b.open(ctx, 0, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, s := range all {
		least := map[string]float64{"Go": 100, "node": 25}[s.language.name]
		if least == 0 {
			continue
		}
		const starts = 100
		if _, err := s.once(ctx); err != nil {
			return err
		}
		before, err := s.used(ctx)
		if err != nil {
			return err
		}
		if err := s.many(ctx, starts, 2); err != nil {
			return err
		}
		after, err := s.used(ctx)
		if err != nil {
			return err
		}
		took := func(after, before time.Duration) string { return lab.Ms((after - before) / starts) }
		rate := starts / (after.all() - before.all()).Seconds()
		lab.Row("fresh sandboxes, "+s.language.name, fmt.Sprintf("≥ %g/s a core", least),
			fmt.Sprintf("%.0f/s a core, by processor time (each %s in the sandbox, %s in the spawner, %s in the platform's place)", rate,
				took(after.sandboxes, before.sandboxes), took(after.spawner, before.spawner), took(after.own, before.own)), rate >= least)
	}
	return nil
}

// usage is processor time: of this process, of the spawner, and of all its sandboxes.
type usage struct{ own, spawner, sandboxes time.Duration }

func (u usage) all() time.Duration { return u.own + u.spawner + u.sandboxes }

// used is what has been used so far. One more sandbox tells where the others are.
func (s *starter) used(ctx context.Context) (out usage, err error) {
	e, err := s.start(ctx)
	if err != nil {
		return out, err
	}
	defer func() { e.Kill(); <-e.Done() }()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.PID()))
	if err != nil {
		return out, err
	}
	_, rest, _ := strings.Cut(string(status), "PPid:")
	spawner, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		return out, err
	}
	var err1, err2, err3 error
	out.own, err1 = lab.CPUOf(os.Getpid())
	out.spawner, err2 = lab.CPUOf(spawner)
	out.sandboxes, err3 = sandboxesCPU(e.PID())
	return out, errors.Join(err1, err2, err3)
}

// sandboxesCPU is the processor time of all sandboxes of a spawner, dead or alive, by the cgroup above that of one of them.
func sandboxesCPU(init int) (time.Duration, error) {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", init))
	if err != nil {
		return 0, err
	}
	_, path, ok := strings.Cut("\n"+string(groups), "\n0::")
	if !ok {
		return 0, errors.New("the processor time of sandboxes is read from cgroup version 2, of which there is none")
	}
	path, _, _ = strings.Cut(path, "\n")
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		text, err := os.ReadFile(filepath.Join(root, filepath.Dir(path), "cpu.stat"))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), "usage_usec ")
		us, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		return time.Duration(us) * time.Microsecond, err
	}
	return 0, fmt.Errorf("no cpu.stat of cgroup %s", path)
}

// many has n environments started, by some at a time.
func (s *starter) many(ctx context.Context, n, atOnce int) error {
	failed := make([]error, atOnce)
	var wg sync.WaitGroup
	for w := range atOnce {
		wg.Go(func() {
			for range n / atOnce {
				if _, err := s.once(ctx); err != nil {
					failed[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// neighbours are how many environments of a language are alive while the memory of one is read: what they share is nobody's own.
const neighbours = 4

// idle measures the memory that belongs to an idle environment alone, fresh and from a parked cell.
func (b *bench) idle(ctx context.Context) error {
	for _, parked := range []int64{0, 128 << 20} {
		if err := b.idleOf(ctx, parked); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) idleOf(ctx context.Context, parked int64) (err error) {
	all, stop, err := b.open(ctx, parked, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	most := map[string]float64{"node": 8, "python": 6, "Go": 2, "java": 24}
	for _, s := range all {
		var list []*runtimes.Environment
		for range neighbours {
			e, err := s.start(ctx)
			if err != nil {
				return err
			}
			list = append(list, e)
			for i := range 10 {
				if err := invoke(ctx, e, i); err != nil {
					return err
				}
			}
			time.Sleep(settle)
		}
		last := list[len(list)-1]
		private, err := privateOf(last.PID())
		if err != nil {
			return err
		}
		how := "fresh"
		if last.WasParked() {
			how = "from a parked cell"
		}
		mb := float64(private) / (1 << 20)
		lab.Row("idle private memory, "+s.language.name+", "+how, fmt.Sprintf("≤ %g MiB", most[s.language.name]), fmt.Sprintf("%.1f MiB", mb), mb <= most[s.language.name])
		for _, e := range list {
			e.Kill()
			<-e.Done()
		}
	}
	return nil
}

// privateOf is the memory that the children of a sandbox's init share with nobody, in bytes.
func privateOf(init int) (int64, error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", init, init))
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, pid := range strings.Fields(string(children)) {
		text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) == 3 && strings.HasPrefix(f[0], "Private_") {
				kb, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					return 0, err
				}
				sum += kb << 10
			}
		}
	}
	return sum, nil
}

// alive keeps many idle environments of python at once, and has each of them answer.
func (b *bench) alive(ctx context.Context) (err error) {
	all, stop, err := b.open(ctx, 0, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	before, err := available()
	if err != nil {
		return err
	}
	var list []*runtimes.Environment
	for _, s := range all {
		if s.language.name != "python" {
			continue
		}
		for i := range b.many {
			e, err := s.start(ctx)
			if err != nil {
				return fmt.Errorf("sandbox %d: %w", i, err)
			}
			if err := invoke(ctx, e, 1); err != nil {
				return fmt.Errorf("sandbox %d: %w", i, err)
			}
			list = append(list, e)
		}
	}
	after, err := available()
	if err != nil {
		return err
	}
	answered := 0
	var times []time.Duration
	for _, e := range list {
		began := time.Now()
		if invoke(ctx, e, 2) == nil {
			answered++
			times = append(times, time.Since(began))
		}
	}
	lab.Row(fmt.Sprintf("%d idle python sandboxes alive at once, each answering", b.many), "yes",
		fmt.Sprintf("%d answer (p50 %s, p99 %s); %.1f MiB of the machine's memory each", answered, lab.Ms(lab.Percentile(times, 50)), lab.Ms(lab.Percentile(times, 99)),
			float64(before-after)/float64(len(list))/(1<<20)), answered == b.many)
	return nil
}

// available is the memory of the machine that could be used, in bytes.
func available() (int64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0, errors.New("the kernel does not tell its available memory")
	}
	kb, err := strconv.ParseInt(f[0], 10, 64)
	return kb << 10, err
}
