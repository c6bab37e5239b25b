package sqs

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

var _ port.Arrivals = (*Service)(nil)

// harness is SQS on a store in memory and a clock that stands still. What is due is done by settle, and not by the agenda's own goroutine.
type harness struct {
	fake.Door
	service service.Service
	impl    *Service
	store   store.Store
	clock   *clock.Fake
	jobs    *events.Queue
	ctx     context.Context
	meters  meter.Registry
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{clock: clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)), store: mem.New()}
	h.ctx = fake.Root(t.Context(), "000000000000", "us-east-1")
	h.restart()
	h.jobs = events.New(h.store, h.clock, slog.New(slog.DiscardHandler))
	if err := h.jobs.Register(h.service.Jobs...); err != nil {
		t.Fatal(err)
	}
	if err := h.jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.jobs.Close(); err != nil {
			t.Error(err)
		}
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// restart throws away what is in memory, as the end of the process does.
func (h *harness) restart() {
	h.service, h.impl = New(service.Deps{
		Store: h.store, Door: h, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), BaseURL: "http://127.0.0.1:4566",
		Meters: &h.meters,
	}, nil)
	h.Services = []service.Service{h.service}
	h.impl.agenda.openAll(h.ctx)
}

// settle does what is due.
func (h *harness) settle() {
	for {
		q, _ := h.impl.agenda.next(h.impl.nowMS())
		if q == nil {
			return
		}
		h.impl.agenda.tend(h.ctx, q)
	}
}

func (h *harness) advance(d time.Duration) {
	h.clock.Advance(d)
	h.settle()
}

// fatal is what testing.T and rapid.T share.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

// do makes a call that must succeed.
func do[Out any](t fatal, h *harness, operation string, in any) *Out {
	t.Helper()
	out, err := service.Call[Out](h.ctx, h, "sqs", operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func (h *harness) create(t fatal, name string, attributes map[string]string) string {
	t.Helper()
	return *do[api.CreateQueueOutput](t, h, "CreateQueue", &api.CreateQueueInput{QueueName: name, Attributes: attributes}).QueueUrl
}

func (h *harness) send(t fatal, url, body string) {
	t.Helper()
	do[api.SendMessageOutput](t, h, "SendMessage", &api.SendMessageInput{QueueUrl: url, MessageBody: body})
}

func (h *harness) receive(t fatal, url string, n, wait int32) []api.Message {
	t.Helper()
	return do[api.ReceiveMessageOutput](t, h, "ReceiveMessage", &api.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: &n, WaitTimeSeconds: &wait, AttributeNames: []string{"All"},
	}).Messages
}

func (h *harness) attributes(t fatal, url string) map[string]string {
	t.Helper()
	return do[api.GetQueueAttributesOutput](t, h, "GetQueueAttributes", &api.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []string{"All"}}).Attributes
}

// counts returns the three counters of a queue.
func (h *harness) counts(t fatal, url string) [3]string {
	t.Helper()
	a := h.attributes(t, url)
	return [3]string{a["ApproximateNumberOfMessages"], a["ApproximateNumberOfMessagesDelayed"], a["ApproximateNumberOfMessagesNotVisible"]}
}
