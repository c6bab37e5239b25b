package durable

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// job is the payload of the engine's jobs. Operation is that of a chained invocation.
type job struct {
	Ref

	Operation string `json:",omitempty"`
}

func enqueue(tx store.Txn, j events.Job, payload job) (err error) {
	if j.Payload, err = json.Marshal(payload); err != nil {
		return err
	}
	return events.Enqueue(tx, j)
}

func decode(j events.Job) (out job, err error) {
	return out, events.Permanent(json.Unmarshal(j.Payload, &out))
}

// maxFailed is how many invocations of an execution may fail in a row.
const maxFailed = 5

// run is the job of one invocation of an execution.
func (e *Engine) run(ctx context.Context, j events.Job) error {
	in, err := decode(j)
	if err != nil {
		return err
	}
	x, updated, err := e.beginRun(ctx, in.Ref)
	if err != nil || x == nil {
		return err
	}
	payload, err := e.payload(ctx, x, updated)
	if err != nil {
		return err
	}
	call := &Call{Target: Target{Account: x.Account, Region: x.Region, Function: x.Function, Version: x.Version, Revision: x.Revision, Trace: x.Trace, Tenant: x.Tenant}, Payload: payload}
	if call.RequestID, err = e.newID(); err != nil {
		return err
	}
	began := e.now()
	answer, err := e.deps.Invoke(ctx, call)
	var known *service.Error
	switch {
	case errors.As(err, &known) && known.Status < 500 && known.Status != http.StatusTooManyRequests:
		// The function is gone, or cannot run any more.
		return events.Done(func(_ context.Context, tx store.Txn) error {
			return e.endRun(tx, in.Ref, func(c *change) error {
				return c.complete(api.ExecutionStatusFailed, body{}, newFailure(known.Code, known.Message))
			})
		})
	case err != nil:
		return err
	}
	k := &keeper{e: e}
	out := readOutput(&answer)
	result, err := k.keep(ctx, out.Result)
	if err != nil {
		return err
	}
	v := event{Type: api.EventTypeInvocationCompleted, RequestID: call.RequestID, Began: began, Error: out.failed}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		return e.endRun(tx, in.Ref, func(c *change) error { return c.invoked(v, out, result) })
	})
}

// beginRun gives an execution a new token. updated are the operations that its function is told the news of. The execution is nil when there is nothing to run.
func (e *Engine) beginRun(ctx context.Context, r Ref) (x *execution, updated []string, err error) {
	token, err := e.newToken()
	if err != nil {
		return nil, nil, err
	}
	err = e.update(ctx, r, func(c *change) error {
		x, updated = nil, nil
		if c.running() {
			if err := c.fire(); err != nil {
				return err
			}
		}
		if !c.running() {
			c.Queued = false
			return nil
		}
		for _, id := range c.Updated {
			if !slices.Contains(c.Told, id) {
				c.Told = append(c.Told, id)
			}
		}
		updated, c.Updated = c.Told, nil
		c.Token, c.Last = token, nil
		x = c.execution
		return nil
	})
	if service.Code(err) == codeNotFound {
		return nil, nil, nil
	}
	return x, updated, err
}

