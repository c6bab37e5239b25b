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
