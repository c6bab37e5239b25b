package durable

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Start says which execution is to begin.
type Start struct {
	Target

	// Name makes a repeated start find the execution that it has begun; empty for a name of its own.
	Name  string
	Input string
	// Event tells that an event begins it: its end is told to Deps.Ended.
	Event bool
	// Qualifier and RequestID are those of the call.
	Qualifier, RequestID string
}

// Prepared is an execution that is about to begin.
type Prepared struct {
	k     *keeper
	x     *execution
	input body
	named bool
}

// Prepare does what is needed before the transaction in which an execution begins.
func (e *Engine) Prepare(ctx context.Context, s Start) (*Prepared, error) {
	id, err := e.newID()
	if err != nil {
		return nil, err
	}
	p := &Prepared{k: &keeper{e: e}, x: s.execution(s.Name, id), named: s.Name != ""}
	p.x.Event, p.x.Qualifier, p.x.RequestID = s.Event, s.Qualifier, s.RequestID
	h := sha256.Sum256([]byte(s.Input))
	p.x.Input = base64.RawStdEncoding.EncodeToString(h[:])
	if p.input, err = p.k.keep(ctx, &s.Input); err != nil {
		return nil, err
	}
	return p, nil
}

// Begin writes the execution; or finds that which has its name, its function and its input.
func (p *Prepared) Begin(tx store.Txn) (Ref, error) {
	e := p.k.e
	if p.named {
		old, err := e.named(tx, p.x.Ref)
		if err != nil {
			return Ref{}, err
		}
		switch {
		case old == nil:
		case old.Function == p.x.Function && old.Input == p.x.Input:
			return old.Ref, nil
		default:
			return Ref{}, service.Errorf("DurableExecutionAlreadyStartedException",
				"The durable execution %s has been started already, with another function or another payload. Give another DurableExecutionName.", p.x.Name).WithStatus(http.StatusConflict)
		}
	}
	x := *p.x
	return x.Ref, e.begin(tx, &x, p.input)
}

// Abandon lets go of what Prepare has made, after a transaction that did not begin the execution r: it failed, or found another one.
func (p *Prepared) Abandon(ctx context.Context, r Ref) {
	if r != p.x.Ref {
		p.k.abandon(ctx)
	}
}

// Begin is Prepare and Begin in a transaction of their own.
func (e *Engine) Begin(ctx context.Context, s Start) (r Ref, err error) {
	p, err := e.Prepare(ctx, s)
	if err != nil {
		return r, err
	}
	err = e.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, err = p.Begin(tx)
		return err
	})
	if err != nil {
		r = Ref{}
	}
	p.Abandon(ctx, r)
	return r, err
}

// named finds the execution that has the name of r; nil for none.
func (e *Engine) named(rd store.Reader, r Ref) (*execution, error) {
	arn, err := rd.Get(r.nameKey())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	old, err := ParseARN(string(arn))
	if err != nil {
		return nil, err
	}
	return load(rd, old)
}

// execution is a new execution of the target. Without a name its id is its name.
func (t *Target) execution(name, id string) *execution {
	if name == "" {
		name = id
	}
	return &execution{
		Ref:      Ref{Account: t.Account, Region: t.Region, Function: t.Function, Version: t.Version, Name: name, ID: id},
		Revision: t.Revision, Trace: t.Trace, Tenant: t.Tenant, Status: api.ExecutionStatusRunning, Timeout: t.Durable.Timeout, Retention: t.Durable.Retention,
	}
}

// begin writes a new execution, whose first invocation is queued.
func (e *Engine) begin(tx store.Txn, x *execution, input body) error {
	c := e.with(tx, x)
	c.Start = c.now
	tx.Set(x.nameKey(), []byte(x.ARN()))
	tx.Set(x.listedKey(x.Start), nil)
	c.hold(input)
	o := &operation{ID: x.ID, Name: x.Name, Type: api.OperationTypeExecution, Status: api.OperationStatusStarted, Input: input}
	if err := c.add(o); err != nil {
		return err
	}
	c.setDue(c.now.Add(time.Duration(x.Timeout)*time.Second), due{kind: dueTimeout})
	v := event{Type: api.EventTypeExecutionStarted, Operation: x.ID, Input: input, Duration: x.Timeout}
	if err := c.note(nil, v); err != nil {
		return err
	}
	return errors.Join(c.queue(time.Time{}), c.changed(), c.save())
}

// Result is the end of an execution.
type Result struct {
	Status  string
	Payload *string
	Error   *Failure
}

// Wait waits until an execution has ended, or ctx has.
func (e *Engine) Wait(ctx context.Context, r Ref) (Result, error) {
	w := e.deps.Store.Watch(r.executionKey())
	defer w.Close()
	for {
		x, err := e.look(ctx, r)
		if err != nil {
			return Result{}, err
		}
		if !x.running() {
			return e.result(ctx, x)
		}
		select {
		case <-w.C():
		case <-ctx.Done():
			return Result{}, context.Cause(ctx)
		}
	}
}

func (e *Engine) result(ctx context.Context, x *execution) (Result, error) {
	payload, err := e.text(ctx, x.Result)
	return Result{Status: x.Status, Payload: payload, Error: x.Error}, err
}
