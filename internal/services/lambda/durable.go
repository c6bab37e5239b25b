package lambda

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/lambda/durable"
	"lambent.dev/lambent/internal/store"
)

// Defaults and limits of durable functions: https://docs.aws.amazon.com/lambda/latest/dg/durable-configuration.html.
const (
	defaultRetention = 14 // days
	// maxAwaited is how long an execution may take that a caller waits for.
	maxAwaited = 15 * time.Minute
)

// durableConfig is the configuration that a new function gets; nil for one that is not durable.
func durableConfig(in *api.DurableConfig) (*durable.Config, error) {
	if in == nil {
		return nil, nil
	}
	if in.ExecutionTimeout == nil {
		return nil, invalid("You cannot create a function with a durable configuration without an executionTimeout")
	}
	c := &durable.Config{Timeout: *in.ExecutionTimeout, Retention: defaultRetention}
	if in.RetentionPeriodInDays != nil {
		c.Retention = *in.RetentionPeriodInDays
	}
	return c, nil
}

// changeDurable changes the configuration of a durable function. No function becomes one.
func (v *version) changeDurable(in *api.DurableConfig) error {
	if in == nil {
		return nil
	}
	if v.Durable == nil {
		return invalid("You cannot add a durable configuration to an existing function. Create a function with a DurableConfig.")
	}
	c := *v.Durable
	if in.ExecutionTimeout != nil {
		c.Timeout = *in.ExecutionTimeout
	}
	if in.RetentionPeriodInDays != nil {
		c.Retention = *in.RetentionPeriodInDays
	}
	v.Durable = &c
	return nil
}

func (v *version) durableConfig() *api.DurableConfig {
	if v.Durable == nil {
		return nil
	}
	return &api.DurableConfig{ExecutionTimeout: &v.Durable.Timeout, RetentionPeriodInDays: &v.Durable.Retention}
}

func (l *Lambda) newEngine() *durable.Engine {
	return durable.New(durable.Deps{
		Store: l.deps.Store, Blobs: l.deps.Blobs, Clock: l.deps.Clock, Random: l.deps.Random, Log: l.deps.Log,
		Invoke: l.invokeDurable, Resolve: l.resolveChained, Ended: l.durableEnded, Changed: l.durableChanged, Concurrency: max(256, l.o.Concurrency),
	})
}

// checkDurable checks that a call may begin an execution of a durable function, or that it does not ask for one of another function.
func (c *call) checkDurable() error {
	switch {
	case c.version.Durable == nil && c.durableName != "":
		return invalid("You cannot provide a DurableExecutionName for a function that is not durable.")
	case c.version.Durable != nil && c.ref.qualifier == "":
		return invalid("You cannot invoke a durable function using an unqualified ARN.")
	}
	return nil
}

// start is the execution that a call begins.
func (c *call) start(event bool) durable.Start {
	return durable.Start{Target: c.target(), Name: c.durableName, Input: string(c.payload), Event: event, Qualifier: c.ref.qualifier, RequestID: c.requestID}
}

// target is the version of a call.
func (c *call) target() durable.Target {
	t := durable.Target{Account: c.ref.account, Region: c.ref.region, Function: c.ref.name, Version: c.version.Number, Trace: c.traceID, Tenant: c.tenant, Durable: c.version.Durable}
	if isNumber(t.Version) {
		t.Revision = c.version.Revision
	}
	return t
}

// acceptDurable begins an execution for an event: it is durable then.
func (l *Lambda) acceptDurable(ctx context.Context, c *call) (durable.Ref, error) {
	if len(c.payload) > maxAsync {
		return durable.Ref{}, payloadTooLarge(maxAsync)
	}
	r, err := l.durable.Begin(ctx, c.start(true))
	if err == nil {
		c.meters.add(l.deps.Clock.Now(), asyncReceived, 1)
	}
	return r, unavailable(err)
}

