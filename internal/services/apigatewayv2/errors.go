package apigatewayv2

import "lambent.dev/lambent/internal/service"

func notFound(what, id string) *service.Error {
	return service.Errorf("NotFoundException", "Invalid %s identifier specified %s", what, id)
}

func badRequest(format string, args ...any) *service.Error {
	return service.Errorf("BadRequestException", format, args...)
}

func conflict(format string, args ...any) *service.Error {
	return service.Errorf("ConflictException", format, args...)
}

// unsupported refuses a parameter, or a value of one, by name.
func unsupported(operation, parameter string) error {
	return service.Unsupported("BadRequestException", operation, parameter)
}

// errManaged refuses to delete what quick create made: it goes with its API.
func errManaged(what, id string) error {
	return badRequest("%s %s is managed by API Gateway: it can be changed, and is deleted with its API.", what, id)
}
