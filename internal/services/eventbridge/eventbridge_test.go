package eventbridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	queueapi "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/secretsmanager"
	"lambent.dev/lambent/internal/services/sqs"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

// harness is EventBridge and SQS on a store in memory and a clock that stands still.
type harness struct {
	fake.Door
	t                      testing.TB
	buses, queues, secrets service.Service
	impl                   *Service
	functions              *fake.Functions
	endpoint               *endpoint
	clock                  *clock.Fake
	ctx                    context.Context
}

// endpoint stands for the world outside: it notes requests and answers with statuses.
type endpoint struct {
	mu       sync.Mutex // guards the fields below
	requests []string
	statuses []int
	down     int // the status of every answer; 0 means that of statuses
	body     string
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var header []string
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		header = append(header, name+": "+r.Header.Get(name))
	}
	e.requests = append(e.requests, fmt.Sprintf("%s %s [%s] %s", r.Method, r.URL, strings.Join(header, ", "), body))
	status := http.StatusOK
	if e.down != 0 {
		status = e.down
	} else if len(e.statuses) > 0 {
		status, e.statuses = e.statuses[0], e.statuses[1:]
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(e.body)), Request: r}, nil
}

// answer has every answer be of a status; 0 is the end of it.
func (e *endpoint) answer(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = status
}

func (e *endpoint) seen() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.requests
	e.requests = nil
	return out
}

const account = "111111111111"

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// in runs a test in a bubble, with a harness.
func in(t *testing.T, fn func(t *testing.T, h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, newHarness(t)) })
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{t: t, clock: clock.NewFake(start), functions: &fake.Functions{}, endpoint: &endpoint{}}
	st := mem.New()
	log := slog.New(slog.DiscardHandler)
	deps := service.Deps{Store: st, Door: h, Clock: h.clock, Random: rand.Reader, Log: log, BaseURL: "http://127.0.0.1:4566"}
	var queues *sqs.Service
	h.queues, queues = sqs.New(deps, nil)
	var secrets *secretsmanager.Service
	h.secrets, secrets = secretsmanager.New(deps, secretsmanager.Options{Keys: fake.Keys{}, Functions: h.functions})
	h.impl = newService(deps, Options{
		Queues: queues, Functions: h.functions, Sender: deliver.New(deps, fake.Roles{}), Roles: fake.Roles{}, Secrets: secrets, Transport: h.endpoint,
	})
	h.buses = h.impl.describe()
	jobs := events.New(st, h.clock, log)
	if err := jobs.Register(slices.Concat(h.buses.Jobs, h.queues.Jobs)...); err != nil {
		t.Fatal(err)
	}
	if err := jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Services = []service.Service{h.buses, h.queues, h.secrets}
	h.ctx = fake.Root(t.Context(), account, "eu-west-1")
	t.Cleanup(func() {
		if err := errors.Join(h.buses.Close(context.Background()), jobs.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// queue makes a queue and returns its ARN.
func (h *harness) queue(name string) string {
	h.t.Helper()
	in := &queueapi.CreateQueueInput{QueueName: name}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes = map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"}
	}
	if _, err := h.Call(h.ctx, "sqs", "CreateQueue", in); err != nil {
		h.t.Fatal(err)
	}
	return "arn:aws:sqs:eu-west-1:" + account + ":" + name
}

// received returns the messages of a queue, and removes them.
func (h *harness) received(name string) []queueapi.Message {
	h.t.Helper()
	synctest.Wait()
	url := "http://127.0.0.1:4566/" + account + "/" + name
	var all []queueapi.Message
	for {
		out, err := service.Call[queueapi.ReceiveMessageOutput](h.ctx, h, "sqs", "ReceiveMessage", &queueapi.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: new(int32(10)), MessageAttributeNames: []string{"All"}})
		if err != nil {
			h.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			if _, err := h.Call(h.ctx, "sqs", "DeleteMessage", &queueapi.DeleteMessageInput{QueueUrl: url, ReceiptHandle: *m.ReceiptHandle}); err != nil {
				h.t.Fatal(err)
			}
		}
		all = append(all, out.Messages...)
	}
}

func (h *harness) bodies(name string) []string {
	h.t.Helper()
	var out []string
	for _, m := range h.received(name) {
		out = append(out, *m.Body)
	}
	return out
}

// rule puts a rule with one target, whose members are given in JSON.
func (h *harness) rule(bus, name, pattern, target string) {
	h.t.Helper()
	in := &api.PutRuleInput{Name: name, EventBusName: &bus, EventPattern: &pattern}
	if _, err := h.Call(h.ctx, "events", "PutRule", in); err != nil {
		h.t.Fatal(err)
	}
	t := api.Target{}
	if err := json.Unmarshal([]byte(target), &t); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.Call(h.ctx, "events", "PutTargets", &api.PutTargetsInput{Rule: name, EventBusName: &bus, Targets: []api.Target{t}}); err != nil {
		h.t.Fatal(err)
	}
}

// put sends an event with a detail to a bus and returns its id.
func (h *harness) put(bus, source, detail string) string {
	h.t.Helper()
	kind := "test"
	out, err := service.Call[api.PutEventsOutput](h.ctx, h, "events", "PutEvents", &api.PutEventsInput{Entries: []api.PutEventsRequestEntry{{EventBusName: &bus, Source: &source, DetailType: &kind, Detail: &detail}}})
	if err != nil {
		h.t.Fatal(err)
	}
	if e := out.Entries[0]; e.EventId == nil {
		h.t.Fatalf("%s: %s", *e.ErrorCode, *e.ErrorMessage)
	}
	return *out.Entries[0].EventId
}

// advance moves the clock in steps, so that work in between happens at its time.
func (h *harness) advance(by, step time.Duration) {
	for ; by > 0; by -= step {
		synctest.Wait()
		h.clock.Advance(min(by, step))
	}
	synctest.Wait()
}
