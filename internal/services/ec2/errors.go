package ec2

import (
	"errors"
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// Error codes that are used in more than one place, see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
const (
	codeValue       = "InvalidParameterValue"
	codeCombination = "InvalidParameterCombination"
	codeMissing     = "MissingParameter"
	codeDependency  = "DependencyViolation"
	codePermitted   = "OperationNotPermitted"
	codeUnsupported = "UnsupportedOperation"
	codeDuplicate   = "InvalidPermission.Duplicate"
	codeNoRule      = "InvalidPermission.NotFound"
	codeNoRoute     = "InvalidRoute.NotFound"
	codeNoAssoc     = "InvalidAssociationID.NotFound"
	codeAttached    = "Gateway.NotAttached"
)

func refuse(code, format string, args ...any) *service.Error {
	return service.Errorf(code, format, args...)
}

func invalid(format string, args ...any) *service.Error { return refuse(codeValue, format, args...) }

// missing is the error of a parameter that a call must have.
func missing(name string) *service.Error {
	return refuse(codeMissing, "The request must contain the parameter %s", name)
}

// inUse is the error of deleting what other objects need.
func inUse(noun, id string) *service.Error {
	return refuse(codeDependency, "The %s '%s' has dependencies and cannot be deleted.", noun, id)
}

// errDryRun is the answer of a call that only asks whether it would be allowed.
func errDryRun() *service.Error {
	return refuse("DryRunOperation", "Request would have succeeded, but DryRun flag is set.").WithStatus(http.StatusPreconditionFailed)
}

func storeError(err error) error {
	return service.StoreError("ec2", "Unavailable", http.StatusServiceUnavailable, err)
}

// isRefusal tells whether an error is one for the caller.
func isRefusal(err error) bool {
	var known *service.Error
	return errors.As(err, &known)
}

// messageOf is the message of an error for the caller.
func messageOf(err error) string {
	var known *service.Error
	if errors.As(err, &known) {
		return known.Message
	}
	return err.Error()
}
