package lambda

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/awsapi/kinesis"
	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

// feeds are a queue and a stream in memory, behind the stage's door.
type feeds struct {
	mu      sync.Mutex // guards the fields below
	waiting map[chan struct{}]struct{}

	messages []*queued
	deleted  int
	receives int

	records []kinesis.Record
	reads   int
	closed  bool // the stream's shard has ended
	denied  bool
}

// queued is a message of the queue.
type queued struct {
	id, body string
	visible  time.Time
	count    int
}

const (
	testQueue  = "arn:aws:sqs:us-east-1:000000000000:q"
	testStream = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
	// hidden is the visibility timeout of the queue.
	hidden = 30 * time.Second
)

// Arrivals implements [port.Arrivals].
func (s *feeds) Arrivals(string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = map[chan struct{}]struct{}{}
	}
	s.waiting[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, c)
	}
}

func (s *feeds) wakeLocked() {
	for c := range s.waiting {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// send puts messages into the queue.
func (s *feeds) send(bodies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range bodies {
		s.messages = append(s.messages, &queued{id: "m" + strconv.Itoa(len(s.messages)+s.deleted), body: b, visible: time.Now()})
	}
	s.wakeLocked()
}

// put puts records into the stream.
func (s *feeds) put(data ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range data {
		now := time.Now().UTC()
		key, _, _ := strings.Cut(d, "/")
		s.records = append(s.records, kinesis.Record{SequenceNumber: strconv.Itoa(100 + len(s.records)), ApproximateArrivalTimestamp: &now, Data: []byte(d), PartitionKey: key})
	}
	s.wakeLocked()
}

// end ends the stream's shard.
func (s *feeds) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wakeLocked()
}

// counts returns how many messages were deleted and are left, and how often the sources were read.
func (s *feeds) counts() (deleted, left, receives, reads int) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deleted, len(s.messages), s.receives, s.reads
}

// call answers the calls of workers.
func (s *feeds) call(operation string, in any) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.denied {
		return nil, service.Errorf("AccessDeniedException", "User is not authorized to perform: %s", operation).WithStatus(400)
	}
	switch in := in.(type) {
	case *sqs.ReceiveMessageInput:
		return s.receive(int(*in.MaxNumberOfMessages)), nil
	case *sqs.DeleteMessageBatchInput:
		for _, e := range in.Entries {
			for i, m := range s.messages {
				if "h-"+m.id == e.ReceiptHandle {
					s.messages = append(s.messages[:i:i], s.messages[i+1:]...)
					s.deleted++
					break
				}
			}
		}
		return &sqs.DeleteMessageBatchOutput{}, nil
	case *sqs.GetQueueAttributesInput:
		return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{"VisibilityTimeout": "30"}}, nil
	case *kinesis.DescribeStreamSummaryInput:
		return &kinesis.DescribeStreamSummaryOutput{}, nil
	case *kinesis.ListShardsInput:
		return s.shards(), nil
	case *kinesis.GetShardIteratorInput:
		return s.iterator(in), nil
	case *kinesis.GetRecordsInput:
		return s.read(in), nil
	}
	return nil, fmt.Errorf("no such call: %s", operation)
}

func (s *feeds) receive(most int) *sqs.ReceiveMessageOutput {
	s.receives++
	out := &sqs.ReceiveMessageOutput{}
	now := time.Now()
	for _, m := range s.messages {
		if len(out.Messages) == most || m.visible.After(now) {
			continue
		}
		m.visible = now.Add(hidden)
		m.count++
		id, body, handle, sum := m.id, m.body, "h-"+m.id, "md5"
		out.Messages = append(out.Messages, sqs.Message{
			MessageId: &id, Body: &body, ReceiptHandle: &handle, MD5OfBody: &sum, Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.count)},
		})
		time.AfterFunc(hidden, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.wakeLocked()
		})
	}
	return out
}

func (s *feeds) shards() *kinesis.ListShardsOutput {
	out := &kinesis.ListShardsOutput{Shards: []kinesis.Shard{{ShardId: "shard-0", SequenceNumberRange: &kinesis.SequenceNumberRange{}}}}
	if s.closed {
		last, parent := "999", "shard-0"
		out.Shards[0].SequenceNumberRange.EndingSequenceNumber = &last
		out.Shards = append(out.Shards, kinesis.Shard{ShardId: "shard-1", ParentShardId: &parent, SequenceNumberRange: &kinesis.SequenceNumberRange{}})
	}
	return out
}

