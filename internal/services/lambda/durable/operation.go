package durable

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
)

// operation is the record of an operation.
type operation struct {
	Seq            uint64
	ID             string
	Parent         string `json:",omitempty"`
	Name           string `json:",omitempty"`
	Type           string
	SubType        string `json:",omitempty"`
	Status         string
	Start          time.Time
	End            time.Time `json:",omitzero"`
	Result         body
	Error          *Failure  `json:",omitempty"`
	ReplayChildren bool      `json:",omitempty"`
	Attempt        int32     `json:",omitempty"` // of a step: how many have ended
	Due            time.Time `json:",omitzero"`  // the end of a wait, the next attempt of a step, the timeout of a callback
	Duration       int32     `json:",omitempty"` // of a wait, in seconds
	Nonce          string    `json:",omitempty"` // of a callback
	Heartbeat      int32     `json:",omitempty"` // of a callback, in seconds
	HeartbeatDue   time.Time `json:",omitzero"`
	Input          body      // of an execution and a chained invocation
	Target         *Target   `json:",omitempty"` // of a chained invocation that is not an execution
	Child          *Ref      `json:",omitempty"` // the execution of a chained invocation that is one
}

// closed tells whether nothing more happens to the operation.
func (o *operation) closed() bool {
	switch o.Status {
	case api.OperationStatusStarted, api.OperationStatusPending, api.OperationStatusReady:
		return false
	}
	return true
}

// pending tells whether an execution may be suspended for the operation.
func (o *operation) pending() bool {
	switch o.Type {
	case api.OperationTypeStep:
		return o.Status == api.OperationStatusPending
	case api.OperationTypeWait, api.OperationTypeCallback, api.OperationTypeChainedInvoke:
		return o.Status == api.OperationStatusStarted
	}
	return false
}

// show is the operation as the API has it.
func (e *Engine) show(ctx context.Context, r Ref, o *operation) (api.Operation, error) {
	out := api.Operation{
		Id: o.ID, ParentId: orNil(o.Parent), Name: orNil(o.Name), Type: o.Type, SubType: orNil(o.SubType), Status: o.Status, StartTimestamp: o.Start, EndTimestamp: orNil(o.End),
	}
	result, err := e.text(ctx, o.Result)
	if err != nil {
		return out, err
	}
	failure := o.Error.object()
	switch o.Type {
	case api.OperationTypeExecution:
		input, err := e.text(ctx, o.Input)
		if err != nil {
			return out, err
		}
		out.ExecutionDetails = &api.ExecutionDetails{InputPayload: input}
	case api.OperationTypeContext:
		out.ContextDetails = &api.ContextDetails{ReplayChildren: orNil(o.ReplayChildren), Result: result, Error: failure}
	case api.OperationTypeStep:
		out.StepDetails = &api.StepDetails{Attempt: &o.Attempt, Result: result, Error: failure}
		if o.Status == api.OperationStatusPending {
			out.StepDetails.NextAttemptTimestamp = &o.Due
		}
	case api.OperationTypeWait:
		out.WaitDetails = &api.WaitDetails{ScheduledEndTimestamp: &o.Due}
	case api.OperationTypeCallback:
		out.CallbackDetails = &api.CallbackDetails{CallbackId: new(callbackID(r, o.ID, o.Nonce)), Result: result, Error: failure}
	case api.OperationTypeChainedInvoke:
		out.ChainedInvokeDetails = &api.ChainedInvokeDetails{Result: result, Error: failure}
	}
	return out, nil
}
