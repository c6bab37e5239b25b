// Command s3 measures the object store of the released binary: small and large writes and reads with full authentication, listing a large bucket, and the
// time from an upload to its event.
//
// Small writes are compared with versitygw, which does not sync, and MinIO when -versitygw and -minio name their programs; reads with nginx; large writes with
// writing and syncing a file. Compared things are measured in alternating rounds, and processor time is the server's.
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

const (
	small, large = 1 << 10, 16 << 20
	clients      = 16
	// puts are the small writes of a round, gets the small reads, and larges the large ones.
	puts, gets, larges = 3000, 6000, 12
)

func main() {
	b := &bench{}
	only := flag.String("only", "put,get,putlarge,getlarge,list,neighbour,uploads", "what to measure, separated by commas")
	flag.StringVar(&b.binary, "lambent", "", "the binary to measure; by default one is built")
	flag.StringVar(&b.versitygw, "versitygw", "", "the versitygw to compare with; by default none")
	flag.StringVar(&b.minio, "minio", "", "the MinIO to compare with; by default none")
	flag.StringVar(&b.nginx, "nginx", "/usr/sbin/nginx", "the nginx to compare with")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds of each kind")
	flag.IntVar(&b.keys, "keys", 20_000, "keys of the bucket that is listed; 10,000,000 take about 10 minutes and 4 GB")
	flag.IntVar(&b.uploadCount, "uploads", 10_000, "uploads at once, each with a connection: the limit of open files must be twice as high")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := b.run(ctx, strings.Split(*only, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench s3:", err)
		os.Exit(1)
	}
}

// bench is one run of the command.
type bench struct {
	binary, dir, nginx, versitygw, minio string
	rounds, keys, uploadCount            int
	// platform is the store under test, process what runs it.
	platform *endpoint
	process  *lab.Platform
}

// dataDir is where the platform keeps its data.
func (b *bench) dataDir() string { return filepath.Join(b.dir, "data") }

// up starts the platform.
func (b *bench) up(ctx context.Context) (err error) {
	b.process, err = lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: b.dataDir()})
	if err != nil {
		return err
	}
	b.platform = &endpoint{url: b.process.Endpoint, pid: b.process.PID(), id: b.process.AccessKeyID, secret: b.process.Secret, http: b.process.HTTP}
	return nil
}

// restart runs fn on the data folder while the platform is down.
func (b *bench) restart(ctx context.Context, fn func(dataDir string) error) error {
	if err := b.process.Stop(); err != nil {
		return err
	}
	return errors.Join(fn(b.dataDir()), b.up(ctx))
}