func (s *feeds) iterator(in *kinesis.GetShardIteratorInput) *kinesis.GetShardIteratorOutput {
	at := 0
	switch in.ShardIteratorType {
	case "LATEST":
		at = len(s.records)
	case "AFTER_SEQUENCE_NUMBER":
		n, _ := strconv.Atoi(*in.StartingSequenceNumber)
		at = n - 100 + 1
	case "AT_TIMESTAMP":
		for at < len(s.records) && s.records[at].ApproximateArrivalTimestamp.Before(*in.Timestamp) {
			at++
		}
	}
	if in.ShardId == "shard-1" {
		at = len(s.records)
	}
	text := in.ShardId + "|" + strconv.Itoa(at)
	return &kinesis.GetShardIteratorOutput{ShardIterator: &text}
}

func (s *feeds) read(in *kinesis.GetRecordsInput) *kinesis.GetRecordsOutput {
	s.reads++
	id, text, _ := strings.Cut(in.ShardIterator, "|")
	at, _ := strconv.Atoi(text)
	end := min(len(s.records), at+int(*in.Limit))
	out := &kinesis.GetRecordsOutput{Records: s.records[at:end]}
	if !s.closed || id != "shard-0" || end < len(s.records) {
		next := id + "|" + strconv.Itoa(end)
		out.NextShardIterator = &next
	}
	return out
}

// reader is a stage with a function that reads a source, and what the function was given.
type reader struct {
	*stage
	sources *feeds

	mu     sync.Mutex // guards the fields below
	events []string
	reply  func(data []string) (outcome, error)
}

// onSource runs fn with the function f, whose runs are noted as the time and the bodies or data that it was given.
func onSource(t *testing.T, fn func(r *reader)) {
	onStage(t, func(s *stage) {
		r := &reader{stage: s, sources: &feeds{}, reply: func([]string) (outcome, error) { return outcome{payload: []byte("null")}, nil }}
		s.sources = r.sources
		s.Lambda.o.Arrivals = r.sources
		s.function("f", nil)
		s.answer = r.run
		s.runner.Start(t.Context())
		fn(r)
		s.runner.Close()
	})
}

func (r *reader) run(c *call) (outcome, error) {
	var e struct {
		Records []struct {
			Body    string
			Kinesis struct{ Data []byte }
		}
		Window *struct{ Start string }
		State  json.RawMessage
		Final  bool `json:"isFinalInvokeForWindow"`
	}
	if err := json.Unmarshal(c.payload, &e); err != nil {
		return outcome{}, err
	}
	var data []string
	for _, rec := range e.Records {
		data = append(data, rec.Body+string(rec.Kinesis.Data))
	}
	r.mu.Lock()
	note := fmt.Sprintf("+%v %s", time.Since(r.began), strings.Join(data, " "))
	if e.Window != nil {
		note += fmt.Sprintf(" in %s with %s final %v", e.Window.Start, e.State, e.Final)
	}
	r.events = append(r.events, note)
	reply := r.reply
	r.mu.Unlock()
	return reply(data)
}

// want compares what the function was given since it was asked last.
func (r *reader) want(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := cmp.Diff(want, r.events); d != "" {
		r.t.Errorf("events (-want +got):\n%s", d)
	}
	r.events = nil
}

// create makes a mapping and waits until it is enabled.
func (r *reader) create(in api.CreateEventSourceMappingInput) *api.EventSourceMappingConfiguration {
	r.t.Helper()
	in.FunctionName = "f"
	out, err := r.createEventSourceMapping(r.ctx, &in)
	if err != nil {
		r.t.Fatal(err)
	}
	if *out.State != stateCreating {
		r.t.Errorf("a new mapping is %s", *out.State)
	}
	synctest.Wait()
	return r.get(*out.UUID)
}

