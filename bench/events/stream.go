package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/auth/sigv4"
)

func (b *bench) kinesis(ctx context.Context, operation string, in, out any) error {
	return b.json(ctx, "kinesis", "Kinesis_20131202."+operation, in, out)
}

// stream measures how fast records are put, and how soon a consumer has them.
func (b *bench) stream(ctx context.Context) error {
	if err := b.kinesis(ctx, "CreateStream", object{"StreamName": "bench"}, nil); err != nil {
		return err
	}
	if err := b.rate(ctx, "durable PutRecord 1 KB", "kinesis", "Kinesis_20131202.PutRecord", object{"StreamName": "bench", "PartitionKey": "k", "Data": []byte(kilobyte)}); err != nil {
		return err
	}
	return b.pushed(ctx)
}

// pushed measures the time from a put to its record at a consumer that is subscribed to the shard.
func (b *bench) pushed(ctx context.Context) error {
	if err := b.kinesis(ctx, "CreateStream", object{"StreamName": "pushed", "ShardCount": 1}, nil); err != nil {
		return err
	}
	var out struct{ Consumer struct{ ConsumerARN string } }
	arn := "arn:aws:kinesis:" + b.p.Region + ":000000000000:stream/pushed"
	if err := b.kinesis(ctx, "RegisterStreamConsumer", object{"StreamARN": arn, "ConsumerName": "c"}, &out); err != nil {
		return err
	}
	arrivals, stop, err := b.subscribe(ctx, out.Consumer.ConsumerARN)
	if err != nil {
		return err
	}
	defer stop()
	var took []time.Duration
	for i := range 200 {
		mark := "mark-" + strconv.Itoa(i) + "-"
		began := time.Now()
		if err := b.kinesis(ctx, "PutRecord", object{"StreamName": "pushed", "PartitionKey": mark, "Data": []byte("x")}, nil); err != nil {
			return err
		}
		select {
		case at := <-arrivals:
			took = append(took, at.Sub(began))
		case <-time.After(10 * time.Second):
			return fmt.Errorf("record %d did not arrive", i)
		}
	}
	p50 := lab.Percentile(took, 50)
	lab.Row("PutRecord → subscribed consumer has it, p50", "≤ sync time + 0.5 ms", fmt.Sprintf("%s (sync: %s; p90 %s)", lab.Ms(p50), lab.Ms(b.raw), lab.Ms(lab.Percentile(took, 90))), p50 <= b.raw+500*time.Microsecond)
	return nil
}

// subscribe returns a channel that tells when each record arrives at a consumer of the first shard.
func (b *bench) subscribe(ctx context.Context, consumer string) (arrivals <-chan time.Time, stop func(), err error) {
	body, err := json.Marshal(object{"ConsumerARN": consumer, "ShardId": "shardId-000000000000", "StartingPosition": object{"Type": "LATEST"}})
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.p.Endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "Kinesis_20131202.SubscribeToShard")
	signer := sigv4.Signer{AccessKeyID: b.p.AccessKeyID, Secret: b.p.Secret, Region: b.p.Region, Service: "kinesis"}
	if err := signer.SignHTTP(r, sigv4.Hash(body), time.Now()); err != nil {
		return nil, nil, err
	}
	answer, err := b.p.HTTP.Do(r)
	if err != nil {
		return nil, nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("SubscribeToShard: %s", answer.Status)
	}
	at := make(chan time.Time, 1)
	go func() {
		// The events hold their records as text; the end of a partition key tells of one.
		in := bufio.NewScanner(answer.Body)
		in.Split(func(data []byte, end bool) (int, []byte, error) {
			if i := bytes.Index(data, []byte(`"PartitionKey":"mark-`)); i >= 0 {
				return i + 20, data[i : i+20], nil
			}
			return max(len(data)-20, 0), nil, nil
		})
		for in.Scan() {
			at <- time.Now()
		}
	}()
	return at, func() { _ = answer.Body.Close() }, nil
}
