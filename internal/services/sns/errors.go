package sns

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// The service's error codes.
const (
	codeInvalid     = "InvalidParameter"
	codeValue       = "ParameterValueInvalid"
	codeNotFound    = "NotFound"
	codeAuth        = "AuthorizationError"
	codeUnavailable = "ServiceUnavailable"
)

// invalid returns an InvalidParameter error in the form of SNS.
func invalid(format string, args ...any) error {
	return &service.Error{Code: codeInvalid, Status: http.StatusBadRequest, Message: "Invalid parameter: " + fmt.Sprintf(format, args...)}
}

func badValue(format string, args ...any) error {
	return service.Errorf(codeValue, format, args...).WithStatus(http.StatusBadRequest)
}

func notFound(what string) error {
	return service.Errorf(codeNotFound, "%s does not exist", what).WithStatus(http.StatusNotFound)
}

// storeError names the errors of the store that a client can do something about.
func storeError(err error) error {
	var known *service.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrConflict):
		return &service.Error{
			Code: codeUnavailable, Status: http.StatusServiceUnavailable, Err: err,
			Message: "The store cannot take this write now. Nothing was stored; try again, and make room in the data directory if the disk is full.",
		}
	}
	return fmt.Errorf("sns: %w", err)
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// digest returns what stands for a long text in a key.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func ptr[T any](v T) *T { return &v }
