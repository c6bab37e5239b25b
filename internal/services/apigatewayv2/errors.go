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

// refused collects the names of parameters that were given and are not supported.
type refused struct {
	operation string
	err       error
}

func (r *refused) when(given bool, parameter string) {
	if given && r.err == nil {
		r.err = service.Unsupported("BadRequestException", r.operation, parameter)
	}
}
