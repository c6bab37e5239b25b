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
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/lib/uuid"
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

// putOff is how long an event waits in the store when too many of its function wait in memory.
const putOff = time.Second

// asyncJob is an asynchronous invocation.
type asyncJob struct {
	Ref           string // the function's ARN
	RequestID     string `json:",omitempty"` // empty for the first try of a job from another service: it then comes from the job's id
	ClientContext string `json:",omitempty"`
	Tenant        string `json:",omitempty"`
	Trace         string `json:",omitempty"` // the tracing header that the event came with
	Source        *port.Source
	Invocations   int       `json:",omitempty"` // how often the function has run, and failed
	First         time.Time `json:",omitzero"`  // when the event was accepted
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

// enqueue writes the job. Its age counts from when the event was accepted, over all tries and restarts.
func (j *asyncJob) enqueue(tx store.Txn, due time.Time) error {
	b, err := j.encode()
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: asyncName, Payload: b, NotBefore: due, Enqueued: j.First})
}

// EnqueueAsync implements [port.Functions]. Whether the source may invoke the function is decided when the job runs.
func (l *Lambda) EnqueueAsync(ctx context.Context, tx store.Txn, from port.Source, function string, payload []byte) error {
	r, err := parseARN(function)
	if err != nil {
		return err
	}
	if len(payload) > maxAsync {
		return payloadTooLarge(maxAsync)
	}
	j := asyncJob{Ref: function, Source: &from, Trace: service.RequestFrom(ctx).Trace, First: l.deps.Clock.Now().UTC(), payload: payload}
	tx.OnCommit(func() { l.metersOf(r, "").add(l.deps.Clock.Now(), asyncReceived, 1) })
	return j.enqueue(tx, time.Time{})
}

// accept takes the event of a call: it is durable then.
func (l *Lambda) accept(ctx context.Context, c *call) error {
	if len(c.payload) > maxAsync {
		return payloadTooLarge(maxAsync)
	}
	j := asyncJob{
		Ref: c.ref.arn(), RequestID: c.requestID, ClientContext: c.clientContext, Tenant: c.tenant, Trace: service.RequestFrom(ctx).Trace,
		First: l.deps.Clock.Now().UTC(), payload: c.payload,
	}
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.OnCommit(func() { l.metersOf(c.ref, "").add(j.First, asyncReceived, 1) })
		return j.enqueue(tx, time.Time{})
	}))
}

func (l *Lambda) asyncKind() events.Kind {
	return events.Kind{Name: asyncName, Handle: l.handleAsync, Concurrency: max(256, l.o.Concurrency), MaxAge: maxEventAge, Exhausted: l.dropAsync}
}

// handleAsync runs one try. An error means that the function was not run, and makes the queue try again with its back-off; a function that
// failed gets a new job, since its retries have delays and a limit of their own.
func (l *Lambda) handleAsync(ctx context.Context, job events.Job) error {
	j, err := decodeAsync(job.Payload)
	if err != nil {
		return events.Permanent(err)
	}
	if j.RequestID == "" {
		j.RequestID = uuid.Of("request", job.ID)
	}
	r, err := parseARN(j.Ref)
	if err != nil {
		return events.Permanent(err)
	}
	if j.Source != nil {
		if err := l.allow(ctx, *j.Source, r, l.deps.Clock.Now()); err != nil {
			return permanentIfDenied(err)
		}
	}
	c := &call{ref: r, payload: j.payload, requestID: j.RequestID, clientContext: j.ClientContext, tenant: j.Tenant, again: true}
	if err := l.load(ctx, c); err != nil {
		return permanentIfDenied(err)
	}
	if err := c.checkPayload(); err != nil {
		return events.Permanent(err)
	}
	if c.version.Durable != nil {
		return l.startQueued(ctx, c, &j)
	}
	end := &result{job: &j, config: c.async, version: &c.version}
	if err := c.trace(j.Trace, l.deps.Clock.Now()); err != nil {
		end.message = err.Error()
		return l.finish(r, end, conditionLoop)
	}
	end.trace = c.traceID
	if reserved := c.function.Reserved; reserved != nil && *reserved == 0 {
		end.message = "The function's reserved concurrency is 0."
		return l.finish(r, end, conditionDisabled)
	}
	return l.runQueued(ctx, r, c, end)
}

