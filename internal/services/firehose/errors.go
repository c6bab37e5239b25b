package firehose

import (
	"errors"
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// The names of the service's errors
// (https://docs.aws.amazon.com/firehose/latest/APIReference/API_Operations.html).
const (
	codeInvalid     = "InvalidArgumentException"
	codeNotFound    = "ResourceNotFoundException"
	codeInUse       = "ResourceInUseException"
	codeLimit       = "LimitExceededException"
	codeConcurrent  = "ConcurrentModificationException"
	codeUnavailable = "ServiceUnavailableException"
)

func invalid(format string, args ...any) error { return service.Errorf(codeInvalid, format, args...) }

func noStream(p place, name string) error {
	return service.Errorf(codeNotFound, "Firehose %s under account %s not found.", name, p.account)
}

// errSource is the error of a put to a stream that reads a data stream.
func errSource() error {
	return invalid("This operation is not permitted on KinesisStreamAsSource delivery stream type.")
}

// storeError names the errors of the store that a client can do something about.
func storeError(err error) error {
	var known *service.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrFull):
		return &service.Error{
			Code: codeUnavailable, Status: http.StatusServiceUnavailable, Err: err,
			Message: "The disk has no room for this write. Nothing was stored; free space in the data directory and try again.",
		}
	}
	return fmt.Errorf("firehose: %w", err)
}
