package sources

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/lib/pattern"
)

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func workerOf(t testing.TB, source, filter string) *Worker {
	t.Helper()
	a, err := arn.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{Config: Config{UUID: "u", Source: a, Function: "arn:aws:lambda:eu-west-1:111111111111:function:f", Role: "arn:aws:iam::111111111111:role/r"}}
	if filter != "" {
		p, err := pattern.Compile(filter, pattern.EventBridge)
		if err != nil {
			t.Fatal(err)
		}
		w.Filters = &pattern.Set[int]{}
		w.Filters.Add(0, p)
	}
	return w
}

func queueMessage(t testing.TB, w *Worker, body string) (message, bool) {
	t.Helper()
	text, id, handle, sum := "a", "id-1", "handle-1", "md5"
	m, ok, err := (&queueReader{Worker: w}).message(&sqs.Message{
		MessageId: &id, ReceiptHandle: &handle, Body: &body, MD5OfBody: &sum, MD5OfMessageAttributes: &sum,
		Attributes:        map[string]string{"ApproximateReceiveCount": "1", "AWSTraceHeader": "Root=1-2"},
		MessageAttributes: map[string]sqs.MessageAttributeValue{"kind": {DataType: "String", StringValue: &text}, "raw": {DataType: "Binary", BinaryValue: []byte("x")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, ok
}

func tableRow(t testing.TB, w *Worker, item json.RawMessage) *streamRecord {
	t.Helper()
	var image attr.Map
	if err := json.Unmarshal(item, &image); err != nil {
		t.Fatal(err)
	}
	id, version, source, region, sequence, size := "event-1", "1.1", "aws:dynamodb", "eu-west-1", "100", int64(10)
	at := start
	r, err := (&tableStream{w}).record(&dynamodbstreams.Record{
		EventID: &id, EventName: "INSERT", EventVersion: &version, EventSource: &source, AwsRegion: &region,
		Dynamodb: &dynamodbstreams.StreamRecord{ApproximateCreationDateTime: &at, Keys: image, NewImage: image, SequenceNumber: &sequence, SizeBytes: &size, StreamViewType: "NEW_IMAGE"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func streamRow(t testing.TB, w *Worker, data string) *streamRecord {
	t.Helper()
	at := start.Add(250 * time.Millisecond)
	r, err := newDataStream(w).record(&kinesis.Record{SequenceNumber: "100", PartitionKey: "test", Data: []byte(data), ApproximateArrivalTimestamp: &at}, "shardId-000000000000")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	queueARN  = "arn:aws:sqs:eu-west-1:111111111111:q"
	tableARN  = "arn:aws:dynamodb:eu-west-1:111111111111:table/t/stream/2026-11-29T12:00:00.000"
	streamARN = "arn:aws:kinesis:eu-west-1:111111111111:stream/s"
)

// TestFiltersMatchAsRecorded runs the filters of LocalStack's public tests, which were recorded on AWS, and some of our own.
func TestFiltersMatchAsRecorded(t *testing.T) {
	b, err := os.ReadFile("testdata/filters.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var c struct {
			Name          string
			Queue, Stream *string
			Table, Filter json.RawMessage
			Match         bool
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Name, func(t *testing.T) {
			var got bool
			switch filter := string(c.Filter); {
			case c.Queue != nil:
				_, got = queueMessage(t, workerOf(t, queueARN, filter), *c.Queue)
			case c.Stream != nil:
				w := workerOf(t, streamARN, filter)
				got = matchesAny(w.Filters, streamRow(t, w, *c.Stream).filter)
			default:
				w := workerOf(t, tableARN, filter)
				got = matchesAny(w.Filters, tableRow(t, w, c.Table).filter)
			}
			if got != c.Match {
				t.Errorf("match %v, want %v", got, c.Match)
			}
		})
	}
}

func TestRecordsHaveTheirShapes(t *testing.T) {
	m, _ := queueMessage(t, workerOf(t, queueARN, ""), `{"a": "é"}`)
	for _, tc := range []struct{ name, got, want string }{
		{"queue", string(m.record), `{"messageId":"id-1","receiptHandle":"handle-1","body":"{\"a\": \"é\"}","attributes":{"AWSTraceHeader":"Root=1-2","ApproximateReceiveCount":"1"},` +
			`"messageAttributes":{"kind":{"stringValue":"a","stringListValues":[],"binaryListValues":[],"dataType":"String"},"raw":{"binaryValue":"eA==","stringListValues":[],"binaryListValues":[],"dataType":"Binary"}},` +
			`"md5OfMessageAttributes":"md5","md5OfBody":"md5","eventSource":"aws:sqs","eventSourceARN":"` + queueARN + `","awsRegion":"eu-west-1"}`},
		{"table", string(tableRow(t, workerOf(t, tableARN, ""), json.RawMessage(`{"id":{"S":"1"},"n":{"N":"5"}}`)).json), `{"eventID":"event-1","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"eu-west-1",` +
			`"dynamodb":{"ApproximateCreationDateTime":1795953600.0,"Keys":{"id":{"S":"1"},"n":{"N":"5"}},"NewImage":{"id":{"S":"1"},"n":{"N":"5"}},"SequenceNumber":"100","SizeBytes":10,"StreamViewType":"NEW_IMAGE"},"eventSourceARN":"` + tableARN + `"}`},
		{"stream", string(streamRow(t, workerOf(t, streamARN, ""), "hello").json), `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"test","sequenceNumber":"100","data":"aGVsbG8=","approximateArrivalTimestamp":1795953600.25},` +
			`"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000000:100","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::111111111111:role/r","awsRegion":"eu-west-1","eventSourceARN":"` + streamARN + `"}`},
	} {
		if tc.got != tc.want {
			t.Errorf("%s:\n%s\nwant\n%s", tc.name, tc.got, tc.want)
		}
	}
	if m.trace != "Root=1-2" {
		t.Errorf("trace %q", m.trace)
	}
}

// TestRecordsWithoutAttributesSayNothingOfTheirSum follows the recordings of LocalStack's tests: those of mappings with a batching window have a null.
func TestRecordsWithoutAttributesSayNothingOfTheirSum(t *testing.T) {
	for window, want := range map[time.Duration]bool{0: false, time.Second: true} {
		w := workerOf(t, queueARN, "")
		w.Window = window
		m, _, err := (&queueReader{Worker: w}).message(&sqs.Message{Body: new(string)})
		if got := strings.Contains(string(m.record), `"md5OfMessageAttributes":null`); err != nil || got != want || strings.Contains(string(m.record), "md5OfMessageAttributes") != want {
			t.Errorf("window %v: %s, %v", window, m.record, err)
		}
	}
}

func TestReportsOfFailedRecords(t *testing.T) {
	for payload, want := range map[string][]string{
		``: {}, `null`: {}, `""`: {}, `{}`: {}, `[]`: {}, `{"batchItemFailures":[]}`: {}, `{"batchItemFailures":null}`: {}, `{"statusCode":200}`: {},
		`{"batchItemFailures":[{"itemIdentifier":"1"},{"itemIdentifier":"2"},{"itemIdentifier":"1"}]}`: {"1", "2"},
		// The whole batch has failed.
		`{"batchItemFailures":[{"itemIdentifier":""}]}`: nil, `{"batchItemFailures":[{"itemIdentifier":null}]}`: nil, `{"batchItemFailures":[{"foo":"1"}]}`: nil,
		`{"batchItemFailures":[{"foo":null}]}`: nil, `{"batchItemFailures":"1"}`: nil, `{"batchItemFailures":["1"]}`: nil, `"text"`: nil, `{`: nil, `5`: nil,
	} {
		ids, ok := reported([]byte(payload))
		if ok != (want != nil) || !slices.Equal(ids, want) {
			t.Errorf("%s: %q, %v, want %q", payload, ids, ok, want)
		}
	}
}

func TestMessagesThatAreNotReportedAreDone(t *testing.T) {
	batch := []message{{id: "1"}, {id: "2"}, {id: "3"}}
	for payload, want := range map[string]int{
		`null`: 3, `{"batchItemFailures":[{"itemIdentifier":"2"}]}`: 2, `{"batchItemFailures":[{"itemIdentifier":"9"}]}`: 0, `{"batchItemFailures":[{"itemIdentifier":""}]}`: 0,
	} {
		if got := succeeded(batch, []byte(payload)); len(got) != want {
			t.Errorf("%s: %d done, want %d", payload, len(got), want)
		}
	}
}

func TestEventHoldsItsMembers(t *testing.T) {
	got := string(event([][]byte{[]byte(`{"a":1}`), []byte(`{"a":2}`)}, map[string]any{"shardId": "s"}))
	if want := `{"Records":[{"a":1},{"a":2}],"shardId":"s"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(event(nil, nil)); got != `{"Records":[]}` {
		t.Errorf("got %s", got)
	}
}

func FuzzReported(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":"1"}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if ids, ok := reported(payload); !ok && ids != nil || slices.Contains(ids, "") {
			t.Errorf("%q: %q, %v", payload, ids, ok)
		}
	})
}
