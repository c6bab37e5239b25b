package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// queueCall is a call on a queue whose messages stay in flight until they are deleted or given back.
type queueCall struct {
	kind        string // send, receive, delete, release or count
	body, group string // of a message to send
	dedup       string
	handle      string // of a received message
}

// queueAnswer is what a call found or did. Of an unknown one nobody got the answer: it was made before the process died, or not at all.
type queueAnswer struct {
	body     string // of the message that was received; empty for none
	handle   string
	sequence string // of the message that was sent
	counts   [2]int // visible and in flight
	unknown  bool
}

// queued is a message in the model of a queue.
type queued struct {
	body, group string
	handle      string // empty while it is visible; "?" when it was handed out and nobody got it
	sequence    string // of a message of a FIFO queue; empty where nobody got the answer
}

// queueState is what a queue holds, in the order of sending, and the sequence numbers by the deduplication ids that were used.
type queueState struct {
	messages []queued
	used     []usedID
}

type usedID struct{ id, sequence string }

func (s queueState) with(i int, handle string) queueState {
	s.messages = slices.Clone(s.messages)
	s.messages[i].handle = handle
	return s
}

func (s queueState) without(i int) queueState {
	s.messages = slices.Delete(slices.Clone(s.messages), i, i+1)
	return s
}

// available returns the messages that a receiver may get: of a FIFO queue the first of each group, unless one of the group is in flight.
func (s queueState) available(fifo bool) (out []int) {
	busy := map[string]bool{}
	for _, m := range s.messages {
		busy[m.group] = busy[m.group] || m.handle != ""
	}
	for i, m := range s.messages {
		if m.handle != "" || fifo && busy[m.group] {
			continue
		}
		busy[m.group] = true
		out = append(out, i)
	}
	return out
}

// send returns the states after a send: with a message more, which is behind all of its group, unless its deduplication id was used.
func (s queueState) send(in queueCall, out queueAnswer) []any {
	if in.dedup != "" {
		if i := slices.IndexFunc(s.used, func(u usedID) bool { return u.id == in.dedup }); i >= 0 {
			if before := s.used[i].sequence; before != "" && out.sequence != "" && before != out.sequence {
				return nil
			}
			return []any{s}
		}
		s.used = append(slices.Clone(s.used), usedID{in.dedup, out.sequence})
	}
	for _, m := range s.messages {
		if m.group == in.group && out.sequence != "" && m.sequence > out.sequence {
			return nil
		}
	}
	s.messages = append(slices.Clone(s.messages), queued{body: in.body, group: in.group, sequence: out.sequence})
	return []any{s}
}

// receive returns the states after a receive.
func (s queueState) receive(fifo bool, out queueAnswer) (next []any) {
	free := s.available(fifo)
	if out.unknown {
		for _, i := range free {
			next = append(next, s.with(i, "?"))
		}
		return next
	}
	if out.body == "" {
		if len(free) == 0 {
			return []any{s}
		}
		return nil
	}
	for _, i := range free {
		if s.messages[i].body == out.body {
			return []any{s.with(i, out.handle)}
		}
	}
	return nil
}

// count checks the numbers of messages, which are exact.
func (s queueState) count(want [2]int) []any {
	var got [2]int
	for _, m := range s.messages {
		if m.handle == "" {
			got[0]++
		} else {
			got[1]++
		}
	}
	if got == want {
		return []any{s}
	}
	return nil
}

// step returns the states after a call that was made.
func (s queueState) step(fifo bool, in queueCall, out queueAnswer) []any {
	switch in.kind {
	case "send":
		return s.send(in, out)
	case "receive":
		return s.receive(fifo, out)
	case "count":
		return s.count(out.counts)
	}
	i := slices.IndexFunc(s.messages, func(m queued) bool { return m.handle == in.handle })
	switch {
	case i < 0:
		return nil
	case in.kind == "delete":
		return []any{s.without(i)}
	}
	return []any{s.with(i, "")}
}

