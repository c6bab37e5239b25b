package sqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

func TestWaitingReceiverGetsTheMessageWithItsCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		url := h.create(t, "q", nil)
		got := make(chan []api.Message)
		go func() { got <- h.receive(t, url, 10, 20) }()
		synctest.Wait()
		h.send(t, url, "hello")
		if m := <-got; len(m) != 1 || *m[0].Body != "hello" {
			t.Errorf("received %v", m)
		}
	})
}

func TestWaitingReceiverGoesEmptyWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		url := h.create(t, "q", nil)
		got := make(chan []api.Message)
		go func() { got <- h.receive(t, url, 10, 20) }()
		synctest.Wait()
		h.clock.Advance(20 * time.Second)
		if m := <-got; len(m) != 0 {
			t.Errorf("received %v", m)
		}
	})
}

func TestEachOfManyWaitingReceiversGetsOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		url := h.create(t, "q", nil)
		var mu sync.Mutex
		seen := map[string]int{}
		var done sync.WaitGroup
		for range 100 {
			done.Go(func() {
				for _, m := range h.receive(t, url, 1, 20) {
					mu.Lock()
					seen[*m.Body]++
					mu.Unlock()
				}
			})
		}
		synctest.Wait()
		for i := range 100 {
			h.send(t, url, strconv.Itoa(i))
		}
		done.Wait()
		for i := range 100 {
			if seen[strconv.Itoa(i)] != 1 {
				t.Errorf("message %d was received %d times", i, seen[strconv.Itoa(i)])
			}
		}
	})
}

func TestWaitingReceiverLearnsThatItsQueueIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		url := h.create(t, "q", nil)
		failed := make(chan error)
		go func() {
			wait := int32(20)
			_, err := service.Call[api.ReceiveMessageOutput](h.ctx, h, "sqs", "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: &wait})
			failed <- err
		}()
		synctest.Wait()
		do[api.DeleteQueueOutput](t, h, "DeleteQueue", &api.DeleteQueueInput{QueueUrl: url})
		if err := <-failed; service.Code(err) != codeNoQueue {
			t.Errorf("the receiver got %v", err)
		}
	})
}

func TestReceiverThatIsGoneTakesNothingAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		url := h.create(t, "q", nil)
		ctx, cancel := context.WithCancel(h.ctx)
		gone := make(chan error)
		go func() {
			wait := int32(20)
			_, err := service.Call[api.ReceiveMessageOutput](ctx, h, "sqs", "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: &wait})
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the receiver got %v", err)
		}
		h.send(t, url, "hello")
		m := h.receive(t, url, 1, 0)
		if len(m) != 1 || m[0].Attributes["ApproximateReceiveCount"] != "1" {
			t.Errorf("the next receiver got %v", m)
		}
	})
}

func TestGivenBackMessagesWereNotReceived(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	for i := range 3 {
		do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: strconv.Itoa(i), MessageGroupId: new("g")})
	}
	q, err := h.impl.view(h.ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.impl.take(h.ctx, q, &request{max: 2, visibility: 30})
	if err != nil || len(got) != 2 {
		t.Fatalf("took %d, %v", len(got), err)
	}
	ctx, cancel := context.WithCancel(h.ctx)
	cancel()
	if err := h.impl.giveBack(ctx, q, got); !errors.Is(err, context.Canceled) {
		t.Errorf("giving back: %v", err)
	}
	m := h.receive(t, url, 10, 0)
	if len(m) != 3 || *m[0].Body != "0" || m[0].Attributes["ApproximateReceiveCount"] != "1" {
		t.Errorf("received %v", m)
	}
}

func TestMessagesBeyondMemoryComeInOrder(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", nil)
	const batches = (maxReady + 2*loadSize) / 10
	for b := range batches {
		in := &api.SendMessageBatchInput{QueueUrl: url}
		for i := range 10 {
			in.Entries = append(in.Entries, api.SendMessageBatchRequestEntry{Id: strconv.Itoa(i), MessageBody: strconv.Itoa(b*10 + i)})
		}
		do[api.SendMessageBatchOutput](t, h, "SendMessageBatch", in)
	}
	q, err := h.impl.view(h.ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	if n := q.live.ready.Len(); n > maxReady {
		t.Errorf("%d entries are in memory, the limit is %d", n, maxReady)
	}
	next := 0
	for next < batches*10 {
		if next == maxReady/2 {
			h.restart()
		}
		got := h.receive(t, url, 10, 0)
		if len(got) == 0 {
			t.Fatalf("the queue is empty after %d messages", next)
		}
		for _, m := range got {
			if *m.Body != strconv.Itoa(next) {
				t.Fatalf("received %s, want %d", *m.Body, next)
			}
			next++
		}
	}
	if got := h.receive(t, url, 10, 0); len(got) != 0 {
		t.Errorf("received %d messages more than were sent", len(got))
	}
}

func TestReceiveRequestAttemptIsAnsweredTheSame(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q.fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	for i := range 4 {
		do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: strconv.Itoa(i), MessageGroupId: new("g")})
	}
	try := func(attempt string) []api.Message {
		return do[api.ReceiveMessageOutput](t, h, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: new(int32(2)), ReceiveRequestAttemptId: &attempt}).Messages
	}
	first, again := try("a"), try("a")
	if len(first) != 2 || len(again) != 2 || *first[0].ReceiptHandle != *again[0].ReceiptHandle || *again[1].Body != "1" {
		t.Errorf("first %v, again %v", first, again)
	}
	if other := try("b"); len(other) != 0 {
		t.Errorf("another attempt got %v while the group is in flight", other)
	}
	do[api.DeleteMessageOutput](t, h, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: *first[0].ReceiptHandle})
	if changed := try("a"); len(changed) != 0 {
		t.Errorf("after a deletion the attempt got %v", changed)
	}
}

