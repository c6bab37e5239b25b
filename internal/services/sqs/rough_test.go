package sqs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

func TestQueueIsDeletedInFullTraffic(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", nil)
	var work sync.WaitGroup
	stop := make(chan struct{})
	bad := make(chan error, 100)
	allowed := []string{"", codeNoQueue, codeHandle}
	check := func(err error) {
		if !slices.Contains(allowed, service.Code(err)) {
			select {
			case bad <- err:
			default:
			}
		}
	}
	for range 4 {
		work.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := h.Call(h.ctx, "sqs", "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: strconv.Itoa(n)})
				check(err)
			}
		})
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				out, err := service.Call[api.ReceiveMessageOutput](h.ctx, h, "sqs", "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: new(int32(10))})
				check(err)
				if err != nil {
					continue
				}
				for _, m := range out.Messages {
					_, err := h.Call(h.ctx, "sqs", "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: *m.ReceiptHandle})
					check(err)
				}
			}
		})
	}
	for range 20 {
		_, err := h.Call(h.ctx, "sqs", "DeleteQueue", &api.DeleteQueueInput{QueueUrl: url})
		check(err)
		_, err = h.Call(h.ctx, "sqs", "CreateQueue", &api.CreateQueueInput{QueueName: "q"})
		check(err)
	}
	close(stop)
	work.Wait()
	close(bad)
	for err := range bad {
		t.Errorf("a call in the middle of it: %v", err)
	}

	// What is counted is what is there.
	h.restart()
	shown, err := h.impl.peek(h.ctx, "000000000000", "us-east-1", "q", 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	a := h.attributes(t, url)
	if got := strconv.Itoa(len(shown)); sum(t, a) != got {
		t.Errorf("%s messages are counted, and %s are there", sum(t, a), got)
	}
}

// sum adds the counts of a queue's messages.
func sum(t *testing.T, a map[string]string) string {
	t.Helper()
	n := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible"} {
		var x int
		if _, err := fmt.Sscan(a[name], &x); err != nil {
			t.Fatal(err)
		}
		n += x
	}
	return strconv.Itoa(n)
}

func TestFIFOOrderSurvivesClockJumps(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		h := newHarness(t)
		url := h.create(t, "q.fifo", map[string]string{"FifoQueue": "true"})
		send := func(body string) {
			do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: body, MessageGroupId: new("g"), MessageDeduplicationId: &body})
		}
		began := h.clock.Now()
		for i, at := range []time.Duration{0, -time.Hour, 2 * time.Hour, -3 * time.Hour, 0} {
			h.clock.Step(began.Add(at).Sub(h.clock.Now()))
			if restarts {
				h.restart()
			}
			h.settle()
			send(strconv.Itoa(i))
		}
		h.clock.Step(began.Add(time.Minute).Sub(h.clock.Now()))
		h.settle()
		var got []string
		for _, m := range h.receive(t, url, 10, 0) {
			got = append(got, *m.Body)
		}
		if strings.Join(got, " ") != "0 1 2 3 4" {
			t.Errorf("restarts %v: order %v after the clock went back and forth", restarts, got)
		}
	}
}

func TestClockJumpsLoseNoMessages(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", map[string]string{"VisibilityTimeout": "30"})
	h.send(t, url, "in flight")
	if got := h.receive(t, url, 1, 0); len(got) != 1 {
		t.Fatal("the message is not there")
	}
	do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: "delayed", DelaySeconds: new(int32(60))})
	h.clock.Step(-time.Hour)
	h.settle()
	h.send(t, url, "while it was early")
	if got := h.receive(t, url, 10, 0); len(got) != 1 || *got[0].Body != "while it was early" {
		t.Errorf("an hour back: %v", got)
	}
	h.clock.Step(25 * time.Hour)
	h.settle()
	if got := h.receive(t, url, 10, 0); len(got) != 3 {
		t.Errorf("a day on: %d messages, want all 3", len(got))
	}
	if a := h.attributes(t, url); sum(t, a) != "3" {
		t.Errorf("counts: %v", a)
	}
}
