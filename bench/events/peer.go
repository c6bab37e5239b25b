package main

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
)

// peer compares how many messages a second are sent, received and deleted here with another server that speaks the protocol, through the same client, one after the other.
func (b *bench) peer(ctx context.Context) error {
	if b.other == "" {
		return nil
	}
	for _, clients := range []int{8, 64} {
		if err := b.compare(ctx, clients); err != nil {
			return err
		}
	}
	return nil
}

// compare compares with so many clients that send, receive and delete at a time.
func (b *bench) compare(ctx context.Context, clients int) error {
	own, err := b.cycles(ctx, b.p.Endpoint, clients)
	if err != nil {
		return err
	}
	other, err := b.cycles(ctx, b.other, clients)
	if err != nil {
		return fmt.Errorf("the other server: %w", err)
	}
	again, err := b.cycles(ctx, b.p.Endpoint, clients)
	if err != nil {
		return err
	}
	own = (own + again) / 2
	lab.Row(fmt.Sprintf("SendMessage + ReceiveMessage + DeleteMessage, %d clients, times the throughput of %s", clients, b.other), "≥ 5 ×, ≥ 50 × of moto", fmt.Sprintf("%.1f × (%.0f a second against %.0f)", own/other, own, other), own >= 5*other)
	return nil
}

// cycles returns how many messages a second clients send to a queue of theirs, receive and delete.
func (b *bench) cycles(ctx context.Context, endpoint string, clients int) (float64, error) {
	var group sync.WaitGroup
	counts, failures := make([]int, clients), make([]error, clients)
	end := time.Now().Add(b.round)
	for i := range clients {
		group.Go(func() {
			counts[i], failures[i] = b.cycle(ctx, endpoint, fmt.Sprintf("peer-%d", i), end)
		})
	}
	group.Wait()
	n := 0
	for i := range clients {
		if failures[i] != nil {
			return 0, failures[i]
		}
		n += counts[i]
	}
	return float64(n) / b.round.Seconds(), nil
}

// cycle runs one client until end. It speaks the older query protocol, which every server has.
func (b *bench) cycle(ctx context.Context, endpoint, name string, end time.Time) (n int, err error) {
	at, err := b.query2012(ctx, endpoint, "QueueUrl", url.Values{"Action": {"CreateQueue"}, "QueueName": {name}})
	if err != nil {
		return 0, err
	}
	for ; time.Now().Before(end); n++ {
		if _, err := b.query2012(ctx, endpoint, "MessageId", url.Values{"Action": {"SendMessage"}, "QueueUrl": {at}, "MessageBody": {kilobyte}}); err != nil {
			return n, err
		}
		handle, err := b.query2012(ctx, endpoint, "ReceiptHandle", url.Values{"Action": {"ReceiveMessage"}, "QueueUrl": {at}})
		if err != nil {
			return n, err
		}
		if _, err := b.query2012(ctx, endpoint, "RequestId", url.Values{"Action": {"DeleteMessage"}, "QueueUrl": {at}, "ReceiptHandle": {html.UnescapeString(handle)}}); err != nil {
			return n, err
		}
	}
	return n, nil
}

// query2012 makes a call of SQS.
func (b *bench) query2012(ctx context.Context, endpoint, tag string, form url.Values) (string, error) {
	form.Set("Version", "2012-11-05")
	return b.between(ctx, endpoint, "sqs", tag, form)
}
