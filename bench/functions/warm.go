package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/runtimes"
)

const (
	// warming invocations are made before anything is measured.
	warming = 300
	// atOnce is how many sandboxes answer at the same time where a rate is measured, in windows of rateTime each.
	atOnce      = 16
	rateWindows = 12
	rateTime    = 400 * time.Millisecond
	// pongArgument makes this program the far end of a ping-pong.
	pongArgument = "pong"
)

// warm compares a warm invocation at the Runtime API with the least that two processes can say to each other: a byte there and back over a socket
// pair, both ends blocking.
func (b *bench) warm(ctx context.Context) (err error) {
	starters, stop, err := b.open(ctx, 0, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	p, err := newPing(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, s := range starters {
		e, err := s.warmed(ctx)
		if err != nil {
			fmt.Printf("| warm %s | | not measured: %v | |\n", s.language.name, err)
			continue
		}
		var got pairs
		for i := range 10 * b.samples {
			began := time.Now()
			if err := invoke(ctx, e, warming+i); err != nil {
				return err
			}
			ours := time.Since(began)
			began = time.Now()
			if err := p.pong(); err != nil {
				return err
			}
			got.ours, got.theirs = append(got.ours, ours), append(got.theirs, time.Since(began))
		}
		e.Kill()
		<-e.Done()
		ratioRow("warm "+s.language.name+" at the Runtime API ÷ socket pair ping-pong", &got, 4, 40)
	}
	return nil
}

// warmed starts an environment and has it answer until it is warm.
func (s *starter) warmed(ctx context.Context) (*runtimes.Environment, error) {
	e, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	for i := range warming {
		if err := invoke(ctx, e, i); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// ping is this end of a ping-pong.
type ping struct {
	fd  int
	cmd *exec.Cmd
}

func newPing(ctx context.Context) (*ping, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "pong")
	cmd := exec.CommandContext(ctx, self, pongArgument)
	cmd.ExtraFiles = []*os.File{theirs}
	return &ping{fds[0], cmd}, errors.Join(cmd.Start(), theirs.Close())
}

// pong sends a byte and waits for it to come back.
func (p *ping) pong() error {
	var b [1]byte
	if _, err := syscall.Write(p.fd, b[:]); err != nil {
		return err
	}
	n, err := syscall.Read(p.fd, b[:])
	if err == nil && n == 0 {
		err = errors.New("the far end of the ping-pong is gone")
	}
	return err
}

func (p *ping) close() error { return errors.Join(syscall.Close(p.fd), p.cmd.Wait()) }

// answerPings is the far end: descriptor 3 is the socket.
func answerPings() {
	runtime.LockOSThread()
	var b [1]byte
	for {
		if n, err := syscall.Read(3, b[:]); n != 1 || err != nil {
			return
		}
		if _, err := syscall.Write(3, b[:]); err != nil {
			return
		}
	}
}

// throughput measures the invocations a second that one core carries, at the Runtime API and through the signed API. The core's time is that of the platform and
// of the functions; the client of the signed API is not counted.
func (b *bench) throughput(ctx context.Context) error {
	return errors.Join(b.runtimeThroughput(ctx), b.signedCalls(ctx))
}

func (b *bench) runtimeThroughput(ctx context.Context) (err error) {
	starters, stop, err := b.open(ctx, 0, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, s := range starters {
		var all []*runtimes.Environment
		for range atOnce {
			e, err := s.warmed(ctx)
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		pid := all[0].PID()
		rates, err := load(os.Getpid(), pid, func(i int) error { return invoke(ctx, all[i%atOnce], i+warming) })
		if err != nil {
			return err
		}
		for _, e := range all {
			e.Kill()
			<-e.Done()
		}
		rateRow(fmt.Sprintf("%d warm %s sandboxes at the Runtime API, invocations/s a core", atOnce, s.language.name), 12_000, rates)
	}
	return nil
}

// load runs call on atOnce goroutines, each with numbers of its own, and returns how many calls were made in a second of processor time, of each window: that of
// the process pid and of all sandboxes beside that of init.
func load(pid, init int, call func(i int) error) (rates []float64, err error) {
	cpu := func() (time.Duration, error) {
		own, err1 := lab.CPUOf(pid)
		sandboxes, err2 := sandboxesCPU(init)
		return own + sandboxes, errors.Join(err1, err2)
	}
	for range rateWindows {
		before, err := cpu()
		if err != nil {
			return nil, err
		}
		var count atomic.Int64
		failed := make([]error, atOnce)
		end := time.Now().Add(rateTime)
		var wg sync.WaitGroup
		for g := range atOnce {
			wg.Go(func() {
				for i := g; failed[g] == nil && time.Now().Before(end); i += atOnce {
					failed[g] = call(i)
					count.Add(1)
				}
			})
		}
		wg.Wait()
		after, err := cpu()
		if err := errors.Join(errors.Join(failed...), err); err != nil {
			return nil, err
		}
		rates = append(rates, float64(count.Load())/(after-before).Seconds())
	}
	return rates, nil
}

// rateRow prints the best of the windows, which has the least of what else the machine does, and their median.
func rateRow(what string, least float64, rates []float64) {
	slices.Sort(rates)
	best := rates[len(rates)-1]
	lab.Row(what, fmt.Sprintf("≥ %.0f", least), fmt.Sprintf("%.0f (the best of %d windows; median %.0f)", best, len(rates), rates[len(rates)/2]), best >= least)
}

// signedCalls measures warm invocations through the signed HTTP API: the platform's processor time for each, and what a core carries.
func (b *bench) signedCalls(ctx context.Context) (err error) {
	p, err := lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: filepath.Join(b.dir, "warm")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	first, err := newCaller(ctx, p)
	if err != nil {
		return err
	}
	l := b.languages()[1]
	archive, err := b.archive(l.files)
	if err != nil {
		return err
	}
	if err := first.create(ctx, l.name, l.runtime, l.handler, archive); err != nil {
		return err
	}
	call := func(c *caller) error {
		_, _, err := c.call(ctx, "lambda", http.MethodPost, "/2015-03-31/functions/"+l.name+"/invocations", "application/json", []byte(`{"name":"ann"}`))
		return err
	}
	for range warming {
		if err := call(first); err != nil {
			return err
		}
	}
	var used []time.Duration
	for range rateWindows {
		before, err := lab.CPUOf(p.PID())
		if err != nil {
			return err
		}
		for range 2 * b.samples {
			if err := call(first); err != nil {
				return err
			}
		}
		after, err := lab.CPUOf(p.PID())
		if err != nil {
			return err
		}
		used = append(used, (after-before)/time.Duration(2*b.samples))
	}
	slices.Sort(used)
	lab.Row("warm Invoke through the signed API, CPU of the platform", "≤ 90 µs",
		fmt.Sprintf("%d µs (the best of %d windows of %d calls, one after another; median %d µs)", used[0].Microseconds(), len(used), 2*b.samples, used[len(used)/2].Microseconds()),
		used[0] <= 90*time.Microsecond)
	callers := []*caller{first}
	for len(callers) < atOnce {
		c, err := first.another(ctx)
		if err != nil {
			return err
		}
		callers = append(callers, c)
	}
	init, err := sandboxOf(p.PID())
	if err != nil {
		return err
	}
	if _, err := load(p.PID(), init, func(i int) error { return call(callers[i%atOnce]) }); err != nil { // starts the sandboxes
		return err
	}
	rates, err := load(p.PID(), init, func(i int) error { return call(callers[i%atOnce]) })
	if err != nil {
		return err
	}
	rateRow(fmt.Sprintf("%d warm %s sandboxes through the signed API, invocations/s a core", atOnce, l.name), 4000, rates)
	return nil
}

// sandboxOf returns the init of a sandbox of a platform: a child of its spawner.
func sandboxOf(platform int) (int, error) {
	pid := platform
	for range 2 {
		children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		if err != nil {
			return 0, err
		}
		found := 0
		for _, file := range children {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // the thread ended
			}
			if f := strings.Fields(string(text)); len(f) > 0 {
				found, _ = strconv.Atoi(f[0])
			}
		}
		if found == 0 {
			return 0, fmt.Errorf("process %d has no children", pid)
		}
		pid = found
	}
	return pid, nil
}
