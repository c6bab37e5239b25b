package service

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Error is an error that a client sees. Services build them in their errors.go; an error of any
// other type reaches the client as an internal failure and is logged once, at the edge.
type Error struct {
	// Code is the error's name on the wire, such as "ResourceNotFoundException".
	Code string
	// Status is the HTTP status; 0 means that of the API model, or 400 where the model has none.
	Status int
	// Message says what happened, why, and what to do next.
	Message string
	// Detail is a pointer to the generated exception struct when the error carries more than a message.
	Detail any
	// Err is the cause; it is logged and never sent.
	Err error
}

// Errorf returns an Error with the status of its API model and a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithStatus returns a copy of e with an HTTP status.
func (e *Error) WithStatus(status int) *Error {
	c := *e
	c.Status = status
	return &c
}

// WithDetail returns a copy of e that carries the members of a generated exception.
func (e *Error) WithDetail(detail any) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// Error returns the code and the message.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Message + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Code returns the wire name of err, "" for nil, and "InternalFailure" when no [Error] is in its chain.
func Code(err error) string {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "InternalFailure"
}

// ErrInUse is the cause of an [Error] that refuses to delete something because something else needs it, where the error's code does not say so.
var ErrInUse = errors.New("something else needs it")

// IsInUse reports whether err refuses to change or delete something because something else needs it or works on it: by the names that AWS's services have for this,
// or because [ErrInUse] is its cause.
func IsInUse(err error) bool {
	code := Code(err)
	return errors.Is(err, ErrInUse) || code == "DependencyViolation" || code == "DeleteConflict" || strings.HasSuffix(code, "ConflictException") || strings.HasSuffix(code, "InUseException") || strings.HasSuffix(code, "InUse")
}

// Unless returns nil for an error with one of the codes, and err otherwise: to delete what is gone already is no failure.
func Unless(err error, codes ...string) error {
	if err == nil || slices.Contains(codes, Code(err)) {
		return nil
	}
	return err
}

// NotImplemented returns the error of an operation that this version does not have.
func NotImplemented(api, operation string) *Error {
	return &Error{
		Code: "NotImplemented", Status: http.StatusNotImplemented,
		Message: fmt.Sprintf("Lambent does not implement %s %s. The coverage page (docs/coverage.md) lists what it implements.", api, operation),
	}
}

// Unsupported returns the error of a parameter that this version does not honour. It is refused, never ignored.
func Unsupported(code, operation, parameter string) *Error {
	return &Error{
		Code: code, Status: http.StatusBadRequest,
		Message: fmt.Sprintf("Lambent does not support the parameter %s of %s. Leave it out, or see docs/coverage.md for what is supported.", parameter, operation),
	}
}
