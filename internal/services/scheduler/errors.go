package scheduler

import (
	"errors"
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// The service's error codes.
const (
	codeNotFound   = "ResourceNotFoundException"
	codeConflict   = "ConflictException"
	codeValidation = "ValidationException"
)

func invalid(format string, args ...any) error {
	return service.Errorf(codeValidation, format, args...).WithStatus(http.StatusBadRequest)
}

func conflict(format string, args ...any) error {
	return service.Errorf(codeConflict, format, args...).WithStatus(http.StatusConflict)
}

func noGroup(name string) error {
	return service.Errorf(codeNotFound, "Schedule group %s does not exist.", name).WithStatus(http.StatusNotFound)
}

func noSchedule(name string) error {
	return service.Errorf(codeNotFound, "Schedule %s does not exist.", name).WithStatus(http.StatusNotFound)
}

// storeError names the errors of the store that a client can do something about.
func storeError(err error) error {
	var known *service.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrConflict):
		return &service.Error{
			Code: "InternalServerException", Status: http.StatusInternalServerError, Err: err,
			Message: "The store cannot take this write now. Nothing was stored; try again, and make room in the data directory if the disk is full.",
		}
	}
	return fmt.Errorf("scheduler: %w", err)
}

func ptr[T any](v T) *T { return &v }

func orEmpty(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