func TestQuietTenantsGoFirst(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", nil)
	send := func(tenant string, n int) {
		for range n {
			do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: tenant, MessageGroupId: &tenant})
		}
	}
	send("noisy", 60)
	for range 4 {
		h.receive(t, url, 10, 0) // 40 messages of the noisy tenant are in flight
	}
	send("quiet", 3)
	m := h.receive(t, url, 5, 0)
	var bodies []string
	for _, x := range m {
		bodies = append(bodies, *x.Body)
	}
	if got := strings.Join(bodies, " "); got != "quiet quiet quiet noisy noisy" {
		t.Errorf("received %s", got)
	}
}

func TestLargeMessagesMoveToTheDeadLetterQueueWhole(t *testing.T) {
	h := newHarness(t)
	dead := h.create(t, "dead", nil)
	url := h.create(t, "q", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}`})
	for i := range 5 {
		h.send(t, url, strconv.Itoa(i)+strings.Repeat("x", maxMessageSize-1))
	}
	none := int32(0)
	ten := int32(10)
	got := do[api.ReceiveMessageOutput](t, h, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: &ten, VisibilityTimeout: &none}).Messages
	if len(got) != 5 {
		t.Fatalf("received %d", len(got))
	}
	if again := h.receive(t, url, 10, 0); len(again) != 0 {
		t.Errorf("received %d messages too often", len(again))
	}
	for i, m := range h.receive(t, dead, 10, 0) {
		if len(*m.Body) != maxMessageSize || !strings.HasPrefix(*m.Body, strconv.Itoa(i)) || m.Attributes["DeadLetterQueueSourceArn"] != "arn:aws:sqs:us-east-1:000000000000:q" {
			t.Errorf("dead letter %d has %d bytes and %v", i, len(*m.Body), m.Attributes)
		}
	}
	if got := h.counts(t, dead); got != [3]string{"0", "0", "5"} {
		t.Errorf("counters of the dead-letter queue: %v", got)
	}
}

func TestMoveTaskBringsDeadLettersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		dead := h.create(t, "dead", nil)
		url := h.create(t, "q", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}`})
		for i := range 25 {
			h.send(t, url, strconv.Itoa(i))
		}
		none := int32(0)
		for range 60 {
			do[api.ReceiveMessageOutput](t, h, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: url, VisibilityTimeout: &none})
		}
		if got := h.counts(t, dead); got[0] != "25" {
			t.Fatalf("counters of the dead-letter queue: %v", got)
		}
		arn := "arn:aws:sqs:us-east-1:000000000000:dead"
		do[api.StartMessageMoveTaskOutput](t, h, "StartMessageMoveTask", &api.StartMessageMoveTaskInput{SourceArn: arn})
		synctest.Wait()
		for range 5 {
			h.clock.Advance(time.Second)
			synctest.Wait()
		}
		task := do[api.ListMessageMoveTasksOutput](t, h, "ListMessageMoveTasks", &api.ListMessageMoveTasksInput{SourceArn: arn}).Results[0]
		if *task.Status != taskCompleted || *task.ApproximateNumberOfMessagesMoved != 25 || *task.ApproximateNumberOfMessagesToMove != 25 {
			t.Errorf("task is %s and moved %d of %d", *task.Status, *task.ApproximateNumberOfMessagesMoved, *task.ApproximateNumberOfMessagesToMove)
		}
		if got := h.counts(t, url); got[0] != "25" {
			t.Errorf("counters of the source: %v", got)
		}
	})
}

