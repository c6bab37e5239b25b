package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"lambent.dev/lambent/bench/lab"
)

// schedule measures how late schedules fire that are due a few hundred a second, among as many as asked for.
func (b *bench) schedule(ctx context.Context) error {
	url, arn, err := b.open(ctx, "due", "scheduler.amazonaws.com")
	if err != nil {
		return err
	}
	role, err := b.role(ctx)
	if err != nil {
		return err
	}
	// The many are due in a year; the few that are watched, in a minute.
	const watched, perSecond = 2000, 200
	first := time.Now().Add(time.Duration(20+b.schedules/1000) * time.Second).Truncate(time.Second)
	create := func(name string, at time.Time) error {
		body := object{
			"ScheduleExpression": "at(" + at.UTC().Format("2006-01-02T15:04:05") + ")", "FlexibleTimeWindow": object{"Mode": "OFF"}, "ActionAfterCompletion": "DELETE",
			"Target": object{"Arn": arn, "RoleArn": role, "Input": at.UTC().Format(time.RFC3339)},
		}
		return b.rest(ctx, http.MethodPost, "scheduler", "/schedules/"+name, body)
	}
	if err := b.many(b.schedules, func(i int) error { return create("many"+strconv.Itoa(i), first.AddDate(1, 0, i%365)) }); err != nil {
		return err
	}
	if err := b.many(watched, func(i int) error {
		return create("few"+strconv.Itoa(i), first.Add(time.Duration(i/perSecond)*time.Second))
	}); err != nil {
		return err
	}
	if time.Now().After(first) {
		return errors.New("making the schedules took longer than planned; ask for fewer with -schedules")
	}
	late, err := b.lateness(ctx, url, watched)
	if err != nil {
		return err
	}
	p50, p99 := lab.Percentile(late, 50), lab.Percentile(late, 99)
	lab.Row(fmt.Sprintf("%d of %d schedules due, %d a second: late by, p50", watched, b.schedules+watched, perSecond), "≤ 50 ms", fmt.Sprintf("%s (p99 %s)", lab.Ms(p50), lab.Ms(p99)), p50 <= 50*time.Millisecond)
	return nil
}

// lateness receives n messages whose bodies say when they were due, and returns how much later they were sent.
func (b *bench) lateness(ctx context.Context, url string, n int) ([]time.Duration, error) {
	var late []time.Duration
	for len(late) < n {
		var got struct {
			Messages []struct {
				Body, ReceiptHandle string
				Attributes          struct{ SentTimestamp string }
			}
		}
		if err := b.sqs(ctx, "ReceiveMessage", object{"QueueUrl": url, "WaitTimeSeconds": 20, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600, "AttributeNames": []string{"SentTimestamp"}}, &got); err != nil {
			return nil, err
		}
		for _, m := range got.Messages {
			due, err := time.Parse(time.RFC3339, m.Body)
			if err != nil {
				return nil, err
			}
			ms, err := strconv.ParseInt(m.Attributes.SentTimestamp, 10, 64)
			if err != nil {
				return nil, err
			}
			late = append(late, time.UnixMilli(ms).Sub(due))
		}
	}
	return late, nil
}

// many runs fn for the numbers below n, eight at a time.
func (b *bench) many(n int, fn func(i int) error) error {
	var mu sync.Mutex
	var failed error
	next := 0
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				mu.Lock()
				i, stop := next, failed != nil
				next++
				mu.Unlock()
				if i >= n || stop {
					return
				}
				if err := fn(i); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	return failed
}

// rest makes a signed call of a REST API with a body of JSON.
func (b *bench) rest(ctx context.Context, method, service, path string, in any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, b.p.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return b.exchange(r, service, body, func([]byte) error { return nil })
}

// role makes a role with which schedules may send to queues.
func (b *bench) role(ctx context.Context) (arn string, err error) {
	trust := `{"Statement":[{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	policy := `{"Statement":[{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}]}`
	if err := b.query(ctx, "iam", "2010-05-08", map[string]string{"Action": "CreateRole", "RoleName": "due", "AssumeRolePolicyDocument": trust}); err != nil {
		return "", err
	}
	return "arn:aws:iam::000000000000:role/due", b.query(ctx, "iam", "2010-05-08", map[string]string{"Action": "PutRolePolicy", "RoleName": "due", "PolicyName": "send", "PolicyDocument": policy})
}
