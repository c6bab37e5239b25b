package logs

import (
	"errors"
	"net/http"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

func notFound(what string) *service.Error {
	return service.Errorf("ResourceNotFoundException", "The specified %s does not exist.", what)
}

func exists(what string) *service.Error {
	return service.Errorf("ResourceAlreadyExistsException", "The specified %s already exists", what)
}

func invalid(format string, args ...any) *service.Error {
	return service.Errorf("InvalidParameterException", format, args...)
}

// unavailable turns what the store cannot do into what a client can retry.
func unavailable(err error) error {
	if errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrConflict) {
		return &service.Error{Code: "ServiceUnavailableException", Status: http.StatusServiceUnavailable, Message: "The log store cannot take writes now: " + err.Error() + ".", Err: err}
	}
	return err
}
