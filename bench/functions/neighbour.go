package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
)

//go:embed neighbour/app.py
var misbehaving string

const (
	// windowTime is how long invocations are timed with and without a neighbour that misbehaves, in turns; lead is the time that it has before.
	windowTime = 2 * time.Second
	lead       = 500 * time.Millisecond
	// windows are the turns of each way to misbehave.
	windows = 5
)

// neighbour compares warm invocations of a function while another one misbehaves with those of a quiet machine.
func (b *bench) neighbour(ctx context.Context) (err error) {
	p, err := lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: filepath.Join(b.dir, "neighbour")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	c, err := newCaller(ctx, p)
	if err != nil {
		return err
	}
	l := b.languages()[1]
	for name, files := range map[string]map[string]string{"good": l.files, "bad": {"app.py": misbehaving}} {
		archive, err := b.archive(files)
		if err != nil {
			return err
		}
		if err := c.create(ctx, name, l.runtime, l.handler, archive); err != nil {
			return err
		}
	}
	// Its invocations end soon after a window.
	if _, _, err := c.call(ctx, "lambda", http.MethodPut, "/2015-03-31/functions/bad/configuration", "application/json", []byte(`{"Timeout":3}`)); err != nil {
		return err
	}
	if _, err := c.times(ctx, "good", windowTime); err != nil {
		return err
	}
	for _, act := range []struct{ name, what string }{
		{"spin", "spins in nine processes"},
		{"fork", "forks without end"},
		{"memory", "takes memory without end"},
		{"disk", "fills its disk without end"},
		{"descriptors", "opens files without end"},
		{"log", "floods its log"},
	} {
		var got pairs
		for range windows {
			quiet, err := c.times(ctx, "good", windowTime)
			if err != nil {
				return err
			}
			end, err := c.misbehave(ctx, act.name)
			if err != nil {
				return err
			}
			time.Sleep(lead)
			loud, err := c.times(ctx, "good", windowTime)
			if err := errors.Join(err, end()); err != nil {
				return err
			}
			got.ours, got.theirs = append(got.ours, loud...), append(got.theirs, quiet...)
		}
		o50, t50, o99, t99 := lab.Percentile(got.ours, 50), lab.Percentile(got.theirs, 50), lab.Percentile(got.ours, 99), lab.Percentile(got.theirs, 99)
		ratio := float64(o99) / float64(t99)
		lab.Row("warm invocations while another function "+act.what+" ÷ without it, p99", "≤ 2",
			fmt.Sprintf("%.2f (%s against %s; p50 %s against %s; %d and %d calls)", ratio, lab.Ms(o99), lab.Ms(t99), lab.Ms(o50), lab.Ms(t50), len(got.ours), len(got.theirs)), ratio <= 2)
	}
	return nil
}

// times invokes a function, one call after another, for a time, and returns what each call took.
func (c *caller) times(ctx context.Context, name string, d time.Duration) (out []time.Duration, err error) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		_, took, err := c.call(ctx, "lambda", http.MethodPost, "/2015-03-31/functions/"+name+"/invocations", "application/json", []byte(`{"name":"ann"}`))
		if err != nil {
			return nil, err
		}
		out = append(out, took)
	}
	return out, nil
}

// misbehave has the bad function do something again and again, until end is called.
func (c *caller) misbehave(ctx context.Context, act string) (end func() error, err error) {
	d, err := c.another(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			// Its failures are what is wanted. A connection that was closed is not used again.
			if _, _, err := d.call(ctx, "lambda", http.MethodPost, "/2015-03-31/functions/bad/invocations", "application/json", []byte(`{"act":"`+act+`"}`)); err == nil {
				return
			}
		}
	})
	return func() error {
		cancel()
		wg.Wait()
		return d.conn.Close()
	}, nil
}
