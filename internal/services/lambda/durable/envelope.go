package durable

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxPage is about how many bytes of operations an envelope or a page of the state has.
const maxPage = 4 << 20

// maxItems is how many operations or events a page has at most.
const maxItems = 1000

// envelope is the event of a durable function's invocation.
type envelope struct {
	DurableExecutionArn   string
	CheckpointToken       string
	InitialExecutionState envelopeState
	UpdatedOperationIds   []string `json:",omitempty"`
}

type envelopeState struct {
	Operations []envelopeOperation
	NextMarker string
}

// envelopeOperation is an operation in an envelope, where times are milliseconds since 1970.
type envelopeOperation struct {
	Id             string
	ParentId       *string `json:",omitempty"`
	Name           *string `json:",omitempty"`
	Type           string
	SubType        *string `json:",omitempty"`
	Status         string
	StartTimestamp int64
	EndTimestamp   *int64 `json:",omitempty"`

	ExecutionDetails     *envelopeDetails `json:",omitempty"`
	ContextDetails       *envelopeDetails `json:",omitempty"`
	StepDetails          *envelopeDetails `json:",omitempty"`
	WaitDetails          *envelopeDetails `json:",omitempty"`
	CallbackDetails      *envelopeDetails `json:",omitempty"`
	ChainedInvokeDetails *envelopeDetails `json:",omitempty"`
}

// envelopeDetails has the members of all kinds of details.
type envelopeDetails struct {
	InputPayload          *string  `json:",omitempty"`
	ReplayChildren        *bool    `json:",omitempty"`
	Attempt               *int32   `json:",omitempty"`
	NextAttemptTimestamp  *int64   `json:",omitempty"`
	ScheduledEndTimestamp *int64   `json:",omitempty"`
	CallbackId            *string  `json:",omitempty"`
	Result                *string  `json:",omitempty"`
	Error                 *Failure `json:",omitempty"`
}

func millis(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	return new(t.UnixMilli())
}

func failureIn(o *api.ErrorObject) *Failure {
	if o == nil {
		return nil
	}
	return new(Failure(*o))
}

func inEnvelope(o *api.Operation) envelopeOperation {
	out := envelopeOperation{
		Id: o.Id, ParentId: o.ParentId, Name: o.Name, Type: o.Type, SubType: o.SubType, Status: o.Status,
		StartTimestamp: o.StartTimestamp.UnixMilli(), EndTimestamp: millis(o.EndTimestamp),
	}
	if d := o.ExecutionDetails; d != nil {
		out.ExecutionDetails = &envelopeDetails{InputPayload: d.InputPayload}
	}
	if d := o.ContextDetails; d != nil {
		out.ContextDetails = &envelopeDetails{ReplayChildren: d.ReplayChildren, Result: d.Result, Error: failureIn(d.Error)}
	}
	if d := o.StepDetails; d != nil {
		out.StepDetails = &envelopeDetails{Attempt: d.Attempt, NextAttemptTimestamp: millis(d.NextAttemptTimestamp), Result: d.Result, Error: failureIn(d.Error)}
	}
	if d := o.WaitDetails; d != nil {
		out.WaitDetails = &envelopeDetails{ScheduledEndTimestamp: millis(d.ScheduledEndTimestamp)}
	}
	if d := o.CallbackDetails; d != nil {
		out.CallbackDetails = &envelopeDetails{CallbackId: d.CallbackId, Result: d.Result, Error: failureIn(d.Error)}
	}
	if d := o.ChainedInvokeDetails; d != nil {
		out.ChainedInvokeDetails = &envelopeDetails{Result: d.Result, Error: failureIn(d.Error)}
	}
	return out
}

// payload is the envelope of an invocation with the token e.Token. updated are the operations that have news.
func (e *Engine) payload(ctx context.Context, x *execution, updated []string) ([]byte, error) {
	page, next, err := e.page(ctx, x.Ref, 0, maxItems)
	if err != nil {
		return nil, err
	}
	env := envelope{DurableExecutionArn: x.ARN(), CheckpointToken: x.Token, UpdatedOperationIds: updated}
	env.InitialExecutionState.NextMarker = next
	env.InitialExecutionState.Operations = make([]envelopeOperation, len(page))
	for i := range page {
		env.InitialExecutionState.Operations[i] = inEnvelope(&page[i])
	}
	return json.Marshal(env)
}

// page lists the operations from the one with the number from: those that a function needs for its replay, which are not below a context that is closed
// and does not want its children replayed. next is the marker of the next page; empty for none.
func (e *Engine) page(ctx context.Context, r Ref, from uint64, limit int) (list []api.Operation, next string, err error) {
	var kept []operation
	total, more := 0, false
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		kept, total, more = nil, 0, false
		hidden := map[string]bool{}
		for row, err := range record.Range[operation](rd, r.operationsKey().Span()) {
			if err != nil {
				return err
			}
			o := row.Value
			below := hidden[o.Parent]
			if below || o.Type == api.OperationTypeContext && o.closed() && !o.ReplayChildren {
				hidden[o.ID] = true
			}
			if below || o.Seq < from {
				continue
			}
			kept = append(kept, o)
			if total += o.Result.size() + o.Input.size(); len(kept) > limit || len(kept) > 1 && total > maxPage {
				more = true
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	if more {
		last := len(kept) - 1
		next, kept = marker(kept[last].Seq), kept[:last]
	}
	list = make([]api.Operation, len(kept))
	for i := range kept {
		if list[i], err = e.show(ctx, r, &kept[i]); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

// marker is where a page goes on.
func marker(n uint64) string { return "from-" + strconv.FormatUint(n, 10) }

func parseMarker(s *string) (uint64, error) {
	if deref(s) == "" {
		return 0, nil
	}
	var n uint64
	if _, err := fmt.Sscanf(*s, "from-%d", &n); err != nil || marker(n) != *s {
		return 0, invalid("Invalid Marker: %s. Give the NextMarker of the page before.", *s)
	}
	return n, nil
}

// State is GetDurableExecutionState.
func (e *Engine) State(ctx context.Context, in *api.GetDurableExecutionStateInput) (*api.GetDurableExecutionStateOutput, error) {
	r, err := parse(in.DurableExecutionArn)
	if err != nil {
		return nil, err
	}
	from, err := parseMarker(in.Marker)
	if err != nil {
		return nil, err
	}
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		x, err := load(rd, r)
		if err == nil && (x.Token == "" || x.Token != in.CheckpointToken) {
			err = badToken()
		}
		return err
	})
	if err != nil {
		return nil, orNotFound(err, r)
	}
	list, next, err := e.page(ctx, r, from, pageSize(in.MaxItems, maxItems))
	if err != nil {
		return nil, err
	}
	return &api.GetDurableExecutionStateOutput{Operations: list, NextMarker: orNil(next)}, nil
}

// pageSize is how many items a page has.
func pageSize(n *int32, normal int) int {
	if deref(n) == 0 {
		return normal
	}
	return min(int(*n), maxItems)
}

func parse(arn string) (Ref, error) {
	r, err := ParseARN(arn)
	if err != nil {
		return r, invalid("%s is not the ARN of a durable execution.", arn)
	}
	return r, nil
}
