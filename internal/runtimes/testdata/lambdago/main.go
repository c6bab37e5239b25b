// Command lambdago is a function on AWS's own library for Go, unmodified: the test of the runtimes runs it in a sandbox.
package main

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	Act  string `json:"act"`
	Name string `json:"name"`
}

type answer struct {
	Hello   string `json:"hello"`
	ID      string `json:"id"`
	ARN     string `json:"arn"`
	Version string `json:"version"`
	Left    bool   `json:"left"`
}

func handle(ctx context.Context, in request) (any, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	_, left := ctx.Deadline()
	switch in.Act {
	case "fail":
		return nil, errors.New("no luck")
	case "panic":
		panic("lost")
	case "stream":
		return &events.LambdaFunctionURLStreamingResponse{StatusCode: 201, Headers: map[string]string{"Content-Type": "text/plain"}, Body: strings.NewReader("streamed " + in.Name)}, nil
	}
	return answer{Hello: in.Name, ID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, Version: lambdacontext.FunctionVersion, Left: left}, nil
}

func main() { lambda.Start(handle) }
