package durable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// Limits of an execution: how many operations it may have, and how many bytes of payloads.
const (
	maxOperations = 3000
	maxStored     = 100 << 20
)

// repeatable is for how long a checkpoint may be repeated with its client token.
const repeatable = 15 * time.Minute

// Checkpoint is CheckpointDurableExecution.
func (e *Engine) Checkpoint(ctx context.Context, in *api.CheckpointDurableExecutionInput) (*api.CheckpointDurableExecutionOutput, error) {
	r, err := parse(in.DurableExecutionArn)
	if err != nil {
		return nil, err
	}
	if err := checkUpdates(in.Updates); err != nil {
		return nil, err
	}
	known, err := e.look(ctx, r)
	if err != nil {
		return nil, err
	}
	if !known.takes(in) {
		return nil, badToken()
	}
	k := &keeper{e: e}
	updates, err := e.prepare(ctx, k, known, in.Updates)
	if err != nil {
		k.abandon(ctx)
		return nil, err
	}
	token, err := e.newToken()
	if err != nil {
		return nil, err
	}
	var shown []operation
	repeated := false
	err = e.update(ctx, r, func(c *change) error {
		repeated = c.repeats(in)
		if !repeated {
			if err := c.checkpoint(in, updates, token); err != nil {
				return err
			}
		}
		shown, err = c.answer()
		token = c.Token
		return err
	})
	if err != nil || repeated {
		k.abandon(ctx)
	}
	if err != nil {
		return nil, tooLarge(err)
	}
	out := &api.CheckpointDurableExecutionOutput{CheckpointToken: orNil(token), NewExecutionState: &api.CheckpointUpdatedExecutionState{Operations: make([]api.Operation, len(shown))}}
	for i := range shown {
		if out.NewExecutionState.Operations[i], err = e.show(ctx, r, &shown[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func tooLarge(err error) error {
	if errors.Is(err, store.ErrTooLarge) {
		return invalid("The updates are too large for one checkpoint. Send them in several.")
	}
	return err
}

// takes tells whether a checkpoint has the token, or repeats the last one.
func (x *execution) takes(in *api.CheckpointDurableExecutionInput) bool {
	return x.running() && x.Token != "" && x.Token == in.CheckpointToken || x.Last != nil && x.Last.Token == in.CheckpointToken
}

// repeats tells whether a checkpoint is the last one again, whose answer the client may not have got.
func (c *change) repeats(in *api.CheckpointDurableExecutionInput) bool {
	l := c.Last
	return l != nil && in.ClientToken != nil && l.Client == *in.ClientToken && l.Token == in.CheckpointToken && c.now.Sub(l.Time) < repeatable
}

// checkpoint consumes the token and applies the updates.
func (c *change) checkpoint(in *api.CheckpointDurableExecutionInput, updates []update, token string) error {
	if !c.running() || c.Token == "" || c.Token != in.CheckpointToken {
		return badToken()
	}
	if err := c.fire(); err != nil {
		return err
	}
	last := &checkpointed{Client: deref(in.ClientToken), Token: in.CheckpointToken, Time: c.now}
	if c.running() {
		c.Token, c.Failed = token, 0
		for i := range updates {
			if err := c.apply(&updates[i]); err != nil {
				return err
			}
			if u := &updates[i]; u.Type != api.OperationTypeExecution && !slices.Contains(last.Operations, u.Id) {
				last.Operations = append(last.Operations, u.Id)
			}
		}
	}
	last.News = len(c.Updated) > 0
	for _, id := range c.Updated {
		if !slices.Contains(last.Operations, id) {
			last.Operations = append(last.Operations, id)
		}
	}
	c.Updated, c.Last = nil, last
	return c.checkLimits()
}

// checkLimits fails an execution that has grown too large.
func (c *change) checkLimits() error {
	var message string
	switch {
	case !c.running():
		return nil
	case c.Operations > maxOperations:
		message = fmt.Sprintf("The execution has more than %d operations.", maxOperations)
	case c.Stored > maxStored:
		message = fmt.Sprintf("The execution has stored more than %d bytes.", maxStored)
	default:
		return nil
	}
	return c.complete(api.ExecutionStatusFailed, body{}, newFailure("Execution.LimitExceeded", message))
}

// answer lists the operations that the last checkpoint is answered with.
func (c *change) answer() ([]operation, error) {
	list := make([]operation, 0, len(c.Last.Operations))
	for _, id := range c.Last.Operations {
		o, err := c.find(id)
		if err != nil {
			return nil, err
		}
		if o != nil {
			list = append(list, *o)
		}
	}
	return list, nil
}

// checkUpdates checks the updates of a checkpoint against each other.
func checkUpdates(list []api.OperationUpdate) error {
	executions := 0
	last := map[string]*api.OperationUpdate{}
	for i := range list {
		u := &list[i]
		if u.Type == api.OperationTypeExecution {
			executions++
		}
		if before := last[u.Id]; before != nil {
			closes := before.Action == api.OperationActionStart && u.Action != api.OperationActionStart
			if !closes || before.Type != api.OperationTypeStep && before.Type != api.OperationTypeContext {
				return invalid("Cannot checkpoint multiple operations with the same ID.")
			}
		}
		last[u.Id] = u
	}
	if executions > 1 {
		return invalid("Cannot checkpoint multiple EXECUTION updates.")
	}
	if executions == 1 && list[len(list)-1].Type != api.OperationTypeExecution {
		return invalid("EXECUTION checkpoint must be the last update.")
	}
	return nil
}

// prepare does what an update needs outside of the transaction: it keeps payloads, and finds out about functions.
func (e *Engine) prepare(ctx context.Context, k *keeper, x *execution, list []api.OperationUpdate) ([]update, error) {
	out := make([]update, len(list))
	for i := range list {
		u := update{OperationUpdate: &list[i]}
		var err error
		if u.failure, err = failureOf(u.Error); err != nil {
			return nil, err
		}
		if u.payload, err = k.keep(ctx, u.Payload); err != nil {
			return nil, err
		}
		if u.Action == api.OperationActionStart {
			if err := e.prepareStart(ctx, x, &u); err != nil {
				return nil, err
			}
		}
		out[i] = u
	}
	return out, nil
}

func (e *Engine) prepareStart(ctx context.Context, x *execution, u *update) (err error) {
	switch u.Type {
	case api.OperationTypeCallback:
		u.nonce, err = e.newToken()
		return err
	case api.OperationTypeChainedInvoke:
	default:
		return nil
	}
	if u.ChainedInvokeOptions == nil {
		return invalid("Invalid ChainedInvokeOptions for the given action.")
	}
	if u.id, err = e.newID(); err != nil {
		return err
	}
	u.target, err = e.deps.Resolve(ctx, x.Ref, x.Trace, u.ChainedInvokeOptions)
	var known *service.Error
	if errors.As(err, &known) && known.Status < 500 {
		u.denied, err = newFailure(known.Code, known.Message), nil
	}
	return err
}

// look returns the record of an execution as it is now.
func (e *Engine) look(ctx context.Context, r Ref) (x *execution, err error) {
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		x, err = load(rd, r)
		return err
	})
	return x, orNotFound(err, r)
}
