package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
)

// Kind says how an integration failed, in the terms of gateway responses
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html).
type Kind uint8

// The kinds.
const (
	// Misconfigured is an integration that cannot be called as it is set up (API_CONFIGURATION_ERROR, 500).
	Misconfigured Kind = iota
	// Failed is an integration that could not be reached or did not answer as it must (INTEGRATION_FAILURE, 504, or 500 and 502 by the plane).
	Failed
	// TimedOut is one that did not answer in time (INTEGRATION_TIMEOUT, 504).
	TimedOut
	// Forbidden is one that API Gateway may not call (500 to the client).
	Forbidden
	// Throttled is one that takes no more calls now.
	Throttled
	// TooLarge is a request that is larger than the integration takes (REQUEST_TOO_LARGE, 413).
	TooLarge
)

// CallError is why an integration gave no answer.
type CallError struct {
	Kind Kind
	// Message is for logs: what happened, why, and what to do.
	Message string
	Err     error
}

// Error returns the message and the cause.
func (f *CallError) Error() string {
	if f.Err != nil {
		return f.Message + ": " + f.Err.Error()
	}
	return f.Message
}

// Unwrap returns the cause.
func (f *CallError) Unwrap() error { return f.Err }

// failure makes a CallError of what a call returned.
func failure(ctx context.Context, what string, err error) *CallError {
	code := service.Code(err)
	kind := Failed
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		kind = TimedOut
	case strings.HasPrefix(code, "AccessDenied"):
		kind = Forbidden
	case code == "TooManyRequestsException", strings.HasPrefix(code, "Throttling"):
		kind = Throttled
	case code == "RequestTooLargeException":
		kind = TooLarge
	case strings.HasPrefix(code, "ResourceNotFound"), strings.HasPrefix(code, "InvalidParameterValue"), strings.HasPrefix(code, "Validation"):
		kind = Misconfigured
	}
	return &CallError{Kind: kind, Message: what, Err: err}
}

// Principal is the service principal under which API Gateway calls functions.
const Principal = "apigateway.amazonaws.com"

// Grant is a permission that is missing: what the policy of a function lacks, and how to add it.
type Grant struct {
	// Function is the function's ARN, with a qualifier if the integration names one.
	Function string
	// Source is the ARN of the method or authorizer that invokes it.
	Source string
}

// Explain says which permission is missing on what.
func (g Grant) Explain() string {
	return fmt.Sprintf("%s may not invoke %s for %s: the function's policy has no statement that allows lambda:InvokeFunction. Add it with: %s", Principal, g.Function, g.Source, g.Command())
}

// Command returns the command that adds the permission for every method of the API and stage that [Grant.Source] belongs to.
func (g Grant) Command() string {
	function, qualifier := g.Function, ""
	if a, err := arn.Parse(g.Function); err == nil {
		if parts := strings.Split(a.Resource, ":"); len(parts) == 3 {
			function, qualifier = strings.TrimSuffix(g.Function, ":"+parts[2]), " --qualifier "+parts[2]
		}
	}
	return "aws lambda add-permission --function-name " + function + qualifier + " --statement-id apigateway-invoke --action lambda:InvokeFunction --principal " + Principal +
		" --source-arn '" + g.pattern() + "'"
}

// pattern is the source with the method and the path left open.
func (g Grant) pattern() string {
	head, rest, ok := strings.Cut(g.Source, "/")
	if !ok || strings.HasPrefix(rest, "authorizers/") {
		return g.Source
	}
	return head + "/*"
}
