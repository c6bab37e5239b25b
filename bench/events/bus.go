package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"lambent.dev/lambent/bench/lab"
)

func (b *bench) events(ctx context.Context, operation string, in any) error {
	return b.json(ctx, "events", "AWSEvents."+operation, in, nil)
}

// open makes a queue that services of this account may send to, and returns its URL and ARN.
func (b *bench) open(ctx context.Context, name, service string) (url, arn string, err error) {
	if url, err = b.queue(ctx, name); err != nil {
		return "", "", err
	}
	arn = "arn:aws:sqs:us-east-1:000000000000:" + name
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sqs:SendMessage","Resource":"` + arn + `"}]}`
	return url, arn, b.sqs(ctx, "SetQueueAttributes", object{"QueueUrl": url, "Attributes": object{"Policy": policy}}, nil)
}

// bus measures the way of an event over a bus: to its queue, and past ten thousand rules.
func (b *bench) bus(ctx context.Context) error {
	url, arn, err := b.open(ctx, "bus", "events.amazonaws.com")
	if err != nil {
		return err
	}
	rule := func(name, source string) error {
		if err := b.events(ctx, "PutRule", object{"Name": name, "EventPattern": `{"source":["` + source + `"],"detail":{"n":[{"numeric":[">",0]}]}}`}); err != nil {
			return err
		}
		return b.events(ctx, "PutTargets", object{"Rule": name, "Targets": []object{{"Id": "q", "Arn": arn}}})
	}
	if err := rule("one", "shop"); err != nil {
		return err
	}
	put := func(ctx context.Context) error {
		return b.events(ctx, "PutEvents", object{"Entries": []object{{"Source": "shop", "DetailType": "order", "Detail": `{"n":1,"text":"` + kilobyte[:400] + `"}`}}})
	}
	if err := b.busWake(ctx, url, put); err != nil {
		return err
	}
	alone, err := b.cpuOf(ctx, put)
	if err != nil {
		return err
	}
	const rules = 10_000
	for i := range rules {
		if err := rule("r"+strconv.Itoa(i), "other"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	if err := put(ctx); err != nil { // reads the rules
		return err
	}
	among, err := b.cpuOf(ctx, put)
	if err != nil {
		return err
	}
	lab.Row("PutEvents with 10,000 rules on the bus, CPU", "≤ 2 × one rule", fmt.Sprintf("%.2f × (%d µs against %d µs)", float64(among)/float64(alone), among.Microseconds(), alone.Microseconds()), among <= 2*alone)
	began := time.Now()
	if err := rule("last", "shop"); err != nil {
		return err
	}
	if err := put(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	lab.Row("a rule changed among 10,000: the calls, and the first event that meets it", "", lab.Ms(took), true)
	return nil
}

// cpuOf returns the processor time of one call, at four clients.
func (b *bench) cpuOf(ctx context.Context, fn func(ctx context.Context) error) (time.Duration, error) {
	took, cpu, err := b.load(ctx, 4, fn)
	if err != nil {
		return 0, err
	}
	return cpu / time.Duration(len(took)), nil
}

// busWake measures the time from PutEvents until a waiting receiver of the target has the event.
func (b *bench) busWake(ctx context.Context, url string, put func(ctx context.Context) error) error {
	var took []time.Duration
	for range 200 {
		got := make(chan error, 1)
		var at time.Time
		go func() {
			var m messages
			err := b.sqs(ctx, "ReceiveMessage", object{"QueueUrl": url, "WaitTimeSeconds": 20}, &m)
			at = time.Now()
			if err == nil {
				err = b.sqs(ctx, "DeleteMessage", object{"QueueUrl": url, "ReceiptHandle": m.Messages[0].ReceiptHandle}, nil)
			}
			got <- err
		}()
		time.Sleep(5 * time.Millisecond) // so that the receiver waits
		began := time.Now()
		if err := put(ctx); err != nil {
			return err
		}
		if err := <-got; err != nil {
			return err
		}
		took = append(took, at.Sub(began))
	}
	// A receive writes too: two syncs lie between the event and its receiver.
	p50 := lab.Percentile(took, 50)
	lab.Row("PutEvents → rule → waiting receiver of the target has it, p50", "≤ two syncs + 2 ms", fmt.Sprintf("%s (two syncs: %s; p90 %s)", lab.Ms(p50), lab.Ms(2*b.raw), lab.Ms(lab.Percentile(took, 90))), p50 <= 2*b.raw+2*time.Millisecond)
	return nil
}
