package sqs

import (
	"errors"
	"fmt"
	"net/http"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
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
	case errors.Is(err, store.ErrConflict):
		return &service.Error{
			Code: codeUnavailable, Status: http.StatusServiceUnavailable, Err: err,
			Message: "Too many calls changed the same messages at the same time. Nothing was changed; try again.",
		}
	}
	return fmt.Errorf("sqs: %w", err)
}
