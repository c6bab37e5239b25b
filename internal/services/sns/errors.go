package sns

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"

	"lambent.dev/lambent/internal/service"
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

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// digest returns what stands for a long text in a key.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func storeError(err error) error {
	return service.StoreError("sns", codeUnavailable, http.StatusServiceUnavailable, err)
}
