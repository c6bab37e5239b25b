package eventbridge

import (
	"errors"
	"net/http"

	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service"
)

// The service's error codes.
const (
	codeNotFound   = "ResourceNotFoundException"
	codeExists     = "ResourceAlreadyExistsException"
	codeValidation = "ValidationException"
	codeLimit      = "LimitExceededException"
	codePattern    = "InvalidEventPatternException"
	codeState      = "IllegalStatusException"
	codeModified   = "ConcurrentModificationException"
)

func invalid(format string, args ...any) error {
	return service.Errorf(codeValidation, format, args...).WithStatus(http.StatusBadRequest)
}

func notFound(format string, args ...any) error {
	return service.Errorf(codeNotFound, format, args...).WithStatus(http.StatusBadRequest)
}

func exists(format string, args ...any) error {
	return service.Errorf(codeExists, format, args...).WithStatus(http.StatusBadRequest)
}

func overLimit() error {
	return service.Errorf(codeLimit, "The requested resource exceeds the maximum number allowed.").WithStatus(http.StatusBadRequest)
}

func noBus(name string) error { return notFound("Event bus %s does not exist.", name) }

func noRule(bus, name string) error {
	return notFound("Rule %s does not exist on EventBus %s.", name, bus)
}

// badPattern is the error for a pattern that package pattern refuses.
func badPattern(err error) error {
	return service.Errorf(codePattern, "Event pattern is not valid. Reason: %s", reason(err)).WithStatus(http.StatusBadRequest)
}

func reason(err error) string {
	var e *pattern.Error
	if errors.As(err, &e) {
		return e.Reason + e.Place
	}
	return err.Error()
}

func storeError(err error) error {
	return service.StoreError("eventbridge", "InternalException", http.StatusInternalServerError, err)
}
