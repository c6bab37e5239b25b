package durable

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
)

// event is the record of an event of the history. Which members an event has depends on its type.
type event struct {
	ID        int32
	Type      string
	Time      time.Time
	Operation string `json:",omitempty"`
	Name      string `json:",omitempty"`
	Parent    string `json:",omitempty"`
	SubType   string `json:",omitempty"`

	Input, Result body
	Error         *Failure  `json:",omitempty"`
	Duration      int32     `json:",omitempty"` // of a wait; the timeout of an execution or a callback, in seconds
	Until         time.Time `json:",omitzero"`
	Heartbeat     int32     `json:",omitempty"`
	Attempt       int32     `json:",omitempty"`
	NextDelay     int32     `json:",omitempty"` // until the next attempt, in seconds
	Callback      string    `json:",omitempty"`
	Function      string    `json:",omitempty"`
	Version       string    `json:",omitempty"`
	Child         string    `json:",omitempty"` // the ARN of the execution that a chained invocation has started
	RequestID     string    `json:",omitempty"`
	Began         time.Time `json:",omitzero"`
}

// payloads are the texts of an event that is shown.
type payloads struct {
	input  *api.EventInput
	result *api.EventResult
	error  *api.EventError
}

func (e *Engine) payloadsOf(ctx context.Context, v *event, data bool) (payloads, error) {
	p := payloads{input: &api.EventInput{}, result: &api.EventResult{}, error: &api.EventError{}}
	if !data {
		return p, nil
	}
	input, err := e.text(ctx, v.Input)
	if err != nil {
		return p, err
	}
	result, err := e.text(ctx, v.Result)
	if err != nil {
		return p, err
	}
	// A payload is always shown whole.
	if input != nil {
		p.input = &api.EventInput{Payload: input, Truncated: new(false)}
	}
	if result != nil {
		p.result = &api.EventResult{Payload: result, Truncated: new(false)}
	}
	if v.Error != nil {
		p.error = &api.EventError{Payload: v.Error.object(), Truncated: new(false)}
	}
	return p, nil
}

// showEvent is the event as the API has it, with its payloads if data is set.
func (e *Engine) showEvent(ctx context.Context, v *event, data bool) (api.Event, error) {
	out := api.Event{
		EventType: v.Type, EventId: &v.ID, EventTimestamp: &v.Time, Id: orNil(v.Operation), Name: orNil(v.Name), ParentId: orNil(v.Parent), SubType: orNil(v.SubType),
	}
	p, err := e.payloadsOf(ctx, v, data)
	if err != nil {
		return out, err
	}
	switch v.Type {
	case api.EventTypeExecutionStarted:
		out.ExecutionStartedDetails = &api.ExecutionStartedDetails{Input: p.input, ExecutionTimeout: v.Duration}
	case api.EventTypeExecutionSucceeded:
		out.ExecutionSucceededDetails = &api.ExecutionSucceededDetails{Result: p.result}
	case api.EventTypeExecutionFailed:
		out.ExecutionFailedDetails = &api.ExecutionFailedDetails{Error: p.error}
	case api.EventTypeExecutionTimedOut:
		out.ExecutionTimedOutDetails = &api.ExecutionTimedOutDetails{Error: p.error}
	case api.EventTypeExecutionStopped:
		out.ExecutionStoppedDetails = &api.ExecutionStoppedDetails{Error: p.error}
	case api.EventTypeContextStarted:
		out.ContextStartedDetails = &api.ContextStartedDetails{}
	case api.EventTypeContextSucceeded:
		out.ContextSucceededDetails = &api.ContextSucceededDetails{Result: p.result}
	case api.EventTypeContextFailed:
		out.ContextFailedDetails = &api.ContextFailedDetails{Error: p.error}
	case api.EventTypeInvocationCompleted:
		out.InvocationCompletedDetails = &api.InvocationCompletedDetails{StartTimestamp: v.Began, EndTimestamp: v.Time, RequestId: v.RequestID, Error: p.error}
	default:
		v.showStep(&out, p)
		v.showWait(&out, p)
		v.showCallback(&out, p)
		v.showChained(&out, p)
	}
	return out, nil
}

func (v *event) showStep(out *api.Event, p payloads) {
	retry := &api.RetryDetails{CurrentAttempt: orNil(v.Attempt), NextAttemptDelaySeconds: orNil(v.NextDelay)}
	switch v.Type {
	case api.EventTypeStepStarted:
		out.StepStartedDetails = &api.StepStartedDetails{}
	case api.EventTypeStepSucceeded:
		if v.Attempt == 1 && v.NextDelay == 0 {
			retry = &api.RetryDetails{} // a step that has not been tried again shows no attempt
		}
		out.StepSucceededDetails = &api.StepSucceededDetails{Result: p.result, RetryDetails: retry}
	case api.EventTypeStepFailed:
		out.StepFailedDetails = &api.StepFailedDetails{Error: p.error, RetryDetails: retry}
	}
}

func (v *event) showWait(out *api.Event, p payloads) {
	switch v.Type {
	case api.EventTypeWaitStarted:
		out.WaitStartedDetails = &api.WaitStartedDetails{Duration: v.Duration, ScheduledEndTimestamp: v.Until}
	case api.EventTypeWaitSucceeded:
		out.WaitSucceededDetails = &api.WaitSucceededDetails{Duration: &v.Duration}
	case api.EventTypeWaitCancelled:
		out.WaitCancelledDetails = &api.WaitCancelledDetails{Error: p.error}
	}
}

func (v *event) showCallback(out *api.Event, p payloads) {
	switch v.Type {
	case api.EventTypeCallbackStarted:
		out.CallbackStartedDetails = &api.CallbackStartedDetails{CallbackId: v.Callback, HeartbeatTimeout: orNil(v.Heartbeat), Timeout: orNil(v.Duration)}
	case api.EventTypeCallbackSucceeded:
		out.CallbackSucceededDetails = &api.CallbackSucceededDetails{Result: p.result}
	case api.EventTypeCallbackFailed:
		out.CallbackFailedDetails = &api.CallbackFailedDetails{Error: p.error}
	case api.EventTypeCallbackTimedOut:
		out.CallbackTimedOutDetails = &api.CallbackTimedOutDetails{Error: p.error}
	}
}

func (v *event) showChained(out *api.Event, p payloads) {
	switch v.Type {
	case api.EventTypeChainedInvokeStarted:
		out.ChainedInvokeStartedDetails = &api.ChainedInvokeStartedDetails{
			FunctionName: v.Function, Input: p.input, ExecutedVersion: orNil(v.Version), DurableExecutionArn: orNil(v.Child),
		}
	case api.EventTypeChainedInvokeSucceeded:
		out.ChainedInvokeSucceededDetails = &api.ChainedInvokeSucceededDetails{Result: p.result}
	case api.EventTypeChainedInvokeFailed:
		out.ChainedInvokeFailedDetails = &api.ChainedInvokeFailedDetails{Error: p.error}
	case api.EventTypeChainedInvokeTimedOut:
		out.ChainedInvokeTimedOutDetails = &api.ChainedInvokeTimedOutDetails{Error: p.error}
	case api.EventTypeChainedInvokeStopped:
		out.ChainedInvokeStoppedDetails = &api.ChainedInvokeStoppedDetails{Error: p.error}
	}
}
