package durable

import (
	"errors"
	"net/http"

	"lambent.dev/lambent/internal/service"
)

func invalid(format string, args ...any) *service.Error {
	return service.Errorf("InvalidParameterValueException", format, args...).WithStatus(http.StatusBadRequest)
}

// badToken is the error of a token that is not the newest. The SDKs know the message, and run the function again.
func badToken() *service.Error { return invalid("Invalid checkpoint token") }

func callbackTimeout(format string, args ...any) *service.Error {
	return service.Errorf("CallbackTimeoutException", format, args...).WithStatus(http.StatusBadRequest)
}

const codeNotFound = "ResourceNotFoundException"

func notFound(r Ref) *service.Error {
	return service.Errorf(codeNotFound, "Execution not found: %s", r.ARN()).WithStatus(http.StatusNotFound)
}

// orNotFound shows errNotFound as the API does.
func orNotFound(err error, r Ref) error {
	if errors.Is(err, errNotFound) {
		return notFound(r)
	}
	return err
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// orNil is nil for the zero value.
func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