func (r *reader) get(uuid string) *api.EventSourceMappingConfiguration {
	r.t.Helper()
	synctest.Wait()
	out, err := r.getEventSourceMapping(r.ctx, &api.GetEventSourceMappingInput{UUID: uuid})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// fail makes the function fail on what bad is true for.
func (r *reader) fail(bad func(data []string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reply = func(data []string) (outcome, error) {
		if bad(data) {
			return fails(nil)
		}
		return outcome{payload: []byte("null")}, nil
	}
}

func has(word string) func(data []string) bool {
	return func(data []string) bool { return strings.Contains(" "+strings.Join(data, " ")+" ", " "+word+" ") }
}

func TestMessagesReachTheFunctionAndAreDeleted(t *testing.T) {
	onSource(t, func(r *reader) {
		c := r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue), BatchSize: ptr(int32(2))})
		if *c.State != stateEnabled {
			t.Errorf("state %s", *c.State)
		}
		r.sources.send("a", "b", "c")
		synctest.Wait()
		r.mu.Lock()
		got := strings.Join(r.events, ",")
		r.events = nil
		r.mu.Unlock()
		if got != "+0s a b,+0s c" && got != "+0s c,+0s a b" {
			t.Errorf("events: %s", got)
		}
		if deleted, left, _, _ := r.sources.counts(); deleted != 3 || left != 0 {
			t.Errorf("deleted %d, left %d", deleted, left)
		}
		time.Sleep(time.Minute) // until the source has told that messages would be visible again
		_, _, before, _ := r.sources.counts()
		time.Sleep(3 * time.Minute)
		if _, _, after, _ := r.sources.counts(); after != before {
			t.Errorf("an idle queue was read %d times", after-before)
		}
	})
}

func TestBatchWaitsForItsWindow(t *testing.T) {
	onSource(t, func(r *reader) {
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue), BatchSize: ptr(int32(20)), MaximumBatchingWindowInSeconds: ptr(int32(5))})
		r.sources.send("a")
		time.Sleep(2 * time.Second)
		r.sources.send("b")
		r.want()
		time.Sleep(3 * time.Second)
		r.want("+5s a b")
	})
}

// TestQueueRunsAsManyBatchesAsItsConcurrencyAllows sends more messages than may be worked on at the same time.
func TestQueueRunsAsManyBatchesAsItsConcurrencyAllows(t *testing.T) {
	for _, tc := range []struct {
		most *int32
		want int
	}{{ptr(int32(2)), 2}, {nil, 5}} { // without a maximum a queue begins with five
		onSource(t, func(r *reader) {
			in := api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue), BatchSize: ptr(int32(1))}
			if tc.most != nil {
				in.ScalingConfig = &api.ScalingConfig{MaximumConcurrency: tc.most}
			}
			r.create(in)
			running, most := 0, 0
			r.mu.Lock()
			r.reply = func([]string) (outcome, error) {
				r.mu.Lock()
				running++
				most = max(most, running)
				r.mu.Unlock()
				time.Sleep(100 * time.Millisecond)
				r.mu.Lock()
				running--
				r.mu.Unlock()
				return outcome{payload: []byte("null")}, nil
			}
			r.mu.Unlock()
			r.sources.send("a", "b", "c", "d", "e", "f")
			time.Sleep(10 * time.Second)
			if deleted, left, _, _ := r.sources.counts(); deleted != 6 || left != 0 || most != tc.want {
				t.Errorf("%d messages are done and %d left, at most %d at the same time; want %d", deleted, left, most, tc.want)
			}
		})
	}
}

func TestFailedMessagesComeBack(t *testing.T) {
	onSource(t, func(r *reader) {
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue)})
		r.fail(has("bad"))
		r.sources.send("good", "bad")
		r.want("+0s good bad")
		r.fail(func([]string) bool { return false })
		time.Sleep(hidden)
		r.want("+30s good bad")
		if deleted, _, _, _ := r.sources.counts(); deleted != 2 {
			t.Errorf("deleted %d", deleted)
		}
	})
}

