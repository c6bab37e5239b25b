package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/bench/lab"
)

// items are the DynamoDB puts of one round.
const items = 2000

// neighbour measures what a sustained upload of large objects does to puts of small items in the same process.
func (b *bench) neighbour(ctx context.Context) error {
	err := b.process.DynamoDB(ctx, "CreateTable", `{"TableName":"bench","BillingMode":"PAY_PER_REQUEST",
		"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`)
	if err != nil {
		return err
	}
	var alone, beside []time.Duration
	uploaded := 0
	for round := range b.rounds {
		took, err := b.putItems(ctx, round)
		if err != nil {
			return err
		}
		alone = append(alone, took...)
		n, err := b.uploading(ctx, func() error {
			took, err := b.putItems(ctx, round)
			beside = append(beside, took...)
			return err
		})
		if err != nil {
			return err
		}
		uploaded += n
	}
	quiet, busy := lab.Percentile(alone, 99), lab.Percentile(beside, 99)
	ratio := float64(busy) / float64(quiet)
	lab.Row("PutItem 1 KB, p99 beside a sustained 16 MB upload", "≤ 2 × without it", fmt.Sprintf("%.1f × (%s against %s; p50 %s against %s; %d uploads)",
		ratio, lab.Ms(busy), lab.Ms(quiet), lab.Ms(lab.Percentile(beside, 50)), lab.Ms(lab.Percentile(alone, 50)), uploaded), ratio <= 2)
	return nil
}

// putItems puts items by four clients and returns how long each took.
func (b *bench) putItems(ctx context.Context, round int) ([]time.Duration, error) {
	const conns = 4
	body := strings.Repeat("x", small)
	took := make([][]time.Duration, conns)
	failed := make([]error, conns)
	var wg sync.WaitGroup
	for w := range conns {
		wg.Go(func() {
			for i := range items / conns {
				began := time.Now()
				if failed[w] = b.process.DynamoDB(ctx, "PutItem", fmt.Sprintf(`{"TableName":"bench","Item":{"id":{"S":"%d/%d/%d"},"v":{"S":%q}}}`, round, w, i, body)); failed[w] != nil {
					return
				}
				took[w] = append(took[w], time.Since(began))
			}
		})
	}
	wg.Wait()
	var all []time.Duration
	for _, t := range took {
		all = append(all, t...)
	}
	return all, errors.Join(failed...)
}

// uploading runs fn while one client puts large objects one after another, and returns how many.
func (b *bench) uploading(ctx context.Context, fn func() error) (int, error) {
	var done atomic.Bool
	n := 0
	ended := make(chan error, 1)
	go func() {
		body := strings.Repeat("y", large)
		for !done.Load() {
			if err := b.platform.put(ctx, "neighbour", body); err != nil {
				ended <- err
				return
			}
			n++
		}
		ended <- nil
	}()
	err := fn()
	done.Store(true)
	return n, errors.Join(err, <-ended)
}
