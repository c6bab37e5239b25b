package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/bench/lab"
)

const (
	durableRound  = time.Second
	durableRounds = 8
)

// durable compares durable writes with the disk below them: appends of a kilobyte, each synced, by one writer, in alternating rounds.
type durable struct {
	raw *os.File
	t   *target
}

func runDurable() (err error) {
	dir, err := os.MkdirTemp("", "lambent-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := durable{}
	if d.raw, err = os.Create(filepath.Join(dir, "raw")); err != nil {
		return err
	}
	if d.t, err = startSelf(dir, ""); err != nil {
		return errors.Join(err, d.raw.Close())
	}
	return errors.Join(d.measure(), d.t.stop(), d.raw.Close())
}

func (d durable) measure() error {
	err := d.t.call("CreateTable", `{"TableName":"bench","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],`+
		`"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`)
	if err != nil {
		return err
	}
	var ids atomic.Int64
	text := strings.Repeat("x", 900)
	put := func() error {
		return d.t.call("PutItem", fmt.Sprintf(`{"TableName":"bench","Item":{"id":{"S":"item-%d"},"text":{"S":"%s"}}}`, ids.Add(1)%100_000, text))
	}
	count := func() error {
		return d.t.call("UpdateItem", `{"TableName":"bench","Key":{"id":{"S":"counter"}},"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`)
	}
	for _, row := range []struct {
		name    string
		clients int
		call    func() error
		verdict func(raw, got timed)
	}{
		{"durable PutItem, one client", 1, put, func(raw, got timed) {
			above := got.p50 - raw.p50
			lab.Row("one client, durable PutItem, p50", "≤ raw + 0.35 ms", fmt.Sprintf("%s above raw (%s; raw %s)", lab.Ms(above), lab.Ms(got.p50), lab.Ms(raw.p50)), above <= 350*time.Microsecond)
			lab.Row("one client, durable PutItem, p99", "≤ 3 × raw", fmt.Sprintf("%.1f × (%s; raw %s)", float64(got.p99)/float64(raw.p99), lab.Ms(got.p99), lab.Ms(raw.p99)), got.p99 <= 3*raw.p99)
		}},
		{"durable PutItem, 64 clients", 64, put, rate("64 clients, durable PutItem, rate", 15)},
		{"hot counter, 64 clients", 64, count, rate("one hot counter, 64 clients, rate", 5)},
	} {
		raw, got, err := d.compare(row.clients, row.call)
		if err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		row.verdict(raw, got)
	}
	return nil
}

// rate returns how a row of a rate is printed.
func rate(what string, target float64) func(raw, got timed) {
	return func(raw, got timed) {
		times := got.perSecond / raw.perSecond
		lab.Row(what, fmt.Sprintf("≥ %.0f × raw", target), fmt.Sprintf("%.1f × (%.0f/s; raw %.0f/s)", times, got.perSecond, raw.perSecond), times >= target)
	}
}

// timed is what calls took.
type timed struct {
	perSecond float64
	p50, p99  time.Duration
}

func summary(all []time.Duration) timed {
	return timed{float64(len(all)) / (durableRounds * durableRound).Seconds(), lab.Median(all), lab.Percentile(all, 99)}
}

// compare alternates rounds of the raw disk and of call.
func (d durable) compare(clients int, call func() error) (raw, got timed, err error) {
	block := make([]byte, 1024)
	write := func() error {
		if _, err := d.raw.Write(block); err != nil {
			return err
		}
		return unix.Fdatasync(int(d.raw.Fd()))
	}
	var disk, calls []time.Duration
	for range durableRounds {
		r, err := during(1, write)
		if err != nil {
			return raw, got, err
		}
		g, err := during(clients, call)
		if err != nil {
			return raw, got, err
		}
		disk, calls = append(disk, r...), append(calls, g...)
	}
	return summary(disk), summary(calls), nil
}

// during has clients make calls for a round, and returns how long each took.
func during(clients int, call func() error) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var first error
	var wg sync.WaitGroup
	end := time.Now().Add(durableRound)
	for range clients {
		wg.Go(func() {
			var mine []time.Duration
			var err error
			for err == nil && time.Now().Before(end) {
				began := time.Now()
				err = call()
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all, first = append(all, mine...), errors.Join(first, err)
		})
	}
	wg.Wait()
	return all, first
}
