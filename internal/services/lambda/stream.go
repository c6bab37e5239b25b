package lambda

import (
	"context"
	"io"

	api "lambent.dev/lambent/internal/awsapi/lambda"
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

// invokeWithResponseStream is an invocation whose answer is a stream of events. The answer is one chunk: functions do not answer in parts yet.
func (l *Lambda) invokeWithResponseStream(ctx context.Context, in *api.InvokeWithResponseStreamInput) (*api.InvokeWithResponseStreamOutput, error) {
	out, err := l.invoke(ctx, &api.InvokeInput{
		FunctionName: in.FunctionName, InvocationType: in.InvocationType, LogType: in.LogType, ClientContext: in.ClientContext, Qualifier: in.Qualifier,
		Payload: in.Payload, TenantId: in.TenantId,
	})
	if err != nil {
		return nil, err
	}
	answer := &api.InvokeWithResponseStreamOutput{StatusCode: out.StatusCode, ExecutedVersion: out.ExecutedVersion, ResponseStreamContentType: ptr("application/octet-stream")}
	if in.InvocationType == api.ResponseStreamingInvocationTypeDryRun {
		return answer, nil
	}
	answer.EventStream = func(_ context.Context, send func(*api.InvokeWithResponseStreamResponseEvent) error) error {
		end := &api.InvokeWithResponseStreamCompleteEvent{LogResult: out.LogResult}
		if out.FunctionError != nil {
			end.ErrorCode, end.ErrorDetails = out.FunctionError, ptr(string(out.Payload))
		} else if err := send(&api.InvokeWithResponseStreamResponseEvent{PayloadChunk: &api.InvokeResponseStreamUpdate{Payload: out.Payload}}); err != nil {
			return err
		}
		return send(&api.InvokeWithResponseStreamResponseEvent{InvokeComplete: end})
	}
	return answer, nil
}