// endRun ends an invocation, in the transaction that ends its job.
func (e *Engine) endRun(tx store.Txn, r Ref, fn func(c *change) error) error {
	c, err := e.change(tx, r)
	if errors.Is(err, errNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c.Queued, c.Token = false, ""
	if c.running() {
		err = fn(c)
	}
	return errors.Join(err, c.save())
}

// output is what a durable function answers.
type output struct {
	Status string
	Result *string
	Error  *Failure
	// failed is why there is no answer, bad why the answer cannot be used.
	failed *Failure
	bad    string
}

func readOutput(a *Answer) *output {
	out := &output{}
	if a.Failed {
		out.failed = readFailure(a.Payload)
		return out
	}
	if err := json.Unmarshal(a.Payload, out); err != nil || out.Status == "" {
		out.bad = badStatus
	}
	return out
}

// readFailure takes the error document of a function.
func readFailure(document []byte) *Failure {
	var d struct {
		ErrorType, ErrorMessage *string
		StackTrace              []string
	}
	if err := json.Unmarshal(document, &d); err != nil || d.ErrorMessage == nil && d.ErrorType == nil {
		return newFailure("Function.Unknown", string(document[:min(len(document), maxFailure/2)]))
	}
	f := &Failure{ErrorType: d.ErrorType, ErrorMessage: d.ErrorMessage, StackTrace: d.StackTrace}
	if b, err := json.Marshal(f); err != nil || len(b) > maxFailure {
		return newFailure(deref(d.ErrorType), deref(d.ErrorMessage)[:min(len(deref(d.ErrorMessage)), maxFailure/2)])
	}
	return f
}

// invoked takes the answer of an invocation that has ended.
func (c *change) invoked(v event, out *output, result body) error {
	if err := c.note(nil, v); err != nil {
		return err
	}
	switch {
	case out.failed != nil:
		return c.tryAgain(out.failed)
	case out.bad != "":
		return c.complete(api.ExecutionStatusFailed, body{}, newFailure("InvalidParameterValueException", out.bad))
	}
	c.Told = nil
	switch out.Status {
	case api.ExecutionStatusSucceeded:
		return c.complete(api.ExecutionStatusSucceeded, result, nil)
	case api.ExecutionStatusFailed:
		return c.complete(api.ExecutionStatusFailed, body{}, out.Error)
	case api.OperationStatusPending:
		if c.Last != nil && c.Last.News {
			return c.queue(time.Time{})
		}
		if c.Pending == 0 && len(c.Updated) == 0 {
			return c.tryAgain(newFailure("InvalidParameterValueException", "Cannot return PENDING status with no pending operations."))
		}
		return nil
	}
	return c.complete(api.ExecutionStatusFailed, body{}, newFailure("InvalidParameterValueException", badStatus))
}

// badStatus is the error of a function that does not answer as a durable function does: it is not wrapped by the SDK.
const badStatus = "Invalid Status in invocation output."

// tryAgain plans another invocation after one that has failed, later each time.
func (c *change) tryAgain(cause *Failure) error {
	c.Failed++
	if c.Failed >= maxFailed {
		return c.complete(api.ExecutionStatusFailed, body{}, cause)
	}
	return c.queue(c.now.Add(time.Second << (c.Failed - 1)))
}

// runChained is the job of a chained invocation of a function that is not durable.
func (e *Engine) runChained(ctx context.Context, j events.Job) error {
	in, err := decode(j)
	if err != nil {
		return err
	}
	o, err := e.chained(ctx, in)
	if err != nil || o == nil {
		return err
	}
	input, err := e.text(ctx, o.Input)
	if err != nil {
		return err
	}
	call := &Call{Target: *o.Target, Payload: []byte(deref(input))}
	if call.RequestID, err = e.newID(); err != nil {
		return err
	}
	answer, err := e.deps.Invoke(ctx, call)
	status, result, failure := api.OperationStatusSucceeded, body{}, (*Failure)(nil)
	var known *service.Error
	switch {
	case errors.As(err, &known) && known.Status < 500 && known.Status != http.StatusTooManyRequests:
		status, failure = api.OperationStatusFailed, newFailure(known.Code, known.Message)
	case err != nil:
		return err
	case answer.Failed:
		status, failure = api.OperationStatusFailed, readFailure(answer.Payload)
	default:
		k := &keeper{e: e}
		if result, err = k.keep(ctx, new(string(answer.Payload))); err != nil {
			return err
		}
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		c, err := e.change(tx, in.Ref)
		if errors.Is(err, errNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(c.endChained(in.Operation, status, result, failure), c.save())
	})
}

// chained returns the operation of a job; nil when nobody waits for it any more.
func (e *Engine) chained(ctx context.Context, in job) (o *operation, err error) {
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		o = nil
		x, err := load(rd, in.Ref)
		if err != nil || !x.running() {
			return err
		}
		o, err = findOperation(rd, in.Ref, in.Operation)
		if o != nil && o.closed() {
			o = nil
		}
		return err
	})
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	return o, err
}

// tellEnded is the job that tells of the end of an execution.
func (e *Engine) tellEnded(ctx context.Context, j events.Job) error {
	in, err := decode(j)
	if err != nil {
		return err
	}
	var x *execution
	var first *operation
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		if x, err = load(rd, in.Ref); err == nil {
			first, err = operationAt(rd, in.Ref, 0)
		}
		return err
	})
	if errors.Is(err, errNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	end := &Ended{Ref: x.Ref, Qualifier: x.Qualifier, RequestID: x.RequestID, Trace: x.Trace}
	if end.Result, err = e.result(ctx, x); err != nil {
		return err
	}
	input, err := e.text(ctx, first.Input)
	if err != nil {
		return err
	}
	end.Input = deref(input)
	return e.deps.Ended(ctx, end)
}

// fireTimer is the job of the first thing that is due for an execution.
func (e *Engine) fireTimer(ctx context.Context, j events.Job) error {
	in, err := decode(j)
	if err != nil {
		return err
	}
	x, err := e.look(ctx, in.Ref)
	if service.Code(err) == codeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if !x.running() && !e.now().Before(x.Timer) {
		return e.forget(ctx, x)
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		c, err := e.change(tx, in.Ref)
		if errors.Is(err, errNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		c.Timer = time.Time{} // this job is over: save writes another
		if c.running() {
			if err := c.fire(); err != nil {
				return err
			}
		}
		return c.save()
	})
}

// forget deletes an execution whose retention is over.
func (e *Engine) forget(ctx context.Context, x *execution) error {
	garbage, err := e.erase(ctx, x)
	if err != nil {
		return err
	}
	e.drop(ctx, garbage)
	e.deps.Log.DebugContext(ctx, "durable execution forgotten", slog.String("execution", x.ARN()))
	return nil
}

// stopChildren is the job that ends the children of an execution which was stopped, or has taken too long: nobody waits for them.
func (e *Engine) stopChildren(ctx context.Context, j events.Job) error {
	in, err := decode(j)
	if err != nil {
		return err
	}
	var children []Ref
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		children = nil
		for o, err := range record.Range[operation](rd, in.operationsKey().Span()) {
			if err != nil {
				return err
			}
			if c := o.Value.Child; c != nil && !o.Value.closed() {
				children = append(children, *c)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, child := range children {
		err := e.update(ctx, child, func(c *change) error {
			if !c.running() {
				return nil
			}
			return c.complete(api.ExecutionStatusStopped, body{}, newFailure("Execution.Stopped", "The execution that this one was invoked by has ended: "+in.ARN()))
		})
		if err != nil && service.Code(err) != codeNotFound {
			return err
		}
	}
	return nil
}
