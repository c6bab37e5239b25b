package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/lib/jsonscan"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Sizes of events, in bytes: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const (
	maxPayload = 6 << 20
	maxAsync   = 1_000_000
)

func (l *Lambda) invoke(ctx context.Context, in *api.InvokeInput) (*api.InvokeOutput, error) {
	c, err := l.newCall(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.InvocationType == api.InvocationTypeDryRun {
		return &api.InvokeOutput{StatusCode: ptr(int32(204)), ExecutedVersion: ptr(c.version.Number)}, nil
	}
	if in.InvocationType == api.InvocationTypeEvent && c.version.Durable == nil {
		return &api.InvokeOutput{StatusCode: ptr(int32(202))}, l.accept(ctx, c)
	}
	if err := c.trace(service.RequestFrom(ctx).Trace, l.deps.Clock.Now()); err != nil {
		return nil, err
	}
	if in.InvocationType == api.InvocationTypeEvent {
		r, err := l.acceptDurable(ctx, c)
		return &api.InvokeOutput{StatusCode: ptr(int32(202)), DurableExecutionArn: ptr(r.ARN())}, err
	}
	out, err := l.run(ctx, c)
	if err != nil {
		return nil, err
	}
	answer := &api.InvokeOutput{StatusCode: ptr(int32(200)), Payload: out.payload, ExecutedVersion: ptr(c.version.Number), LogResult: c.logResult(&out)}
	if out.failure != "" {
		answer.FunctionError = ptr(out.failure)
	}
	if out.execution != "" {
		answer.DurableExecutionArn = ptr(out.execution)
	}
	return answer, nil
}

// newCall is the invocation that an input asks for, ready to be carried out but for its trace.
func (l *Lambda) newCall(ctx context.Context, in *api.InvokeInput) (*call, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	c := &call{ref: r, payload: in.Payload, at: l.deps.Clock.Now(), requestID: service.RequestFrom(ctx).ID, wantsTail: in.LogType == "Tail", durableName: orZero(in.DurableExecutionName), tenant: orZero(in.TenantId)}
	if c.requestID == "" {
		if c.requestID, err = l.newID(); err != nil {
			return nil, err
		}
	}
	if c.clientContext, err = decodeClientContext(in.ClientContext); err != nil {
		return nil, err
	}
	if err := l.load(ctx, c); err != nil {
		if r.qualifier == "" && service.Code(err) == errNoFunction.Code {
			return nil, functionNotFound(r.qualified()) // as on AWS, unlike elsewhere
		}
		return nil, err
	}
	if err := c.checkDurable(); err != nil {
		return nil, err
	}
	return c, c.checkPayload()
}

// logResult is the end of the log as the API shows it; nil unless it was asked for.
func (c *call) logResult(out *outcome) *string {
	if !c.wantsTail {
		return nil
	}
	return ptr(base64.StdEncoding.EncodeToString(out.tail))
}

// checkPayload fails for an event that is too large or not JSON. No event is the empty object.
func (c *call) checkPayload() error {
	if len(c.payload) == 0 {
		c.payload = []byte("{}")
		return nil
	}
	if len(c.payload) > maxPayload {
		return payloadTooLarge(maxPayload)
	}
	if jsonscan.Valid(c.payload) && utf8.Valid(c.payload) {
		return nil
	}
	reason := "invalid UTF-8"
	var v json.RawMessage
	if err := json.Unmarshal(c.payload, &v); err != nil {
		reason = err.Error()
	}
	return service.Errorf("InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json: %s", reason).WithStatus(400)
}

// decodeClientContext decodes the header X-Amz-Client-Context.
func decodeClientContext(v *string) (string, error) {
	if orZero(v) == "" {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(*v)
	if err != nil || !jsonscan.Valid(b) {
		return "", service.Errorf("InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.").WithStatus(400)
	}
	return string(b), nil
}

// Invoke implements [port.Functions].
func (l *Lambda) Invoke(ctx context.Context, from port.Source, function string, payload []byte) (port.Invocation, error) {
	c, err := l.callFor(ctx, from, function, payload)
	if err != nil {
		return port.Invocation{}, err
	}
	out, err := l.runWithin(ctx, c)
	if err != nil {
		return port.Invocation{}, err
	}
	return port.Invocation{Payload: out.payload, Error: out.failure, Version: c.version.Number, RequestID: c.requestID}, nil
}

// callFor is an invocation for another service, which may ask for it.
func (l *Lambda) callFor(ctx context.Context, from port.Source, function string, payload []byte) (*call, error) {
	r, err := parseARN(function)
	if err != nil {
		return nil, err
	}
	now := l.deps.Clock.Now()
	if err := l.allow(ctx, from, r, now); err != nil {
		return nil, err
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	c := &call{ref: r, payload: payload, kept: true, at: now, requestID: id}
	if err := l.load(ctx, c); err != nil {
		return nil, err
	}
	if len(payload) > maxPayload {
		return nil, payloadTooLarge(maxPayload)
	}
	return c, c.trace(service.RequestFrom(ctx).Trace, c.at)
}

// keep sees to it that the payload outlives the caller, whose memory it may be.
func (c *call) keep() {
	if !c.kept {
		c.payload, c.kept = bytes.Clone(c.payload), true
	}
}

// runWithin is run for a caller that may go away before the function can be expected to answer: it returns the error of ctx then, and the
// invocation goes on by itself, until its environment ends at the latest.
func (l *Lambda) runWithin(ctx context.Context, c *call) (outcome, error) {
	deadline, ok := ctx.Deadline()
	if !ok || deadline.Sub(l.deps.Clock.Now()) > initLimit+time.Duration(c.version.Timeout)*time.Second {
		return l.run(ctx, c)
	}
	type result struct {
		outcome
		err error
	}
	done := make(chan result, 1)
	c.keep()
	go func() {
		out, err := l.run(ctx, c)
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		return r.outcome, r.err
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
}

// CheckInvoke implements [port.Functions].
func (l *Lambda) CheckInvoke(ctx context.Context, from port.Source, function string) error {
	r, err := parseARN(function)
	if err != nil {
		return err
	}
	if _, err := l.snapshot(ctx, r); err != nil {
		return err
	}
	return l.allow(ctx, from, r, l.deps.Clock.Now())
}

// allow decides whether a service may invoke r on behalf of one of its resources.
func (l *Lambda) allow(ctx context.Context, from port.Source, r ref, now time.Time) error {
	t, err := l.target(ctx, "lambda:InvokeFunction", r)
	if err != nil {
		return err
	}
	ctx = service.WithRequest(ctx, &service.Request{
		ID: service.RequestFrom(ctx).ID, API: "lambda", Operation: "Invoke", Account: r.account, Region: r.region,
		Principal: service.ServiceCaller(from.Service, from.ARN, from.Account), Time: now, Secure: true,
	})
	return l.deps.Door.Allow(ctx, t)
}

var errNoARN = errors.New("a function must be named by its ARN here")

// parseARN reads the ARN of a function.
func parseARN(arn string) (ref, error) {
	r, err := parseRef(context.Background(), arn, nil)
	if err == nil && r.region == "" {
		err = errNoARN
	}
	return r, err
}
