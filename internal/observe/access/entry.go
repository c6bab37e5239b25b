package access

import (
	"net/netip"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/lib/jsonenc"
)

// Entry is one request. Fields that are not known are left out of its line.
type Entry struct {
	// Time is when the request arrived.
	Time time.Time
	// RequestID is the id that the client was told.
	RequestID string
	// SourceIP is the address of the client.
	SourceIP netip.Addr
	// Method, Host and Path are those of the request, as they were sent. Path is without the query.
	Method, Host, Path string
	// Service is the API whose operation was called or whose data plane was used, such as "s3"; Operation is the operation.
	Service, Operation string
	// Principal is the ARN of the caller, Region the region of the call.
	Principal, Region string
	// Status is the HTTP status; 0 when the connection ended before there was one.
	Status int
	// ErrorCode is the code of the error that was answered, such as "AccessDenied".
	ErrorCode string
	// Duration is the time from the head of the request to the end of the answer.
	Duration time.Duration
	// Bytes is the length of the answer's body.
	Bytes int64
	// UserAgent is the client's header.
	UserAgent string
}

// append appends the line of e, with its line break.
func (e *Entry) append(b []byte) []byte {
	b = append(b, `{"time":"`...)
	b = e.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = append(b, '"')
	source := ""
	if e.SourceIP.IsValid() {
		source = e.SourceIP.String()
	}
	for _, f := range [...]struct{ name, value string }{
		{"request_id", e.RequestID},
		{"source_ip", source},
		{"principal", e.Principal},
		{"service", e.Service},
		{"operation", e.Operation},
		{"region", e.Region},
		{"method", e.Method},
		{"host", e.Host},
		{"path", e.Path},
	} {
		b = appendText(b, f.name, f.value)
	}
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = appendText(b, "error_code", e.ErrorCode)
	b = append(b, `,"duration_ms":`...)
	b = strconv.AppendFloat(b, float64(e.Duration.Microseconds())/1000, 'f', 3, 64)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, e.Bytes, 10)
	b = appendText(b, "user_agent", e.UserAgent)
	return append(b, '}', '\n')
}

func appendText(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return jsonenc.String(b, value)
}
