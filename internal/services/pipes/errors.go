package pipes

import (
	"fmt"
	"net/http"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/service"
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

func storeError(err error) error {
	return service.StoreError("pipes", "InternalException", http.StatusInternalServerError, err)
}
