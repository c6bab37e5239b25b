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
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/sqs"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

// harness is EventBridge and SQS on a store in memory and a clock that stands still.
type harness struct {
	t             testing.TB
	buses, queues service.Service
	impl          *Service
	functions     *functions
	endpoint      *endpoint
	clock         *clock.Fake
	ctx           context.Context

	mu     sync.Mutex // guards the field below
	denied []string   // resources that the door refuses
}

// functions stands for Lambda: it remembers what it was asked to run.
type functions struct {
	mu     sync.Mutex // guards the field below
	events []string
}

func (f *functions) Invoke(context.Context, port.Source, string, []byte) (port.Invocation, error) {
	return port.Invocation{}, errors.New("rules invoke asynchronously")
}

func (f *functions) CheckInvoke(context.Context, port.Source, string) error { return nil }

func (f *functions) EnqueueAsync(_ context.Context, tx store.Txn, from port.Source, function string, payload []byte) error {
	tx.OnCommit(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, from.ARN+" "+function+" "+string(payload))
	})
	return nil
}

// seen returns the events since it was called last.
func (f *functions) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.events
	f.events = nil
	return out
}

// endpoint stands for the world outside: it notes requests and answers with statuses.
type endpoint struct {
	mu       sync.Mutex // guards the fields below
	requests []string
	statuses []int
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
	if len(e.statuses) > 0 {
		status, e.statuses = e.statuses[0], e.statuses[1:]
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(e.body)), Request: r}, nil
}

func (e *endpoint) seen() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.requests
	e.requests = nil
	return out
}

// roles lets every role be passed and assumed.
type roles struct{ port.Roles }

func (roles) CheckPassRole(context.Context, string, string) error { return nil }

func (roles) SessionForService(_ context.Context, _, role, session string) (service.Principal, error) {
	return service.Principal{Kind: service.AssumedRole, ARN: role + "/" + session, Account: account}, nil
}

// keys are data keys that are not wrapped.
type keys struct{}

func (keys) GenerateDataKey(context.Context, port.KeyUse) (port.DataKey, error) {
	k := []byte("0123456789abcdef0123456789abcdef")
	return port.DataKey{Plain: k, Wrapped: k}, nil
}

func (keys) Decrypt(_ context.Context, _ port.KeyUse, wrapped []byte) ([]byte, error) {
	return wrapped, nil
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
	h := &harness{t: t, clock: clock.NewFake(start), functions: &functions{}, endpoint: &endpoint{}}
	st := mem.New()
	log := slog.New(slog.DiscardHandler)
	deps := service.Deps{Store: st, Door: h, Clock: h.clock, Random: rand.Reader, Log: log, BaseURL: "http://127.0.0.1:4566"}
	var queues *sqs.Service
	h.queues, queues = sqs.New(deps)
	h.impl = newService(deps, Options{
		Queues: queues, Functions: h.functions, Sender: deliver.New(deps, roles{}), Roles: roles{}, Keys: keys{}, HTTP: &http.Client{Transport: h.endpoint},
	})
	h.buses = h.impl.describe()
	jobs := events.New(st, h.clock, log)
	if err := jobs.Register(slices.Concat(h.buses.Jobs, h.queues.Jobs)...); err != nil {
		t.Fatal(err)
	}
	if err := jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.ctx = service.WithRequest(t.Context(), &service.Request{
		ID: "test", Account: account, Region: "eu-west-1", Principal: service.Principal{Kind: service.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root"},
	})
	t.Cleanup(func() {
		if err := errors.Join(h.buses.Close(context.Background()), jobs.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Call implements [service.Door] without asking for permission.
func (h *harness) Call(ctx context.Context, api, operation string, in any) (any, error) {
	of := h.buses
	if api == "sqs" {
		of = h.queues
	}
	for _, b := range of.Operations {
		if b.Name == operation && b.Call != nil {
			return b.Call(ctx, in)
		}
	}
	return nil, service.NotImplemented(api, operation)
}

// Allow implements [service.Door]: everything is allowed but what a test denies.
func (h *harness) Allow(_ context.Context, target service.Target) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Contains(h.denied, target.ARN) {
		return service.Errorf("AccessDenied", "The test denies it.").WithStatus(403)
	}
	return nil
}

func (h *harness) deny(arn string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.denied = append(h.denied, arn)
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
		out, err := service.Call[queueapi.ReceiveMessageOutput](h.ctx, h, "sqs", "ReceiveMessage", &queueapi.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: ptr(int32(10)), MessageAttributeNames: []string{"All"}})
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
