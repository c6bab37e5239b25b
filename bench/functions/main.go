// Command functions measures what running functions costs, apart from the functions.
//
//	go run ./bench/functions [-lambent bin/lambent] [-n 200] [-only cold,modules,fresh,rate,idle,many,warm,throughput,neighbour,dev]
//
// It prints the rows of bench/README.md. Each row is a ratio of two things that were measured in turns in one run: a cold start through the signed
// HTTP API beside a bare start of the language on the host, and so on. Everything runs on loopback, in temporary folders.
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
	"lambent.dev/lambent/internal/sandbox"
)

func main() {
	sandbox.MaybeChild()
	if len(os.Args) == 2 && os.Args[1] == pongArgument {
		answerPings()
		return
	}
	b := &bench{}
	only := flag.String("only", "cold,modules,images,fresh,rate,idle,many,warm,throughput,neighbour,dev", "what to measure, separated by commas")
	flag.StringVar(&b.binary, "lambent", "", "the binary to measure; by default one is built")
	flag.IntVar(&b.samples, "n", 200, "samples of each kind")
	flag.IntVar(&b.many, "many", 1000, "how many sandboxes are alive at once")
	names := flag.String("languages", "node,python,java,Go", "whose cold starts to measure")
	flag.Parse()
	b.only = strings.Split(*names, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx, strings.Split(*only, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench functions:", err)
		os.Exit(1)
	}
}

// bench is one run of the command.
type bench struct {
	binary, dir   string
	samples, many int
	only          []string
	hello         string            // the Go function
	java          map[string]string // the java function
}

func (b *bench) run(ctx context.Context, only []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "lambent-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.hello = filepath.Join(b.dir, "hello")
	if err := lab.GoBuild(ctx, b.hello, "./bench/functions/hello", nil); err != nil {
		return err
	}
	if err := b.compileJava(ctx); err != nil {
		return err
	}
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "lambent")
		if err := lab.Build(ctx, b.binary, nil); err != nil {
			return err
		}
	}
	fmt.Println("| what | target | measured | |\n|---|---|---|---|")
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"cold", b.cold}, {"modules", b.modules}, {"images", b.images}, {"fresh", b.fresh}, {"rate", b.rate}, {"idle", b.idle}, {"many", b.alive}, {"warm", b.warm}, {"throughput", b.throughput}, {"neighbour", b.neighbour}, {"dev", b.dev}} {
		if !slices.Contains(only, part.name) {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// pairs are two things that were measured in turns.
type pairs struct{ ours, theirs []time.Duration }

// ratioRow prints how the two compare at the median and at the 99th percentile.
func ratioRow(what string, p *pairs, most50, most99 float64) {
	o50, t50 := lab.Percentile(p.ours, 50), lab.Percentile(p.theirs, 50)
	o99, t99 := lab.Percentile(p.ours, 99), lab.Percentile(p.theirs, 99)
	r50, r99 := float64(o50)/float64(t50), float64(o99)/float64(t99)
	lab.Row(what, fmt.Sprintf("≤ %g / ≤ %g", most50, most99),
		fmt.Sprintf("%.3f / %.3f (%s against %s; p99 %s against %s; %d pairs)", r50, r99, lab.Ms(o50), lab.Ms(t50), lab.Ms(o99), lab.Ms(t99), len(p.ours)),
		r50 <= most50 && r99 <= most99)
}
