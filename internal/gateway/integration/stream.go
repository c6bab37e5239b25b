package integration

import (
	"context"
	"errors"
	"io"

	lambda "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Stream invokes a function and returns when its answer begins to arrive. ctx and the error are those of [Functions.Invoke]; [Call.Event] is not heard, since
// the answer is what is wanted. The caller closes the body.
func (f *Functions) Stream(ctx context.Context, c *Call) (*port.Streamed, error) {
	from := port.Source{Service: Principal, ARN: c.Source, Account: c.Account}
	if c.Role == "" && c.As == nil && c.Tenant == "" {
		out, err := f.Streams.InvokeStream(ctx, from, c.Function, c.Payload)
		if err != nil {
			return nil, f.explain(ctx, c, err)
		}
		return out, nil
	}
	called, _, err := f.caller(ctx, c, from)
	if err != nil {
		return nil, err
	}
	in := &lambda.InvokeWithResponseStreamInput{FunctionName: c.Function, Payload: c.Payload}
	if c.Tenant != "" {
		in.TenantId = &c.Tenant
	}
	out, err := service.Call[lambda.InvokeWithResponseStreamOutput](called, f.Door, "lambda", "InvokeWithResponseStream", in)
	if err != nil {
		return nil, f.explain(ctx, c, err)
	}
	answer := &port.Streamed{Body: collect(ctx, out.EventStream)}
	if out.ResponseStreamContentType != nil {
		answer.ContentType = *out.ResponseStreamContentType
	}
	return answer, nil
}

// events is the stream of events of an invocation.
type events = func(ctx context.Context, send func(*lambda.InvokeWithResponseStreamResponseEvent) error) error

// collect makes one body of the events. The failure that the last of them tells is how the body ends.
func collect(ctx context.Context, stream events) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		var failure error
		err := stream(ctx, func(e *lambda.InvokeWithResponseStreamResponseEvent) error {
			if e.PayloadChunk != nil {
				if _, err := w.Write(e.PayloadChunk.Payload); err != nil {
					return err
				}
			}
			if end := e.InvokeComplete; end != nil && end.ErrorCode != nil {
				failed := &port.FunctionError{Kind: *end.ErrorCode}
				if end.ErrorDetails != nil {
					failed.Document = []byte(*end.ErrorDetails)
				}
				failure = failed
			}
			return nil
		})
		_ = w.CloseWithError(errors.Join(err, failure))
	}()
	return r
}
