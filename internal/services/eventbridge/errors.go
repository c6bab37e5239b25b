package eventbridge

import (
	"errors"
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// The service's error codes.
const (
	codeNotFound   = "ResourceNotFoundException"
	codeExists     = "ResourceAlreadyExistsException"
	codeValidation = "ValidationException"
	codeLimit      = "LimitExceededException"
	codePattern    = "InvalidEventPatternException"
	codeState      = "IllegalStatusException"
	codeModified   = "ConcurrentModificationException"
)

func invalid(format string, args ...any) error {
	return service.Errorf(codeValidation, format, args...).WithStatus(http.StatusBadRequest)
}

func notFound(format string, args ...any) error {
	return service.Errorf(codeNotFound, format, args...).WithStatus(http.StatusBadRequest)
}

func exists(format string, args ...any) error {
	return service.Errorf(codeExists, format, args...).WithStatus(http.StatusBadRequest)
}

func overLimit() error {
	return service.Errorf(codeLimit, "The requested resource exceeds the maximum number allowed.").WithStatus(http.StatusBadRequest)
}

func noBus(name string) error { return notFound("Event bus %s does not exist.", name) }

func noRule(bus, name string) error {
	return notFound("Rule %s does not exist on EventBus %s.", name, bus)
}

// badPattern is the error for a pattern that package pattern refuses.
func badPattern(err error) error {
	return service.Errorf(codePattern, "Event pattern is not valid. Reason: %s", reason(err)).WithStatus(http.StatusBadRequest)
}

func reason(err error) string {
	var e *pattern.Error
	if errors.As(err, &e) {
		return e.Reason + e.Place
	}
	return err.Error()
}

// storeError names the errors of the store that a client can do something about.
func storeError(err error) error {
	var known *service.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrConflict):
		return &service.Error{
			Code: "InternalException", Status: http.StatusInternalServerError, Err: err,
			Message: "The store cannot take this write now. Nothing was stored; try again, and make room in the data directory if the disk is full.",
		}
	}
	return fmt.Errorf("eventbridge: %w", err)
}

func ptr[T any](v T) *T { return &v }

// orEmpty returns what p points to, or "".
func orEmpty(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// optional returns a pointer to s, or nil for "".
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
