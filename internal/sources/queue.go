package sources

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// receiveMost is how many messages one call receives.
const receiveMost = 10

// message is a message of a queue with the record that the function gets.
type message struct {
	id, handle, trace string
	record            []byte
}

// queueReader hands the messages of a queue to the function.
type queueReader struct {
	*Worker
	arrived <-chan struct{} // only the reading goroutine uses it

	mu      sync.Mutex // guards the fields below
	running int
	limit   int           // how many batches may run
	raised  time.Time     // when the limit was raised last
	freed   chan struct{} // receives a value when running or limit changed
}

// A queue begins with five batches at the same time. While there is more to do the number grows by at most five a second, as on AWS
// (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html); throttling halves it.
const (
	firstLimit = 5
	raiseEvery = time.Second / 5
)

func (w *Worker) readQueue() {
	r := &queueReader{Worker: w, limit: min(firstLimit, w.Concurrency), freed: make(chan struct{}, 1)}
	w.found()
	failures := 0
	for w.soft.Err() == nil {
		// A queue that was made again is another one: the notifications are asked for anew now and then.
		arrived, stop := w.Arrivals.Arrivals(w.Source.String())
		r.arrived = arrived
		err := r.drain()
		for err == nil && w.wait(arrived) {
			failures = 0
			err = r.drain()
		}
		stop()
		if err != nil && w.soft.Err() == nil {
			failures++
			w.failed("read a queue", err)
			w.pause(failures)
		}
	}
}

// drain reads until the queue has nothing more to give.
func (r *queueReader) drain() error {
	for r.soft.Err() == nil {
		if !r.slot() {
			return nil
		}
		batch, err := r.collect()
		if err != nil || len(batch) == 0 {
			r.free(0)
			return err
		}
		r.work.Go(func() {
			r.free(r.process(batch))
		})
	}
	return nil
}

// slot waits until another batch may run.
func (r *queueReader) slot() bool {
	for {
		r.mu.Lock()
		if r.running < r.limit {
			r.running++
			r.mu.Unlock()
			return true
		}
		r.mu.Unlock()
		select {
		case <-r.freed:
		case <-r.soft.Done():
			return false
		}
	}
}