// queueModel says what a queue may answer that is empty at first.
func queueModel(fifo bool) porcupine.Model {
	nondeterministic := porcupine.NondeterministicModel{
		Init: func() []any { return []any{queueState{}} },
		Step: func(state, input, output any) []any {
			s, in, out := state.(queueState), input.(queueCall), output.(queueAnswer)
			next := s.step(fifo, in, out)
			if out.unknown {
				next = append(next, s)
			}
			return next
		},
		Equal: func(a, b any) bool {
			x, y := a.(queueState), b.(queueState)
			return slices.Equal(x.messages, y.messages) && slices.Equal(x.used, y.used)
		},
	}
	return nondeterministic.ToModel()
}

// sqs makes a call and reads its answer.
func (c *client) sqs(ctx context.Context, operation string, in map[string]any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"AmazonSQS." + operation}}
	got, err := c.do(ctx, "sqs", http.MethodPost, "/", header, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(got, out)
}

// make makes the call on a queue. An error that is no refusal tells that its outcome is not known.
func (in queueCall) make(ctx context.Context, c *client, url string) (out queueAnswer, err error) {
	switch in.kind {
	case "send":
		m := map[string]any{"QueueUrl": url, "MessageBody": in.body}
		if in.group != "" {
			m["MessageGroupId"], m["MessageDeduplicationId"] = in.group, in.dedup
		}
		var got struct{ SequenceNumber string }
		err = c.sqs(ctx, "SendMessage", m, &got)
		out.sequence = got.SequenceNumber
	case "receive":
		var got struct {
			Messages []struct{ Body, ReceiptHandle string }
		}
		err = c.sqs(ctx, "ReceiveMessage", map[string]any{"QueueUrl": url}, &got)
		if len(got.Messages) == 1 {
			out.body, out.handle = got.Messages[0].Body, got.Messages[0].ReceiptHandle
		}
	case "delete":
		err = c.sqs(ctx, "DeleteMessage", map[string]any{"QueueUrl": url, "ReceiptHandle": in.handle}, nil)
	case "release":
		err = c.sqs(ctx, "ChangeMessageVisibility", map[string]any{"QueueUrl": url, "ReceiptHandle": in.handle, "VisibilityTimeout": 0}, nil)
	case "count":
		var got struct{ Attributes map[string]string }
		err = c.sqs(ctx, "GetQueueAttributes", map[string]any{"QueueUrl": url, "AttributeNames": []string{"All"}}, &got)
		for i, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
			if err == nil {
				out.counts[i], err = strconv.Atoi(got.Attributes[name])
			}
		}
	}
	return out, err
}

// queueHistory collects the calls of all clients on a queue, and the handles of the messages that they keep.
type queueHistory struct {
	url  string
	fifo bool
	// enough is closed after so many calls: the check of an order takes the longer the more there are.
	enough chan struct{}
	limit  int

	mu    sync.Mutex // guards the fields below
	calls []porcupine.Operation
	kept  []string
}

