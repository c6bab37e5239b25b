package api

import (
	"errors"
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// BadRequest returns the error of a request that is not valid.
func BadRequest(format string, args ...any) error {
	return &service.Error{Code: "BadRequestException", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// Conflict returns the error of a request that something else stands against.
func Conflict(format string, args ...any) error {
	return &service.Error{Code: "ConflictException", Status: http.StatusConflict, Message: fmt.Sprintf(format, args...)}
}

// Message returns what an error says to clients, without its code.
func Message(err error) string {
	if e := new(service.Error); errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
