package durable

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// maxFired is how many timers fire in one transaction.
const maxFired = 100

// change is a transaction on an execution. Every change ends with save.
type change struct {
	*execution

	e   *Engine
	tx  store.Txn
	now time.Time
	// pending are the operations that were pending when they were read.
	pending map[uint64]bool
}

// change begins a transaction on an execution.
func (e *Engine) change(tx store.Txn, r Ref) (*change, error) {
	x, err := load(tx, r)
	if err != nil {
		return nil, err
	}
	return e.with(tx, x), nil
}

func (e *Engine) with(tx store.Txn, x *execution) *change {
	return &change{execution: x, e: e, tx: tx, now: e.now(), pending: map[uint64]bool{}}
}

// save writes the execution, makes its timer job wake at the first thing that is due, and queues an invocation when there is news for the function and
// none on its way.
func (c *change) save() error {
	next, err := c.firstDue()
	if err != nil {
		return err
	}
	if !next.Equal(c.Timer) {
		c.Timer = next
		if err := c.setTimer(); err != nil {
			return err
		}
	}
	if c.running() && !c.Queued && len(c.Updated) > 0 {
		if err := c.queue(time.Time{}); err != nil {
			return err
		}
	}
	return record.Set(c.tx, c.executionKey(), *c.execution)
}

func (c *change) setTimer() error {
	if c.Timer.IsZero() {
		return events.Cancel(c.tx, timerName, c.jobName())
	}
	return enqueue(c.tx, events.Job{Kind: timerName, Name: c.jobName(), NotBefore: c.Timer}, job{Ref: c.Ref})
}

// jobName is the name of an execution's timer job.
func (r Ref) jobName() string { return r.Account + "/" + r.Region + "/" + r.ID }

// queue makes the function run, at a time or at once.
func (c *change) queue(due time.Time) error {
	c.Queued = true
	return enqueue(c.tx, events.Job{Kind: runName, NotBefore: due}, job{Ref: c.Ref})
}

// firstDue is when the first timer is due; zero for never.
func (c *change) firstDue() (time.Time, error) {
	span := c.dueKey().Span()
	span.Limit = 1
	for p, err := range c.tx.Range(span) {
		if err != nil {
			return time.Time{}, err
		}
		d := key.Decode(p.Key).Skip(c.dueKey())
		t := d.Time()
		return t, d.Err()
	}
	return time.Time{}, nil
}

func (c *change) setDue(t time.Time, d due)    { c.tx.Set(c.dueAt(t, d), nil) }
func (c *change) cancelDue(t time.Time, d due) { c.tx.Delete(c.dueAt(t, d)) }

// find returns an operation; nil when there is none.
func (c *change) find(id string) (*operation, error) {
	o, err := findOperation(c.tx, c.Ref, id)
	if o != nil {
		c.pending[o.Seq] = o.pending()
	}
	return o, err
}

// at returns the operation with a number.
func (c *change) at(seq uint64) (*operation, error) {
	o, err := operationAt(c.tx, c.Ref, seq)
	if err == nil {
		c.pending[seq] = o.pending()
	}
	return o, err
}

