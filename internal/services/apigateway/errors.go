package apigateway

import (
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

func notFound(format string, args ...any) error {
	return &service.Error{Code: "NotFoundException", Status: http.StatusNotFound, Message: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error { return api.BadRequest(format, args...) }

// inUse refuses to delete what something else needs: some operations have BadRequestException for it.
func inUse(format string, args ...any) error {
	return &service.Error{Code: "BadRequestException", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Err: service.ErrInUse}
}

func conflict(format string, args ...any) error { return api.Conflict(format, args...) }

func limitExceeded(format string, args ...any) error {
	return &service.Error{Code: "LimitExceededException", Status: http.StatusTooManyRequests, Message: fmt.Sprintf(format, args...)}
}

// unsupported refuses a parameter by its name.
func unsupported(operation, parameter string) error {
	return service.Unsupported("BadRequestException", operation, parameter)
}

// What AWS says of the parts of an API that are not there.
func noAPI(s api.Scope, id string) error {
	return notFound("Invalid API identifier specified %s:%s", s.Account, id)
}
func noResource() error { return notFound("Invalid Resource identifier specified") }
func noMethod() error   { return notFound("Invalid Method identifier specified") }
func noStage() error    { return notFound("Invalid Stage identifier specified") }
func noDeployment() error {
	return notFound("Invalid Deployment identifier specified")
}

// isNotFound tells whether err is a client's NotFoundException.
func isNotFound(err error) bool { return service.Code(err) == "NotFoundException" }
