package sts

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

func invalid(format string, args ...any) *service.Error {
	return service.Errorf("ValidationError", format, args...).WithStatus(http.StatusBadRequest)
}

func denied(format string, args ...any) *service.Error {
	return service.Errorf("AccessDenied", format, args...).WithStatus(http.StatusForbidden)
}

func unsupported(operation, parameter string) *service.Error {
	return service.Unsupported("ValidationError", operation, parameter)
}

// badIdentity is the error of a web identity token that is not accepted.
func badIdentity(cause error, format string, args ...any) *service.Error {
	e := service.Errorf("InvalidIdentityToken", format, args...).WithStatus(http.StatusBadRequest)
	e.Err = cause
	return e
}
