package ssm

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

func invalid(format string, args ...any) error {
	return service.Errorf("ValidationException", format, args...).WithStatus(http.StatusBadRequest)
}

func notFound(format string, args ...any) error {
	return service.Errorf("ParameterNotFound", format, args...).WithStatus(http.StatusBadRequest)
}

func refused(code, format string, args ...any) error {
	return service.Errorf(code, format, args...).WithStatus(http.StatusBadRequest)
}

func ptr[T any](v T) *T { return &v }
