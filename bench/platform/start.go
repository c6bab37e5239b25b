package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
)

const (
	// items are in the data folder that is started on.
	items = 10_000
	// settle is how long a platform is left alone before its memory is read.
	settle = 3 * time.Second
)

// start measures the start on a data folder of 10,000 items, and the memory of the idle platform.
func (b *bench) start(ctx context.Context) error {
	data := filepath.Join(b.dir, "items")
	if err := b.fill(ctx, data); err != nil {
		return err
	}
	var ready, used []time.Duration
	var resident int64
	for i := range 2*b.rounds + 1 {
		p, err := b.up(ctx, data, "")
		if err != nil {
			return err
		}
		ready, used = append(ready, p.Ready), append(used, p.Used)
		if i == 0 {
			time.Sleep(settle)
			resident, err = lab.ResidentOf(p.PID())
		}
		if err := errors.Join(err, p.Stop()); err != nil {
			return err
		}
	}
	middle := lab.Median(ready)
	lab.Row("start to ready on a data directory of 10,000 items", "≤ 60 ms", fmt.Sprintf("%s (best of %d: %s; CPU %s)", lab.Ms(middle), len(ready), lab.Ms(ready[0]), lab.Median(used)), middle <= 60*time.Millisecond)
	lab.Row("resident memory idle, no cells", "≤ 45 MB", fmt.Sprintf("%.1f MB", float64(resident)/1e6), resident <= 45e6)
	return nil
}

// fill makes a data folder with a table of items.
func (b *bench) fill(ctx context.Context, data string) (err error) {
	p, err := b.up(ctx, data, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err := p.DynamoDB(ctx, "CreateTable", `{"TableName":"items","BillingMode":"PAY_PER_REQUEST",`+
		`"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}`); err != nil {
		return err
	}
	const writers = 64
	text := strings.Repeat("x", 900)
	failed := make([]error, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < items && failed[w] == nil; i += writers {
				failed[w] = p.DynamoDB(ctx, "PutItem", fmt.Sprintf(`{"TableName":"items","Item":{"pk":{"S":"item-%d"},"body":{"S":"%s"}}}`, i, text))
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// secondUp measures `lambent up` of the unchanged photo-board.
func (b *bench) secondUp(ctx context.Context) error {
	data := filepath.Join(b.dir, "photoboard")
	var took []time.Duration
	for i := range b.rounds + 1 {
		p, err := b.up(ctx, data, "examples/photoboard")
		if err != nil {
			return err
		}
		if err := p.Stop(); err != nil {
			return err
		}
		if i > 0 {
			took = append(took, p.Deployed)
		}
	}
	middle := lab.Median(took)
	lab.Row("second `lambent up` of the unchanged photo-board, process start to \"deployed\"", "≤ 1.5 s",
		fmt.Sprintf("%.2f s (best of %d: %.2f s)", middle.Seconds(), len(took), took[0].Seconds()), middle <= 1500*time.Millisecond)
	return nil
}
