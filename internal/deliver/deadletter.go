package deliver

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
)

// maxErrorText is how much of an error a dead-letter queue is told, in bytes.
const maxErrorText = 1 << 10

// deadLetter returns the message for the dead-letter queue of m, which was tried again retries times. bound is the limit that ended
// the tries, if one did.
func (m *Message) deadLetter(retries int, bound string, cause error) *Message {
	text := cause.Error()
	attributes := map[string]Attribute{
		"ERROR_CODE":     {Type: "String", Text: errorCode(cause)},
		"ERROR_MESSAGE":  {Type: "String", Text: strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "")},
		"RETRY_ATTEMPTS": {Type: "Number", Text: strconv.Itoa(max(retries, 0))},
	}
	if bound != "" {
		attributes["EXHAUSTED_RETRY_CONDITION"] = Attribute{Type: "String", Text: bound}
	}
	maps.Copy(attributes, m.DeadLetter.Attributes)
	out := &Message{
		Target: m.DeadLetter.Queue, From: m.From, Role: m.DeadLetter.Role, Trace: m.Trace, Attributes: attributes, Body: m.DeadLetter.Body, Retry: &Retry{Attempts: 185, Age: 24 * time.Hour},
	}
	if out.Body == nil {
		out.Body = m.Body
	}
	return out
}

// errorCode says in a word why a delivery failed.
func errorCode(cause error) string {
	var e *service.Error
	if !errors.As(cause, &e) {
		return "INTERNAL_ERROR"
	}
	switch code := e.Code; {
	case strings.HasPrefix(code, "AccessDenied"):
		return "NO_PERMISSIONS"
	case strings.Contains(code, "NotFound"), strings.Contains(code, "DoesNotExist"), strings.Contains(code, "NonExistent"):
		return "NO_RESOURCE"
	case strings.Contains(code, "Throttl"), strings.HasPrefix(code, "TooManyRequests"), strings.Contains(code, "ThroughputExceeded"):
		return "THROTTLING"
	}
	return "SDK_CLIENT_ERROR"
}
