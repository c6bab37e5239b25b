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

func invalidFormat(format string, args ...any) *service.Error {
	return service.Errorf("InvalidFormatFault", format, args...)
}

func missingParameter(name string) *service.Error {
	return service.Errorf("MissingRequiredParameterException", "The parameter %s is required.", name)
}

// inUse is the error of an alarm that composite alarms need.
func inUse(format string, args ...any) *service.Error {
	err := invalid(format, args...)
	err.Err = service.ErrInUse
	return err
}

func badToken() *service.Error {
	return service.Errorf("InvalidNextToken", "The token is not one that this operation returned.")
}

// codeNoAlarm is the code of the error of an alarm that is not there.
const codeNoAlarm = "ResourceNotFound"

// codeNoDashboard is the code of the error of a dashboard that is not there.
const codeNoDashboard = "DashboardNotFoundError"

// noAlarm has no message, as on AWS.
func noAlarm() *service.Error { return service.Errorf(codeNoAlarm, "") }

// unsupported is the error of what this version does not do.
func unsupported(operation, parameter string) *service.Error {
	return service.Unsupported("InvalidParameterValueException", operation, parameter)
}

// storeError names what a client can do about an error of the store.
func storeError(err error) error {
	return service.StoreError("cloudwatch", "InternalServiceFault", http.StatusServiceUnavailable, err)
}
