package durable

import (
	"context"
	"errors"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// normalPage is how many executions or events a page has when nobody says how many.
const normalPage = 100

// Get is GetDurableExecution.
func (e *Engine) Get(ctx context.Context, in *api.GetDurableExecutionInput) (*api.GetDurableExecutionOutput, error) {
	r, err := parse(in.DurableExecutionArn)
	if err != nil {
		return nil, err
	}
	var x *execution
	var first operation
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		if x, err = load(rd, r); err != nil {
			return err
		}
		first, _, err = record.Get[operation](rd, r.operationKey(0))
		return err
	})
	if err != nil {
		return nil, orNotFound(err, r)
	}
	out := &api.GetDurableExecutionOutput{
		DurableExecutionArn: r.ARN(), DurableExecutionName: r.Name, FunctionArn: r.FunctionARN(), Status: x.Status, StartTimestamp: x.Start, EndTimestamp: orNil(x.End),
		Version: &x.Version, Error: x.Error.object(),
	}
	if x.Trace != "" {
		out.TraceHeader = &api.TraceHeader{XAmznTraceId: &x.Trace}
	}
	if out.InputPayload, err = e.text(ctx, first.Input); err != nil {
		return nil, err
	}
	out.Result, err = e.text(ctx, x.Result)
	return out, err
}

// History is GetDurableExecutionHistory.
func (e *Engine) History(ctx context.Context, in *api.GetDurableExecutionHistoryInput) (*api.GetDurableExecutionHistoryOutput, error) {
	r, err := parse(in.DurableExecutionArn)
	if err != nil {
		return nil, err
	}
	from, err := parseMarker(in.Marker)
	if err != nil {
		return nil, err
	}
	limit := pageSize(in.MaxItems, normalPage)
	span := store.Span{Lo: r.historyKey().Uint(from), Hi: r.historyKey().End(), Limit: limit + 1, Reverse: deref(in.ReverseOrder)}
	if span.Reverse && from > 0 {
		span.Lo, span.Hi = r.historyKey(), r.historyKey().Uint(from+1)
	}
	var list []event
	total := 0
	err = e.deps.Store.View(ctx, func(rd store.Reader) error {
		list, total = nil, 0
		if _, err := load(rd, r); err != nil {
			return err
		}
		for row, err := range record.Range[event](rd, span) {
			if err != nil {
				return err
			}
			list = append(list, row.Value)
			if total += row.Value.Input.size() + row.Value.Result.size(); total > maxPage && len(list) > 1 {
				limit = min(limit, len(list)-1)
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, orNotFound(err, r)
	}
	out := &api.GetDurableExecutionHistoryOutput{Events: []api.Event{}}
	for i := range list {
		if i == limit {
			out.NextMarker = new(marker(uint64(list[i].ID)))
			break
		}
		v, err := e.showEvent(ctx, &list[i], in.IncludeExecutionData == nil || *in.IncludeExecutionData)
		if err != nil {
			return nil, err
		}
		out.Events = append(out.Events, v)
	}
	return out, nil
}

// Filter selects executions of a function.
type Filter struct {
	Account, Region, Function string
	// Version selects those of one version; empty those of all.
	Version string
}

// List is ListDurableExecutionsByFunction.
func (e *Engine) List(ctx context.Context, f Filter, in *api.ListDurableExecutionsByFunctionInput) (*api.ListDurableExecutionsByFunctionOutput, error) {
	prefix := Ref{Account: f.Account, Region: f.Region, Function: f.Function}.listKey()
	span := prefix.Span()
	span.Reverse = deref(in.ReverseOrder)
	if in.StartedAfter != nil {
		span.Lo = prefix.Time(in.StartedAfter.Add(1))
	}
	if in.StartedBefore != nil {
		span.Hi = prefix.Time(*in.StartedBefore)
	}
	if m := deref(in.Marker); m != "" {
		r, err := ParseARN(m)
		if err != nil {
			return nil, invalid("Invalid Marker: %s. Give the NextMarker of the page before.", m)
		}
		x, err := e.look(ctx, r)
		if err != nil {
			return nil, invalid("Invalid Marker: %s. Its execution is not kept any more.", m)
		}
		if at := x.listedKey(x.Start); span.Reverse {
			span.Hi = at
		} else {
			span.Lo = append(at, 0)
		}
	}
	out := &api.ListDurableExecutionsByFunctionOutput{DurableExecutions: []api.Execution{}}
	err := e.deps.Store.View(ctx, func(rd store.Reader) error {
		out.DurableExecutions, out.NextMarker = out.DurableExecutions[:0], nil
		for p, err := range rd.Range(span) {
			if err != nil {
				return err
			}
			d := key.Decode(p.Key).Skip(prefix)
			_ = d.Time()
			x, ok, err := record.Get[execution](rd, Ref{Account: f.Account, Region: f.Region, ID: d.Str()}.executionKey())
			if err != nil || d.Err() != nil {
				return errors.Join(err, d.Err())
			}
			if !ok || !f.takes(&x, in) {
				continue
			}
			if n := len(out.DurableExecutions); n == pageSize(in.MaxItems, normalPage) {
				out.NextMarker = new(out.DurableExecutions[n-1].DurableExecutionArn)
				return nil
			}
			out.DurableExecutions = append(out.DurableExecutions, api.Execution{
				DurableExecutionArn: x.ARN(), DurableExecutionName: x.Name, FunctionArn: x.FunctionARN(), Status: x.Status, StartTimestamp: x.Start, EndTimestamp: orNil(x.End),
			})
		}
		return nil
	})
	return out, err
}

func (f *Filter) takes(x *execution, in *api.ListDurableExecutionsByFunctionInput) bool {
	return (f.Version == "" || f.Version == x.Version) && (in.DurableExecutionName == nil || *in.DurableExecutionName == x.Name) &&
		(len(in.Statuses) == 0 || slices.Contains(in.Statuses, x.Status))
}

// Stop is StopDurableExecution. An invocation that runs goes on until it wants to checkpoint.
func (e *Engine) Stop(ctx context.Context, in *api.StopDurableExecutionInput) (*api.StopDurableExecutionOutput, error) {
	r, err := parse(in.DurableExecutionArn)
	if err != nil {
		return nil, err
	}
	failure, err := failureOf(in.Error)
	if err != nil {
		return nil, err
	}
	if failure == nil {
		failure = newFailure("Execution.Stopped", "Execution stopped by user request.")
	}
	var end time.Time
	err = e.update(ctx, r, func(c *change) error {
		if c.running() {
			if err := c.complete(api.ExecutionStatusStopped, body{}, failure); err != nil {
				return err
			}
		}
		end = c.End
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.StopDurableExecutionOutput{StopTimestamp: end}, nil
}
