package portal

import "lambent.dev/lambent/internal/service"

func notFound(what, id string) error {
	return service.Errorf("NotFoundException", "Invalid %s identifier specified %s", what, id)
}

func badRequest(format string, args ...any) error {
	return service.Errorf("BadRequestException", format, args...)
}

// exceeded is the error for one too many, which the API calls by this name.
func exceeded(format string, args ...any) error {
	return service.Errorf("TooManyRequestsException", format, args...)
}