func TestReportedMessagesComeBackAlone(t *testing.T) {
	onSource(t, func(r *reader) {
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue), FunctionResponseTypes: []string{"ReportBatchItemFailures"}})
		r.reply = func([]string) (outcome, error) {
			return outcome{payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"m1"}]}`)}, nil
		}
		r.sources.send("a", "b")
		r.want("+0s a b")
		time.Sleep(hidden)
		r.want("+30s b")
	})
}

func TestUnwantedMessagesAreDeleted(t *testing.T) {
	onSource(t, func(r *reader) {
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue), FilterCriteria: &api.FilterCriteria{Filters: []api.Filter{
			{Pattern: ptr(`{"body":{"n":[{"numeric":[">",1]}]}}`)}, {Pattern: ptr(`{"body":["plain"]}`)},
		}}})
		r.sources.send(`{"n":1}`, `{"n":2}`, `plain`, `other`)
		r.want(`+0s {"n":2} plain`)
		if deleted, _, _, _ := r.sources.counts(); deleted != 4 {
			t.Errorf("deleted %d", deleted)
		}
	})
}

func TestThrottledBatchIsOfferedAgain(t *testing.T) {
	onSource(t, func(r *reader) {
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue)})
		busy := true
		r.reply = func([]string) (outcome, error) {
			if busy {
				busy = false
				return outcome{}, throttled(reasonReserved)
			}
			return outcome{payload: []byte("null")}, nil
		}
		r.sources.send("a")
		time.Sleep(time.Second)
		r.want("+0s a", "+500ms a")
	})
}

func TestStreamIsReadInOrder(t *testing.T) {
	onSource(t, func(r *reader) {
		r.sources.put("x/1", "x/2", "x/3")
		c := r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON", BatchSize: ptr(int32(2))})
		if *c.LastProcessingResult != "OK" {
			t.Errorf("result %s", *c.LastProcessingResult)
		}
		r.want("+0s x/1 x/2", "+0s x/3")
		r.sources.put("x/4")
		r.want("+0s x/4")
		_, _, _, before := r.sources.counts()
		time.Sleep(3 * time.Minute)
		if _, _, _, after := r.sources.counts(); after != before {
			t.Errorf("an idle stream was read %d times", after-before)
		}
	})
}

func TestStreamFromItsEndKeepsItsPlace(t *testing.T) {
	onSource(t, func(r *reader) {
		r.sources.put("x/old")
		time.Sleep(time.Second)
		c := r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "LATEST"})
		for _, enabled := range []bool{false, true} {
			if _, err := r.updateEventSourceMapping(r.ctx, &api.UpdateEventSourceMappingInput{UUID: *c.UUID, Enabled: &enabled}); err != nil {
				t.Fatal(err)
			}
			if !enabled {
				if s := *r.get(*c.UUID).State; s != stateDisabled {
					t.Errorf("state %s", s)
				}
				time.Sleep(time.Second)
				r.sources.put("x/1")
			}
			synctest.Wait()
		}
		r.want("+2s x/1")
		time.Sleep(time.Hour)
		r.sources.put("x/2")
		r.want("+1h0m2s x/2")
	})
}

func TestFailedBatchIsHalvedAndGivenUp(t *testing.T) {
	onSource(t, func(r *reader) {
		r.fail(has("x/bad"))
		r.sources.put("x/1", "x/bad", "x/3", "x/4")
		r.create(api.CreateEventSourceMappingInput{
			EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON", BisectBatchOnFunctionError: ptr(true), MaximumRetryAttempts: ptr(int32(1)),
			DestinationConfig: destination("", queueARN("dead")),
		})
		time.Sleep(time.Minute)
		r.want("+0s x/1 x/bad x/3 x/4", "+0s x/1 x/bad", "+0s x/1", "+0s x/bad", "+500ms x/bad", "+500ms x/3 x/4")
		got := r.bodies()
		if len(got) != 1 {
			t.Fatalf("documents: %q", got)
		}
		var doc map[string]any
		if err := json.Unmarshal([]byte(got[0]), &doc); err != nil {
			t.Fatal(err)
		}
		delete(doc["requestContext"].(map[string]any), "requestId")
		want := map[string]any{
			"requestContext":   map[string]any{"functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2.0},
			"responseContext":  map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": "Unhandled"},
			"version":          "1.0",
			"timestamp":        "2000-01-01T00:00:00.500Z",
			"KinesisBatchInfo": map[string]any{"shardId": "shard-0", "startSequenceNumber": "101", "endSequenceNumber": "101", "approximateArrivalOfFirstRecord": "2000-01-01T00:00:00.000Z", "approximateArrivalOfLastRecord": "2000-01-01T00:00:00.000Z", "batchSize": 1.0, "streamArn": testStream},
		}
		if d := cmp.Diff(want, doc); d != "" {
			t.Errorf("document (-want +got):\n%s", d)
		}
	})
}

func TestReportedRecordsAreTriedFromTheFirst(t *testing.T) {
	onSource(t, func(r *reader) {
		once := true
		r.reply = func(data []string) (outcome, error) {
			if once {
				once = false
				return outcome{payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"102"},{"itemIdentifier":"101"}]}`)}, nil
			}
			return outcome{payload: []byte(`{"batchItemFailures":[]}`)}, nil
		}
		r.sources.put("x/1", "x/2", "x/3")
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON", FunctionResponseTypes: []string{"ReportBatchItemFailures"}})
		time.Sleep(time.Second)
		r.want("+0s x/1 x/2 x/3", "+500ms x/2 x/3")
	})
}

