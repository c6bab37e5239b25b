package pipes

import (
	"errors"
	"fmt"
	"net/http"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// The service's error codes.
const (
	codeNotFound   = "NotFoundException"
	codeConflict   = "ConflictException"
	codeValidation = "ValidationException"
)

func invalid(format string, args ...any) error {
	return service.Errorf(codeValidation, format, args...).WithStatus(http.StatusBadRequest)
}

func noPipe(name string) error {
	return service.Errorf(codeNotFound, "Pipe %s does not exist.", name).WithStatus(http.StatusNotFound)
}

func conflict(name, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return service.Errorf(codeConflict, "%s", text).WithStatus(http.StatusConflict).WithDetail(&api.ConflictException{Message: text, ResourceId: name, ResourceType: "pipe"})
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
	return fmt.Errorf("pipes: %w", err)
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
