package sqs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

// model is what a queue should do, in as few lines as possible: a list of messages in order.
type model struct {
	h           *harness
	url, dead   string
	fifo        bool
	maxReceives int
	messages    []*modelMessage
	buried      map[string]bool
	dedup       map[string]time.Time // deduplication id → until when
	sent        int
	// line holds the groups that are ready, in the order in which they became so.
	line []string
	// met are the groups that the last receive came to.
	met []string
}

type modelMessage struct {
	body, group string
	handle      string
	hidden      time.Time // until when
	delayed     bool
	received    int
	enqueued    time.Time
}

const modelRetention = 1000 * time.Second

func (m *model) now() time.Time { return m.h.clock.Now() }

func (m *model) visible(x *modelMessage) bool { return !x.hidden.After(m.now()) }

// available returns what a receiver may get, in order: of a FIFO group only what is in front of its first hidden message.
func (m *model) available() (out []*modelMessage) {
	blocked := map[string]bool{}
	for _, x := range m.messages {
		if m.fifo && blocked[x.group] {
			continue
		}
		if m.visible(x) {
			out = append(out, x)
		} else {
			blocked[x.group] = true
		}
	}
	return out
}

func (m *model) remove(x *modelMessage) {
	m.messages = slices.DeleteFunc(m.messages, func(y *modelMessage) bool { return x == y })
}

// advance moves the time: messages become visible in the order of their times, then those past their retention go away.
func (m *model) advance(d time.Duration) {
	before := m.now()
	m.h.advance(d)
	var due []*modelMessage
	for _, x := range m.messages {
		if x.hidden.After(before) && m.visible(x) {
			due = append(due, x)
		}
	}
	slices.SortStableFunc(due, func(x, y *modelMessage) int { return x.hidden.Compare(y.hidden) })
	m.touchAll(due)
	var gone []*modelMessage
	m.messages = slices.DeleteFunc(m.messages, func(x *modelMessage) bool {
		old := m.now().Sub(x.enqueued) >= modelRetention
		if old {
			gone = append(gone, x)
		}
		return old
	})
	m.touchAll(gone)
}

func (m *model) touchAll(all []*modelMessage) {
	var groups []string
	for _, x := range all {
		if !slices.Contains(groups, x.group) {
			groups = append(groups, x.group)
			m.touch(x.group)
		}
	}
}

func (m *model) Send(t *rapid.T) {
	m.sent++
	x := &modelMessage{body: strconv.Itoa(m.sent), enqueued: m.now()}
	in := &api.SendMessageInput{QueueUrl: m.url, MessageBody: x.body}
	if m.fifo {
		x.group = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "group")
		id := rapid.SampledFrom([]string{"1", "2", x.body + "x", x.body + "y"}).Draw(t, "dedup")
		in.MessageGroupId, in.MessageDeduplicationId = &x.group, &id
		until, known := m.dedup[id]
		duplicate := known && until.After(m.now())
		do[api.SendMessageOutput](t, m.h, "SendMessage", in)
		if duplicate {
			return
		}
		m.dedup[id] = m.now().Add(5 * time.Minute)
	} else {
		delay := rapid.SampledFrom([]int32{0, 0, 0, 5, 60}).Draw(t, "delay")
		in.DelaySeconds = &delay
		if x.delayed = delay > 0; x.delayed {
			x.hidden = m.now().Add(time.Duration(delay) * time.Second)
		}
		do[api.SendMessageOutput](t, m.h, "SendMessage", in)
	}
	m.messages = append(m.messages, x)
	if !slices.Contains(m.line, x.group) {
		m.touch(x.group)
	}
}

// touch puts a group at the end of the line when its first message is visible, and out of the line otherwise.
func (m *model) touch(group string) {
	m.line = slices.DeleteFunc(m.line, func(g string) bool { return g == group })
	i := slices.IndexFunc(m.messages, func(x *modelMessage) bool { return x.group == group })
	if m.fifo && i >= 0 && m.visible(m.messages[i]) {
		m.line = append(m.line, group)
	}
}

// next returns what a receive of n messages gives, and buries what it meets that was received too often. A FIFO queue gives as many of a group as
// it can before it goes on to the next.
func (m *model) next(n int) (out []*modelMessage) {
	available := m.available()
	m.met = nil
	if m.fifo {
		slices.SortStableFunc(available, func(x, y *modelMessage) int { return slices.Index(m.line, x.group) - slices.Index(m.line, y.group) })
	}
	for _, x := range available {
		if len(out) == n {
			break
		}
		if !slices.Contains(m.met, x.group) {
			m.met = append(m.met, x.group)
		}
		if x.received >= m.maxReceives {
			m.remove(x)
			m.buried[x.body] = true
			continue
		}
		out = append(out, x)
	}
	return out
}

func (m *model) Receive(t *rapid.T) {
	n := rapid.Int32Range(1, 10).Draw(t, "n")
	visibility := rapid.SampledFrom([]int32{0, 1, 30, 300}).Draw(t, "visibility")
	got := do[api.ReceiveMessageOutput](t, m.h, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: m.url, MaxNumberOfMessages: &n, VisibilityTimeout: &visibility}).Messages
	want := m.next(int(n))
	var gotBodies, wantBodies []string
	for _, g := range got {
		gotBodies = append(gotBodies, *g.Body)
	}
	for _, x := range want {
		wantBodies = append(wantBodies, x.body)
	}
	if !slices.Equal(gotBodies, wantBodies) {
		t.Fatalf("received %v, want %v", gotBodies, wantBodies)
	}
	for i, x := range want {
		x.received++
		x.handle, x.delayed = *got[i].ReceiptHandle, false
		x.hidden = m.now().Add(time.Duration(visibility) * time.Second)
	}
	for _, group := range m.met {
		m.touch(group)
	}
}

