package durable

import (
	"errors"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/events"
)

// update is an update of a checkpoint, with what was made of its members before the transaction.
type update struct {
	*api.OperationUpdate

	payload body
	failure *Failure
	// target is what a chained invocation names; denied is why it cannot be invoked.
	target *Target
	denied *Failure
	// id is that of a new execution, nonce that of a new callback.
	id, nonce string
}

// apply applies an update. What it says in errors is what AWS says.
func (c *change) apply(u *update) error {
	o, err := c.find(u.Id)
	if err != nil {
		return err
	}
	if o != nil {
		err = u.matches(o)
	} else {
		err = c.checkParent(u)
	}
	if err != nil {
		return err
	}
	if u.Action == api.OperationActionFail && u.Payload != nil {
		return invalid("Cannot provide a Payload for FAIL action.")
	}
	if u.Action == api.OperationActionSucceed && u.Error != nil {
		return invalid("Cannot provide an Error for SUCCEED action.")
	}
	c.hold(u.payload)
	switch u.Type {
	case api.OperationTypeExecution:
		return c.applyExecution(u)
	case api.OperationTypeContext:
		return c.applyContext(u, o)
	case api.OperationTypeStep:
		return c.applyStep(u, o)
	case api.OperationTypeWait:
		return c.applyWait(u, o)
	case api.OperationTypeCallback:
		return c.applyCallback(u, o)
	}
	return c.applyChained(u, o)
}

// matches checks that an update is of the operation that it names.
func (u *update) matches(o *operation) error {
	switch {
	case u.Type != o.Type:
		return invalid("Inconsistent operation type.")
	case u.SubType != nil && *u.SubType != o.SubType:
		return invalid("Inconsistent operation subtype.")
	case u.Name != nil && *u.Name != o.Name:
		return invalid("Inconsistent operation name.")
	case u.ParentId != nil && *u.ParentId != o.Parent:
		return invalid("Inconsistent parent operation id.")
	}
	return nil
}

// checkParent checks that a new operation is in a context.
func (c *change) checkParent(u *update) error {
	if u.ParentId == nil {
		return nil
	}
	p, err := c.find(*u.ParentId)
	if err == nil && (p == nil || p.Type != api.OperationTypeContext) {
		err = invalid("Invalid parent operation id.")
	}
	return err
}

// operation is the operation that an update starts.
func (u *update) operation() *operation {
	return &operation{
		ID: u.Id, Parent: deref(u.ParentId), Name: deref(u.Name), Type: u.Type, SubType: deref(u.SubType), Status: api.OperationStatusStarted,
	}
}

func (c *change) applyExecution(u *update) error {
	switch u.Action {
	case api.OperationActionSucceed:
		return c.complete(api.ExecutionStatusSucceeded, u.payload, nil)
	case api.OperationActionFail:
		return c.complete(api.ExecutionStatusFailed, body{}, u.failure)
	}
	return invalid("Invalid EXECUTION action.")
}

func (c *change) applyContext(u *update, o *operation) error {
	fresh := o == nil
	if fresh {
		o = u.operation()
	}
	v := event{Type: api.EventTypeContextStarted}
	switch u.Action {
	case api.OperationActionStart:
		if !fresh {
			return invalid("Cannot start a CONTEXT that already exist.")
		}
		return errors.Join(c.add(o), c.note(o, v))
	case api.OperationActionSucceed:
		o.Status, v.Type = api.OperationStatusSucceeded, api.EventTypeContextSucceeded
	case api.OperationActionFail:
		o.Status, v.Type = api.OperationStatusFailed, api.EventTypeContextFailed
	default:
		return invalid("Invalid CONTEXT action.")
	}
	if !fresh && !o.End.IsZero() {
		return invalid("Invalid current CONTEXT state to close.")
	}
	o.End, o.Result, o.Error = c.now, u.payload, u.failure
	o.ReplayChildren = u.ContextOptions != nil && deref(u.ContextOptions.ReplayChildren)
	v.Result, v.Error = u.payload, u.failure
	return errors.Join(c.store(o, fresh), c.note(o, v))
}

// store writes an operation, which gets its number first if it is new.
func (c *change) store(o *operation, fresh bool) error {
	if fresh {
		return c.add(o)
	}
	return c.put(o)
}

func (c *change) applyStep(u *update, o *operation) error {
	fresh := o == nil
	if fresh {
		o = u.operation()
	}
	open := fresh || o.Status == api.OperationStatusStarted || o.Status == api.OperationStatusReady
	v := event{Type: api.EventTypeStepStarted, Result: u.payload, Error: u.failure}
	switch u.Action {
	case api.OperationActionStart:
		if !fresh && o.Status != api.OperationStatusReady {
			return invalid("Invalid current STEP state to start.")
		}
		o.Status = api.OperationStatusStarted
		return errors.Join(c.store(o, fresh), c.note(o, event{Type: v.Type}))
	case api.OperationActionRetry:
		return c.retryStep(u, o, fresh, open)
	case api.OperationActionSucceed:
		o.Status, v.Type = api.OperationStatusSucceeded, api.EventTypeStepSucceeded
	case api.OperationActionFail:
		o.Status, v.Type = api.OperationStatusFailed, api.EventTypeStepFailed
	default:
		return invalid("Invalid STEP action.")
	}
	if !open {
		return invalid("Invalid current STEP state to close.")
	}
	o.Attempt++
	o.End, o.Result, o.Error = c.now, u.payload, u.failure
	v.Attempt = o.Attempt
	return errors.Join(c.store(o, fresh), c.note(o, v))
}

