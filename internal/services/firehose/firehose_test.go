package firehose

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
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

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/s3"
	blobmem "lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/kinesis"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

const (
	role   = "arn:aws:iam::000000000000:role/firehose"
	bucket = "arn:aws:s3:::logs"
)

var _ port.DeliveryStreams = (*Service)(nil)

// harness is Firehose beside data streams, with a bucket and a function that are those of the test.
type harness struct {
	service, streams service.Service
	impl             *Service
	denied           error // what Allow says
	store            store.Store
	clock            *clock.Fake
	ctx              context.Context

	mu       sync.Mutex // guards the fields below
	objects  map[string][]byte
	writes   int
	failing  error                                                          // what the bucket says
	function func(in lambda.InvokeInput) (payload []byte, failed bool)      // what the function does
	callers  map[string]service.Principal                                   // by operation
	endpoint func(r *http.Request, body []byte) (status int, answer string) // what an HTTP endpoint does
}

// RoundTrip implements [http.RoundTripper]: it is the endpoint.
func (h *harness) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	status, answer := h.endpoint(r, body)
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{clock: clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)), store: mem.New(), objects: map[string][]byte{}, callers: map[string]service.Principal{}}
	h.ctx = fake.Root(t.Context(), "000000000000", "us-east-1")
	h.open(t)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := errors.Join(h.service.Close(ctx), h.streams.Close(ctx), h.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// open starts the services on the store, as the start of a process does.
func (h *harness) open(t testing.TB) {
	t.Helper()
	d := service.Deps{Store: h.store, Blobs: blobmem.New(), Door: h, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	var streams *kinesis.Service
	h.streams, streams = kinesis.New(d, nil)
	h.service, h.impl = New(d, Options{Roles: fake.Roles{}, Sender: deliver.New(d, fake.Roles{}), Arrivals: streams, Keys: fake.Keys{}, Transport: h})
	if err := h.service.Start(h.ctx); err != nil {
		t.Fatal(err)
	}
}

// restart ends the services and starts them again.
func (h *harness) restart(t testing.TB) {
	t.Helper()
	if err := errors.Join(h.service.Close(h.ctx), h.streams.Close(h.ctx)); err != nil {
		t.Fatal(err)
	}
	h.open(t)
}

// Call implements [service.Door].
func (h *harness) Call(ctx context.Context, name, operation string, in any) (any, error) {
	h.mu.Lock()
	h.callers[operation] = service.RequestFrom(ctx).Principal
	h.mu.Unlock()
	switch in := in.(type) {
	case *s3.PutObjectInput:
		body, err := io.ReadAll(in.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.failing != nil {
			return nil, h.failing
		}
		h.objects[in.Bucket+"/"+in.Key], h.writes = body, h.writes+1
		return &s3.PutObjectOutput{}, err
	case *lambda.InvokeInput:
		payload, failed := h.function(*in)
		out := &lambda.InvokeOutput{Payload: payload}
		if failed {
			out.FunctionError = new("Unhandled")
		}
		return out, nil
	}
	for _, svc := range []service.Service{h.service, h.streams} {
		for _, b := range svc.Operations {
			if svc.API.Name == name && b.Name == operation && b.Call != nil {
				return b.Call(ctx, in)
			}
		}
	}
	return nil, service.NotImplemented(name, operation)
}

// Allow implements [service.Door].
func (h *harness) Allow(context.Context, service.Target) error { return h.denied }

func do[Out any](t testing.TB, h *harness, name, operation, in string) *Out {
	t.Helper()
	out, err := try[Out](t, h, name, operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func try[Out any](t testing.TB, h *harness, name, operation, in string) (*Out, error) {
	t.Helper()
	var input any
	for _, svc := range []service.Service{h.service, h.streams} {
		for _, b := range svc.Operations {
			if svc.API.Name == name && b.Name == operation {
				input = b.New()
			}
		}
	}
	if err := json.Unmarshal([]byte(in), input); err != nil {
		t.Fatalf("input of %s: %v", operation, err)
	}
	return service.Call[Out](h.ctx, h, name, operation, input)
}

// create makes a delivery stream with an extended destination that has more members.
func (h *harness) create(t testing.TB, more string) {
	t.Helper()
	do[api.CreateDeliveryStreamOutput](t, h, "firehose", "CreateDeliveryStream", destination(more))
}

func destination(more string) string {
	return `{"DeliveryStreamName": "d", "ExtendedS3DestinationConfiguration": {"RoleARN": "` + role + `", "BucketARN": "` + bucket + `"` + more + `}}`
}

func (h *harness) put(t testing.TB, data string) {
	t.Helper()
	b, err := json.Marshal([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	do[api.PutRecordOutput](t, h, "firehose", "PutRecord", `{"DeliveryStreamName": "d", "Record": {"Data": `+string(b)+`}}`)
}

// pass lets time pass, and waits until what is due is done.
func (h *harness) pass(d time.Duration) {
	synctest.Wait()
	h.clock.Advance(d)
	synctest.Wait()
}

// wrote returns the keys of the objects, in order, and what is in them together.
func (h *harness) wrote() (keys []string, bodies map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	bodies = map[string]string{}
	for k, b := range h.objects {
		bodies[k] = string(b)
	}
	return slices.Sorted(maps.Keys(h.objects)), bodies
}

// one returns the only object.
func (h *harness) one(t testing.TB) (key, body string) {
	t.Helper()
	keys, bodies := h.wrote()
	if len(keys) != 1 {
		t.Fatalf("objects %v, want one", keys)
	}
	return keys[0], bodies[keys[0]]
}

func (h *harness) set(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}
