package kinesis

import (
	"errors"
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// The names of the service's errors
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Operations.html).
const (
	codeInvalid      = "InvalidArgumentException"
	codeNotFound     = "ResourceNotFoundException"
	codeInUse        = "ResourceInUseException"
	codeLimit        = "LimitExceededException"
	codeValidation   = "ValidationException"
	codeExpired      = "ExpiredIteratorException"
	codeExpiredToken = "ExpiredNextTokenException"
	codeThroughput   = "ProvisionedThroughputExceededException"
	codeInternal     = "InternalFailureException"
)

func invalid(format string, args ...any) error { return service.Errorf(codeInvalid, format, args...) }

func noStream(p place, name string) error {
	return service.Errorf(codeNotFound, "Stream %s under account %s not found.", name, p.account)
}

func noShard(st *stream, id string) error {
	return service.Errorf(codeNotFound, "Could not find shard %s in stream %s under account %s.", id, st.Name, st.place.account)
}

func noConsumer(p place, what string) error {
	return service.Errorf(codeNotFound, "Consumer %s under account %s not found.", what, p.account)
}

// storeError names the errors of the store that a client can do something about.
func storeError(err error) error {
	var known *service.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrFull):
		return &service.Error{
			Code: codeInternal, Status: http.StatusInternalServerError, Err: err,
			Message: "The disk has no room for this write. Nothing was stored; free space in the data directory and try again.",
		}
	case errors.Is(err, store.ErrConflict):
		return &service.Error{
			Code: codeInternal, Status: http.StatusInternalServerError, Err: err,
			Message: "Too many calls changed the same stream at the same time. Nothing was changed; try again.",
		}
	}
	return fmt.Errorf("kinesis: %w", err)
}
