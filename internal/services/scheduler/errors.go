package scheduler

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
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

func storeError(err error) error {
	return service.StoreError("scheduler", "InternalServerException", http.StatusInternalServerError, err)
}
