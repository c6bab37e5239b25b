package wire_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
)

func oldCBORRequest(operation, body string) *wire.Request {
	return &wire.Request{
		Method: "POST", RawPath: "/", Body: strings.NewReader(body), ContentLength: int64(len(body)), ID: "id-1",
		Header: http.Header{"X-Amz-Target": {"Kinesis_20131202." + operation}, "Content-Type": {"application/x-amz-cbor-1.1"}},
	}
}

// matched returns the operation of a request of Kinesis.
func matched(t *testing.T, req *wire.Request) *wire.Operation {
	t.Helper()
	api := wire.New(kinesis.API, (&kinesis.Handlers{
		GetShardIterator: func(context.Context, *kinesis.GetShardIteratorInput) (*kinesis.GetShardIteratorOutput, error) {
			return nil, nil
		},
		GetRecords: func(context.Context, *kinesis.GetRecordsInput) (*kinesis.GetRecordsOutput, error) { return nil, nil },
		SubscribeToShard: func(context.Context, *kinesis.SubscribeToShardInput) (*kinesis.SubscribeToShardOutput, error) {
			return nil, nil
		},
	}).Bindings())
	op, err := api.Match(req)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// Java's clients write the time of an iterator in milliseconds.
func TestOldCBORReadsTimesInMilliseconds(t *testing.T) {
	req := oldCBORRequest("GetShardIterator",
		"\xbf\x6aStreamName\x61s\x67ShardId\x61x\x71ShardIteratorType\x6cAT_TIMESTAMP\x69Timestamp\xc1\x1b\x00\x00\x01\x93\x63\xb3\xf4\x05\xff")
	op := matched(t, req)
	in := &kinesis.GetShardIteratorInput{}
	if err := op.Decode(req, in); err != nil {
		t.Fatal(err)
	}
	want := &kinesis.GetShardIteratorInput{StreamName: new("s"), ShardId: "x", ShardIteratorType: "AT_TIMESTAMP", Timestamp: new(time.UnixMilli(1732544558085).UTC())}
	if d := cmp.Diff(want, in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
}

func TestOldCBORAnswersWithBytesAndMilliseconds(t *testing.T) {
	req := oldCBORRequest("GetRecords", "\xa1\x6dShardIterator\x61i")
	op := matched(t, req)
	w := httptest.NewRecorder()
	out := &kinesis.GetRecordsOutput{Records: []kinesis.Record{
		{SequenceNumber: "1", PartitionKey: "k", Data: []byte{1, 0xff}, ApproximateArrivalTimestamp: new(time.UnixMilli(1732544558085))},
	}}
	if err := op.WriteResponse(t.Context(), w, req, out); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/x-amz-cbor-1.1" {
		t.Errorf("media type %q", got)
	}
	want := "\xbf\x67Records\x81\xbf\x6eSequenceNumber\x611\x78\x1bApproximateArrivalTimestamp\xc1\x1b\x00\x00\x01\x93\x63\xb3\xf4\x05" +
		"\x64Data\x42\x01\xff\x6cPartitionKey\x61k\xff\xff"
	if d := cmp.Diff([]byte(want), w.Body.Bytes()); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
}

// The error is one that was recorded from AWS.
func TestOldCBORWritesErrors(t *testing.T) {
	req := oldCBORRequest("GetRecords", "\xa0")
	op := matched(t, req)
	w := httptest.NewRecorder()
	if err := op.WriteError(w, req, service.Errorf("ResourceNotFoundException", "Stream s not found.")); err != nil {
		t.Fatal(err)
	}
	want := "\xbf\x66__type\x78\x19ResourceNotFoundException\x67message\x73Stream s not found.\xff"
	if d := cmp.Diff(want, w.Body.String()); d != "" || w.Code != http.StatusBadRequest {
		t.Errorf("status %d, body (-want +got):\n%s", w.Code, d)
	}
}

// The last event of a shard has no continuation, by which clients know that the shard has ended.
func TestEndOfAShardHasNoContinuation(t *testing.T) {
	req := oldCBORRequest("SubscribeToShard", "\xa0")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	op := matched(t, req)
	w := httptest.NewRecorder()
	out := &kinesis.SubscribeToShardOutput{EventStream: func(_ context.Context, send func(*kinesis.SubscribeToShardEventStream) error) error {
		return send(&kinesis.SubscribeToShardEventStream{SubscribeToShardEvent: &kinesis.SubscribeToShardEvent{}})
	}}
	if err := op.WriteResponse(t.Context(), w, req, out); err != nil {
		t.Fatal(err)
	}
	if body := w.Body.String(); !strings.Contains(body, `{"Records":[],"MillisBehindLatest":0}`) {
		t.Errorf("events %q", body)
	}
}
