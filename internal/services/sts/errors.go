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
