package schemas

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// The service's error codes.
const (
	codeBad          = "BadRequestException"
	codeNotFound     = "NotFoundException"
	codeConflict     = "ConflictException"
	codePrecondition = "PreconditionFailedException"
	codeUnavailable  = "ServiceUnavailableException"
)

func invalid(format string, args ...any) error {
	return service.Errorf(codeBad, format, args...).WithStatus(http.StatusBadRequest)
}

func notFound(format string, args ...any) error {
	return service.Errorf(codeNotFound, format, args...).WithStatus(http.StatusNotFound)
}

func conflict(format string, args ...any) error {
	return service.Errorf(codeConflict, format, args...).WithStatus(http.StatusConflict)
}

func noRegistry(name string) error { return notFound("Registry with name %s does not exist.", name) }

func noSchema(registry, name string) error {
	return notFound("Schema with name %s does not exist in the registry %s.", name, registry)
}

func noDiscoverer(id string) error { return notFound("Discoverer with id %s does not exist.", id) }

func storeError(err error) error {
	return service.StoreError("schemas", codeUnavailable, http.StatusServiceUnavailable, err)
}