// free gives the place of a batch back. change moves the limit.
func (r *queueReader) free(change int) {
	r.mu.Lock()
	r.running--
	switch {
	case change > 0 && r.limit < r.Concurrency && r.running+1 >= r.limit:
		if now := r.Clock.Now(); now.Sub(r.raised) >= raiseEvery {
			r.limit, r.raised = r.limit+1, now
		}
	case change < 0:
		r.limit = max(r.limit/2, 1)
	}
	r.mu.Unlock()
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// collect receives a batch: until it is full, the queue has no more and the window is over, or the event would be too large.
func (r *queueReader) collect() ([]message, error) {
	var batch []message
	size := 0
	var window <-chan time.Time
	for len(batch) < r.BatchSize && size < maxEvent/2 {
		more, received, err := r.receive(min(receiveMost, r.BatchSize-len(batch)))
		if err != nil {
			if len(batch) > 0 {
				return batch, nil //nolint:nilerr // the next read meets the error again
			}
			return nil, err
		}
		for _, m := range more {
			size += len(m.record) + 1
		}
		batch = append(batch, more...)
		if received > 0 && r.Window > 0 && window == nil && len(batch) > 0 {
			t := r.Clock.NewTimer(r.Window)
			defer t.Stop()
			window = t.C()
		}
		if received > 0 {
			continue
		}
		if window == nil {
			return batch, nil
		}
		select {
		case <-r.arrived:
		case <-window:
			return batch, nil
		case <-r.soft.Done():
			return batch, nil
		}
	}
	return batch, nil
}

// receive receives messages and deletes those that no filter matches. received counts both.
func (r *queueReader) receive(most int) (batch []message, received int, err error) {
	ctx, err := r.Caller(r.hard)
	if err != nil {
		return nil, 0, err
	}
	n := int32(most)
	out, err := service.Call[sqs.ReceiveMessageOutput](ctx, r.Door, "sqs", "ReceiveMessage", &sqs.ReceiveMessageInput{
		QueueUrl: r.QueueURL, MaxNumberOfMessages: &n, MessageSystemAttributeNames: []string{"All"}, MessageAttributeNames: []string{"All"}, WaitTimeSeconds: new(int32),
	})
	if err != nil {
		return nil, 0, err
	}
	var unwanted []message
	for i := range out.Messages {
		m, ok, err := r.message(&out.Messages[i])
		if err != nil {
			return nil, 0, err
		}
		if ok {
			batch = append(batch, m)
		} else {
			unwanted = append(unwanted, m)
		}
	}
	r.remove(ctx, unwanted)
	return batch, len(out.Messages), nil
}

// queueRecord is a message as the function sees it: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html.
type queueRecord struct {
	ID                string                    `json:"messageId"`
	Handle            string                    `json:"receiptHandle"`
	Body              string                    `json:"body"`
	Attributes        map[string]string         `json:"attributes"`
	MessageAttributes map[string]queueAttribute `json:"messageAttributes"`
	MD5OfAttributes   **string                  `json:"md5OfMessageAttributes,omitempty"` // null or absent without attributes, see message
	MD5OfBody         string                    `json:"md5OfBody"`
	EventSource       string                    `json:"eventSource"`
	SourceARN         string                    `json:"eventSourceARN"`
	Region            string                    `json:"awsRegion"`
}

type queueAttribute struct {
	Text     *string  `json:"stringValue,omitempty"`
	Binary   *string  `json:"binaryValue,omitempty"`
	Texts    []string `json:"stringListValues"`
	Binaries []string `json:"binaryListValues"`
	Type     string   `json:"dataType"`
}

// message makes the record of a message, and tells whether a filter matches it.
func (r *queueReader) message(m *sqs.Message) (message, bool, error) {
	rec := queueRecord{
		ID: opt.Value(m.MessageId), Handle: opt.Value(m.ReceiptHandle), Body: opt.Value(m.Body), Attributes: m.Attributes, MessageAttributes: map[string]queueAttribute{},
		MD5OfBody: opt.Value(m.MD5OfBody), EventSource: "aws:sqs", SourceARN: r.Source.String(), Region: r.Source.Region,
	}
	if m.MD5OfMessageAttributes != nil || r.Window > 0 { // all recordings of mappings with a window have the null, and none without
		rec.MD5OfAttributes = &m.MD5OfMessageAttributes
	}
	for name, a := range m.MessageAttributes {
		q := queueAttribute{Text: a.StringValue, Texts: []string{}, Binaries: []string{}, Type: a.DataType}
		if a.BinaryValue != nil {
			b := base64.StdEncoding.EncodeToString(a.BinaryValue)
			q.Binary = &b
		}
		rec.MessageAttributes[name] = q
	}
	out := message{id: rec.ID, handle: rec.Handle, trace: rec.Attributes["AWSTraceHeader"]}
	var err error
	if out.record, err = json.Marshal(rec); err != nil || r.Filters == nil {
		return out, true, err
	}
	doc, err := withJSON(out.record, "body", []byte(rec.Body))
	if err != nil {
		return out, false, err
	}
	return out, matchesAny(r.Filters, doc), nil
}

// remove deletes messages. One that cannot be deleted is received again, which a queue may do at any time.
func (r *queueReader) remove(ctx context.Context, list []message) {
	for len(list) > 0 {
		part := list[:min(len(list), receiveMost)]
		list = list[len(part):]
		in := &sqs.DeleteMessageBatchInput{QueueUrl: r.QueueURL}
		for i := range part {
			in.Entries = append(in.Entries, sqs.DeleteMessageBatchRequestEntry{Id: strconv.Itoa(i), ReceiptHandle: part[i].handle})
		}
		if _, err := r.Door.Call(ctx, "sqs", "DeleteMessageBatch", in); err != nil {
			r.failed("delete messages", err)
		}
	}
}

// process hands a batch to the function, in parts when one event cannot hold it. It returns how the limit is to move.
func (r *queueReader) process(batch []message) (change int) {
	for len(batch) > 0 {
		n, size := 1, len(batch[0].record)
		for n < len(batch) && size+len(batch[n].record) < maxEvent {
			size += len(batch[n].record) + 1
			n++
		}
		if change = r.hand(batch[:n]); change < 0 {
			return change
		}
		batch = batch[n:]
	}
	return change
}

// hand hands messages to the function and deletes those that it has done.
func (r *queueReader) hand(batch []message) int {
	records := make([][]byte, len(batch))
	for i := range batch {
		records[i] = batch[i].record
	}
	began := r.Clock.Now()
	change := 1
	for tries := 1; ; tries++ {
		answer, err := r.invoke(event(records, nil), batch[0].trace)
		if err == nil {
			r.settle(batch, &answer)
			return change
		}
		// The function was not run. The batch is offered again while its messages are hidden.
		change = -1
		r.failed("hand messages over", err)
		if r.soft.Err() != nil || r.Clock.Now().Add(backoff(tries)).Sub(began) > r.visibility() || !r.pause(tries) {
			return change
		}
	}
}

// visibility is how long received messages are hidden.
func (r *queueReader) visibility() time.Duration {
	const normal = 30 * time.Second
	ctx, err := r.Caller(r.hard)
	if err != nil {
		return normal
	}
	out, err := service.Call[sqs.GetQueueAttributesOutput](ctx, r.Door, "sqs", "GetQueueAttributes", &sqs.GetQueueAttributesInput{QueueUrl: r.QueueURL, AttributeNames: []string{"VisibilityTimeout"}})
	if err != nil {
		return normal
	}
	seconds, err := strconv.Atoi(out.Attributes["VisibilityTimeout"])
	if err != nil {
		return normal
	}
	return time.Duration(seconds) * time.Second
}

// settle deletes the messages that the function has done. The others become visible again after the queue's timeout.
func (r *queueReader) settle(batch []message, a *Answer) {
	done := batch
	if a.Failure != "" {
		done = nil
	} else if r.Partial {
		done = succeeded(batch, a.Payload)
	}
	if len(done) == len(batch) {
		r.report(OK)
	} else {
		r.Log.Info("function failed on messages", slog.String("request_id", a.RequestID), slog.Int("messages", len(batch)-len(done)))
		r.report(problem + "Function call failed")
	}
	if len(done) == 0 {
		return
	}
	ctx, err := r.Caller(r.hard)
	if err != nil {
		r.failed("delete messages", err)
		return
	}
	r.remove(ctx, done)
}

// succeeded returns the messages that are not reported as failed; none when the report cannot be right.
func succeeded(batch []message, payload []byte) []message {
	ids, ok := reported(payload)
	if !ok {
		return nil
	}
	bad := map[string]bool{}
	for _, id := range ids {
		bad[id] = true
	}
	var done []message
	for _, m := range batch {
		if bad[m.id] {
			delete(bad, m.id)
		} else {
			done = append(done, m)
		}
	}
	if len(bad) > 0 {
		return nil // a message that was not in the batch
	}
	return done
}
