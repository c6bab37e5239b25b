package iam

import (
	"errors"
	"net/http"

	engine "lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/service"
)

func fail(code string, status int, format string, args ...any) *service.Error {
	return service.Errorf(code, format, args...).WithStatus(status)
}

func noSuch(what, name string) *service.Error {
	return fail("NoSuchEntity", http.StatusNotFound, "The %s with name %s cannot be found.", what, name)
}

func noPolicy(arn string) *service.Error {
	return fail("NoSuchEntity", http.StatusNotFound, "Policy %s does not exist or is not attachable.", arn)
}

func exists(what, name string) *service.Error {
	return fail("EntityAlreadyExists", http.StatusConflict, "%s with name %s already exists.", what, name)
}

func conflict(message string) *service.Error {
	return fail("DeleteConflict", http.StatusConflict, "%s", message)
}

func limit(format string, args ...any) *service.Error {
	return fail("LimitExceeded", http.StatusConflict, format, args...)
}

func invalid(format string, args ...any) *service.Error {
	return fail("InvalidInput", http.StatusBadRequest, format, args...)
}

// malformed answers with what the policy engine says of a document.
func malformed(err error) error {
	var m *engine.MalformedError
	if errors.As(err, &m) {
		return fail("MalformedPolicyDocument", http.StatusBadRequest, "%s", m.Message)
	}
	return err
}