// startQueued begins an execution for an event of the queue, in the transaction that ends its job.
func (l *Lambda) startQueued(ctx context.Context, c *call, j *asyncJob) error {
	if err := c.checkDurable(); err != nil {
		return events.Permanent(err)
	}
	if err := c.trace(j.Trace, l.deps.Clock.Now()); err != nil {
		return events.Permanent(err)
	}
	p, err := l.durable.Prepare(ctx, c.start(true))
	if err != nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		_, err := p.Begin(tx)
		return err
	})
}

// runDurable begins an execution and waits for its end.
func (l *Lambda) runDurable(ctx context.Context, c *call) (outcome, error) {
	if err := c.checkDurable(); err != nil {
		return outcome{}, err
	}
	if time.Duration(c.version.Durable.Timeout)*time.Second > maxAwaited {
		return outcome{}, invalid("You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes.")
	}
	r, err := l.durable.Begin(ctx, c.start(false))
	if err != nil {
		return outcome{}, unavailable(err)
	}
	end, err := l.durable.Wait(ctx, r)
	if err != nil {
		return outcome{}, err
	}
	out, err := executionOutcome(&end)
	out.execution = r.ARN()
	return out, err
}

// executionOutcome is the end of an execution in the form of an invocation's.
func executionOutcome(end *durable.Result) (out outcome, err error) {
	switch {
	case end.Status != api.ExecutionStatusSucceeded:
		out.failure = "Unhandled"
		out.payload, err = failureDocument(end.Error)
	case end.Payload != nil && *end.Payload != "":
		out.payload = []byte(*end.Payload)
	default:
		out.payload = []byte("null")
	}
	return out, err
}

// failureDocument is the error of an execution in the form of a function's.
func failureDocument(f *durable.Failure) ([]byte, error) {
	if f == nil {
		f = &durable.Failure{}
	}
	return json.Marshal(struct {
		Message *string  `json:"errorMessage,omitempty"`
		Type    *string  `json:"errorType,omitempty"`
		Data    *string  `json:"errorData,omitempty"`
		Stack   []string `json:"stackTrace,omitempty"`
	}{f.ErrorMessage, f.ErrorType, f.ErrorData, f.StackTrace})
}

// invokeDurable runs a function for an execution: its envelope, or a chained invocation.
func (l *Lambda) invokeDurable(ctx context.Context, d *durable.Call) (durable.Answer, error) {
	c := &call{
		ref:     ref{scope: scope{d.Account, d.Region}, name: d.Function, qualifier: d.Version},
		payload: d.Payload, requestID: d.RequestID, replayed: true, again: true, tenant: d.Tenant,
	}
	if err := l.load(ctx, c); err != nil {
		return durable.Answer{}, err
	}
	if d.Revision != "" && d.Revision != c.version.Revision {
		return durable.Answer{}, functionNotFound(c.ref) // another function has the name now
	}
	c.traceID = d.Trace
	out, err := l.execute(ctx, c)
	return durable.Answer{Payload: out.payload, Failed: out.failure != ""}, err
}

