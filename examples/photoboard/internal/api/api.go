// Package api is what the functions behind the HTTP API share: reading a request, answering in JSON, and
// errors that a caller may see.
package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// Request and Response are API Gateway's payload format 2.0.
type (
	Request  = events.APIGatewayV2HTTPRequest
	Response = events.APIGatewayV2HTTPResponse
)

// Handler serves one route.
type Handler func(ctx context.Context, r Request) (Response, error)

// Error is a failure that the caller is told about. Any other error is logged and answered with "internal error".
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Errorf returns an Error.
func Errorf(status int, format string, args ...any) error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// Serve runs the routes of a function; their keys are API Gateway route keys such as "POST /boards".
func Serve(routes map[string]Handler) {
	lambda.Start(func(ctx context.Context, r Request) (Response, error) {
		h, ok := routes[r.RouteKey]
		if !ok {
			return failure(ctx, r, Errorf(http.StatusNotFound, "no such route"))
		}
		answer, err := h(ctx, r)
		if err != nil {
			return failure(ctx, r, err)
		}
		return answer, nil
	})
}

func failure(ctx context.Context, r Request, err error) (Response, error) {
	var e *Error
	if !errors.As(err, &e) {
		slog.ErrorContext(ctx, "request failed", "route", r.RouteKey, "error", err)
		e = &Error{Status: http.StatusInternalServerError, Message: "internal error"}
	}
	return JSON(e.Status, map[string]string{"error": e.Message})
}

// JSON returns an answer with v as its body. Answers belong to one user, so nothing may keep them.
func JSON(status int, v any) (Response, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return Response{}, err
	}
	return Response{
		StatusCode: status,
		Headers:    map[string]string{"content-type": "application/json", "cache-control": "private, no-cache"},
		Body:       string(body),
	}, nil
}

// Decode reads the JSON body of r into v and refuses members that v does not have.
func Decode(r Request, v any) error {
	body := r.Body
	if r.IsBase64Encoded {
		raw, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return Errorf(http.StatusBadRequest, "the body is not base64")
		}
		body = string(raw)
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return Errorf(http.StatusBadRequest, "the body is not the JSON that was expected: %v", err)
	}
	return nil
}
