package deliver

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// busy are the codes by which services tell a caller to come back later, beside those that say so with their status.
var busy = []string{"InternalFailure", "InternalError", "ServiceUnavailable", "SlowDown", "OverLimit", "RequestTimeout", "ProvisionedThroughputExceededException"}

// Retryable tells whether another try may succeed after err: the platform's own failures and throttling. What a target refuses (a missing
// resource or permission, a message that is too large) it refuses again. An error that no client would see is the platform's own.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	var e *service.Error
	if !errors.As(err, &e) {
		return true
	}
	switch {
	case e.Status == http.StatusNotImplemented:
		return false
	case e.Status >= http.StatusInternalServerError, e.Status == http.StatusTooManyRequests:
		return true
	}
	return slices.Contains(busy, e.Code) || strings.Contains(e.Code, "Throttl") || strings.HasPrefix(e.Code, "TooManyRequests")
}
