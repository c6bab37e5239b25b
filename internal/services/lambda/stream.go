package lambda

import (
	"bytes"
	"context"
	"errors"
	"io"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// invokeAsync is the older form of an invocation with the type Event.
func (l *Lambda) invokeAsync(ctx context.Context, in *api.InvokeAsyncInput) (*api.InvokeAsyncOutput, error) {
	payload, err := io.ReadAll(io.LimitReader(in.InvokeArgs, maxAsync+1))
	if err != nil {
		return nil, err
	}
	out, err := l.invoke(ctx, &api.InvokeInput{FunctionName: in.FunctionName, InvocationType: api.InvocationTypeEvent, Payload: payload})
	if err != nil {
		return nil, err
	}
	return &api.InvokeAsyncOutput{Status: out.StatusCode}, nil
}

// arriving is an answer that has begun to arrive.
type arriving struct {
	contentType string
	body        *io.PipeReader
}

// ended is what became of an invocation.
type ended struct {
	outcome

	err error
}

// begin starts an invocation and returns when its answer begins to arrive in parts; or, with a nil answer, when it is over. over then delivers what
// became of it. When the caller goes away the function goes on, as on AWS, and what it still answers is dropped.
func (l *Lambda) begin(ctx context.Context, c *call) (*arriving, <-chan ended) {
	begun, over := make(chan *arriving, 1), make(chan ended, 1)
	c.payload = bytes.Clone(c.payload) // the caller's own may not outlive the call
	c.stream = func(contentType string, body io.Reader) error {
		r, w := io.Pipe()
		defer context.AfterFunc(ctx, func() { _ = r.Close() })()
		begun <- &arriving{contentType, r}
		_, err := io.Copy(w, body)
		if errors.Is(err, io.ErrClosedPipe) {
			_, err = io.Copy(io.Discard, body)
		}
		return errors.Join(err, w.CloseWithError(err))
	}
	go func() {
		out, err := l.run(ctx, c)
		over <- ended{out, err}
	}()
	select {
	case a := <-begun:
		return a, over
	case e := <-over:
		over <- e
	case <-ctx.Done():
		over = make(chan ended, 1)
		over <- ended{err: ctx.Err()}
		return nil, over
	}
	select {
	case a := <-begun: // an answer without a byte, which was over at once
		return a, over
	default:
		return nil, over
	}
}

// invokeWithResponseStream is an invocation whose answer is a stream of events: a function that answers in parts has its parts passed on while they
// arrive, and the answer of every other one is one part.
func (l *Lambda) invokeWithResponseStream(ctx context.Context, in *api.InvokeWithResponseStreamInput) (*api.InvokeWithResponseStreamOutput, error) {
	c, err := l.newCall(ctx, &api.InvokeInput{
		FunctionName: in.FunctionName, LogType: in.LogType, ClientContext: in.ClientContext, Qualifier: in.Qualifier, Payload: in.Payload, TenantId: in.TenantId,
	})
	if err != nil {
		return nil, err
	}
	answer := &api.InvokeWithResponseStreamOutput{StatusCode: ptr(int32(200)), ExecutedVersion: ptr(c.version.Number), ResponseStreamContentType: ptr("application/octet-stream")}
	if in.InvocationType == api.ResponseStreamingInvocationTypeDryRun {
		answer.StatusCode = ptr(int32(204))
		return answer, nil
	}
	if err := c.trace(service.RequestFrom(ctx).Trace, l.deps.Clock.Now()); err != nil {
		return nil, err
	}
	parts, over := l.begin(ctx, c)
	if parts == nil {
		e := <-over
		if e.err != nil {
			return nil, e.err
		}
		answer.EventStream = func(_ context.Context, send func(*api.InvokeWithResponseStreamResponseEvent) error) error {
			if e.failure == "" {
				if err := send(chunk(e.payload)); err != nil {
					return err
				}
			}
			return send(c.complete(&e))
		}
		return answer, nil
	}
	if parts.contentType != "" {
		answer.ResponseStreamContentType = &parts.contentType
	}
	answer.EventStream = func(_ context.Context, send func(*api.InvokeWithResponseStreamResponseEvent) error) error {
		if err := parts.each(func(b []byte) error { return send(chunk(b)) }); err != nil {
			return err
		}
		e := <-over
		return send(c.complete(&e))
	}
	return answer, nil
}

func chunk(b []byte) *api.InvokeWithResponseStreamResponseEvent {
	return &api.InvokeWithResponseStreamResponseEvent{PayloadChunk: &api.InvokeResponseStreamUpdate{Payload: b}}
}

// complete is the last event of an invocation.
func (c *call) complete(e *ended) *api.InvokeWithResponseStreamResponseEvent {
	end := &api.InvokeWithResponseStreamCompleteEvent{LogResult: c.logResult(&e.outcome)}
	switch {
	case e.err != nil:
		end.ErrorCode, end.ErrorDetails = ptr(service.Code(e.err)), ptr("The invocation did not end well.")
	case e.failure != "":
		end.ErrorCode, end.ErrorDetails = ptr(e.failure), ptr(string(e.payload))
	}
	return &api.InvokeWithResponseStreamResponseEvent{InvokeComplete: end}
}

// each hands on what arrives, as it arrives. What take gets is valid until it returns.
func (a *arriving) each(take func(b []byte) error) error {
	defer func() { _ = a.body.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := a.body.Read(buf)
		if n > 0 {
			if err := take(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return nil //nolint:nilerr // how the answer ended is told by what became of the invocation
		}
	}
}

// InvokeStream implements [port.FunctionStreams].
func (l *Lambda) InvokeStream(ctx context.Context, from port.Source, function string, payload []byte) (*port.Streamed, error) {
	c, err := l.callFor(ctx, from, function, payload)
	if err != nil {
		return nil, err
	}
	parts, over := l.begin(ctx, c)
	if parts != nil {
		return &port.Streamed{ContentType: parts.contentType, Body: &streamedBody{PipeReader: parts.body, over: over}}, nil
	}
	e := <-over
	if e.err != nil {
		return nil, e.err
	}
	out := &port.Streamed{ContentType: e.contentType, Body: io.NopCloser(bytes.NewReader(e.payload))}
	if e.failure != "" {
		out.Body = io.NopCloser(failing{&port.FunctionError{Kind: e.failure, Document: e.payload}})
	}
	return out, nil
}

// streamedBody is an answer that arrives in parts, and what became of its invocation at the end.
type streamedBody struct {
	*io.PipeReader

	over <-chan ended
	err  error // that the body ended with
}

// Read implements [io.Reader].
func (b *streamedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.PipeReader.Read(p)
	if err == nil || errors.Is(err, io.ErrClosedPipe) {
		return n, err
	}
	e := <-b.over
	switch {
	case e.err != nil:
		err = e.err
	case e.failure != "":
		err = &port.FunctionError{Kind: e.failure, Document: e.payload}
	}
	b.err = err
	return n, err
}

// failing is a body that has nothing but an error.
type failing struct{ err error }

// Read implements [io.Reader].
func (f failing) Read([]byte) (int, error) { return 0, f.err }
