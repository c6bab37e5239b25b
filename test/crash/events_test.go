package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// told collects what was acknowledged and must reach the function.
type told struct {
	mu   sync.Mutex // guards the fields below
	list []string
}

func (o *told) add(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, id)
}

func (c *client) sendMessage(ctx context.Context, body string) error {
	in, err := json.Marshal(map[string]string{"QueueUrl": c.endpoint + "/000000000000/messages", "MessageBody": body})
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"AmazonSQS.SendMessage"}}
	_, err = c.do(ctx, "sqs", http.MethodPost, "/", header, in)
	return err
}

func (c *client) putRecord(ctx context.Context, data string) error {
	in, err := json.Marshal(map[string]any{"StreamName": "records", "PartitionKey": data, "Data": []byte(data)})
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Kinesis_20131202.PutRecord"}}
	_, err = c.do(ctx, "kinesis", http.MethodPost, "/", header, in)
	return err
}

func (c *client) invokeEvent(ctx context.Context, remember string) error {
	in, err := json.Marshal(map[string]string{"Remember": remember})
	if err != nil {
		return err
	}
	header := http.Header{"X-Amz-Invocation-Type": {"Event"}}
	_, err = c.do(ctx, "lambda", http.MethodPost, "/2015-03-31/functions/seen/invocations", header, in)
	return err
}

// write makes events of all kinds until the process dies.
func (o *told) write(ctx context.Context, c *client, prefix string) {
	for n := 0; ; n++ {
		for kind, send := range map[string]func(id string) error{
			"item":    func(id string) error { return c.putItem(ctx, id, []byte("x")) },
			"message": func(id string) error { return c.sendMessage(ctx, id) },
			"record":  func(id string) error { return c.putRecord(ctx, id) },
			"async":   func(id string) error { return c.invokeEvent(ctx, id) },
		} {
			id := fmt.Sprintf("%s-%s-%d", kind, prefix, n)
			if send(id) != nil {
				return
			}
			o.add(id)
		}
	}
}

// TestKillLosesNoEvent kills the process while asynchronous invocations are queued and running, and while streams and a queue are read.
func TestKillLosesNoEvent(t *testing.T) {
	rounds := *kills
	if *long {
		rounds = 20
	}
	p := newPlatform(t, t.TempDir())
	p.deploy(t, "events.yaml")
	var all told
	for round := range rounds {
		c := newClient(p.address)
		var clients sync.WaitGroup
		for id := range writers {
			clients.Go(func() { all.write(t.Context(), c, fmt.Sprintf("%d-%d", round, id)) })
		}
		<-time.After(time.Duration(200+rand.IntN(800)) * time.Millisecond)
		p.kill()
		clients.Wait()
		c.http.CloseIdleConnections()
		p.start(t)
	}
	c := newClient(p.address)
	ctx, cancel := context.WithTimeout(t.Context(), eventLimit)
	defer cancel()
	began := time.Now()
	for {
		seen, err := c.rows(ctx, "seen")
		if err != nil {
			t.Fatal(err)
		}
		var missing []string
		for _, id := range all.list {
			if _, ok := seen[id]; !ok {
				missing = append(missing, id)
			}
		}
		if len(missing) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d events never reached the function, such as %v", len(missing), len(all.list), missing[:min(len(missing), 10)])
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Logf("%d kills, %d events, complete %d ms after the last start", rounds, len(all.list), time.Since(began).Milliseconds())
}
