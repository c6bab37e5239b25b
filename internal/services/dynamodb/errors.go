package dynamodb

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/store"
)

// The service's error codes.
const (
	codeValidation     = "ValidationException"
	codeNotFound       = "ResourceNotFoundException"
	codeInUse          = "ResourceInUseException"
	codeCondition      = "ConditionalCheckFailedException"
	codeDuplicate      = "DuplicateItemException"
	codeCanceled       = "TransactionCanceledException"
	codeConflict       = "TransactionConflictException"
	codeMismatch       = "IdempotentParameterMismatchException"
	codeThroughput     = "ProvisionedThroughputExceededException"
	codeLimit          = "LimitExceededException"
	codeCollection     = "ItemCollectionSizeLimitExceededException"
	codeInternal       = "InternalServerError"
	codeUnavailable    = "ServiceUnavailable"
	codeAccessDenied   = "AccessDeniedException"
	msgConditionFailed = "The conditional request failed"
	invalidParameters  = "One or more parameter values were invalid: "
)

// invalid returns a ValidationException.
func invalid(format string, args ...any) error {
	return service.Errorf(codeValidation, format, args...)
}

// invalidValue returns a ValidationException about the values of parameters.
func invalidValue(format string, args ...any) error {
	return invalid(invalidParameters+format, args...)
}

// violated returns the error of a broken constraint of the API model that is checked here, because DynamoDB words it in a way of its own. value is as
// it is shown, or empty when it is not shown.
func violated(value, path, rule string) error {
	if value != "" {
		value += " "
	}
	return invalid("1 validation error detected: Value %sat '%s' failed to satisfy constraint: %s", value, path, rule)
}

// shownList returns a list of n structures as the errors of constraints show it.
func shownList(element string, n int) string {
	return "[" + strings.Join(slices.Repeat([]string{element}, n), ", ") + "]"
}

// validation turns the errors of attr and expr, whose texts are DynamoDB's, into ValidationExceptions.
func validation(err error) error {
	if err == nil {
		return nil
	}
	var value *attr.InvalidError
	var expression *expr.Error
	switch {
	case errors.As(err, &value):
		return &service.Error{Code: codeValidation, Message: value.Message}
	case errors.As(err, &expression):
		return &service.Error{Code: codeValidation, Message: expression.Message}
	}
	return err
}

// unsupported refuses a parameter that this version does not honour.
func unsupported(operation, parameter string) error {
	return service.Unsupported(codeValidation, operation, parameter)
}

func noItemTable() error { return service.Errorf(codeNotFound, "Requested resource not found") }

func noTable(name string) error {
	return service.Errorf(codeNotFound, "Requested resource not found: Table: %s not found", name)
}

func duplicateItem() error {
	return service.Errorf(codeDuplicate, "Duplicate primary key exists in table")
}

// conditionFailed returns the error of a condition that is not met; item is shown when the caller asked for it.
func conditionFailed(item attr.Map) error {
	e := service.Errorf(codeCondition, msgConditionFailed)
	if item == nil {
		return e
	}
	message := msgConditionFailed
	return e.WithDetail(&ddb.ConditionalCheckFailedException{Message: &message, Item: item})
}

// storeError names the errors of the store that a client can do something about.
func storeError(err error) error {
	var known *service.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrConflict):
		return &service.Error{Code: codeConflict, Message: "Transaction is ongoing for the item", Err: err}
	case errors.Is(err, store.ErrFull):
		return &service.Error{
			Code: codeUnavailable, Status: http.StatusServiceUnavailable, Err: err,
			Message: "The disk has no room for this write. Nothing was stored; free space in the data directory and try again.",
		}
	case errors.Is(err, store.ErrTooLarge):
		return &service.Error{Code: codeValidation, Message: "The request writes more than 4 MB with its indexes, which is more than one transaction holds. Split it.", Err: err}
	}
	return fmt.Errorf("dynamodb: %w", err)
}

// messageOf returns the message of an error that a client sees.
func messageOf(err error) string {
	var e *service.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