// resolveChained finds the function of a chained invocation. The role of the function that asks must be allowed to invoke it.
func (l *Lambda) resolveChained(ctx context.Context, from durable.Ref, trace string, in *api.ChainedInvokeOptions) (*durable.Target, error) {
	caller := ref{scope: scope{from.Account, from.Region}, name: from.Function, qualifier: from.Version}
	r, err := parseRef(service.WithRequest(ctx, &service.Request{Account: from.Account, Region: from.Region}), in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	c := &call{ref: r, tenant: orZero(in.TenantId)}
	if err := l.load(ctx, c); err != nil {
		return nil, err
	}
	if err := c.checkDurable(); err != nil {
		return nil, err
	}
	if err := l.allowChained(ctx, caller, r); err != nil {
		return nil, err
	}
	if err := c.trace(trace, l.deps.Clock.Now()); err != nil {
		return nil, err
	}
	return new(c.target()), nil
}

// allowChained decides whether the role of a function may invoke another one.
func (l *Lambda) allowChained(ctx context.Context, caller, r ref) error {
	if l.o.Roles == nil {
		return nil // functions have no roles here
	}
	s, err := l.snapshot(ctx, caller)
	if err != nil {
		return err
	}
	as, err := l.o.Roles.SessionForService(service.As(ctx, service.ServiceCaller(servicePrincipal, caller.function(), caller.account)), servicePrincipal, s.version.Role, sessionName(caller.name))
	if err != nil {
		return err
	}
	t, err := l.target(ctx, "lambda:InvokeFunction", r)
	if err != nil {
		return err
	}
	return l.deps.Door.Allow(service.WithRequest(ctx, &service.Request{
		ID: service.RequestFrom(ctx).ID, API: "lambda", Operation: "Invoke", Account: r.account, Region: r.region, Principal: as, Time: l.deps.Clock.Now(), Secure: true,
	}), t)
}

// statusChange is the detail of the event that tells what has become of an execution, https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html.
type statusChange struct {
	ARN      string `json:"durableExecutionArn"`
	Name     string `json:"durableExecutionName"`
	Function string `json:"functionArn"`
	Status   string `json:"status"`
	Start    string `json:"startTimestamp"`
	End      string `json:"endTimestamp,omitempty"`
}

// statusTime is the layout of the times in a statusChange, in UTC.
const statusTime = "2006-01-02T15:04:05.000Z"

// durableChanged queues the event for the default bus of the function's account and region.
func (l *Lambda) durableChanged(tx store.Txn, s durable.Status) error {
	r := ref{scope: scope{s.Account, s.Region}, name: s.Function, qualifier: s.Version}
	d := statusChange{ARN: s.ARN(), Name: s.Name, Function: r.arn(), Status: s.Status, Start: s.Start.Format(statusTime)}
	at := s.Start
	if !s.End.IsZero() {
		d.End, at = s.End.Format(statusTime), s.End
	}
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return l.destinations.Enqueue(tx, &deliver.Message{
		Target: "arn:aws:events:" + s.Region + ":" + s.Account + ":event-bus/default", From: r.source(), Body: body,
		Event: &deliver.Event{Source: "aws.lambda", DetailType: "Durable Execution Status Change", Time: at},
	})
}

// durableEnded writes the deliveries to the destinations of an execution that an event has started.
func (l *Lambda) durableEnded(ctx context.Context, d *durable.Ended) error {
	r := ref{scope: scope{d.Account, d.Region}, name: d.Function, qualifier: d.Qualifier}
	s, err := l.snapshot(ctx, r)
	if service.Code(err) == errNoFunction.Code {
		return nil
	}
	if err != nil {
		return err
	}
	out, err := executionOutcome(&d.Result)
	if err != nil {
		return err
	}
	end := &result{
		job:    &asyncJob{Ref: r.arn(), RequestID: d.RequestID, Invocations: 1, payload: []byte(d.Input)},
		config: s.async, version: &s.version, trace: d.Trace, out: &out,
	}
	if out.failure != "" {
		return l.finish(r, end, conditionRetries)
	}
	return l.finish(r, end, conditionSuccess)
}

func (l *Lambda) listDurableExecutionsByFunction(ctx context.Context, in *api.ListDurableExecutionsByFunctionInput) (*api.ListDurableExecutionsByFunctionOutput, error) {
	r, _, v, err := l.find(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	f := durable.Filter{Account: r.account, Region: r.region, Function: r.name}
	if r.qualifier != "" {
		f.Version = v.Number
	}
	return l.durable.List(ctx, f, in)
}

// onExecution is the rule of an operation on the execution that its input names.
func onExecution[In any](action string, arn func(in In) string) service.Access {
	return service.On(action, func(_ context.Context, in In) string { return arn(in) })
}

// onCallback is the rule of an operation on the execution of a callback.
func onCallback[In any](action string, id func(in In) string) service.Access {
	return service.OnAll(action, func(_ context.Context, in In) ([]service.Target, error) {
		r, _, _, err := durable.ParseCallback(id(in))
		if err != nil {
			return nil, service.Errorf("InvalidParameterValueException", "Invalid callback id: %s", id(in)).WithStatus(http.StatusBadRequest)
		}
		return []service.Target{{ARN: r.ARN(), Owner: r.Account}}, nil
	})
}
