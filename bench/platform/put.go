package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/auth/sigv4"
)

const (
	// warming writes are made and not counted, measured ones are.
	warming, measured = 10, 100
	// pause is the time between writes, so that the function is idle and warm at each.
	pause = 30 * time.Millisecond
)

// putToEntry measures the time from the acknowledgement of a presigned upload to the entry of the function that it starts. Both ends read the same
// clock: the benchmark when the answer has been read, the function when it has the event.
func (b *bench) putToEntry(ctx context.Context) (err error) {
	p, outputs, err := b.application(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	return toEntry(ctx, p, "presigned PUT acknowledged → function entered, warm, p50", 3*time.Millisecond, func(key string) error {
		return putPresigned(ctx, p, outputs["Uploads"], key)
	})
}

// commitToEntry measures the time from the acknowledgement of an item to the entry of the function that the table's stream starts.
func (b *bench) commitToEntry(ctx context.Context) (err error) {
	p, outputs, err := b.application(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	return toEntry(ctx, p, "PutItem acknowledged → function of the table's stream entered, warm, p50", 2*time.Millisecond, func(key string) error {
		return p.DynamoDB(ctx, "PutItem", fmt.Sprintf(`{"TableName":%q,"Item":{"id":{"S":%q}}}`, outputs["Items"], key))
	})
}

// sendToEntry measures the time from the acknowledgement of a message to the entry of the function that its queue's mapping starts.
func (b *bench) sendToEntry(ctx context.Context) (err error) {
	p, outputs, err := b.application(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	return toEntry(ctx, p, "SendMessage acknowledged → function of the queue's mapping entered, warm, p50", 2*time.Millisecond, func(key string) error {
		return p.JSON(ctx, "sqs", "AmazonSQS.SendMessage", fmt.Sprintf(`{"QueueUrl":%q,"MessageBody":%q}`, outputs["Jobs"], key))
	})
}

// eventToEntry measures the time from the acknowledgement of an event to the entry of the function that a rule starts.
func (b *bench) eventToEntry(ctx context.Context) (err error) {
	p, _, err := b.application(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	return toEntry(ctx, p, "PutEvents acknowledged → function of the rule entered, warm, p50", 2*time.Millisecond, func(key string) error {
		return p.JSON(ctx, "events", "AWSEvents.PutEvents", fmt.Sprintf(`{"Entries":[{"Source":"bench","DetailType":"write","Detail":"{\"key\":\"%s\"}"}]}`, key))
	})
}

// toEntry measures the time from the end of write to the entry of the function that it starts, and prints the row.
func toEntry(ctx context.Context, p *lab.Platform, what string, target time.Duration, write func(key string) error) error {
	acknowledged := map[string]time.Time{}
	for i := range warming + measured {
		key := fmt.Sprintf("write-%03d", i)
		if err := write(key); err != nil {
			return err
		}
		acknowledged[key] = time.Now()
		time.Sleep(pause)
	}
	entered, err := entries(ctx, p, len(acknowledged))
	if err != nil {
		return err
	}
	var took []time.Duration
	for i := range measured {
		key := fmt.Sprintf("write-%03d", warming+i)
		took = append(took, entered[key].Sub(acknowledged[key]))
	}
	middle := lab.Median(took)
	lab.Row(what, fmt.Sprintf("≤ %d ms", target.Milliseconds()), fmt.Sprintf("%s (p10 %s, p90 %s, of %d)",
		lab.Ms(middle), lab.Ms(took[len(took)/10]), lab.Ms(took[len(took)*9/10]), len(took)), middle <= target)
	return nil
}

// application starts a platform with the benchmark's own application, and returns the outputs of its stack.
func (b *bench) application(ctx context.Context) (*lab.Platform, map[string]string, error) {
	p, err := b.up(ctx, filepath.Join(b.dir, "app"), "bench/platform/app")
	if err != nil {
		return nil, nil, err
	}
	stacks, err := p.Stacks(ctx, "app")
	if err != nil {
		return nil, nil, errors.Join(err, p.Stop())
	}
	return p, stacks[0].OutputMap(), nil
}

// putPresigned uploads a kilobyte as a browser does, with nothing but a URL.
func putPresigned(ctx context.Context, p *lab.Platform, bucket, key string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, p.Endpoint+"/"+bucket+"/"+key, strings.NewReader(strings.Repeat("x", 1024)))
	if err != nil {
		return err
	}
	signer := sigv4.Signer{AccessKeyID: p.AccessKeyID, Secret: p.Secret, Region: p.Region, Service: "s3", S3: true}
	target, err := signer.Presign(sigv4.FromHTTP(r), time.Now(), time.Minute)
	if err != nil {
		return err
	}
	if r.URL, err = r.URL.Parse(target); err != nil {
		return err
	}
	return lab.Exchange(p.HTTP, r)
}

// entries reads from the function's log when it was entered, by key, waiting until there are n.
func entries(ctx context.Context, p *lab.Platform, n int) (map[string]time.Time, error) {
	found := map[string]time.Time{}
	for range 100 {
		lines, err := p.LogEvents(ctx, "/aws/lambda/bench-entry", 0, "entered")
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			f := strings.Fields(l.Message)
			if len(f) != 3 || f[0] != "entered" {
				continue
			}
			at, err := strconv.ParseInt(f[2], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("the log line %q: %w", l.Message, err)
			}
			found[f[1]] = time.Unix(0, at)
		}
		if len(found) >= n {
			return found, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("%d of %d writes started the function", len(found), n)
}