func (m *model) Delete(t *rapid.T) {
	x := m.pick(t)
	if x == nil {
		return
	}
	_, err := service.Call[api.DeleteMessageOutput](m.h.ctx, m.h, "sqs", "DeleteMessage", &api.DeleteMessageInput{QueueUrl: m.url, ReceiptHandle: x.handle})
	if m.fifo && m.visible(x) {
		if service.Code(err) != codeValue {
			t.Fatalf("delete with an expired handle: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
	m.remove(x)
	m.touch(x.group)
}

func (m *model) ChangeVisibility(t *rapid.T) {
	x := m.pick(t)
	if x == nil {
		return
	}
	seconds := rapid.SampledFrom([]int32{0, 10, 200}).Draw(t, "seconds")
	_, err := service.Call[api.ChangeMessageVisibilityOutput](m.h.ctx, m.h, "sqs", "ChangeMessageVisibility", &api.ChangeMessageVisibilityInput{QueueUrl: m.url, ReceiptHandle: x.handle, VisibilityTimeout: seconds})
	switch {
	case m.visible(x) && m.fifo && service.Code(err) == codeValue, m.visible(x) && !m.fifo && err == nil:
		return
	case err != nil || m.visible(x):
		t.Fatalf("change visibility: %v", err)
	}
	x.hidden = m.now().Add(time.Duration(seconds) * time.Second)
	if seconds == 0 {
		m.touch(x.group)
	}
}

// pick returns a message that was received.
func (m *model) pick(t *rapid.T) *modelMessage {
	var out []*modelMessage
	for _, x := range m.messages {
		if x.handle != "" {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return rapid.SampledFrom(out).Draw(t, "message")
}

func (m *model) Advance(t *rapid.T) {
	m.advance(time.Duration(rapid.SampledFrom([]int{1, 10, 100, 500}).Draw(t, "seconds")) * time.Second)
}

func (m *model) Restart(*rapid.T) {
	m.h.restart()
	m.advance(time.Millisecond)
}

func (m *model) Purge(t *rapid.T) {
	if rapid.IntRange(0, 20).Draw(t, "purge") > 0 {
		return
	}
	_, err := service.Call[api.PurgeQueueOutput](m.h.ctx, m.h, "sqs", "PurgeQueue", &api.PurgeQueueInput{QueueUrl: m.url})
	if err == nil {
		m.messages, m.line, m.dedup = nil, nil, map[string]time.Time{}
	} else if service.Code(err) != codePurging {
		t.Fatalf("purge: %v", err)
	}
}

// Check compares the counters after each step.
func (m *model) Check(t *rapid.T) {
	var n [3]int
	for _, x := range m.messages {
		switch {
		case m.visible(x):
			n[0]++
		case x.delayed:
			n[1]++
		default:
			n[2]++
		}
	}
	want := [3]string{strconv.Itoa(n[0]), strconv.Itoa(n[1]), strconv.Itoa(n[2])}
	if got := m.h.counts(t, m.url); got != want {
		t.Fatalf("counters are %v, want %v", got, want)
	}
}

// drain checks the dead letters at the end: each message is in the queue, in its dead-letter queue, deleted or expired.
func (m *model) drain(t *rapid.T) {
	for {
		ten := int32(10)
		got := do[api.ReceiveMessageOutput](t, m.h, "ReceiveMessage", &api.ReceiveMessageInput{QueueUrl: m.dead, MaxNumberOfMessages: &ten}).Messages
		if len(got) == 0 {
			return
		}
		for _, g := range got {
			if !m.buried[*g.Body] {
				t.Fatalf("%s is in the dead-letter queue", *g.Body)
			}
			do[api.DeleteMessageOutput](t, m.h, "DeleteMessage", &api.DeleteMessageInput{QueueUrl: m.dead, ReceiptHandle: *g.ReceiptHandle})
		}
	}
}

func TestQueuesDoWhatTheModelSays(t *testing.T) {
	for _, fifo := range []bool{false, true} {
		name, suffix, extra := "standard", "", map[string]string{}
		if fifo {
			name, suffix, extra = "fifo", ".fifo", map[string]string{"FifoQueue": "true"}
		}
		t.Run(name, func(t *testing.T) {
			run := 0
			h := newHarness(t)
			rapid.Check(t, func(t *rapid.T) {
				run++
				m := &model{h: h, fifo: fifo, maxReceives: 3, buried: map[string]bool{}, dedup: map[string]time.Time{}}
				m.dead = h.create(t, fmt.Sprintf("dead-%d%s", run, suffix), extra)
				attributes := map[string]string{
					"MessageRetentionPeriod": strconv.Itoa(int(modelRetention.Seconds())),
					"RedrivePolicy":          fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead-%d%s","maxReceiveCount":3}`, run, suffix),
				}
				maps.Copy(attributes, extra)
				m.url = h.create(t, fmt.Sprintf("queue-%d%s", run, suffix), attributes)
				t.Repeat(map[string]func(*rapid.T){
					"send": m.Send, "send again": m.Send, "receive": m.Receive, "delete": m.Delete, "change": m.ChangeVisibility, "advance": m.Advance,
					"restart": m.Restart, "purge": m.Purge, "": m.Check,
				})
				m.drain(t)
				do[api.DeleteQueueOutput](t, h, "DeleteQueue", &api.DeleteQueueInput{QueueUrl: m.url})
				do[api.DeleteQueueOutput](t, h, "DeleteQueue", &api.DeleteQueueInput{QueueUrl: m.dead})
			})
		})
	}
}