func findOperation(rd store.Reader, r Ref, id string) (*operation, error) {
	b, err := rd.Get(r.operationIndex(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(b) != 8 {
		return nil, fmt.Errorf("read operation %s: a bad number", id)
	}
	return operationAt(rd, r, binary.BigEndian.Uint64(b))
}

func operationAt(rd store.Reader, r Ref, seq uint64) (*operation, error) {
	o, ok, err := record.Get[operation](rd, r.operationKey(seq))
	if err == nil && !ok {
		err = fmt.Errorf("read operation %d of %s: it is missing", seq, r.ARN())
	}
	if err != nil {
		return nil, err
	}
	return &o, nil
}

// add gives a new operation its number.
func (c *change) add(o *operation) error {
	o.Seq, o.Start = c.Operations, c.now
	c.Operations++
	c.tx.Set(c.operationIndex(o.ID), binary.BigEndian.AppendUint64(nil, o.Seq))
	return c.put(o)
}

// put writes an operation.
func (c *change) put(o *operation) error {
	if was, is := c.pending[o.Seq], o.pending(); was != is {
		if c.pending[o.Seq] = is; is {
			c.Pending++
		} else {
			c.Pending--
		}
	}
	return record.Set(c.tx, c.operationKey(o.Seq), *o)
}

// hold notes that the execution has payloads.
func (c *change) hold(bodies ...body) {
	for _, b := range bodies {
		if c.Stored += int64(b.size()); b.Blob != "" {
			c.tx.Set(c.blobKey(b.Blob), nil)
			c.tx.Set(c.holderKey(b.Blob), nil)
		}
	}
}

// note adds an event to the history, about an operation or, without one, about the execution.
func (c *change) note(o *operation, v event) error {
	c.Events++
	v.ID = c.Events
	if v.Time.IsZero() {
		v.Time = c.now
	}
	if o != nil {
		v.Operation, v.Name, v.Parent, v.SubType = o.ID, o.Name, o.Parent, o.SubType
	}
	return record.Set(c.tx, c.eventKey(v.ID), v)
}

// news notes that the function has to learn of an operation.
func (c *change) news(o *operation) {
	if !slices.Contains(c.Updated, o.ID) {
		c.Updated = append(c.Updated, o.ID)
	}
}

// settle closes an operation from outside of the function: with its event, and as news.
func (c *change) settle(o *operation, status string, v event) error {
	o.Status, o.End, o.Result, o.Error = status, c.now, v.Result, v.Error
	c.hold(v.Result)
	c.news(o)
	return errors.Join(c.put(o), c.note(o, v))
}

// fire lets what is due happen. What is too much for one transaction is left to the timer job, which save makes wake at once.
func (c *change) fire() error {
	var list []due
	span := store.Span{Lo: c.dueKey(), Hi: c.dueKey().Time(c.now.Add(1)), Limit: maxFired}
	for p, err := range c.tx.Range(span) {
		if err != nil {
			return err
		}
		d := key.Decode(p.Key).Skip(c.dueKey())
		_ = d.Time()
		list = append(list, due{seq: d.Uint(), kind: d.Str()})
		if d.Err() != nil {
			return d.Err()
		}
		c.tx.Delete(p.Key)
	}
	for _, d := range list {
		if err := c.fireOne(d); err != nil {
			return err
		}
		if !c.running() {
			return nil
		}
	}
	return nil
}

func (c *change) fireOne(d due) error {
	if d.kind == dueTimeout {
		return c.complete(api.ExecutionStatusTimedOut, body{}, newFailure("Execution.Timeout", fmt.Sprintf("Execution timed out after %d seconds.", c.Timeout)))
	}
	o, err := c.at(d.seq)
	if err != nil || o.closed() {
		return err
	}
	switch d.kind {
	case dueWait:
		return c.settle(o, api.OperationStatusSucceeded, event{Type: api.EventTypeWaitSucceeded, Duration: o.Duration})
	case dueRetry:
		o.Status = api.OperationStatusReady
		c.news(o)
		return c.put(o)
	case dueCallback:
		return c.expireCallback(o, "Callback.Timeout", "Callback timed out")
	case dueHeartbeat:
		return c.expireCallback(o, "Callback.Heartbeat", "Callback timed out on heartbeat")
	}
	return nil
}

// complete ends the execution: nothing more is due but the end of its retention, and who waits for it is told.
func (c *change) complete(status string, result body, failure *Failure) error {
	kinds := map[string]string{
		api.ExecutionStatusSucceeded: api.EventTypeExecutionSucceeded, api.ExecutionStatusFailed: api.EventTypeExecutionFailed,
		api.ExecutionStatusTimedOut: api.EventTypeExecutionTimedOut, api.ExecutionStatusStopped: api.EventTypeExecutionStopped,
	}
	c.Status, c.End, c.Result, c.Error = status, c.now, result, failure
	c.Token, c.Updated = "", nil
	c.hold(result)
	c.tx.DeleteRange(c.dueKey(), c.dueKey().End())
	c.setDue(c.End.Add(time.Duration(c.Retention)*24*time.Hour), due{kind: dueRetention})
	first, err := c.at(0)
	if err != nil {
		return err
	}
	first.Status, first.End = status, c.now
	v := event{Type: kinds[status], Operation: first.ID, Result: result, Error: failure}
	if err := errors.Join(c.put(first), c.note(nil, v), c.changed()); err != nil {
		return err
	}
	if c.Pending > 0 && (status == api.ExecutionStatusStopped || status == api.ExecutionStatusTimedOut) {
		if err := enqueue(c.tx, events.Job{Kind: stopName}, job{Ref: c.Ref}); err != nil {
			return err
		}
	}
	return c.tell()
}

// changed tells of the execution's beginning or end.
func (c *change) changed() error {
	if c.e.deps.Changed == nil {
		return nil
	}
	return c.e.deps.Changed(c.tx, Status{Ref: c.Ref, Status: c.Status, Start: c.Start, End: c.End})
}

// tell lets the parent know of the end, or the one that an event is for.
func (c *change) tell() error {
	if p := c.Parent; p != nil {
		up, err := c.e.change(c.tx, p.Ref)
		if errors.Is(err, errNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(up.endChained(p.Operation, c.Status, c.Result, c.Error), up.save())
	}
	if !c.Event {
		return nil
	}
	return enqueue(c.tx, events.Job{Kind: endedName}, job{Ref: c.Ref})
}

// endChained ends a chained invocation.
func (c *change) endChained(id, status string, result body, failure *Failure) error {
	o, err := c.find(id)
	if err != nil || o == nil || !c.running() || o.closed() {
		return err
	}
	kinds := map[string]string{
		api.OperationStatusSucceeded: api.EventTypeChainedInvokeSucceeded, api.OperationStatusFailed: api.EventTypeChainedInvokeFailed,
		api.OperationStatusTimedOut: api.EventTypeChainedInvokeTimedOut, api.OperationStatusStopped: api.EventTypeChainedInvokeStopped,
	}
	return c.settle(o, status, event{Type: kinds[status], Result: result, Error: failure})
}

// update runs fn in a transaction on an execution, and saves it.
func (e *Engine) update(ctx context.Context, r Ref, fn func(c *change) error) error {
	return orNotFound(e.deps.Store.Update(ctx, func(tx store.Txn) error {
		c, err := e.change(tx, r)
		if err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
		return c.save()
	}), r)
}