func TestForgedHandleIsRefused(t *testing.T) {
	h := newHarness(t)
	url, other := h.create(t, "q", nil), h.create(t, "other", nil)
	h.send(t, url, "hello")
	good := *h.receive(t, url, 1, 0)[0].ReceiptHandle
	forged := "A" + good[1:]
	if good[0] == 'A' {
		forged = "B" + good[1:]
	}
	for name, c := range map[string]struct{ url, handle string }{
		"changed": {url, forged}, "of another queue": {other, good}, "cut off": {url, good[:40]}, "garbage": {url, "garbage"},
	} {
		_, err := service.Call[api.DeleteMessageOutput](h.ctx, h, "sqs", "DeleteMessage", &api.DeleteMessageInput{QueueUrl: c.url, ReceiptHandle: c.handle})
		if service.Code(err) != codeHandle {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.restart()
	do[api.DeleteMessageOutput](t, h, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: good})
}

func TestQueueIsFoundByItsURLWhateverTheHost(t *testing.T) {
	h := newHarness(t)
	h.create(t, "q", nil)
	for _, url := range []string{
		"http://127.0.0.1:4566/000000000000/q", "https://sqs.us-east-1.amazonaws.com/000000000000/q", "http://queue:1/queue/us-east-1/000000000000/q", "/000000000000/q", "q",
	} {
		h.send(t, url, "hello")
	}
	_, err := service.Call[api.SendMessageOutput](h.ctx, h, "sqs", "SendMessage", &api.SendMessageInput{QueueUrl: "http://host/q", MessageBody: "x"})
	if service.Code(err) != codeAddress {
		t.Errorf("a URL without an account: %v", err)
	}
}

func TestArrivalsTellOfEachMessage(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", nil)
	arrived, stop := h.impl.Arrivals("arn:aws:sqs:us-east-1:000000000000:q")
	<-arrived // what was there before
	do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: "late", DelaySeconds: new(int32(5))})
	select {
	case <-arrived:
		t.Error("a delayed message was told of before its time")
	default:
	}
	h.advance(5 * time.Second)
	<-arrived
	stop()
	h.send(t, url, "hello")
	select {
	case <-arrived:
		t.Error("told after the end")
	default:
	}
}

func TestConcurrentSendersAndReceiversLoseNothing(t *testing.T) {
	for _, fifo := range []bool{false, true} {
		t.Run(fmt.Sprintf("fifo=%v", fifo), func(t *testing.T) {
			h := newHarness(t)
			name, attributes := "q", map[string]string{}
			if fifo {
				name, attributes = "q.fifo", map[string]string{"FifoQueue": "true"}
			}
			url := h.create(t, name, attributes)
			const senders, each = 4, 100
			var done sync.WaitGroup
			for s := range senders {
				done.Go(func() {
					for i := range each {
						in := &api.SendMessageInput{QueueUrl: url, MessageBody: fmt.Sprintf("%d-%d", s, i)}
						if fifo {
							in.MessageGroupId, in.MessageDeduplicationId = new(strconv.Itoa(s)), &in.MessageBody
						}
						do[api.SendMessageOutput](t, h, "SendMessage", in)
					}
				})
			}
			var mu sync.Mutex
			next := make([]int, senders)
			received := 0
			for range 4 {
				done.Go(func() {
					for {
						mu.Lock()
						all := received == senders*each
						mu.Unlock()
						if all {
							return
						}
						for _, m := range h.receive(t, url, 3, 0) {
							var s, i int
							if _, err := fmt.Sscanf(*m.Body, "%d-%d", &s, &i); err != nil {
								t.Errorf("received %q", *m.Body)
							}
							mu.Lock()
							if fifo && next[s] != i {
								t.Errorf("group %d: received %d, want %d", s, i, next[s])
							}
							next[s]++
							received++
							mu.Unlock()
							do[api.DeleteMessageOutput](t, h, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: url, ReceiptHandle: *m.ReceiptHandle})
						}
					}
				})
			}
			done.Wait()
			if got := h.counts(t, url); got != [3]string{"0", "0", "0"} {
				t.Errorf("counters of the empty queue: %v", got)
			}
		})
	}
}

func TestPeekingShowsMessagesAndTakesNone(t *testing.T) {
	h := newHarness(t)
	url := h.create(t, "q", nil)
	h.send(t, url, "first")
	do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: "later", DelaySeconds: new(int32(60))})
	h.receive(t, url, 1, 0)
	for range 2 {
		got, err := h.impl.peek(h.ctx, "000000000000", "us-east-1", "q", 10)
		if err != nil || len(got) != 2 || got[0].Body != "first" || got[0].State != "in flight" || got[0].Received != 1 || got[1].State != "delayed" {
			t.Errorf("peeked %+v, %v", got, err)
		}
	}
	if got := h.counts(t, url); got != [3]string{"0", "1", "1"} {
		t.Errorf("counters after peeking: %v", got)
	}
}
