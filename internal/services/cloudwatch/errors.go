package cloudwatch

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

func badValue(format string, args ...any) *service.Error {
	return service.Errorf("InvalidParameterValueException", format, args...)
}

func badCombination(format string, args ...any) *service.Error {
	return service.Errorf("InvalidParameterCombinationException", format, args...)
}

// invalid is the error of GetMetricData, which has codes of its own.
func invalid(format string, args ...any) *service.Error {
	return service.Errorf("ValidationError", format, args...)
}

// unsupported is the error of what this version does not do.
func unsupported(operation, parameter string) *service.Error {
	return service.Unsupported("InvalidParameterValueException", operation, parameter)
}

// storeError names what a client can do about an error of the store.
func storeError(err error) error {
	return service.StoreError("cloudwatch", "InternalServiceFault", http.StatusServiceUnavailable, err)
}
