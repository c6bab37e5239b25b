package kinesis

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
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

func storeError(err error) error {
	return service.StoreError("kinesis", codeInternal, http.StatusInternalServerError, err)
}
