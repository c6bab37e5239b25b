package lambda

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
)

// The conditions of an invocation record.
const (
	conditionSuccess  = "Success"
	conditionRetries  = "RetriesExhausted"
	conditionAge      = "EventAgeExceeded"
	conditionDisabled = "ZeroReservedConcurrency"
)

// recordTime is the layout of the times in invocation records.
const recordTime = "2006-01-02T15:04:05.000Z"

// invocationRecord is what destinations receive: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html.
type invocationRecord struct {
	Version   string `json:"version"`
	Timestamp string `json:"timestamp"`
	Request   struct {
		RequestID   string `json:"requestId"`
		FunctionARN string `json:"functionArn"`
		Condition   string `json:"condition"`
		Invocations int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	RequestPayload  json.RawMessage `json:"requestPayload"`
	Response        *responseRecord `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage `json:"responsePayload,omitempty"`
}

// responseRecord tells about the last invocation.
type responseRecord struct {
	Status  int    `json:"statusCode"`
	Version string `json:"executedVersion"`
	Failure string `json:"functionError,omitempty"`
}

// result is the end of an asynchronous event.
type result struct {
	job       *asyncJob
	config    asyncConfig
	version   *version
	condition string
	trace     string
	// out is the last invocation; nil when the function was not run.
	out *outcome
	// message is what a dead-letter queue is told when there was none.
	message string
}

func (r *result) failed() bool { return r.condition != conditionSuccess }

// destinationQueue returns the queue that delivers to destinations and dead-letter queues. What they refuse is dropped with a line in the log, as on AWS.
func (l *Lambda) destinationQueue() *deliver.Queue {
	return &deliver.Queue{
		Name: "lambda.destination", Sender: l.sender, MaxAge: maxEventAge,
		Dropped: func(ctx context.Context, tx store.Txn, m *deliver.Message, attempts int, cause error) error {
			l.deps.Log.WarnContext(ctx, "event not delivered to the destination of a function", slog.String("function", m.From.ARN),
				slog.String("destination", m.Target), slog.Int("attempts", attempts), slog.Any("error", cause))
			l.undelivered(tx, m)
			return nil
		},
	}
}

// undelivered counts an event that its destination or dead-letter queue did not get.
func (l *Lambda) undelivered(tx store.Txn, m *deliver.Message) {
	r, err := parseARN(m.From.ARN)
	if err != nil {
		return // not of a function any more
	}
	measure := destinationFailures
	if _, dead := m.Attributes[errorCode]; dead {
		measure = deadLetterErrors
	}
	tx.OnCommit(func() { l.metersOf(r, "").add(l.deps.Clock.Now(), measure, 1) })
}

// errorCode is the attribute that events have in dead-letter queues alone.
const errorCode = "ErrorCode"

// deliver writes the deliveries of a finished event: to the destination for its condition, and for a failure also to the version's dead-letter queue.
func (l *Lambda) deliver(ctx context.Context, tx store.Txn, ref ref, r *result) error {
	target := r.config.OnSuccess
	if r.failed() {
		target = r.config.OnFailure
	}
	if target != "" {
		m, err := l.recordMessage(ref, r, target)
		if err != nil {
			return err
		}
		if err := l.post(ctx, tx, m); err != nil {
			return err
		}
	}
	if !r.failed() || r.version.DeadLetter == "" {
		return nil
	}
	return l.post(ctx, tx, l.deadLetter(ref, r))
}

// post enqueues a delivery. One that is too large for the queue of jobs is too large for every target.
func (l *Lambda) post(ctx context.Context, tx store.Txn, m *deliver.Message) error {
	if len(m.Body) > deliver.MaxBody {
		l.deps.Log.WarnContext(ctx, "event not delivered to the destination of a function: it is too large", slog.String("function", m.From.ARN),
			slog.String("destination", m.Target), slog.Int("bytes", len(m.Body)))
		l.undelivered(tx, m)
		return nil
	}
	return l.destinations.Enqueue(tx, m)
}

// recordMessage is the invocation record of a finished event for a destination.
func (l *Lambda) recordMessage(ref ref, r *result, target string) (*deliver.Message, error) {
	now := l.deps.Clock.Now().UTC()
	rec := invocationRecord{Version: "1.0", Timestamp: now.Format(recordTime), RequestPayload: r.job.payload}
	rec.Request.RequestID, rec.Request.FunctionARN = r.job.RequestID, ref.qualified().arn()
	rec.Request.Condition, rec.Request.Invocations = r.condition, r.job.Invocations
	if r.out != nil {
		rec.Response = &responseRecord{Status: 200, Version: r.version.Number, Failure: r.out.failure}
		rec.ResponsePayload = jsonOrString(r.out.payload)
	}
	body, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	m := l.message(ref, r, target, body)
	m.Event = &deliver.Event{Source: "lambda", DetailType: "Lambda Function Invocation Result - Success", Resources: []string{target, ref.qualified().arn()}, Time: now}
	if r.failed() {
		m.Event.DetailType = "Lambda Function Invocation Result - Failure"
	}
	m.Key = "aws/lambda/async/" + ref.name + "/" + now.Format("2006/01/02/2006-01-02T15.04.05-") + m.ID
	return m, nil
}

// message is a delivery on behalf of a function, with its role. Its id is the same for every try to write it.
func (l *Lambda) message(ref ref, r *result, target string, body []byte) *deliver.Message {
	return &deliver.Message{
		Target: target, From: ref.source(), Role: r.version.Role, Trace: r.trace, Body: body,
		ID: uuid.Of("destination", target, r.job.RequestID, strconv.Itoa(r.job.Invocations)),
	}
}

// deadLetter is an event as a dead-letter queue receives it: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq.
func (l *Lambda) deadLetter(ref ref, r *result) *deliver.Message {
	message := r.message
	if r.out != nil {
		message = errorMessage(r.out.payload)
	}
	m := l.message(ref, r, r.version.DeadLetter, r.job.payload)
	m.Attributes = map[string]deliver.Attribute{
		"RequestID": {Type: "String", Text: r.job.RequestID}, errorCode: {Type: "Number", Text: "200"},
		"ErrorMessage": {Type: "String", Text: message},
	}
	return m
}

// maxErrorMessage is how much of an error message a dead-letter queue is told, in bytes.
const maxErrorMessage = 1 << 10

// errorMessage is the message in an error document, or its text when it has none.
func errorMessage(payload []byte) string {
	var doc struct {
		Message *string `json:"errorMessage"`
	}
	message := string(payload)
	if err := json.Unmarshal(payload, &doc); err == nil && doc.Message != nil {
		message = *doc.Message
	}
	message = strings.ToValidUTF8(message[:min(len(message), maxErrorMessage)], "")
	if message == "" {
		message = "The function failed without a message."
	}
	return message
}

// jsonOrString is a function's answer inside of a document: itself when it is JSON, and else a string.
func jsonOrString(b []byte) json.RawMessage {
	if json.Valid(b) {
		return b
	}
	s, err := json.Marshal(string(b))
	if err != nil {
		return json.RawMessage("null")
	}
	return s
}
