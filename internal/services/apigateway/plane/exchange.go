package plane

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/vtl"
	"lambent.dev/lambent/internal/service"
)

const (
	// maxBody bounds the body of a request and of an answer, in bytes
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
	maxBody = 10 << 20
	// smallBody is the size up to which room is made for a body before it comes, in bytes.
	smallBody = 64 << 10
	// maxHeaders bounds all header lines of a request, in bytes.
	maxHeaders = 10_240
)

// exchange is one request on its way.
type exchange struct {
	*stage

	plane *Plane
	http  *http.Request
	// tree is the deployment that serves the request: the stage's, or its canary's.
	tree        *tree
	canary      bool
	mapped      bool   // a custom domain name leads here
	basePath    string // of its mapping
	privateName string // the ARN of a private custom domain name
	endpoint    vpcendpoint.Endpoint
	variables   map[string]string // of the stage
	resource    *resource
	method      *method
	settings    *settings

	id, extended string
	now, ended   time.Time // ended is zero while the request goes on
	// path is the raw path within the stage, shown the one that events show, and full the one with the stage in front.
	path, shown, full string
	fields            fields
	query             pairs
	params            pairs
	body              []byte
	traceID           string

	principal *service.Principal // of a signed request
	policy    *authorizer.Policy // of an authorizer function
	claims    *authorizer.Claims // of a user pool
	apiKey    string             // the id of the caller's key
	keyValue  string

	// requestOverride and responseOverride are what templates changed; nil until a template ran.
	requestOverride, responseOverride *vtl.Map

	called bool    // the integration was
	answer *answer // of the integration
	failed *failed // why a gateway response answers
	status int     // that the client got
	sent   int     // bytes of the body that the client got
	// abandon ends the exchange with an integration that streams; nil for every other.
	abandon context.CancelCauseFunc
	broken  bool // a streamed response did not come to its end
	times   times
	trace   *trace.Trace
	logger  *executionLog // nil without an execution log
}

// times are how long the parts of the request took. content is the time until the first byte of a streamed body.
type times struct{ authorizer, integration, content time.Duration }

// answer is what an integration, or the cache, answered.
type answer struct {
	status int
	fields fields
	body   []byte
	// stream is the body of an answer that is passed on while it arrives; nil for one that is whole.
	stream io.ReadCloser
	// text is what the selection pattern is compared with: the status, or the error message of a function.
	text string
	// proxied tells that the answer goes to the client as it is.
	proxied bool
	// cached tells that it comes from the cache.
	cached bool
}

// took is how long the request took, or takes already.
func (x *exchange) took() time.Duration {
	if x.ended.IsZero() {
		return x.plane.o.Clock.Now().Sub(x.now)
	}
	return x.ended.Sub(x.now)
}

// contentType is the media type of the request; JSON where it names none.
func (x *exchange) contentType() string {
	if v, ok := x.fields.get("Content-Type"); ok && v != "" {
		return mediaType(v)
	}
	return "application/json"
}

// readBody reads the body, or says why not.
func (x *exchange) readBody(w http.ResponseWriter) *failed {
	if x.http.Body == nil || x.http.ContentLength == 0 {
		return nil
	}
	var err error
	if x.http.ContentLength > maxBody {
		return &failed{kind: "REQUEST_TOO_LARGE", message: "Request Too Long"}
	}
	if n := x.http.ContentLength; n > 0 && n <= smallBody {
		x.body = make([]byte, n)
		_, err = io.ReadFull(x.http.Body, x.body)
	} else {
		// What a client only says that it will send takes no memory.
		x.body, err = io.ReadAll(http.MaxBytesReader(w, x.http.Body, maxBody))
	}
	if err == nil {
		return nil
	}
	return unreadable(err)
}

// unreadable is the answer to a request whose body cannot be read.
func unreadable(err error) *failed {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &failed{kind: "REQUEST_TOO_LARGE", message: "Request Too Long"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &failed{kind: "DEFAULT_4XX", status: http.StatusRequestTimeout, message: "Request Timeout", err: err}
	}
	return &failed{kind: "DEFAULT_4XX", status: http.StatusBadRequest, message: "Bad Request", err: err}
}

// gatewayFields adds what API Gateway tells integrations of the client.
func (x *exchange) gatewayFields() {
	port, scheme := "443", "https"
	if !front.Secure(x.http) {
		scheme = "http"
		if i := strings.LastIndexByte(x.http.Host, ':'); i >= 0 && !strings.HasSuffix(x.http.Host, "]") {
			port = x.http.Host[i+1:]
		} else {
			port = "80"
		}
	}
	ip := httpevent.ClientIP(x.http)
	if before, ok := x.fields.get("X-Forwarded-For"); ok && before != "" {
		ip = before + ", " + ip
	}
	kept := x.fields[:0:len(x.fields)]
	for i := range x.fields {
		lower := lowerName(x.fields[i].name)
		switch lower {
		case "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id":
			continue
		}
		if notForwarded(lower) {
			continue // mappings and templates do not see it either
		}
		kept = append(kept, x.fields[i])
	}
	x.fields = append(kept, field{"X-Amzn-Trace-Id", x.traceID}, field{"X-Forwarded-For", ip}, field{"X-Forwarded-Port", port}, field{"X-Forwarded-Proto", scheme})
}

// headerBytes is the size of the request's header lines.
func (x *exchange) headerBytes() int {
	n := 0
	for i := range x.fields {
		n += len(x.fields[i].name) + len(x.fields[i].value)
	}
	return n
}

// arn is the method's ARN as policies and functions know it: with the path of the request, or of the resource.
func (x *exchange) arn(path string) string {
	return "arn:aws:execute-api:" + x.Region + ":" + x.Account + ":" + x.API.ID + "/" + x.name + "/" + x.http.Method + path
}

// source is the ARN under which functions are invoked.
func (x *exchange) source() string { return x.arn(x.resource.path) }

// matchesBinary tells whether a media type is one of the API's binary ones.
func (t *tree) matchesBinary(contentType string) bool {
	if len(t.binary) == 0 {
		return false
	}
	contentType = mediaType(contentType)
	for _, b := range t.binary {
		b = strings.ReplaceAll(strings.ToLower(b), "~1", "/")
		if strings.HasPrefix(b, "*/") && b != "*/*" {
			continue // which stands for nothing, not even for itself
		}
		if b == "*/*" || b == contentType {
			return true
		}
		if kind, ok := strings.CutSuffix(b, "/*"); ok && strings.HasPrefix(contentType, kind+"/") {
			return true
		}
	}
	return false
}

// accepts is the first media type that the client accepts.
func (x *exchange) accepts() string {
	v, _ := x.fields.get("Accept")
	v, _, _ = strings.Cut(v, ",")
	return mediaType(v)
}
