// Command platform measures the whole platform as its users have it: the released binary, started as a process of its own.
//
//	go run ./bench/platform [-lambent bin/lambent] [-only build,start,up,put,stream,api]
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
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
)

func main() {
	b := &bench{}
	only := flag.String("only", "build,start,up,put,stream,queue,bus,api", "what to measure, separated by commas")
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
		if err := lab.Build(ctx, b.binary, nil); err != nil {
			return err
		}
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"start", b.start}, {"up", b.secondUp}, {"put", b.putToEntry}, {"stream", b.commitToEntry}, {"queue", b.sendToEntry}, {"bus", b.eventToEntry}, {"api", b.api}} {
		if !slices.Contains(only, part.name) {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// up starts the binary on a data folder, with an application unless app is empty.
func (b *bench) up(ctx context.Context, dataDir, app string) (*lab.Platform, error) {
	return lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: dataDir, App: app})
}

// build measures a build from an empty cache, and the binary that comes out.
func (b *bench) build(ctx context.Context) error {
	cache := filepath.Join(b.dir, "cache")
	given := b.binary
	b.binary = filepath.Join(b.dir, "lambent")
	before, err := lab.ChildrenCPU()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := lab.Build(ctx, b.binary, []string{"GOCACHE=" + cache}); err != nil {
		return err
	}
	wall := time.Since(began)
	after, err := lab.ChildrenCPU()
	if err != nil {
		return err
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	cores := (after - before) / 2
	lab.Row("`go build` from an empty cache, on 2 cores", "≤ 3 min", fmt.Sprintf("%.0f s of CPU, so %.0f s on two idle cores (%.0f s by the clock)",
		(after-before).Seconds(), cores.Seconds(), wall.Seconds()), cores <= 3*time.Minute)
	lab.Row("stripped binary", "≤ 60 MB", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), info.Size() <= 60e6)
	if given != "" {
		b.binary = given
	}
	return os.RemoveAll(cache)
}