// TestRestOfABatchHasAllItsRetries is as recorded: what is behind the records that were dealt with is a batch of its own, which is handed over once and retried as often as it is set.
func TestRestOfABatchHasAllItsRetries(t *testing.T) {
	onSource(t, func(r *reader) {
		r.reply = func([]string) (outcome, error) {
			return outcome{payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"102"}]}`)}, nil
		}
		r.sources.put("x/1", "x/2", "x/3")
		r.create(api.CreateEventSourceMappingInput{
			EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON", FunctionResponseTypes: []string{"ReportBatchItemFailures"},
			MaximumRetryAttempts: ptr(int32(3)), DestinationConfig: destination("", queueARN("dead")),
		})
		time.Sleep(time.Minute)
		r.want("+0s x/1 x/2 x/3", "+500ms x/3", "+1s x/3", "+2s x/3", "+4s x/3")
		if got := r.bodies(); len(got) != 1 || !strings.Contains(got[0], `"approximateInvokeCount":4`) {
			t.Errorf("told of as given up: %q", got)
		}
	})
}

func TestRecordsThatAreTooOldAreGivenUp(t *testing.T) {
	onSource(t, func(r *reader) {
		r.sources.put("x/old")
		time.Sleep(2 * time.Minute)
		r.sources.put("x/new")
		r.create(api.CreateEventSourceMappingInput{
			EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON", MaximumRecordAgeInSeconds: ptr(int32(60)), DestinationConfig: destination("", queueARN("dead")),
		})
		r.want("+2m0s x/new")
		if got := r.bodies(); len(got) != 1 || !strings.Contains(got[0], "RecordAgeExceeded") || strings.Contains(got[0], "responseContext") {
			t.Errorf("documents: %q", got)
		}
	})
}

func TestFilteredRecordsAreSkipped(t *testing.T) {
	onSource(t, func(r *reader) {
		r.sources.put(`{"k":1}`, `{"k":2}`, `text`)
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON", FilterCriteria: &api.FilterCriteria{Filters: []api.Filter{
			{Pattern: ptr(`{"data":{"k":[2]}}`)},
		}}})
		r.want(`+0s {"k":2}`)
	})
}

func TestPoisonStopsItsPartitionOnly(t *testing.T) {
	onSource(t, func(r *reader) {
		r.fail(has("a/bad"))
		r.sources.put("a/bad", "b/1")
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON", ParallelizationFactor: ptr(int32(10)), BatchSize: ptr(int32(1))})
		time.Sleep(100 * time.Millisecond)
		r.sources.put("b/2", "a/2")
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		all := strings.Join(r.events, ",")
		if !strings.Contains(all, "b/1") || !strings.Contains(all, "b/2") || strings.Contains(all, "a/2") {
			t.Errorf("events: %s", all)
		}
	})
}

func TestChildrenFollowTheirParents(t *testing.T) {
	onSource(t, func(r *reader) {
		c := r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON"})
		r.sources.put("x/1")
		synctest.Wait()
		r.sources.end()
		synctest.Wait()
		r.sources.put("x/2")
		r.want("+0s x/1", "+0s x/2")
		if _, err := r.deleteEventSourceMapping(r.ctx, &api.DeleteEventSourceMappingInput{UUID: *c.UUID}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := r.getEventSourceMapping(r.ctx, &api.GetEventSourceMappingInput{UUID: *c.UUID}); errorText(err) != errorText(errNoMapping) {
			t.Errorf("after deletion: %v", err)
		}
		for row, err := range rangeAll(r.stage) {
			if err != nil || strings.Contains(row, "lambda.checkpoint") || strings.Contains(row, "lambda.mapping") {
				t.Errorf("left of the mapping: %q, %v", row, err)
			}
		}
	})
}

func TestWindowsKeepAState(t *testing.T) {
	onSource(t, func(r *reader) {
		n := 0
		r.reply = func([]string) (outcome, error) {
			n++
			return outcome{payload: []byte(fmt.Sprintf(`{"state":{"n":%d}}`, n))}, nil
		}
		r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "LATEST", TumblingWindowInSeconds: ptr(int32(60))})
		r.sources.put("x/1")
		time.Sleep(10 * time.Second)
		r.sources.put("x/2")
		time.Sleep(time.Minute)
		r.sources.put("x/3")
		r.want(
			"+0s x/1 in 2000-01-01T00:00:00Z with {} final false", `+10s x/2 in 2000-01-01T00:00:00Z with {"n":1} final false`,
			`+1m0s  in 2000-01-01T00:00:00Z with {"n":2} final true`, "+1m10s x/3 in 2000-01-01T00:01:00Z with {} final false",
		)
	})
}

func TestMissingPermissionShowsInTheResult(t *testing.T) {
	onSource(t, func(r *reader) {
		c := r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON"})
		r.sources.mu.Lock()
		r.sources.denied = true
		r.sources.mu.Unlock()
		r.sources.put("x/1")
		synctest.Wait()
		if got := *r.get(*c.UUID).LastProcessingResult; !strings.HasPrefix(got, "PROBLEM: AccessDenied") {
			t.Errorf("result %q", got)
		}
		if !strings.Contains(r.log.String(), "not authorized") {
			t.Errorf("log: %s", r.log)
		}
		r.sources.mu.Lock()
		r.sources.denied = false
		r.sources.mu.Unlock()
		time.Sleep(time.Second)
		r.want("+500ms x/1")
		if got := *r.get(*c.UUID).LastProcessingResult; got != "OK" {
			t.Errorf("result %q", got)
		}
	})
}

func TestMappingsAnswerAsRecorded(t *testing.T) {
	onSource(t, func(r *reader) {
		r.function("slow", func(f *function) { f.Latest.Timeout = 60 })
		r.function("g", func(*function) {})
		unknown := api.CreateEventSourceMappingInput{FunctionName: "none", EventSourceArn: ptr(testQueue)}
		for _, tc := range []struct {
			name, want string
			in         api.CreateEventSourceMappingInput
		}{
			{"no source", "InvalidParameterValueException: Unrecognized event source.", api.CreateEventSourceMappingInput{FunctionName: "f"}},
			{"no function", "InvalidParameterValueException: Function does not exist", unknown},
			{"no position", "InvalidParameterValueException: 1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.", api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr(testStream)}},
			{"position of a table", "InvalidParameterValueException: Unsupported starting position for arn type: arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/x", api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/x"), StartingPosition: "AT_TIMESTAMP"}},
			{"destination of a queue, no function", "InvalidParameterValueException: Unsupported DestinationConfig parameter for given event source mapping type.", api.CreateEventSourceMappingInput{FunctionName: "none", EventSourceArn: ptr(testQueue), DestinationConfig: destination("", queueARN("d"))}},
			{"destination of a queue", "InvalidParameterValueException: Unsupported DestinationConfig parameter for given event source mapping type.", api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr(testQueue), DestinationConfig: destination("", queueARN("d"))}},
			{"large batch", "InvalidParameterValueException: Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10", api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr(testQueue), BatchSize: ptr(int32(11))}},
			{"slow function", "InvalidParameterValueException: Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds", api.CreateEventSourceMappingInput{FunctionName: "slow", EventSourceArn: ptr(testQueue)}},
			{"bad filter", "InvalidParameterValueException: Invalid filter pattern definition.", api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr(testQueue), FilterCriteria: &api.FilterCriteria{Filters: []api.Filter{{Pattern: ptr("x")}}}}},
			{"no pattern", "InvalidParameterValueException: Invalid filter pattern definition.", api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr(testQueue), FilterCriteria: &api.FilterCriteria{Filters: []api.Filter{{}}}}},
		} {
			_, err := r.createEventSourceMapping(r.ctx, &tc.in)
			got, _, _ := strings.Cut(errorText(err), ": Unexpected") // the cause is for the log
			if got, _, _ = strings.Cut(got, ": Unrecognized token"); got != tc.want {
				t.Errorf("%s: %v\nwant %s", tc.name, err, tc.want)
			}
		}
		q := r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue)})
		k := r.create(api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "LATEST"})
		off, err := r.createEventSourceMapping(r.ctx, &api.CreateEventSourceMappingInput{FunctionName: "g", EventSourceArn: ptr(testQueue), Enabled: ptr(false)})
		if err != nil || *off.State != stateDisabled {
			t.Errorf("one that is not enabled: %+v, %v", off, err)
		}
		_, err = r.createEventSourceMapping(r.ctx, &api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr(testQueue)})
		want := `ResourceConflictException: An event source mapping with SQS arn (" ` + testQueue + ` ") and function (" f ") already exists. Please update or delete the existing mapping with UUID ` + *q.UUID
		if errorText(err) != want {
			t.Errorf("a second mapping of a queue: %v", err)
		}
		_, err = r.createEventSourceMapping(r.ctx, &api.CreateEventSourceMappingInput{FunctionName: "f", EventSourceArn: ptr(testStream), StartingPosition: "LATEST"})
		want = `ResourceConflictException: The event source arn (" ` + testStream + ` ") and function (" f ") provided mapping already exists. Please update or delete the existing mapping with UUID ` + *k.UUID
		if errorText(err) != want {
			t.Errorf("a second mapping of a stream: %v", err)
		}
		wantShown := `{"BatchSize":100,"BisectBatchOnFunctionError":false,"DestinationConfig":{"OnFailure":{}},"EventSourceArn":"` + testStream + `","EventSourceMappingArn":"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:` + *k.UUID +
			`","FunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:f","FunctionResponseTypes":[],"LastModified":"2000-01-01T00:00:00Z","LastProcessingResult":"No records processed","MaximumBatchingWindowInSeconds":0,"MaximumRecordAgeInSeconds":-1,"MaximumRetryAttempts":-1,"ParallelizationFactor":1,"StartingPosition":"LATEST","State":"Enabled","StateTransitionReason":"User action","TumblingWindowInSeconds":0,"UUID":"` + *k.UUID + `"}`
		if got := compact(t, r.get(*k.UUID)); got != wantShown {
			t.Errorf("shown %s\nwant  %s", got, wantShown)
		}
		wantShown = `{"BatchSize":10,"EventSourceArn":"` + testQueue + `","EventSourceMappingArn":"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:` + *q.UUID +
			`","FunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:f","FunctionResponseTypes":[],"LastModified":"2000-01-01T00:00:00Z","MaximumBatchingWindowInSeconds":0,"State":"Enabled","StateTransitionReason":"USER_INITIATED","UUID":"` + *q.UUID + `"}`
		if got := compact(t, r.get(*q.UUID)); got != wantShown {
			t.Errorf("shown %s\nwant  %s", got, wantShown)
		}
		list, err := r.listEventSourceMappings(r.ctx, &api.ListEventSourceMappingsInput{FunctionName: ptr("f"), EventSourceArn: ptr(testQueue)})
		if err != nil || len(list.EventSourceMappings) != 1 {
			t.Errorf("list: %+v, %v", list, err)
		}
	})
}

// compact is an answer as JSON without absent members, as clients see it.
func compact(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	var prune func(m map[string]any)
	prune = func(m map[string]any) {
		for k, v := range m {
			if v == nil || v == "" {
				delete(m, k)
			} else if inner, ok := v.(map[string]any); ok {
				prune(inner)
			}
		}
	}
	prune(m)
	b, err = json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
