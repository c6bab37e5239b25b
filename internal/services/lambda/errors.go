package lambda

import (
	"errors"
	"net/http"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func notFound(format string, args ...any) *service.Error {
	return service.Errorf("ResourceNotFoundException", format, args...).WithStatus(http.StatusNotFound)
}

func functionNotFound(r ref) *service.Error { return notFound("Function not found: %s", r.arn()) }

func conflict(format string, args ...any) *service.Error {
	return service.Errorf("ResourceConflictException", format, args...).WithStatus(http.StatusConflict)
}

func invalid(format string, args ...any) *service.Error {
	return service.Errorf("InvalidParameterValueException", format, args...).WithStatus(http.StatusBadRequest)
}

func validation(format string, args ...any) *service.Error {
	return service.Errorf("ValidationException", "1 validation error detected: "+format, args...).WithStatus(http.StatusBadRequest)
}

func unsupported(operation, parameter string) *service.Error {
	return service.Unsupported("InvalidParameterValueException", operation, parameter)
}

func tooLarge(format string, args ...any) *service.Error {
	return service.Errorf("RequestEntityTooLargeException", format, args...).WithStatus(http.StatusRequestEntityTooLarge)
}

var errRevision = service.Error{
	Code: "PreconditionFailedException", Status: http.StatusPreconditionFailed,
	Message: "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
}

// checkRevision fails when a caller expects another revision than there is.
func checkRevision(want *string, have string) error {
	if want != nil && *want != have {
		e := errRevision
		return &e
	}
	return nil
}

// The reasons of a throttled call.
const (
	reasonAccount  = "ConcurrentInvocationLimitExceeded"
	reasonReserved = "ReservedFunctionConcurrentInvocationLimitExceeded"
	reasonRate     = "FunctionInvocationRateLimitExceeded"
	// reasonReservedRate is that of a function which is invoked more often than its reserved concurrency is good for, reasonCaller that of an account.
	reasonReservedRate = "ReservedFunctionInvocationRateLimitExceeded"
	reasonCaller       = "CallerRateLimitExceeded"
	// reasonSnapshots is that of a version that is not published because too many snapshots are being made.
	reasonSnapshots = "ConcurrentSnapshotCreateLimitExceeded"
)

// codeThrottled is the code of what found no concurrency left.
const codeThrottled = "TooManyRequestsException"

func throttled(reason string) *service.Error {
	e := service.Errorf(codeThrottled, "Rate Exceeded.").WithStatus(http.StatusTooManyRequests)
	return e.WithDetail(&api.TooManyRequestsException{Type: ptr("User"), Message: ptr("Rate Exceeded."), Reason: reason})
}

// serviceError is the error of a platform that cannot do its part; the caller may try again.
func serviceError(what string, err error) *service.Error {
	return &service.Error{Code: "ServiceException", Status: http.StatusInternalServerError, Message: what + ": " + err.Error(), Err: err}
}

// unavailable turns what the store cannot do into what a client can retry.
func unavailable(err error) error {
	for _, known := range []error{store.ErrFull, store.ErrConflict, store.ErrTooOld, blob.ErrFull} {
		if errors.Is(err, known) {
			return serviceError("The function store cannot take writes now", err)
		}
	}
	return err
}

func ptr[T any](v T) *T { return &v }

// orZero is the value behind p, or the zero value.
func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