// do makes a call and notes it. It reports whether the answer came.
func (h *queueHistory) do(ctx context.Context, t *testing.T, c *client, id int, in queueCall) (out queueAnswer, answered bool) {
	began := time.Now().UnixNano()
	out, err := in.make(ctx, c, h.url)
	op := porcupine.Operation{ClientId: id, Input: in, Call: began, Output: out, Return: time.Now().UnixNano()}
	var r *refusal
	if errors.As(err, &r) {
		t.Errorf("%+v: %v", in, err)
		return out, false
	}
	if err != nil {
		op.Output = queueAnswer{unknown: true} // the connection ended after the process did
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls = append(h.calls, op); len(h.calls) == h.limit {
		close(h.enough)
	}
	return out, err == nil
}

// work makes calls until the process dies.
func (h *queueHistory) work(ctx context.Context, t *testing.T, c *client, id int, random *rand.Rand) {
	var mine []string
	for n := 0; ; n++ {
		in := queueCall{kind: []string{"send", "send", "receive", "receive", "delete", "release"}[random.IntN(6)]}
		switch in.kind {
		case "send":
			in.body = fmt.Sprintf("%d-%d", id, n)
			if h.fifo {
				// Some deduplication ids are used twice, by different clients too.
				in.group, in.dedup = strconv.Itoa(random.IntN(3)), strconv.Itoa(random.IntN(200))
			}
		case "delete", "release":
			if len(mine) == 0 {
				continue
			}
			in.handle, mine = mine[0], mine[1:]
		}
		out, answered := h.do(ctx, t, c, id, in)
		if !answered {
			break
		}
		if out.handle != "" {
			mine = append(mine, out.handle)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, mine...)
}

// drain looks at everything that the queue holds after a restart: it gives back what its receivers kept, and receives until there is nothing.
func (h *queueHistory) drain(ctx context.Context, t *testing.T, c *client) {
	h.do(ctx, t, c, writers, queueCall{kind: "count"})
	for _, handle := range h.kept {
		h.do(ctx, t, c, writers, queueCall{kind: "release", handle: handle})
	}
	for !t.Failed() {
		out, _ := h.do(ctx, t, c, writers, queueCall{kind: "receive"})
		if out.body == "" {
			break
		}
		h.do(ctx, t, c, writers, queueCall{kind: "delete", handle: out.handle})
	}
	h.do(ctx, t, c, writers, queueCall{kind: "count"})
}

// searchTime is for how long an order is looked for. Calls at the same time, and those whose answer never came, may have happened in any order: some histories have too many.
const searchTime = 10 * time.Second

// TestKilledProcessKeepsQueuesLinear holds sends, receives, deletes and changes of visibility of several clients against a queue in one place, while the process is killed in
// the middle: all answers, and all that the queue holds afterwards, fit one order of the calls.
func TestKilledProcessKeepsQueuesLinear(t *testing.T) {
	rounds, start := *kills, *seed
	if *long {
		rounds = 50
	}
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	p := newPlatform(t, t.TempDir())
	calls, decided := 0, 0
	for round := range rounds {
		for _, fifo := range []bool{false, true} {
			h := &queueHistory{fifo: fifo, enough: make(chan struct{}), limit: 100 + rand.New(rand.NewPCG(start, uint64(round))).IntN(200)}
			attributes := map[string]string{"VisibilityTimeout": "43200"}
			name := fmt.Sprintf("linear-%d", round)
			if fifo {
				name, attributes["FifoQueue"] = name+".fifo", "true"
			}
			c := newClient(p.address)
			var made struct{ QueueUrl string }
			if err := c.sqs(t.Context(), "CreateQueue", map[string]any{"QueueName": name, "Attributes": attributes}, &made); err != nil {
				t.Fatal(err)
			}
			h.url = made.QueueUrl
			var all sync.WaitGroup
			for id := range writers {
				random := rand.New(rand.NewPCG(start, uint64(round)<<8|uint64(id+1)))
				all.Go(func() { h.work(t.Context(), t, c, id, random) })
			}
			<-h.enough
			p.kill()
			all.Wait()
			c.http.CloseIdleConnections()
			p.start(t)
			h.drain(t.Context(), t, newClient(p.address))
			switch porcupine.CheckOperationsTimeout(queueModel(fifo), h.calls, searchTime) {
			case porcupine.Ok:
				decided++
			case porcupine.Illegal:
				t.Errorf("the %d calls on %s of seed %d fit no order", len(h.calls), name, start)
			case porcupine.Unknown: // the orders are too many to try
			}
			calls += len(h.calls)
		}
	}
	t.Logf("seed %d: %d kills, %d calls; an order was found for %d of %d queues, and none was ruled out", start, 2*rounds, calls, decided, 2*rounds)
	if decided == 0 {
		t.Errorf("no order was found for any queue of seed %d: the histories are too long to be checked", start)
	}
}
