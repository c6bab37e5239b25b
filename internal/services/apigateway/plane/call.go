package plane

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/service"
)

var errNoIntegration = errors.New("the method has no integration")

// call answers from the cache, or from the integration.
func (x *exchange) call(ctx context.Context, w http.ResponseWriter) *failed {
	var key string
	c := x.method.call
	if x.settings.cached && !c.streams() {
		key = x.cacheKey()
		hit, f := x.fromCache(ctx, w, key)
		if f != nil || hit {
			return f
		}
	}
	if c.broken != nil {
		return configuration(c.broken)
	}
	limit := clock.WithTimeout(service.WithRequest(ctx, x.serviceRequest()), time.Duration(c.timeout)*time.Millisecond)
	defer limit.Cancel()
	var timed context.Context = limit
	if c.streams() {
		timed, x.abandon = context.WithCancelCause(timed)
		defer x.abandon(nil)
	}
	if f := x.integrate(timed); f != nil {
		return f
	}
	if x.answer.stream != nil {
		defer func() { _ = x.answer.stream.Close() }()
	}
	step := x.trace.Step("response", "")
	out, f := x.respond()
	if f != nil {
		step.End(outcome(f, ""))
		return f
	}
	step.EndText(trace.Text{Line: trace.Status(out.status), Head: trace.Map(out.header), Body: out.body})
	x.logger.responded(out)
	if x.answer.stream != nil {
		x.broken = !x.writeStream(timed, w, out)
		return nil
	}
	if key != "" && out.status >= 200 && out.status < 300 {
		x.toCache(key, out)
	}
	x.write(w, out)
	return nil
}

// response is what the client gets.
type response struct {
	status int
	header http.Header
	body   []byte
}

// write sends a response.
func (x *exchange) write(w http.ResponseWriter, out *response) {
	h := w.Header()
	maps.Copy(h, out.header)
	x.status = out.status
	x.send(w, out.status, out.body)
}

// integrate calls the integration and keeps its answer.
func (x *exchange) integrate(ctx context.Context) *failed {
	from := x.plane.o.Clock.Now()
	var f *failed
	switch c := x.method.call; c.Type {
	case "MOCK":
		f = x.mock()
	case "AWS_PROXY":
		f = x.proxyFunction(ctx)
	case "AWS":
		f = x.callAWS(ctx)
	case "HTTP", "HTTP_PROXY":
		f = x.callHTTP(ctx)
	default:
		f = configuration(errors.New("the integration type " + c.Type + " is not one"))
	}
	x.times.integration = x.plane.o.Clock.Now().Sub(from)
	if f == nil && x.called { // what mocks answer, AWS's log does not tell
		x.logger.answered(x.answer, x.times.integration)
	}
	return f
}

// configuration is the answer to an API that is not set up right.
func configuration(err error) *failed {
	return &failed{kind: "API_CONFIGURATION_ERROR", message: "Internal server error", err: err}
}

// integrationFailed is the answer when the integration failed.
func integrationFailed(err error) *failed {
	var f *integration.CallError
	if !errors.As(err, &f) {
		return &failed{kind: "API_CONFIGURATION_ERROR", message: "Internal server error", err: err}
	}
	switch f.Kind {
	case integration.TimedOut:
		return &failed{kind: "INTEGRATION_TIMEOUT", message: "Endpoint request timed out", err: err}
	case integration.TooLarge:
		return &failed{kind: "REQUEST_TOO_LARGE", message: "Request Too Long", err: err}
	case integration.Failed, integration.Misconfigured, integration.Forbidden, integration.Throttled:
	}
	return &failed{kind: "API_CONFIGURATION_ERROR", message: "Internal server error", err: err}
}

// note logs why a request failed, when that is the API's or the platform's fault.
func (x *exchange) note(f *failed) {
	x.logger.failed(f)
	if f.err == nil {
		return
	}
	log := x.plane.o.Log.With(slog.String("request_id", x.id), slog.String("api", x.API.ID), slog.String("stage", x.name), slog.String("method", x.http.Method), slog.String("path", x.path))
	ctx := x.http.Context()
	var refused *integration.CallError
	switch {
	case errors.As(f.err, &refused) && refused.Kind == integration.Forbidden:
		log.ErrorContext(ctx, "integration may not be called", slog.String("fix", refused.Message), slog.Any("error", refused.Err))
	case standardOf(f.kind).status >= 500:
		log.ErrorContext(ctx, "request to an api failed", slog.String("response_type", f.kind), slog.Any("error", f.err))
	default:
		log.DebugContext(ctx, "request to an api was refused", slog.String("response_type", f.kind), slog.Any("error", f.err))
	}
}

// outcome is what a stage came to, for the trace.
func outcome(f *failed, good string) string {
	if f == nil {
		return good
	}
	text := f.kind + ": " + f.message
	if f.validation != "" {
		text += "\n" + f.validation
	}
	if f.err != nil {
		text += "\n" + f.err.Error()
	}
	return text
}

// authorizerInput and authorizerOutput are what the trace shows of the decision.
func (x *exchange) authorizerInput() string {
	if x.trace == nil || x.method.auth == nil {
		return ""
	}
	a := x.method.auth
	names := make([]string, len(a.sources))
	for i := range a.sources {
		names[i] = a.sources[i].kind + " " + a.sources[i].name
	}
	return a.kind + " " + a.id + " by " + strings.Join(names, ", ") + " on " + x.arn(x.pathForPolicy())
}

func (x *exchange) authorizerOutput(f *failed) string {
	switch {
	case x.trace == nil:
		return ""
	case f != nil:
		return outcome(f, "")
	case x.method.auth == nil && x.tree.policy == nil:
		return "open to everybody"
	case x.principal != nil:
		return "allowed for " + x.principal.ARN
	case x.policy != nil:
		return "allowed for " + x.policy.Principal
	case x.claims != nil:
		sub, _ := x.claims.Text("sub")
		return "allowed for " + sub
	}
	return "allowed by the resource policy"
}
