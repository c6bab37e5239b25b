package secretsmanager

import (
	"net/http"

	"lambent.dev/lambent/internal/service"
)

// The service's error codes.
const (
	codeNotFound  = "ResourceNotFoundException"
	codeRequest   = "InvalidRequestException"
	codeParameter = "InvalidParameterException"
	codeExists    = "ResourceExistsException"
	codePolicy    = "MalformedPolicyDocumentException"
	codePublic    = "PublicPolicyException"
	codeToken     = "InvalidNextTokenException"
	codeDenied    = "AccessDeniedException"
)

func refused(code, format string, args ...any) error {
	return service.Errorf(code, format, args...).WithStatus(http.StatusBadRequest)
}

func badRequest(format string, args ...any) error   { return refused(codeRequest, format, args...) }
func badParameter(format string, args ...any) error { return refused(codeParameter, format, args...) }

func noSecret() error {
	return refused(codeNotFound, "Secrets Manager can't find the specified secret.")
}

func badName() error {
	return refused("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
}

func noValue(what string) error {
	return refused(codeNotFound, "Secrets Manager can't find the specified secret value for %s", what)
}

func unsupported(operation, parameter string) error {
	return service.Unsupported(codeParameter, operation, parameter)
}

// needToken returns the error of a call without ClientRequestToken, which SDKs fill in.
func needToken(code string, token *string) error {
	if token == nil || *token == "" {
		return refused(code, "You must provide a ClientRequestToken value. We recommend a UUID-type value.")
	}
	return nil
}
