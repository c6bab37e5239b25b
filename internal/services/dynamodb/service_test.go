package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

// countingReader is a source of "randomness" that repeats itself in every test.
type countingReader byte

func (c *countingReader) Read(b []byte) (int, error) {
	for i := range b {
		*c++
		b[i] = byte(*c)
	}
	return len(b), nil
}

// harness is DynamoDB on a store in memory and a clock that stands still.
type harness struct {
	service service.Service
	streams service.Service
	impl    *Service
	clock   *clock.Fake
	queue   *events.Queue
	objects map[string][]byte // of S3, by bucket and key
	logged  []string          // in CloudWatch Logs
	data    dataStreams       // of Kinesis
	ctx     context.Context
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	return harnessOn(t, mem.New(), newClock())
}

func newClock() *clock.Fake { return clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)) }

// harnessOn is a harness on a store of the test's own, which is closed with it.
func harnessOn(t testing.TB, st store.Store, now *clock.Fake) *harness {
	t.Helper()
	h := &harness{objects: map[string][]byte{}, clock: now}
	log := slog.New(slog.DiscardHandler)
	h.impl = New(service.Deps{Store: st, Door: h, Clock: h.clock, Random: new(countingReader), Log: log, BaseURL: "http://127.0.0.1:4566"}, &h.data)
	h.service, h.streams = h.impl.Tables(), h.impl.Streams()
	h.queue = events.New(st, h.clock, log)
	if err := h.queue.Register(h.service.Jobs...); err != nil {
		t.Fatal(err)
	}
	if err := h.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.ctx = service.WithRequest(t.Context(), &service.Request{ID: "test", Account: "000000000000", Region: "us-east-1", Principal: service.Principal{Kind: service.Root}})
	t.Cleanup(func() {
		if err := h.queue.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Call implements [service.Door] without asking for permission.
func (h *harness) Call(ctx context.Context, api, operation string, in any) (any, error) {
	if api == "s3" {
		return h.callS3(in)
	}
	if api == "kinesis" {
		return h.data.call(in)
	}
	if api == "logs" {
		return h.callLogs(in)
	}
	for _, b := range h.service.Operations {
		if b.Name == operation && b.Call != nil {
			return b.Call(ctx, in)
		}
	}
	return nil, service.NotImplemented("dynamodb", operation)
}

// Allow implements [service.Door].
func (h *harness) Allow(context.Context, service.Target) error { return nil }

// call makes a call with JSON in and out.
func (h *harness) call(operation, input string) (string, error) {
	for _, b := range slices.Concat(h.service.Operations, h.streams.Operations) {
		if b.Name != operation || b.Call == nil {
			continue
		}
		in := b.New()
		d := json.NewDecoder(strings.NewReader(input))
		d.DisallowUnknownFields()
		if err := d.Decode(in); err != nil {
			return "", fmt.Errorf("input of %s: %w", operation, err)
		}
		if err := h.targets(operation, in); err != nil {
			return "", err
		}
		out, err := b.Call(h.ctx, in)
		if err != nil {
			return "", err
		}
		return show(out)
	}
	return "", fmt.Errorf("no operation %s", operation)
}

// show returns v as JSON without its empty members.
func show(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		return "", err
	}
	b, err = json.Marshal(prune(tree))
	return string(b), err
}

func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e = prune(e); e == nil || e == "" {
				delete(v, k)
			} else {
				v[k] = e
			}
		}
	case []any:
		for i := range v {
			v[i] = prune(v[i])
		}
	}
	return v
}

// TestOperations runs the files of testdata: each case is an operation with its input as JSON, and its output or error. "advance" moves the clock,
// "settle" waits for the durable work that is due, "region" goes to another region. save=(name,path) keeps a part of the output, and $name in an input stands for it.
func TestOperations(t *testing.T) {
	datadriven.Walk(t, "testdata/operations", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) { runFile(t, path) })
	})
}

func runFile(t *testing.T, path string) {
	h := newHarness(t)
	saved := map[string]string{"large": strings.Repeat("x", 390<<10)} // nearly 400 KB
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		switch d.Cmd {
		case "advance":
			by, err := time.ParseDuration(d.Input)
			if err != nil {
				t.Fatal(err)
			}
			h.clock.Advance(by)
			return ""
		case "settle":
			synctest.Wait()
			return ""
		case "region":
			r := *service.RequestFrom(h.ctx)
			r.Region = strings.TrimSpace(d.Input)
			h.ctx = service.WithRequest(h.ctx, &r)
			return ""
		}
		out, err := h.call(d.Cmd, os.Expand(d.Input, func(name string) string { return saved[name] }))
		var e *service.Error
		if errors.As(err, &e) {
			detail := ""
			if e.Detail != nil {
				detail, _ = show(e.Detail)
			}
			return strings.TrimSpace(e.Code+": "+e.Message+"\n"+detail) + "\n"
		}
		if err != nil {
			t.Fatalf("%s %s: %v", d.Cmd, d.Input, err)
		}
		if d.HasArg("save") {
			var name, path string
			d.ScanArgs(t, "save", &name, &path)
			saved[name] = lookup(t, out, path)
		}
		return out + "\n"
	})
}

// lookup returns the text at a path such as "Shards.0.ShardId" of a document.
func lookup(t *testing.T, document, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	for step := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(node) {
				t.Fatalf("no element %s of %s", step, document)
			}
			v = node[i]
		}
	}
	text, ok := v.(string)
	if !ok {
		t.Fatalf("%s of %s is no text", path, document)
	}
	return text
}

func TestEveryHandlerHasAnAccessRule(t *testing.T) {
	h := newHarness(t)
	for _, svc := range []service.Service{h.service, h.streams} {
		for _, b := range svc.Operations {
			if _, ok := svc.Access[b.Name]; (b.Call != nil) != ok {
				t.Errorf("%s: handler %v, rule %v", b.Name, b.Call != nil, ok)
			}
		}
	}
}

func TestPoliciesSeePartitionKeysAndAttributes(t *testing.T) {
	h := newHarness(t)
	if _, err := h.call("CreateTable", `{"TableName":"orders","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`); err != nil {
		t.Fatal(err)
	}
	targets, err := h.service.Access["Query"].Targets(h.ctx, &ddb.QueryInput{
		TableName: "orders", KeyConditionExpression: ptr("#p = :p"), ProjectionExpression: ptr("amount, parts[0].sku"),
		ExpressionAttributeNames: map[string]string{"#p": "pk"}, ExpressionAttributeValues: decode(t, `{":p":{"S":"alice"}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := show(targets)
	want := `[{"ARN":"arn:aws:dynamodb:us-east-1:000000000000:table/orders","Condition":{"dynamodb:Attributes":["amount","parts","pk","sku"],"dynamodb:LeadingKeys":["alice"],"dynamodb:Select":["SPECIFIC_ATTRIBUTES"]}}]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// targets computes what a call needs permission for, as the door does.
func (h *harness) targets(operation string, in any) error {
	if f := h.service.Access[operation].Targets; f != nil {
		_, err := f(h.ctx, in)
		return err
	}
	return nil
}

func decode(t testing.TB, src string) (m attr.Map) {
	t.Helper()
	if _, err := m.DecodeJSON([]byte(src)); err != nil {
		t.Fatal(err)
	}
	return m
}
