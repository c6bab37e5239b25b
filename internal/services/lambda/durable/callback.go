package durable

import (
	"context"
	"crypto/subtle"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// beat begins a new period in which a callback has to send a heartbeat, when it has to.
func (c *change) beat(o *operation) {
	if o.Heartbeat == 0 {
		return
	}
	d := due{o.Seq, dueHeartbeat}
	if !o.HeartbeatDue.IsZero() {
		c.cancelDue(o.HeartbeatDue, d)
	}
	o.HeartbeatDue = c.now.Add(seconds(o.Heartbeat))
	c.setDue(o.HeartbeatDue, d)
}

// quiet takes a callback's timers away.
func (c *change) quiet(o *operation) {
	if !o.Due.IsZero() {
		c.cancelDue(o.Due, due{o.Seq, dueCallback})
	}
	if !o.HeartbeatDue.IsZero() {
		c.cancelDue(o.HeartbeatDue, due{o.Seq, dueHeartbeat})
	}
}

func (c *change) expireCallback(o *operation, kind, message string) error {
	c.quiet(o)
	return c.settle(o, api.OperationStatusTimedOut, event{Type: api.EventTypeCallbackTimedOut, Error: newFailure(kind, message)})
}

// onCallback runs fn for a callback that is still waited for.
func (e *Engine) onCallback(ctx context.Context, id string, fn func(c *change, o *operation) error) error {
	r, operation, nonce, err := ParseCallback(id)
	if err != nil {
		return invalid("Invalid callback id: %s", id)
	}
	late := false
	err = e.update(ctx, r, func(c *change) error {
		if c.running() {
			if err := c.fire(); err != nil {
				return err
			}
		}
		o, err := c.find(operation)
		if err != nil {
			return err
		}
		if o == nil || o.Type != api.OperationTypeCallback || subtle.ConstantTimeCompare([]byte(o.Nonce), []byte(nonce)) == 0 {
			return errNotFound
		}
		// What has just timed out stays so, although the caller gets an error.
		if late = !c.running() || o.Status == api.OperationStatusTimedOut; late {
			return nil
		}
		if o.closed() {
			return invalid("Callback is already completed: %s", id)
		}
		return fn(c, o)
	})
	switch {
	case service.Code(err) == codeNotFound:
		return invalid("Callback not found: %s", id)
	case err == nil && late:
		return callbackTimeout("Callback timed out, or its execution has ended: %s", id)
	}
	return err
}

// Succeed is SendDurableExecutionCallbackSuccess.
func (e *Engine) Succeed(ctx context.Context, in *api.SendDurableExecutionCallbackSuccessInput) (*api.SendDurableExecutionCallbackSuccessOutput, error) {
	k := &keeper{e: e}
	var text *string
	if len(in.Result) > 0 {
		text = new(string(in.Result))
	}
	result, err := k.keep(ctx, text)
	if err == nil {
		err = e.onCallback(ctx, in.CallbackId, func(c *change, o *operation) error {
			c.quiet(o)
			return c.settle(o, api.OperationStatusSucceeded, event{Type: api.EventTypeCallbackSucceeded, Result: result})
		})
	}
	if err != nil {
		k.abandon(ctx)
		return nil, err
	}
	return &api.SendDurableExecutionCallbackSuccessOutput{}, nil
}

// Fail is SendDurableExecutionCallbackFailure.
func (e *Engine) Fail(ctx context.Context, in *api.SendDurableExecutionCallbackFailureInput) (*api.SendDurableExecutionCallbackFailureOutput, error) {
	failure, err := failureOf(in.Error)
	if err != nil {
		return nil, err
	}
	if failure == nil {
		failure = &Failure{}
	}
	err = e.onCallback(ctx, in.CallbackId, func(c *change, o *operation) error {
		c.quiet(o)
		return c.settle(o, api.OperationStatusFailed, event{Type: api.EventTypeCallbackFailed, Error: failure})
	})
	if err != nil {
		return nil, err
	}
	return &api.SendDurableExecutionCallbackFailureOutput{}, nil
}

// Heartbeat is SendDurableExecutionCallbackHeartbeat.
func (e *Engine) Heartbeat(ctx context.Context, in *api.SendDurableExecutionCallbackHeartbeatInput) (*api.SendDurableExecutionCallbackHeartbeatOutput, error) {
	err := e.onCallback(ctx, in.CallbackId, func(c *change, o *operation) error {
		c.beat(o)
		return c.put(o)
	})
	if err != nil {
		return nil, err
	}
	return &api.SendDurableExecutionCallbackHeartbeatOutput{}, nil
}