func (b *bench) run(ctx context.Context, only []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "lambent-bench-s3-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.binary == "" {
		b.binary = filepath.Join(b.dir, "lambent")
		if err := lab.Build(ctx, b.binary, nil); err != nil {
			return err
		}
	}
	if err := b.up(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.process.Stop()) }()
	if err := b.platform.makeBucket(ctx); err != nil {
		return err
	}
	fmt.Println("| what | target | measured | |\n|---|---|---|---|")
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"put", b.put}, {"get", b.get}, {"putlarge", b.putLarge}, {"getlarge", b.getLarge}, {"list", b.list}, {"neighbour", b.neighbour}, {"uploads", b.uploads}} {
		if !slices.Contains(only, part.name) {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// put measures durable writes of a kilobyte by many clients.
func (b *bench) put(ctx context.Context) error {
	targets, peers := []*endpoint{b.platform}, b.peers()
	for _, p := range peers {
		e, stop, err := b.startPeer(ctx, p)
		if err != nil {
			return err
		}
		defer func() { _ = stop() }()
		targets = append(targets, e)
	}
	results, err := b.alternate(ctx, targets, func(ctx context.Context, e *endpoint, round int) (result, error) {
		body := strings.Repeat("x", small)
		return e.load(ctx, puts, clients, func(ctx context.Context, i int) error {
			return e.put(ctx, fmt.Sprintf("small/%d/%d", round, i), body)
		})
	})
	if err != nil {
		return err
	}
	lab.Row("PUT 1 KB durable, 16 clients, CPU of the platform", "≤ 150 µs", fmt.Sprintf("%d µs", results[0].cpu.Microseconds()), results[0].cpu <= 150*time.Microsecond)
	for i, p := range peers {
		theirs := results[i+1]
		ratio := results[0].rate / theirs.rate
		lab.Row("PUT 1 KB durable, 16 clients, against "+p.what, fmt.Sprintf("≥ %.0f ×", p.target), fmt.Sprintf("%.1f × (%.0f/s against %.0f/s; %d µs of CPU)",
			ratio, results[0].rate, theirs.rate, theirs.cpu.Microseconds()), ratio >= p.target)
	}
	return nil
}

// get measures reads of a kilobyte, against nginx that sends a file.
func (b *bench) get(ctx context.Context) error {
	ratioRow := func(results []result) {
		ratio := float64(results[0].cpu) / float64(max(results[1].cpu, time.Microsecond))
		lab.Row("GET 1 KB, CPU", "≤ 5 × nginx", fmt.Sprintf("%.1f × (%d µs against %d µs)", ratio, results[0].cpu.Microseconds(), results[1].cpu.Microseconds()), ratio <= 5)
	}
	return b.reads(ctx, "one-kilobyte", small, gets, clients, ratioRow)
}

// getLarge measures reads of 16 MB, against nginx that sends a file.
func (b *bench) getLarge(ctx context.Context) error {
	ratioRow := func(results []result) {
		ratio := results[0].rate / results[1].rate
		lab.Row("GET 16 MB", "≥ 0.9 × nginx", fmt.Sprintf("%.2f × (%.0f MB/s against %.0f MB/s; CPU %.1f ms against %.1f ms)",
			ratio, results[0].rate*large/1e6, results[1].rate*large/1e6, results[0].cpu.Seconds()*1e3, results[1].cpu.Seconds()*1e3), ratio >= 0.9)
	}
	return b.reads(ctx, "sixteen-megabytes", large, 10*larges, 4, ratioRow)
}

func (b *bench) reads(ctx context.Context, name string, size, count, conns int, row func([]result)) error {
	body := strings.Repeat("x", size)
	if err := b.platform.put(ctx, name, body); err != nil {
		return err
	}
	n, stop, err := b.startNginx(ctx, name, body)
	if err != nil {
		return err
	}
	defer func() { _ = stop() }()
	results, err := b.alternate(ctx, []*endpoint{b.platform, n}, func(ctx context.Context, e *endpoint, _ int) (result, error) {
		return e.load(ctx, count, conns, func(ctx context.Context, _ int) error { return e.get(ctx, name, int64(size)) })
	})
	if err == nil {
		row(results)
	}
	return err
}

// putLarge measures durable writes of 16 MB, against writing and syncing files.
func (b *bench) putLarge(ctx context.Context) error {
	body := strings.Repeat("x", large)
	var ours, raw []time.Duration
	var cpu time.Duration
	for round := range b.rounds {
		r, err := b.platform.load(ctx, larges, 4, func(ctx context.Context, i int) error {
			return b.platform.put(ctx, fmt.Sprintf("large/%d/%d", round, i), body)
		})
		if err != nil {
			return err
		}
		ours, cpu = append(ours, time.Duration(float64(time.Second)/r.rate)), r.cpu
		began := time.Now()
		for i := range larges {
			if err := writeSynced(filepath.Join(b.dir, fmt.Sprintf("raw-%d-%d", round, i)), body); err != nil {
				return err
			}
		}
		raw = append(raw, time.Since(began)/larges)
	}
	o, r := lab.Median(ours), lab.Median(raw)
	ratio := float64(r) / float64(o)
	lab.Row("PUT 16 MB durable, 4 clients", "≥ 0.6 × raw write and sync", fmt.Sprintf("%.2f × (%.0f MB/s against %.0f MB/s; CPU %.0f ms)",
		ratio, large/o.Seconds()/1e6, large/r.Seconds()/1e6, cpu.Seconds()*1e3), ratio >= 0.6)
	return nil
}

func writeSynced(name, body string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteString(body)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// list measures pages of 1,000 keys of a large bucket, all over it, and the memory that the platform has afterwards.
func (b *bench) list(ctx context.Context) error {
	if err := b.restart(ctx, func(dataDir string) error { return fill(ctx, dataDir, b.keys) }); err != nil {
		return err
	}
	const pages = 1000
	took := make([]time.Duration, 0, pages)
	before, err := lab.CPUOf(b.platform.pid)
	if err != nil {
		return err
	}
	for i := range pages {
		began := time.Now()
		if err := b.platform.listAfter(ctx, listedKey(i*7919*1000%max(b.keys-1000, 1))); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	after, err := lab.CPUOf(b.platform.pid)
	if err != nil {
		return err
	}
	folders := make([]time.Duration, 0, pages)
	for range pages / 10 {
		began := time.Now()
		if err := b.platform.listFolders(ctx); err != nil {
			return err
		}
		folders = append(folders, time.Since(began))
	}
	memory, err := lab.ResidentOf(b.platform.pid)
	if err != nil {
		return err
	}
	p99 := lab.Percentile(took, 99)
	lab.Row(fmt.Sprintf("list 1,000 keys out of %d, p99", b.keys), "≤ 15 ms", fmt.Sprintf("%s (p50 %s, CPU %s)",
		lab.Ms(p99), lab.Ms(lab.Percentile(took, 50)), lab.Ms((after-before)/pages)), p99 <= 15*time.Millisecond)
	p99 = lab.Percentile(folders, 99)
	lab.Row("the same, a page of up to 1,000 common prefixes over 1,000 keys each, p99", "≤ 15 ms", fmt.Sprintf("%s (p50 %s)", lab.Ms(p99), lab.Ms(lab.Percentile(folders, 50))), p99 <= 15*time.Millisecond)
	lab.Row("the same, resident memory of the platform", "≤ 150 MB", fmt.Sprintf("%.0f MB", float64(memory)/1e6), memory <= 150e6)
	return nil
}

// alternate measures each target in turn, and returns the median of each one's rounds.
func (b *bench) alternate(ctx context.Context, targets []*endpoint, measure func(context.Context, *endpoint, int) (result, error)) ([]result, error) {
	all := make([][]result, len(targets))
	for round := range b.rounds {
		for i, t := range targets {
			r, err := measure(ctx, t, round)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], r)
		}
	}
	out := make([]result, len(targets))
	for i, rounds := range all {
		slices.SortFunc(rounds, func(x, y result) int { return int(x.cpu - y.cpu) })
		out[i].cpu = rounds[len(rounds)/2].cpu
		slices.SortFunc(rounds, func(x, y result) int { return int(x.rate - y.rate) })
		out[i].rate = rounds[len(rounds)/2].rate
	}
	return out, nil
}
