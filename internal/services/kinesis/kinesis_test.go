package kinesis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/blob"
	blobmem "lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

var (
	_ port.Arrivals    = (*Service)(nil)
	_ port.DataStreams = (*Service)(nil)
)

// harness is Kinesis on a store in memory and a clock that stands still.
type harness struct {
	service service.Service
	impl    *Service
	store   store.Store
	blobs   blob.Store
	clock   *clock.Fake
	jobs    *events.Queue
	ctx     context.Context
	denied  error // what Allow says
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{clock: clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)), store: mem.New(), blobs: blobmem.New()}
	h.ctx = service.WithRequest(t.Context(), &service.Request{ID: "test", Account: "000000000000", Region: "us-east-1", Principal: service.Principal{Kind: service.Root, UserID: "000000000000"}})
	h.service, h.impl = New(service.Deps{Store: h.store, Blobs: h.blobs, Door: h, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}, nil)
	h.jobs = events.New(h.store, h.clock, slog.New(slog.DiscardHandler))
	if err := h.jobs.Register(h.service.Jobs...); err != nil {
		t.Fatal(err)
	}
	if err := h.jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.jobs.Close(), h.service.Close(context.Background()), h.store.Close()); err != nil { //nolint:usetesting // the test's context has ended
			t.Error(err)
		}
	})
	return h
}

// Call implements [service.Door] without asking for permission, but for finding out what would be asked.
func (h *harness) Call(ctx context.Context, _, operation string, in any) (any, error) {
	for _, b := range h.service.Operations {
		if b.Name != operation || b.Call == nil {
			continue
		}
		if a := h.service.Access[operation]; a.Targets != nil {
			if _, err := a.Targets(ctx, in); err != nil {
				return nil, err
			}
		}
		return b.Call(ctx, in)
	}
	return nil, service.NotImplemented("kinesis", operation)
}

// Allow implements [service.Door].
func (h *harness) Allow(context.Context, service.Target) error { return h.denied }

// do makes a call that must succeed. The input is JSON or a pointer to the operation's input.
func do[Out any](t testing.TB, h *harness, operation string, in any) *Out {
	t.Helper()
	out, err := call[Out](t, h, operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func call[Out any](t testing.TB, h *harness, operation string, in any) (*Out, error) {
	t.Helper()
	if text, ok := in.(string); ok {
		for _, b := range h.service.Operations {
			if b.Name == operation {
				in = b.New()
			}
		}
		if err := json.Unmarshal([]byte(text), in); err != nil {
			t.Fatalf("input of %s: %v", operation, err)
		}
	}
	return service.Call[Out](h.ctx, h, "kinesis", operation, in)
}

// refused makes a call that must fail with a code.
func (h *harness) refused(t testing.TB, code, operation string, in any) {
	t.Helper()
	if _, err := call[any](t, h, operation, in); service.Code(err) != code {
		t.Errorf("%s = %v, want %s", operation, err, code)
	}
}

// create makes a provisioned stream.
func (h *harness) create(t testing.TB, name string, shards int32) {
	t.Helper()
	do[api.CreateStreamOutput](t, h, "CreateStream", &api.CreateStreamInput{StreamName: name, ShardCount: &shards})
}

func (h *harness) put(t testing.TB, stream, partition, data string) *api.PutRecordOutput {
	t.Helper()
	return do[api.PutRecordOutput](t, h, "PutRecord", &api.PutRecordInput{StreamName: &stream, PartitionKey: partition, Data: []byte(data)})
}

func (h *harness) shards(t testing.TB, stream string) []api.Shard {
	t.Helper()
	return do[api.ListShardsOutput](t, h, "ListShards", &api.ListShardsInput{StreamName: &stream}).Shards
}

// iterator returns one of a type for a shard.
func (h *harness) iterator(t testing.TB, stream, shard, kind string) string {
	t.Helper()
	return *do[api.GetShardIteratorOutput](t, h, "GetShardIterator", &api.GetShardIteratorInput{StreamName: &stream, ShardId: shard, ShardIteratorType: kind}).ShardIterator
}

func (h *harness) get(t testing.TB, iterator string) *api.GetRecordsOutput {
	t.Helper()
	return do[api.GetRecordsOutput](t, h, "GetRecords", &api.GetRecordsInput{ShardIterator: iterator})
}

// all returns the data of all records of a shard, from its beginning.
func (h *harness) all(t testing.TB, stream, shard string) []string {
	t.Helper()
	out := []string{}
	for at := h.iterator(t, stream, shard, api.ShardIteratorTypeTrimHorizon); ; {
		page := h.get(t, at)
		for _, r := range page.Records {
			out = append(out, string(r.Data))
		}
		if page.NextShardIterator == nil || len(page.Records) == 0 {
			return out
		}
		at = *page.NextShardIterator
	}
}
