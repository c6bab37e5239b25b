// Command store measures the durable store against the disk below it, in one run, as ratios.
//
//	go run ./bench/store [-dir DIR] [-round 500ms] [-rounds N]
//
// For every row the raw disk (append 1 KB, fdatasync, one writer) is measured next to the store, alternating in short rounds, because the
// speed of a shared disk changes from one minute to the next.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

func main() {
	dir := flag.String("dir", "", "folder on the disk to measure; a temporary one by default")
	round := flag.Duration("round", 500*time.Millisecond, "length of one round")
	rounds := flag.Int("rounds", 6, "rounds of each kind")
	flag.Parse()
	if err := run(os.Stdout, *dir, *round, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench store:", err)
		os.Exit(1)
	}
}

type bench struct {
	out    io.Writer
	s      store.Store
	raw    *os.File
	round  time.Duration
	rounds int
	value  []byte
}

func run(out io.Writer, dir string, round time.Duration, rounds int) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp(".", "bench-store-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	raw, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	s, err := pebble.Open(filepath.Join(dir, "store"), pebble.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	b := &bench{out: out, s: s, raw: raw, round: round, rounds: rounds, value: make([]byte, 1000)}
	fmt.Fprintf(out, "%-28s %9s %9s %9s %9s %9s\n", "1 KB durable writes", "ops/s", "p50 ms", "p99 ms", "x raw", "p50-raw")
	for _, c := range []struct {
		name    string
		writers int
		fn      func(worker, n int) error
	}{
		{"put, 1 writer", 1, b.put},
		{"put, 16 writers", 16, b.put},
		{"put, 64 writers", 64, b.put},
		{"put, 256 writers", 256, b.put},
		{"hot counter, 1 writer", 1, b.count},
		{"hot counter, 64 writers", 64, b.count},
		{"read 1, write 3, 64 writers", 64, b.three},
	} {
		if err := b.compare(c.name, c.writers, c.fn); err != nil {
			return err
		}
	}
	return b.events()
}

// compare alternates rounds of the raw disk and of fn.
func (b *bench) compare(name string, writers int, fn func(worker, n int) error) error {
	var raw, got []time.Duration
	for range b.rounds {
		r, err := b.measure(1, b.rawWrite)
		if err != nil {
			return err
		}
		g, err := b.measure(writers, fn)
		if err != nil {
			return err
		}
		raw, got = append(raw, r...), append(got, g...)
	}
	total := float64(b.rounds) * b.round.Seconds()
	rawRate, rate := float64(len(raw))/total, float64(len(got))/total
	rp, gp := percentile(raw, 0.5), percentile(got, 0.5)
	fmt.Fprintf(b.out, "%-28s %9.0f %9.3f %9.2f %9s %9s\n", "  raw fdatasync", rawRate, ms(rp), ms(percentile(raw, 0.99)), "", "")
	fmt.Fprintf(b.out, "%-28s %9.0f %9.3f %9.2f %9.2f %9.3f\n", name, rate, ms(gp), ms(percentile(got, 0.99)), rate/rawRate, ms(gp-rp))
	return nil
}

func (b *bench) measure(writers int, fn func(worker, n int) error) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var first error
	var wg sync.WaitGroup
	end := time.Now().Add(b.round)
	for w := range writers {
		wg.Go(func() {
			var mine []time.Duration
			var err error
			for n := 0; err == nil && time.Now().Before(end); n++ {
				begin := time.Now()
				err = fn(w, n)
				mine = append(mine, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			first = errors.Join(first, err)
		})
	}
	wg.Wait()
	return all, first
}

func (b *bench) rawWrite(int, int) error {
	if _, err := b.raw.Write(b.value); err != nil {
		return err
	}
	return unix.Fdatasync(int(b.raw.Fd()))
}

func (b *bench) put(w, n int) error {
	return b.s.Update(context.Background(), func(tx store.Txn) error {
		tx.Set(fmt.Appendf(nil, "bench/put/%d/%d", w, n%1000), b.value)
		return nil
	})
}

func (b *bench) count(int, int) error {
	key := []byte("bench/counter")
	return b.s.Update(context.Background(), func(tx store.Txn) error {
		v, err := tx.Get(key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		var n uint64
		if len(v) == 8 {
			n = binary.BigEndian.Uint64(v)
		}
		tx.Set(key, binary.BigEndian.AppendUint64(nil, n+1))
		return nil
	})
}

func (b *bench) three(w, n int) error {
	item := fmt.Appendf(nil, "bench/item/%d/%d", w, n%1000)
	return b.s.Update(context.Background(), func(tx store.Txn) error {
		if _, err := tx.Get(item); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		tx.Set(item, b.value)
		tx.Set(fmt.Appendf(nil, "bench/index/%d/%d", w, n%1000), b.value[:100])
		tx.Append([]byte("bench/stream/"), b.value)
		return nil
	})
}

// events measures from the end of Update to the entry of the handler.
func (b *bench) events() error {
	entered := make(chan time.Time, 1)
	q := events.New(b.s, clock.System{}, slog.New(slog.DiscardHandler))
	err := q.Register(events.Kind{Name: "bench", Handle: func(context.Context, events.Job) error {
		entered <- time.Now()
		return nil
	}})
	if err != nil {
		return err
	}
	if err := q.Start(context.Background()); err != nil {
		return err
	}
	var all []time.Duration
	for range 500 {
		err := b.s.Update(context.Background(), func(tx store.Txn) error {
			return events.Enqueue(tx, events.Job{Kind: "bench", Payload: b.value})
		})
		if err != nil {
			return err
		}
		acked := time.Now()
		all = append(all, (<-entered).Sub(acked))
	}
	fmt.Fprintf(b.out, "\nevent: acknowledged -> handler entered, p50 %.3f ms, p99 %.3f ms\n", ms(percentile(all, 0.5)), ms(percentile(all, 0.99)))
	return q.Close()
}

func percentile(d []time.Duration, p float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, int(p*float64(len(d))))]
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
