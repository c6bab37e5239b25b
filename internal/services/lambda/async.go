package lambda

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// asyncName is the kind of the jobs.
const asyncName = "lambda.async"

// The defaults of asynchronous invocations, https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html.
const (
	defaultRetries = 2
	maxEventAge    = 6 * time.Hour
)

// asyncJob is an asynchronous invocation.
type asyncJob struct {
	Ref           string // the function's ARN
	RequestID     string `json:",omitempty"` // empty for the first try of a job from another service: it then comes from the job's id
	ClientContext string `json:",omitempty"`
	Source        *port.Source
	Failures      int       `json:",omitempty"` // how often the function has failed
	First         time.Time `json:",omitzero"`  // when the event was accepted; zero for the first try
	payload       []byte
}

// encode writes the length of a JSON head, the head, and the event as it is.
func (j *asyncJob) encode() ([]byte, error) {
	head, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	b := binary.AppendUvarint(make([]byte, 0, len(head)+len(j.payload)+4), uint64(len(head)))
	return append(append(b, head...), j.payload...), nil
}

func decodeAsync(b []byte) (asyncJob, error) {
	var j asyncJob
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return j, errors.New("decode asynchronous invocation: bad length")
	}
	end := size + int(n)
	if err := json.Unmarshal(b[size:end], &j); err != nil {
		return j, fmt.Errorf("decode asynchronous invocation: %w", err)
	}
	j.payload = b[end:]
	return j, nil
}

func (j *asyncJob) enqueue(tx store.Txn) error { return j.enqueueAt(tx, time.Time{}) }

func (j *asyncJob) enqueueAt(tx store.Txn, due time.Time) error {
	b, err := j.encode()
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: asyncName, Payload: b, NotBefore: due})
}

// EnqueueAsync implements [port.Functions]. Whether the source may invoke the function is decided when the job runs.
func (l *Lambda) EnqueueAsync(_ context.Context, tx store.Txn, from port.Source, function string, payload []byte) error {
	if _, err := parseARN(function); err != nil {
		return err
	}
	if len(payload) > maxAsync {
		return payloadTooLarge(maxAsync, "InvokeFunction")
	}
	j := asyncJob{Ref: function, Source: &from, payload: payload}
	return j.enqueue(tx)
}

func (l *Lambda) asyncKind() events.Kind {
	return events.Kind{Name: asyncName, Handle: l.handleAsync, Concurrency: 256, MaxAge: maxEventAge, Exhausted: l.dropAsync}
}

// handleAsync runs one try. An error means that the function was not run, and makes the queue try again with its back-off; a function that
// failed gets a new job, since its retries have delays and a limit of their own.
func (l *Lambda) handleAsync(ctx context.Context, job events.Job) error {
	j, err := decodeAsync(job.Payload)
	if err != nil {
		return events.Permanent(err)
	}
	r, err := parseARN(j.Ref)
	if err != nil {
		return events.Permanent(err)
	}
	if j.First.IsZero() {
		j.First = job.Enqueued
	}
	if j.RequestID == "" {
		j.RequestID = requestIDOf(job.ID)
	}
	if j.Source != nil {
		if err := l.allow(ctx, *j.Source, r); err != nil {
			return permanentIfDenied(err)
		}
	}
	c := &call{ref: r, payload: j.payload, requestID: j.RequestID, clientContext: j.ClientContext}
	if err := l.load(ctx, c); err != nil {
		return permanentIfDenied(err)
	}
	config, err := l.asyncConfig(ctx, r)
	if err != nil {
		return err
	}
	age := maxEventAge
	if config.MaxAge != nil {
		age = time.Duration(*config.MaxAge) * time.Second
	}
	if l.deps.Clock.Now().Sub(j.First) > age {
		return events.Permanent(fmt.Errorf("the event is older than %v", age))
	}
	if err := c.checkPayload(); err != nil {
		return events.Permanent(err)
	}
	out, err := l.run(ctx, c)
	if err != nil {
		return err
	}
	if out.failure == "" {
		return nil
	}
	return l.retryAsync(ctx, j, config, out)
}

// permanentIfDenied ends the job for errors that a client would see, and tries again for the platform's own.
func permanentIfDenied(err error) error {
	var e *service.Error
	if errors.As(err, &e) && e.Status < 500 {
		return events.Permanent(err)
	}
	return err
}

func (l *Lambda) asyncConfig(ctx context.Context, r ref) (a asyncConfig, err error) {
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		a, _, err = record.Get[asyncConfig](rd, r.scope.async(r.name, r.qualified().qualifier))
		return err
	})
	return a, err
}

// retryAsync plans the next try of an event that the function failed on: after one minute, then after two.
func (l *Lambda) retryAsync(ctx context.Context, j asyncJob, config asyncConfig, out outcome) error {
	retries := defaultRetries
	if config.Retries != nil {
		retries = int(*config.Retries)
	}
	j.Failures++
	if j.Failures > retries {
		return events.Permanent(fmt.Errorf("the function failed %d times, at last with %.500s", j.Failures, out.payload))
	}
	due := l.deps.Clock.Now().Add(time.Duration(j.Failures) * time.Minute)
	return l.deps.Store.Update(ctx, func(tx store.Txn) error { return j.enqueueAt(tx, due) })
}

// dropAsync tells about an event that is given up.
func (l *Lambda) dropAsync(ctx context.Context, _ store.Txn, job events.Job, cause error) error {
	j, err := decodeAsync(job.Payload)
	if err != nil {
		return err
	}
	l.deps.Log.WarnContext(ctx, "asynchronous invocation given up", slog.String("function", j.Ref), slog.String("job", job.ID), slog.Any("error", cause))
	return nil
}

// requestIDOf makes a UUID of a job's id, which is the same for every try.
func requestIDOf(jobID string) string { return uuidOf("request", jobID) }
