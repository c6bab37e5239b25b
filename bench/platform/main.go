// Command platform measures the whole platform as its users have it: the released binary, started as a process of its own.
//
//	go run ./bench/platform [-lambent bin/lambent] [-only build,start,up,put,api]
//
// It prints the rows of bench/README.md. Everything runs on loopback, in temporary folders. A target that is missed is marked, and does not make
// the command fail: on a shared machine the wall-clock rows say more about the neighbours than about the platform, so the rows to go by are the
// ratios and the processor time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	b := &bench{}
	only := flag.String("only", "build,start,up,put,api", "what to measure, separated by commas")
	flag.StringVar(&b.binary, "lambent", "", "the binary to measure; by default one is built")
	flag.IntVar(&b.rounds, "rounds", 5, "rounds of each kind")
	flag.StringVar(&b.nginx, "nginx", "/usr/sbin/nginx", "the nginx to compare with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx, strings.Split(*only, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench platform:", err)
		os.Exit(1)
	}
}

// bench is one run of the command.
type bench struct {
	binary, dir, nginx string
	rounds             int
}

func (b *bench) run(ctx context.Context, only []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "lambent-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	fmt.Println("| what | target | measured | |\n|---|---|---|---|")
	if slices.Contains(only, "build") {
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "lambent")
		if err := b.goBuild(ctx, nil); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"start", b.start}, {"up", b.secondUp}, {"put", b.putToEntry}, {"api", b.api}} {
		if !slices.Contains(only, part.name) {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// row prints one row of the table.
func row(what, target, measured string, met bool) {
	verdict := "met"
	if !met {
		verdict = "**missed**"
	}
	fmt.Printf("| %s | %s | %s | %s |\n", what, target, measured, verdict)
}

// goBuild builds the released binary.
func (b *bench) goBuild(ctx context.Context, environ []string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, "./cmd/lambent")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	return nil
}

// build measures a build from an empty cache, and the binary that comes out.
func (b *bench) build(ctx context.Context) error {
	cache := filepath.Join(b.dir, "cache")
	given := b.binary
	b.binary = filepath.Join(b.dir, "lambent")
	before, err := childrenCPU()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.goBuild(ctx, []string{"GOCACHE=" + cache}); err != nil {
		return err
	}
	wall := time.Since(began)
	after, err := childrenCPU()
	if err != nil {
		return err
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	cores := (after - before) / 2
	row("`go build` from an empty cache, on 2 cores", "≤ 3 min", fmt.Sprintf("%.0f s of CPU, so %.0f s on two idle cores (%.0f s by the clock)",
		(after-before).Seconds(), cores.Seconds(), wall.Seconds()), cores <= 3*time.Minute)
	row("stripped binary", "≤ 60 MB", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), info.Size() <= 60e6)
	if given != "" {
		b.binary = given
	}
	return os.RemoveAll(cache)
}

// median sorts the values and returns the middle one.
func median(values []time.Duration) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// ms writes a duration in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }
