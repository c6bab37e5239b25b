package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/service"
)

// call is one invocation.
type call struct {
	ref ref
	*snapshot
	requestID string
	payload   []byte
	// kept tells that nobody changes the payload any more.
	kept                   bool
	clientContext, traceID string
	tenant                 string // empty for a function that does not isolate its tenants
	wantsTail              bool   // the outcome holds the end of the log
	// again tells that what is not finished when the context ends is run again: by the next process, after a restart.
	again bool
	// durableName is the name of the execution of a durable function; replayed tells that the call is one of the invocations of an execution.
	durableName string
	replayed    bool
	// at is when the call came of a caller who waits for the answer; zero for a queued event.
	at time.Time
	// stream takes the answer of a function that answers in parts, while it arrives; nil collects it in the outcome.
	stream func(contentType string, body io.Reader) error
}

// outcome is what became of an invocation that was carried out. A function that failed is an outcome, not an error.
type outcome struct {
	payload []byte
	// contentType is what a function that answers in parts says that its answer is.
	contentType string
	// failure is "", "Handled" or "Unhandled".
	failure string
	tail    []byte
	// execution is the ARN of a durable execution.
	execution string
	// took is how long the function ran.
	took time.Duration
}

// load fills in what an invocation needs of the store.
func (l *Lambda) load(ctx context.Context, c *call) (err error) {
	if c.snapshot, err = l.snapshot(ctx, c.ref); err == nil {
		c.snapshot, err = c.snapshot.route(l.deps.Random)
	}
	if err == nil {
		err = c.forTenant()
	}
	return err
}

var errTimeout = errors.New("task timed out")

// run carries an invocation out. It goes on when the caller goes away, as on AWS, and ends with ctx if it is to run again.
func (l *Lambda) run(ctx context.Context, c *call) (outcome, error) {
	if c.version.Durable != nil && !c.replayed {
		return l.runDurable(ctx, c)
	}
	if !c.again {
		ctx = context.WithoutCancel(ctx)
	}
	out, err := l.carryOut(ctx, c)
	if ended := context.Cause(ctx); ended != nil && err == nil && out.failure != "" {
		return outcome{}, fmt.Errorf("the invocation ended with the platform: %w", ended)
	}
	c.meters.ran(l.deps.Clock.Now(), &out, err)
	return out, err
}

// carryOut finds or starts an environment for an invocation, and uses it.
func (l *Lambda) carryOut(ctx context.Context, c *call) (outcome, error) {
	if c.version.State.is(api.StateInactive) {
		return outcome{}, l.wake(ctx, c.ref, &c.version)
	}
	if err := c.invocable(); err != nil {
		return outcome{}, err
	}
	now := c.at
	if now.IsZero() {
		now = l.deps.Clock.Now()
	}
	l.recorder.note(c, now)
	if throttle, err := c.rehearsal.throttles(l.deps.Random); err != nil || throttle {
		if err != nil {
			return outcome{}, err
		}
		l.deps.Log.InfoContext(ctx, "throttling is rehearsed", slog.String("function", c.arn), slog.String("request_id", c.requestID), slog.String("tag", tagThrottle))
		return outcome{}, throttled(c.rehearsal.reason)
	}
	if c.version.Capacity != nil {
		return l.runManaged(ctx, c)
	}
	release, n, reason := l.slots.take(c.ref, c.key, c.quota, c.at)
	if reason != "" {
		return outcome{}, throttled(reason)
	}
	defer release()
	c.meters.running(now, &n)
	if s := l.debugging.of(c.key); s != nil {
		return s.run(ctx, c)
	}
	for {
		w, err := l.pools.get(c.key)
		if err != nil {
			return outcome{}, err
		}
		if w == nil {
			break
		}
		// A process that has ended while it was idle is nobody's fault: take another.
		if err := w.ready(ctx); err == nil {
			return l.use(ctx, w, c, 0), nil
		}
		l.pools.end(w)
	}
	if c.version.restored() {
		return l.restore(ctx, c)
	}
	if w := l.snapshotter.takeAhead(c); w != nil {
		if err := w.ready(ctx); err == nil {
			return l.use(ctx, w, c, 0), nil
		}
		w.close()
	}
	began := l.deps.Clock.Now()
	w, err := l.startWorker(ctx, c.ref, &c.version, launch{kind: onDemand, tenant: c.tenant})
	if err != nil {
		l.pools.free()
		if errors.Is(err, errClosing) {
			return outcome{}, serviceError("The invocation was not carried out", err)
		}
		return outcome{}, err
	}
	return l.first(ctx, w, c, began), nil
}

// first waits for the initialisation of a new environment and uses it. The initialisation has a limit of its own; what takes longer counts as
// part of the invocation.
func (l *Lambda) first(ctx context.Context, w *worker, c *call, began time.Time) outcome {
	limit := initLimit + time.Duration(c.version.Timeout)*time.Second
	ready, cancel := withTimeout(ctx, l.deps.Clock, limit)
	err := w.env.WaitReady(ready)
	cancel()
	if err == nil && c.rehearsal != nil && c.rehearsal.coldStart > 0 {
		w.log.line(fmt.Sprintf("LAMBENT REHEARSAL: this cold start takes %v longer than it needs, as the tag %s says", c.rehearsal.coldStart, tagColdStart))
		err = clock.Sleep(ctx, l.deps.Clock, c.rehearsal.coldStart)
	}
	initTime := l.deps.Clock.Now().Sub(began)
	w.log.runtimeReady(onDemand, err)
	w.log.initReport(onDemand, err, initTime)
	if err == nil {
		w.boot.init = initTime
		return l.use(ctx, w, c, max(initTime-initLimit, 0))
	}
	w.log.started(c.requestID, c.version.Number, c.traceID)
	return l.failed(w, c, err, initTime)
}

// use hands the event to an environment that is ready. spent is what is used up of the function's timeout.
func (l *Lambda) use(ctx context.Context, w *worker, c *call, spent time.Duration) outcome {
	w.log.started(c.requestID, c.version.Number, c.traceID)
	if failing, err := c.rehearsal.fails(l.deps.Random); err != nil || failing {
		if err == nil {
			w.log.line("LAMBENT REHEARSAL: this invocation fails as if its process had ended, as the tag " + tagError + " says")
			err = &runtimes.ExitError{}
		}
		return l.failed(w, c, err, spent)
	}
	began := l.deps.Clock.Now()
	timeout := time.Duration(c.version.Timeout)*time.Second - spent
	if w.debugged {
		timeout = debuggedFor
	}
	w.deadline = began.Add(timeout)
	w.limit.begin(timeout, errTimeout)
	answer, err := w.env.Invoke(ctx, &rapi.Invocation{
		RequestID: c.requestID, FunctionARN: c.arn, TraceID: c.traceID, ClientContext: c.clientContext, TenantID: c.tenant,
		Deadline: w.deadline, Payload: c.payload, Stream: c.stream,
	})
	w.limit.over()
	duration := l.deps.Clock.Now().Sub(began) + spent
	if err != nil {
		return l.failed(w, c, err, duration)
	}
	r := report{requestID: c.requestID, duration: duration, boot: w.takeBoot(), memory: c.version.Memory, peak: w.peakBytes(began), produced: len(answer.Body)}
	out := outcome{payload: answer.Body, took: duration}
	if answer.Streamed {
		out.contentType = answer.ContentType
	}
	if answer.Failed {
		out.failure = "Unhandled"
		if !strings.HasPrefix(answer.ErrorType, "Runtime.") || answer.ErrorType == "Runtime.Unknown" {
			r.errorType = ""
		}
	}
	w.log.ended(&r)
	if c.wantsTail {
		out.tail = w.log.lastLines()
	}
	l.pools.put(w)
	return out
}

// takeBoot returns once what the environment has taken before its first invocation.
func (w *worker) takeBoot() boot {
	b := w.boot
	w.boot = boot{}
	return b
}

// failed is the outcome of an invocation without an answer. The environment is ended, unless the answer was only too large.
func (l *Lambda) failed(w *worker, c *call, cause error, duration time.Duration) outcome {
	r := report{requestID: c.requestID, duration: duration, boot: w.takeBoot(), memory: c.version.Memory, status: "error"}
	f := l.failure(w, c, cause, &r)
	r.peak = w.env.PeakBytes()
	if !f.keep {
		w.env.Shutdown(f.end)
		w.limit.close()
	}
	w.log.ended(&r)
	if f.keep {
		l.pools.put(w)
	} else {
		l.pools.fail(w)
	}
	return outcome{failure: "Unhandled", payload: f.document, tail: w.log.lastLines(), took: r.duration}
}

