package firehose

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
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

func storeError(err error) error {
	return service.StoreError("firehose", codeUnavailable, http.StatusServiceUnavailable, err)
}
