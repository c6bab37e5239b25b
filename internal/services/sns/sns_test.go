package sns

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sns"
	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/sqs"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

// harness is SNS and SQS on a store in memory and a clock that stands still.
type harness struct {
	fake.Door
	topics, queues service.Service
	impl           *Service
	functions      *fake.Functions
	deliveries     deliveries
	clock          *clock.Fake
	ctx            context.Context
}

// deliveries is a delivery stream that keeps its records.
type deliveries struct {
	asked string
	lines []string
}

func (d *deliveries) CheckPut(_ context.Context, _ port.Source, role, stream string) error {
	d.asked = role + " " + stream
	return nil
}

func (d *deliveries) Put(_ store.Txn, _ string, data []byte) error {
	d.lines = append(d.lines, string(data))
	return nil
}

func newHarness(t testing.TB, transport http.RoundTripper) *harness {
	t.Helper()
	h := &harness{clock: clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)), functions: &fake.Functions{}}
	st := mem.New()
	log := slog.New(slog.DiscardHandler)
	deps := service.Deps{Store: st, Door: h, Clock: h.clock, Random: rand.Reader, Log: log, BaseURL: "http://127.0.0.1:4566"}
	var queues *sqs.Service
	h.queues, queues = sqs.New(deps, nil)
	h.impl = newService(deps, Options{Queues: queues, Functions: h.functions, Deliveries: &h.deliveries, Transport: transport})
	h.topics = h.impl.describe()
	jobs := events.New(st, h.clock, log)
	if err := jobs.Register(slices.Concat(h.topics.Jobs, h.queues.Jobs)...); err != nil {
		t.Fatal(err)
	}
	if err := jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Services = []service.Service{h.topics, h.queues}
	h.ctx = fake.Root(t.Context(), "000000000000", "us-east-1")
	t.Cleanup(func() {
		if err := errors.Join(jobs.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// do makes a call that must succeed.
func do[Out any](t testing.TB, h *harness, api, operation string, in any) *Out {
	t.Helper()
	out, err := service.Call[Out](h.ctx, h, api, operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func (h *harness) topic(t testing.TB, name string, attributes map[string]string) string {
	t.Helper()
	return *do[api.CreateTopicOutput](t, h, "sns", "CreateTopic", &api.CreateTopicInput{Name: name, Attributes: attributes}).TopicArn
}

func (h *harness) queue(t testing.TB, name string, attributes map[string]string) (arn string) {
	t.Helper()
	do[queueapi.CreateQueueOutput](t, h, "sqs", "CreateQueue", &queueapi.CreateQueueInput{QueueName: name, Attributes: attributes})
	return "arn:aws:sqs:us-east-1:000000000000:" + name
}

func (h *harness) subscribe(t testing.TB, topic, protocol, endpoint string, attributes map[string]string) string {
	t.Helper()
	yes := true
	return *do[api.SubscribeOutput](t, h, "sns", "Subscribe", &api.SubscribeInput{
		TopicArn: topic, Protocol: protocol, Endpoint: &endpoint, Attributes: attributes, ReturnSubscriptionArn: &yes,
	}).SubscriptionArn
}

// bodies takes what is in a queue.
func (h *harness) bodies(t testing.TB, name string) (out []string) {
	t.Helper()
	for {
		got := do[queueapi.ReceiveMessageOutput](t, h, "sqs", "ReceiveMessage", &queueapi.ReceiveMessageInput{QueueUrl: name, MaxNumberOfMessages: new(int32(10))}).Messages
		if len(got) == 0 {
			return out
		}
		for _, m := range got {
			out = append(out, *m.Body)
			do[queueapi.DeleteMessageOutput](t, h, "sqs", "DeleteMessage", &queueapi.DeleteMessageInput{QueueUrl: name, ReceiptHandle: *m.ReceiptHandle})
		}
	}
}

func BenchmarkPublishToHundredQueues(b *testing.B) {
	h := newHarness(b, nil)
	topic := h.topic(b, "t", nil)
	for i := range 100 {
		h.subscribe(b, topic, "sqs", h.queue(b, fmt.Sprintf("q%d", i), nil), nil)
	}
	b.ResetTimer()
	for range b.N {
		do[api.PublishOutput](b, h, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Message: strings.Repeat("x", 1024)})
	}
}