// failure is what an invocation without an answer has come to.
type failure struct {
	document []byte
	keep     bool   // the environment goes on
	end      string // or is ended for this reason
}

// failure describes why there is no answer, and completes the report.
func (l *Lambda) failure(w *worker, c *call, cause error, r *report) failure {
	f := failure{end: "failure"}
	var initError *rapi.InitError
	var exit *runtimes.ExitError
	switch {
	case errors.Is(cause, errTimeout):
		f.end = "timeout"
		limit := float64(c.version.Timeout)
		r.status, r.duration = "timeout", time.Duration(c.version.Timeout)*time.Second
		f.document = errorDocument("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", c.requestID, limit))
		w.env.Drain()
		w.log.line(fmt.Sprintf("%s %s Task timed out after %.2f seconds", l.deps.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"), c.requestID, limit))
	case errors.Is(cause, rapi.ErrTooLarge):
		f.keep = true
		f.document = errorDocument("Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", rapi.MaxResponse))
	case errors.Is(cause, rapi.ErrTruncated):
		f.document = errorDocument("Runtime.TruncatedResponse", fmt.Sprintf("RequestId: %s Error: Runtime sent a truncated response", c.requestID))
	case errors.As(cause, &initError):
		f.document = initError.Body
		r.errorType = initError.Type
		if advice := runtimes.MissingSDK(initError.Body); advice != "" {
			w.log.warn(advice)
			l.deps.Log.Warn("a function does not find the AWS SDK", slog.String("function", c.ref.function()), slog.String("warning", advice))
		}
	case errors.As(cause, &exit):
		if exit.Exit.Err != nil && c.version.wrapper() != "" {
			w.log.warn(fmt.Sprintf("the program that %s names did not start: %v", runtimes.WrapperVariable, exit.Exit.Err))
		}
		r.errorType, f.document = exitDocument(c, exit)
	default:
		r.errorType = "Runtime.ExitError"
		f.document = errorDocument(r.errorType, fmt.Sprintf("RequestId: %s Error: %v", c.requestID, cause))
	}
	return f
}

// exitDocument describes a process that ended, in the types of AWS.
func exitDocument(c *call, e *runtimes.ExitError) (kind string, doc []byte) {
	kind, message := "Runtime.ExitError", e.Error()
	switch {
	case e.BadWorkingDir():
		kind = "Runtime.InvalidWorkingDir"
	case e.Exit.Err != nil && c.version.wrapper() != "":
		message = fmt.Sprintf("Runtime exited with error: exit status %d", shellStatus(e.Exit.Err))
	case e.Exit.Err != nil:
		kind, message = "Runtime.InvalidEntrypoint", entrypointMessage(&c.version, e)
	case e.Exit.OutOfMemory:
		kind, message = "Runtime.OutOfMemory", "Runtime exited with error: signal: killed"
	}
	return kind, errorDocument(kind, fmt.Sprintf("RequestId: %s Error: %s", c.requestID, message))
}

// shellStatus is the status with which a shell ends that cannot start a program: AWS's runtimes have one start the wrapper.
func shellStatus(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// wrapper is the program that starts the function's runtime; empty when there is none.
func (v *version) wrapper() string {
	if v.Image != nil || strings.HasPrefix(v.Runtime, runtimes.FamilyProvided) {
		return ""
	}
	return v.Env[runtimes.WrapperVariable]
}

func entrypointMessage(v *version, e *runtimes.ExitError) string {
	if strings.HasPrefix(v.Runtime, runtimes.FamilyProvided) {
		return fmt.Sprintf("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap] (%v)", e.Exit.Err)
	}
	return e.Error()
}

func errorDocument(kind, message string) []byte {
	b, err := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message})
	if err != nil {
		return []byte("{}")
	}
	return b
}

// withTimeout returns a context that ends with errTimeout after d on the clock.
func withTimeout(ctx context.Context, c clock.Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := c.NewTimer(d)
	go func() {
		select {
		case <-t.C():
			cancel(errTimeout)
		case <-ctx.Done():
			t.Stop()
		}
	}()
	return ctx, func() { cancel(nil) }
}

func payloadTooLarge(limit int) *service.Error {
	return service.Errorf("RequestTooLargeException", "Request must be smaller than %d bytes for the InvokeFunction operation", limit).WithStatus(413)
}