// retryStep ends an attempt of a step that is to be tried again. One that has not failed, but keeps a state, is the poll of a condition.
func (c *change) retryStep(u *update, o *operation, fresh, open bool) error {
	switch {
	case !open:
		return invalid("Invalid current STEP state to re-attempt.")
	case u.StepOptions == nil || u.StepOptions.NextAttemptDelaySeconds == nil:
		return invalid("Invalid StepOptions for the given action.")
	case u.Error != nil && u.Payload != nil:
		return invalid("Cannot provide both error and payload to RETRY a STEP.")
	}
	delay := *u.StepOptions.NextAttemptDelaySeconds
	o.Attempt++
	o.Status, o.Result, o.Error = api.OperationStatusPending, u.payload, u.failure
	o.Due = c.now.Add(seconds(delay))
	if err := c.store(o, fresh); err != nil {
		return err
	}
	c.setDue(o.Due, due{o.Seq, dueRetry})
	v := event{Type: api.EventTypeStepFailed, Result: u.payload, Error: u.failure, Attempt: o.Attempt, NextDelay: delay}
	if u.failure == nil {
		v.Type = api.EventTypeStepSucceeded
	}
	return c.note(o, v)
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

func (c *change) applyWait(u *update, o *operation) error {
	switch u.Action {
	case api.OperationActionStart:
		if o != nil {
			return invalid("Cannot start a WAIT that already exist.")
		}
		if u.WaitOptions == nil || u.WaitOptions.WaitSeconds == nil {
			return invalid("Invalid WaitOptions for the given action.")
		}
		o = u.operation()
		o.Duration = *u.WaitOptions.WaitSeconds
		o.Due = c.now.Add(seconds(o.Duration))
		if err := c.add(o); err != nil {
			return err
		}
		c.setDue(o.Due, due{o.Seq, dueWait})
		return c.note(o, event{Type: api.EventTypeWaitStarted, Duration: o.Duration, Until: o.Due})
	case api.OperationActionCancel:
		if o == nil || o.closed() {
			return invalid("Cannot cancel a WAIT that does not exist or has already completed.")
		}
		c.cancelDue(o.Due, due{o.Seq, dueWait})
		o.Status, o.End = api.OperationStatusCancelled, c.now
		return errors.Join(c.put(o), c.note(o, event{Type: api.EventTypeWaitCancelled, Error: u.failure}))
	}
	return invalid("Invalid WAIT action.")
}

func (c *change) applyCallback(u *update, o *operation) error {
	if u.Action != api.OperationActionStart {
		return invalid("Invalid CALLBACK action.")
	}
	if o != nil {
		return invalid("Cannot start a CALLBACK that already exist.")
	}
	o = u.operation()
	o.Nonce = u.nonce
	if u.CallbackOptions != nil {
		o.Duration, o.Heartbeat = deref(u.CallbackOptions.TimeoutSeconds), deref(u.CallbackOptions.HeartbeatTimeoutSeconds)
	}
	if err := c.add(o); err != nil {
		return err
	}
	if o.Duration > 0 {
		o.Due = c.now.Add(seconds(o.Duration))
		c.setDue(o.Due, due{o.Seq, dueCallback})
	}
	c.beat(o)
	v := event{Type: api.EventTypeCallbackStarted, Callback: callbackID(c.Ref, o.ID, o.Nonce), Duration: o.Duration, Heartbeat: o.Heartbeat}
	return errors.Join(c.put(o), c.note(o, v))
}

// applyChained starts a chained invocation: another execution at once, or the job that runs the function. What cannot be invoked fails at once.
func (c *change) applyChained(u *update, o *operation) error {
	switch {
	case u.Action == api.OperationActionCancel && (o == nil || o.closed()):
		return invalid("Cannot cancel an INVOKE that does not exist or has already completed.")
	case u.Action == api.OperationActionCancel:
		o.Status, o.End = api.OperationStatusCancelled, c.now
		return c.put(o)
	case u.Action != api.OperationActionStart:
		return invalid("Invalid INVOKE action.")
	case o != nil:
		return invalid("Cannot start an INVOKE that already exist.")
	}
	o = u.operation()
	o.Input = u.payload
	if err := c.add(o); err != nil {
		return err
	}
	v := event{Type: api.EventTypeChainedInvokeStarted, Function: u.ChainedInvokeOptions.FunctionName, Input: u.payload}
	switch {
	case u.denied != nil:
		return errors.Join(c.note(o, v), c.settle(o, api.OperationStatusFailed, event{Type: api.EventTypeChainedInvokeFailed, Error: u.denied}))
	case u.target.Durable == nil:
		v.Version, o.Target = u.target.Version, u.target
		if err := enqueue(c.tx, events.Job{Kind: chainName}, job{Ref: c.Ref, Operation: o.ID}); err != nil {
			return err
		}
		return errors.Join(c.put(o), c.note(o, v))
	}
	child := u.target.execution("", u.id)
	child.Parent = &parent{c.Ref, o.ID}
	v.Version, v.Child, o.Child = child.Version, child.ARN(), &child.Ref
	return errors.Join(c.e.begin(c.tx, child, u.payload), c.put(o), c.note(o, v))
}
