package sqs

import (
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// The service's error codes. Those that end in Exception are not in the API's model; clients of the query protocol see them without that ending.
const (
	codeNoQueue          = "QueueDoesNotExist"
	codeExists           = "QueueNameExists"
	codeValue            = "InvalidParameterValueException"
	codeMissing          = "MissingRequiredParameterException"
	codeAttributeName    = "InvalidAttributeName"
	codeAttributeValue   = "InvalidAttributeValue"
	codeAddress          = "InvalidAddress"
	codeHandle           = "ReceiptHandleIsInvalid"
	codeNotFound         = "ResourceNotFoundException"
	codePurging          = "PurgeQueueInProgress"
	codeOverLimit        = "OverLimit"
	codeContents         = "InvalidMessageContents"
	codeEmptyBatch       = "EmptyBatchRequest"
	codeTooManyEntries   = "TooManyEntriesInBatchRequest"
	codeBatchTooLong     = "BatchRequestTooLong"
	codeEntryID          = "InvalidBatchEntryId"
	codeEntryIDsNotEqual = "BatchEntryIdsNotDistinct"
	codeUnavailable      = "ServiceUnavailable"
)

func noQueue() error { return service.Errorf(codeNoQueue, "The specified queue does not exist.") }

// invalid returns the error of a parameter's value in the form that SQS gives it.
func invalid(value any, parameter, reason string, args ...any) error {
	return service.Errorf(codeValue, "Value %v for parameter %s is invalid. Reason: %s", value, parameter, fmt.Sprintf(reason, args...))
}

func missing(parameter string) error {
	return service.Errorf(codeMissing, "The request must contain the parameter %s.", parameter)
}

func tooLong(limit int64) error {
	return service.Errorf(codeValue, "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", limit)
}

func attributeValue(format string, args ...any) error {
	return service.Errorf(codeAttributeValue, format, args...)
}

func badHandle(handle string) error {
	return service.Errorf(codeHandle, "The input receipt handle \"%s\" is not a valid receipt handle.", handle)
}

func storeError(err error) error {
	return service.StoreError("sqs", codeUnavailable, http.StatusServiceUnavailable, err)
}