// runQueued runs the event of end, when its function has a place for it.
func (l *Lambda) runQueued(ctx context.Context, r ref, c *call, end *result) error {
	j := end.job
	if l.tooOld(end) {
		return l.finish(r, end, conditionAge)
	}
	leave, err := l.ramp.enter(ctx, r.function(), c.function.Reserved)
	if errors.Is(err, errBusy) {
		due := l.deps.Clock.Now().Add(putOff)
		return events.Done(func(_ context.Context, tx store.Txn) error { return j.enqueue(tx, due) })
	} else if err != nil {
		return err
	}
	// It may have waited: what the function is by now counts.
	if err := l.load(ctx, c); err != nil {
		leave()
		return permanentIfDenied(err)
	}
	end.config, end.version = c.async, &c.version
	if l.tooOld(end) {
		leave()
		return l.finish(r, end, conditionAge)
	}
	now := l.deps.Clock.Now()
	c.meters.add(now, asyncAge, meter.Milliseconds(now.Sub(j.First)))
	out, err := l.execute(ctx, c)
	leave()
	if err != nil {
		return err
	}
	j.Invocations++
	end.out = &out
	if out.failure == "" {
		return l.finish(r, end, conditionSuccess)
	}
	return l.retryAsync(r, end)
}

// tooOld tells whether an event is older than its function wants to have it, and says so.
func (l *Lambda) tooOld(end *result) bool {
	if l.deps.Clock.Now().Sub(end.job.First) <= end.config.maxAge() {
		return false
	}
	end.message = fmt.Sprintf("The event is older than %v.", end.config.maxAge())
	return true
}

// permanentIfDenied ends the job for errors that a client would see, and tries again for the platform's own.
func permanentIfDenied(err error) error {
	var e *service.Error
	if errors.As(err, &e) && e.Status < 500 {
		return events.Permanent(err)
	}
	return err
}

// retryAsync plans the next try of an event that the function failed on: after one minute, then after two. It gives the event up when that was the
// last try, or when the event would be too old for another.
func (l *Lambda) retryAsync(r ref, end *result) error {
	j := end.job
	if j.Invocations > end.config.retries() {
		return l.finish(r, end, conditionRetries)
	}
	due := l.deps.Clock.Now().Add(time.Duration(j.Invocations) * time.Minute)
	if due.Sub(j.First) > end.config.maxAge() {
		return l.finish(r, end, conditionAge)
	}
	return events.Done(func(_ context.Context, tx store.Txn) error { return j.enqueue(tx, due) })
}

// finish ends an event: its deliveries are written together with the end of the job.
func (l *Lambda) finish(r ref, end *result, condition string) error {
	end.condition = condition
	if end.failed() {
		l.deps.Log.Warn("asynchronous invocation given up", slog.String("function", r.arn()), slog.String("request_id", end.job.RequestID),
			slog.String("condition", condition), slog.Int("invocations", end.job.Invocations), slog.String("on_failure", end.config.OnFailure),
			slog.String("dead_letter", end.version.DeadLetter))
	}
	return events.Done(func(ctx context.Context, tx store.Txn) error {
		if end.failed() {
			l.dropped(tx, r)
		}
		return l.deliver(ctx, tx, r, end)
	})
}

// dropped counts an event that was given up.
func (l *Lambda) dropped(tx store.Txn, r ref) {
	tx.OnCommit(func() { l.metersOf(r, "").add(l.deps.Clock.Now(), asyncDropped, 1) })
}

// dropAsync gives up an event that was never run: throttled or impossible to run for too long, or not allowed. Where the function still
// exists, its destinations learn of it.
func (l *Lambda) dropAsync(ctx context.Context, tx store.Txn, job events.Job, cause error) error {
	j, err := decodeAsync(job.Payload)
	if err != nil {
		return err
	}
	if j.RequestID == "" {
		j.RequestID = uuid.Of("request", job.ID)
	}
	l.deps.Log.WarnContext(ctx, "asynchronous invocation given up", slog.String("function", j.Ref), slog.String("request_id", j.RequestID), slog.Any("error", cause))
	if l.deps.Clock.Now().Sub(j.First) < maxEventAge {
		return nil // refused: there is no function, or the source may not invoke it
	}
	r, err := parseARN(j.Ref)
	if err != nil {
		return nil //nolint:nilerr // there is no function whose destination could be told
	}
	f, v, err := resolve(tx, r)
	if service.Code(err) == errNoFunction.Code {
		return nil
	} else if err != nil {
		return fmt.Errorf("find %s: %w", f.Name, err)
	}
	a, _, err := record.Get[asyncConfig](tx, r.scope.async(r.name, r.qualified().qualifier))
	if err != nil {
		return err
	}
	l.dropped(tx, r)
	return l.deliver(ctx, tx, r, &result{job: &j, config: a, version: &v, condition: conditionAge, trace: j.Trace, message: cause.Error()})
}
