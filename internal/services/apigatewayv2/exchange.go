package apigatewayv2

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/gateway/domain"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/service"
)

// exchange is one request to an HTTP API on its way.
type exchange struct {
	*table

	gateway *Gateway
	request *http.Request
	// to is where the request goes: the raw path within the stage, which begins with a slash, and the custom domain name that led there, if one did.
	to     domain.Target
	route  *compiled
	params []param
	id     string
	now    time.Time
	body   []byte
	read   bool // body is the body

	caller   *service.Principal // of a signed request
	claims   *authorizer.Claims // of a token
	decision *decision          // of an authorizer function

	answered *reply   // of the integration, with its own status
	refused  *refusal // why the gateway answered by itself
	status   int      // that the client got
	sent     int      // bytes of the body that the client got
	called   bool     // the integration was
	times    struct{ authorizer, integration time.Duration }
	trace    *trace.Trace
}

// reply is what goes to the client. Its header is that of the response itself.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// serveHTTP answers a request to a stage of an HTTP API.
func (g *Gateway) serveHTTP(w http.ResponseWriter, r *http.Request, t *table, to domain.Target) {
	x, err := g.begin(r, t, to)
	if err != nil {
		g.deps.Log.ErrorContext(r.Context(), "a request can have no id", slog.Any("error", err))
		fail(w, t, r, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	w.Header()["Apigw-Requestid"] = []string{x.id}
	if t.cors.Preflight(w, r) {
		return
	}
	ctx := r.Context()
	defer func() {
		ended := g.deps.Clock.Now()
		x.trace.End(ended, x.status)
		x.count(ended)
		g.logRequest(ctx, x)
	}()
	if refused := x.run(ctx, w); refused != nil {
		x.refuse(w, refused)
	}
}

// begin returns an exchange for a request.
func (g *Gateway) begin(r *http.Request, t *table, to domain.Target) (*exchange, error) {
	var bits [12]byte
	if _, err := io.ReadFull(g.deps.Random, bits[:]); err != nil {
		return nil, err
	}
	x := &exchange{table: t, gateway: g, request: r, to: to, id: base64.RawURLEncoding.EncodeToString(bits[:11]) + "=", now: g.deps.Clock.Now()}
	if len(r.Header[trace.TracingHeader]) == 0 {
		r.Header[trace.TracingHeader] = []string{trace.NewHeader(hex.EncodeToString(bits[:]), x.now)}
	}
	if g.options.Traces != nil {
		whole := len(r.Header[trace.Header]) > 0
		x.trace = g.options.Traces.Begin(x.now, x.id, t.api, t.stage, r.Method, to.Path, whole)
	}
	return x, nil
}

// run takes the request through the stages of the pipeline, and answers it unless it is refused.
func (x *exchange) run(ctx context.Context, w http.ResponseWriter) *refusal {
	step := x.trace.Step("route", x.request.Method+" "+x.to.Path)
	refused := x.find()
	step.EndText(x.outcome(refused, func() trace.Text { return trace.Text{Line: x.route.key} }))
	if refused != nil {
		return refused
	}
	if x.gateway.options.Rates.Admit(x.now, x.limits(x.gateway.options.Rates, x.route.key)...) >= 0 {
		refused = &refusal{status: http.StatusTooManyRequests, message: "Too Many Requests"}
		x.trace.NoteText("throttle", x.outcome(refused, nil))
		return refused
	}
	if len(x.request.Method)+len(x.request.RequestURI)+headerBytes(x.request.Header) > maxHeaders {
		return &refusal{status: http.StatusRequestHeaderFieldsTooLarge, message: "Request Header Fields Too Large"}
	}
	step = x.trace.Step("authorizer", x.admissionText())
	refused = x.admit(ctx, w)
	step.EndText(x.outcome(refused, x.admitted))
	if refused != nil {
		return refused
	}
	if refused = x.readBody(w); refused != nil {
		return refused
	}
	return x.integrate(ctx, w)
}

// find finds the route.
func (x *exchange) find() *refusal {
	if _, ok := decodePath(x.to.Path); !ok {
		return &refusal{status: http.StatusBadRequest, message: "Bad Request", err: errors.New("the percent-encoding of the path is broken, or that of what it encodes is")}
	}
	x.route, x.params = x.table.find(x.request.Method, x.to.Path)
	if x.route == nil || x.route.integration == nil {
		x.route = nil
		return &refusal{status: http.StatusNotFound, message: "Not Found"}
	}
	return nil
}

// headerBytes is the size of header lines.
func headerBytes(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

// readBody reads the body, once.
func (x *exchange) readBody(w http.ResponseWriter) *refusal {
	if x.read {
		return nil
	}
	x.read = true
	if x.request.Body == nil || x.request.ContentLength == 0 {
		return nil
	}
	if x.request.ContentLength > maxRequestBody {
		return &refusal{status: http.StatusRequestEntityTooLarge, message: "Request Entity Too Large"}
	}
	var err error
	if x.request.ContentLength > 0 {
		x.body = make([]byte, x.request.ContentLength)
		_, err = io.ReadFull(x.request.Body, x.body)
	} else {
		x.body, err = io.ReadAll(http.MaxBytesReader(w, x.request.Body, maxRequestBody))
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &refusal{status: http.StatusRequestEntityTooLarge, message: "Request Entity Too Large"}
	case err != nil:
		return &refusal{status: http.StatusBadRequest, message: "Bad Request", err: err}
	}
	return nil
}

// integrate calls the integration, and answers with what it makes of the answer.
func (x *exchange) integrate(ctx context.Context, w http.ResponseWriter) *refusal {
	i := x.route.integration
	if i.broken != nil {
		return misconfigured(i.broken)
	}
	timed := clock.WithTimeout(service.WithRequest(ctx, x.serviceRequest()), i.timeout)
	defer timed.Cancel()
	from := x.gateway.deps.Clock.Now()
	x.called = true
	out, refused := x.call(timed, w.Header())
	x.times.integration = x.gateway.deps.Clock.Now().Sub(from)
	if refused != nil {
		return refused
	}
	x.answered = &reply{status: out.status, body: out.body}
	if refused = x.change(out); refused != nil {
		return refused
	}
	x.write(w, out)
	return nil
}

// call calls the integration. header is that of the response, which the answer's own goes into.
func (x *exchange) call(ctx context.Context, header http.Header) (*reply, *refusal) {
	i := x.route.integration
	if i.service != nil {
		return x.callService(ctx, header)
	}
	out, refused := x.prepare()
	if refused != nil {
		return nil, refused
	}
	if i.kind == kindHTTPProxy {
		return x.callBackend(ctx, out, header)
	}
	return x.callFunction(ctx, out, header)
}

// misconfigured is the answer of an API that is not set up right.
func misconfigured(err error) *refusal {
	return &refusal{status: http.StatusInternalServerError, message: "Internal Server Error", err: err}
}

// unanswered is the answer when an integration gave none.
func unanswered(err error) *refusal {
	status := http.StatusInternalServerError
	message := "Internal Server Error"
	var f *backend.CallError
	if errors.As(err, &f) {
		switch f.Kind {
		case backend.TimedOut, backend.Throttled:
			status, message = http.StatusServiceUnavailable, "Service Unavailable"
		case backend.TooLarge:
			status, message = http.StatusRequestEntityTooLarge, "Request Entity Too Large"
		case backend.Failed, backend.Misconfigured, backend.Forbidden:
		}
	}
	return &refusal{status: status, message: message, err: err}
}

// refuse answers in the gateway's own words.
func (x *exchange) refuse(w http.ResponseWriter, f *refusal) {
	x.refused = f
	x.note(f)
	h := w.Header()
	clear(h)
	h["Apigw-Requestid"] = []string{x.id}
	if f.challenge != "" {
		h["Www-Authenticate"] = []string{f.challenge}
	}
	h["Content-Type"] = []string{"application/json"}
	x.cors.Allow(h, x.request)
	x.write(w, &reply{status: f.status, header: h, body: []byte(`{"message":"` + f.message + `"}`)})
}

// write sends an answer whose header is that of w.
func (x *exchange) write(w http.ResponseWriter, out *reply) {
	h := out.header
	h["Apigw-Requestid"] = []string{x.id}
	if x.trace != nil && x.trace.Whole {
		h[trace.Answer] = []string{x.id}
		h["Server-Timing"] = []string{x.trace.Timing()}
	}
	x.status = out.status
	bodiless := httpevent.Bodiless(out.status)
	if bodiless {
		delete(h, "Content-Length")
	} else if x.request.Method != http.MethodHead || len(h["Content-Length"]) == 0 {
		h["Content-Length"] = []string{strconv.Itoa(len(out.body))}
	}
	w.WriteHeader(out.status)
	if !bodiless && x.request.Method != http.MethodHead {
		// The client knows best that it has gone.
		x.sent, _ = w.Write(out.body)
	}
}

// note logs why a request was refused, when that is the API's or the platform's fault.
func (x *exchange) note(f *refusal) {
	if f.err == nil {
		return
	}
	key := ""
	if x.route != nil {
		key = x.route.key
	}
	log := x.gateway.deps.Log.With(slog.String("request_id", x.id), slog.String("api", x.api), slog.String("stage", x.stage), slog.String("route", key), slog.Int("status", f.status))
	ctx := x.request.Context()
	var call *backend.CallError
	switch {
	case errors.As(f.err, &call) && call.Kind == backend.Forbidden:
		log.ErrorContext(ctx, "integration may not be called", slog.String("fix", call.Message), slog.Any("error", call.Err))
	case f.status >= http.StatusInternalServerError:
		log.ErrorContext(ctx, "request to an api failed", slog.Any("error", f.err))
	default:
		log.DebugContext(ctx, "request to an api was refused", slog.Any("error", f.err))
	}
}

// outcome is what a stage came to, for the trace. good returns the text of a stage that was passed.
func (x *exchange) outcome(f *refusal, good func() trace.Text) trace.Text {
	switch {
	case x.trace == nil:
		return trace.Text{}
	case f == nil:
		return good()
	case f.err != nil:
		return trace.Text{Line: strconv.Itoa(f.status) + " " + f.message + "\n" + f.err.Error()}
	}
	return trace.Text{Line: strconv.Itoa(f.status) + " " + f.message}
}

// serviceRequest is the call that decisions and logs see.
func (x *exchange) serviceRequest() *service.Request {
	return &service.Request{
		ID: x.id, API: "execute-api", Operation: x.route.key, Account: x.account, Region: x.region, Time: x.now, Trace: x.request.Header[trace.TracingHeader][0],
	}
}

// arn is the ARN of a path of the stage.
func (x *exchange) arn(method, path string) string {
	return "arn:aws:execute-api:" + x.region + ":" + x.account + ":" + x.api + "/" + x.stage + "/" + method + path
}

// source is the ARN by which a function's policy knows the route.
func (x *exchange) source() string { return x.sourceOf(x.request.Method) }

// sourceOf is the source of a request with a method.
func (x *exchange) sourceOf(method string) string {
	if x.route.method == "" {
		return x.arn("", defaultRoute)
	}
	return x.arn(method, x.route.path)
}

// fail answers in the gateway's own words where there is no exchange. t is nil when no API was found.
func fail(w http.ResponseWriter, t *table, r *http.Request, status int, message string) {
	if t != nil {
		t.cors.Allow(w.Header(), r)
	}
	body := `{"message":"` + message + `"}`
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body)
	}
}
