package trace

import (
	"strconv"
	"time"
)

// TracingHeader is the header by which AWS X-Ray follows a request from service to service.
const TracingHeader = "X-Amzn-Trace-Id"

// NewHeader returns the [TracingHeader] of a request that came without one: Root=1-, the seconds since 1970 and 96 bits, both in hexadecimal
// (https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html). digits has the bits, random, as 24 hexadecimal
// digits or more; dashes among them do not count.
func NewHeader(digits string, now time.Time) string {
	const root = "Root=1-"
	b := append(make([]byte, 0, 48), root...)
	b = strconv.AppendUint(b, uint64(uint32(now.Unix())), 16) //nolint:gosec // the form has eight digits
	b = append(b, '-')
	for i := 0; len(b) < len(root)+9+24 && i < len(digits); i++ {
		if digits[i] != '-' {
			b = append(b, digits[i])
		}
	}
	return string(b)
}
