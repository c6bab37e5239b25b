package plane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/service/port"
)

// Bounds of an answer that is passed on while it arrives
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html).
const (
	// maxStreamHead is within how many bytes the head of a function's stream has to end.
	maxStreamHead = 16 << 10
	// edgeIdle and idle are for how long a stream may be silent, by the type of the API's endpoint.
	edgeIdle = 30 * time.Second
	idle     = 5 * time.Minute
)

// streams tells whether the integration's answer is passed on while it arrives.
func (c *call) streams() bool { return c.ResponseTransferMode == aws.ResponseTransferModeStream }

// streamedHead is the head of a function's stream.
type streamedHead struct {
	Status  json.RawMessage `json:"statusCode"`
	Headers orderedHeaders  `json:"headers"`
	Multi   multiHeaders    `json:"multiValueHeaders"`
	Cookies []string        `json:"cookies"`
}

// streamFunction invokes a function, and returns with an answer whose body is still to come.
func (x *exchange) streamFunction(ctx context.Context, call *integration.Call) (*answer, *failed) {
	x.called = true
	got, err := x.plane.functions.Stream(ctx, call)
	if err != nil {
		return nil, integrationFailed(err)
	}
	arriving := x.watched(got.Body)
	document, body, err := httpevent.ReadHead(arriving, maxStreamHead)
	if err == nil {
		var a *answer
		if a, err = parseStreamed(document); err == nil {
			a.stream = stream{Reader: body, Closer: got.Body}
			return a, nil
		}
	}
	_ = got.Body.Close()
	var function *port.FunctionError
	switch {
	case errors.As(err, &function):
		return nil, badGateway(errors.New("the function failed: " + functionError(function.Document)))
	case ctx.Err() != nil:
		return nil, &failed{kind: "INTEGRATION_TIMEOUT", message: "Endpoint request timed out", err: context.Cause(ctx)}
	}
	return nil, badGateway(fmt.Errorf("the function's stream is malformed: it must begin with a JSON document of statusCode, headers and cookies, and eight zero bytes: %w", err))
}

// parseStreamed reads the head of a function's stream.
func parseStreamed(document []byte) (*answer, error) {
	var head streamedHead
	if err := json.Unmarshal(document, &head); err != nil {
		return nil, err
	}
	a := &answer{proxied: true, fields: mergeHeaders(fields(head.Headers), fields(head.Multi))}
	var err error
	if a.status, err = statusOf(head.Status); err != nil {
		return nil, err
	}
	a.text = strconv.Itoa(a.status)
	for _, cookie := range head.Cookies {
		a.fields = append(a.fields, field{"Set-Cookie", cookie})
	}
	return a, a.fields.check()
}

// stream is a body and what ends it.
type stream struct {
	io.Reader
	io.Closer
}

var errSilent = errors.New("nothing came for as long as a stream may be silent")

// silence is a body of which something has to come every now and then: otherwise its exchange is ended.
type silence struct {
	io.ReadCloser

	clock clock.Clock
	limit time.Duration
	end   context.CancelCauseFunc // of the exchange that the body is a part of
}

// watched returns body with the limit of the API's endpoint.
func (x *exchange) watched(body io.ReadCloser) *silence {
	s := &silence{ReadCloser: body, clock: x.plane.o.Clock, limit: idle, end: x.abandon}
	if slices.Contains(x.API.Endpoint.Types, aws.EndpointTypeEdge) {
		s.limit = edgeIdle
	}
	return s
}

// Read implements [io.Reader].
func (s *silence) Read(p []byte) (int, error) {
	defer clock.AfterFunc(s.clock, s.limit, func() { s.end(errSilent) })()
	return s.ReadCloser.Read(p)
}

// writeStream sends a response while its body arrives. It returns false when the body did not come to its end, of which the client has to learn by the connection.
func (x *exchange) writeStream(ctx context.Context, w http.ResponseWriter, out *response) bool {
	maps.Copy(w.Header(), out.header)
	x.status = out.status
	x.identifyTo(w.Header())
	keepType(w.Header())
	w.WriteHeader(out.status)
	if bodiless(out.status) || x.http.Method == http.MethodHead {
		return true
	}
	from, control := x.plane.o.Clock.Now(), http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := x.answer.stream.Read(buf)
		if n > 0 {
			if x.sent == 0 {
				x.times.content = x.times.integration + x.plane.o.Clock.Now().Sub(from)
			}
			sent, err := w.Write(buf[:n])
			x.sent += sent
			if err == nil {
				err = control.Flush()
			}
			if err != nil && !errors.Is(err, http.ErrNotSupported) {
				return true // the client knows best that it has gone
			}
		}
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			x.brokeOff(ctx, err)
			return false
		}
	}
}

// brokeOff tells that an answer had begun and did not come to its end.
func (x *exchange) brokeOff(ctx context.Context, err error) {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	f := &failed{kind: "INTEGRATION_FAILURE", message: "The response broke off", err: err}
	x.failed = f
	x.logger.failed(f)
	x.plane.o.Log.WarnContext(ctx, "streamed response of an api broke off", slog.String("request_id", x.id), slog.String("api", x.API.ID), slog.String("stage", x.name), slog.Int("sent", x.sent), slog.Any("error", err))
}
