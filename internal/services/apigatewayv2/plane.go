package apigatewayv2

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/domain"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of a request and of a function's answer, in bytes
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html).
const (
	maxRequestBody = 10 << 20
	maxEvent       = 6 << 20
)

// planeName is the name of this plane to custom domain names.
const planeName = "v2"

// plane serves requests to APIs.
type plane struct{ gateway *Gateway }

// exchange is one request on its way through the plane.
type exchange struct {
	*table

	request *http.Request
	route   *compiled
	params  []param
	// path is the raw path within the stage; it begins with a slash.
	path string
	id   string
	now  time.Time
}

// ServeHTTP answers a request to an API's stage.
func (p *plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, path, err := p.resolve(r)
	p.answer(w, r, t, path, err)
}

// Has implements [domain.Plane].
func (p *plane) Has(r store.Reader, s domain.Scope, api, stageName string) (hasAPI, hasStage bool, err error) {
	own := scope{s.Account, s.Region}
	if hasAPI, err = record.Has(r, own.api(api)); err != nil || !hasAPI {
		return hasAPI, false, err
	}
	hasStage, err = record.Has(r, own.stage(api, stageName))
	return hasAPI, hasStage, err
}

// ServeDomain implements [domain.Plane]: an API answers under its custom domain names also when its own endpoint is switched off.
func (p *plane) ServeDomain(w http.ResponseWriter, r *http.Request, to domain.Target) {
	t, err := p.gateway.table(r.Context(), to.API, to.Stage)
	p.answer(w, r, t, to.Path, err)
}

// answer answers a request to a stage, which is nil when there is none; path is the raw path within it.
func (p *plane) answer(w http.ResponseWriter, r *http.Request, t *table, path string, err error) {
	if err != nil {
		p.gateway.deps.Log.ErrorContext(r.Context(), "api could not be loaded", slog.Any("error", err))
		fail(w, nil, r, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	if t == nil {
		fail(w, nil, r, http.StatusNotFound, "Not Found")
		return
	}
	if t.socket != nil {
		p.serveSocket(w, r, t, path)
		return
	}
	if t.cors.Preflight(w, r) {
		return
	}
	route, params := t.find(r.Method, path)
	switch {
	case route == nil || route.function == "" && route.missing == "":
		fail(w, t, r, http.StatusNotFound, "Not Found")
		return
	case route.missing != "":
		p.gateway.deps.Log.ErrorContext(r.Context(), "the route asks for what HTTP APIs do not have yet", slog.String("api", t.api), slog.String("route", route.key), slog.String("missing", route.missing))
		fail(w, t, r, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	c := &exchange{table: t, request: r, route: route, params: params, path: path, now: p.gateway.deps.Clock.Now()}
	if c.id, err = p.gateway.newID(16); err != nil {
		fail(w, t, r, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	p.serve(w, c)
}

// resolve finds the stage that a request is for, and the raw path within it. The first path element names a stage when there is
// one of that name; otherwise the $default stage takes the whole path.
func (p *plane) resolve(r *http.Request) (*table, string, error) {
	id, path := front.RouteVar(r, "api"), front.RoutePath(r)
	if path == "" {
		path = "/"
	}
	first, rest, _ := strings.Cut(path[1:], "/")
	if first != "" {
		t, err := p.gateway.table(r.Context(), id, httpevent.Unescape(first))
		if err != nil || t != nil {
			return enabled(t), "/" + rest, err
		}
	}
	t, err := p.gateway.table(r.Context(), id, "$default")
	return enabled(t), path, err
}

// enabled hides an API whose default endpoint is switched off.
func enabled(t *table) *table {
	if t == nil || t.disabled {
		return nil
	}
	return t
}

func (p *plane) serve(w http.ResponseWriter, c *exchange) {
	body, err := io.ReadAll(http.MaxBytesReader(w, c.request.Body, maxRequestBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			fail(w, c.table, c.request, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
			return
		}
		fail(w, c.table, c.request, http.StatusBadRequest, "Bad Request")
		return
	}
	event := c.event(make([]byte, 0, 2048+len(body)), body)
	if len(event) > maxEvent {
		fail(w, c.table, c.request, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	out, status := p.invoke(c, event)
	if status != 0 {
		fail(w, c.table, c.request, status, http.StatusText(status))
		return
	}
	answer, err := httpevent.Parse(out, httpevent.Rules{ContentType: "text/plain;charset=UTF-8"})
	if err != nil {
		p.gateway.deps.Log.WarnContext(c.request.Context(), "function answered what HTTP APIs do not accept",
			slog.String("function", c.route.function), slog.String("request_id", c.id), slog.Any("error", err))
		fail(w, c.table, c.request, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	w.Header()["Apigw-Requestid"] = []string{c.id}
	answer.Write(w, c.request, c.cors)
}

// invoke runs the route's function; status is 0 when it answered.
func (p *plane) invoke(c *exchange, event []byte) (payload []byte, status int) {
	ctx, cancel := context.WithTimeout(c.request.Context(), time.Duration(c.route.timeoutMS)*time.Millisecond)
	defer cancel()
	r := service.Request{ID: c.id, API: "execute-api", Operation: c.route.key, Account: c.account, Region: c.region, Time: c.now}
	out, err := p.gateway.options.Functions.Invoke(service.WithRequest(ctx, &r), &backend.Call{Function: c.route.function, Source: c.source(), Account: c.account, Payload: event})
	if err == nil && out.Error == "" {
		return out.Payload, 0
	}
	log := p.gateway.deps.Log.With(slog.String("request_id", c.id), slog.String("api", c.api), slog.String("route", c.route.key), slog.String("function", c.route.function))
	if err == nil {
		log.WarnContext(ctx, "function failed", slog.String("function_error", out.Error))
		return nil, http.StatusInternalServerError
	}
	log.ErrorContext(ctx, "function could not be invoked", slog.Any("error", err))
	var f *backend.CallError
	if errors.As(err, &f) && (f.Kind == backend.TimedOut || f.Kind == backend.Throttled) {
		return nil, http.StatusServiceUnavailable
	}
	return nil, http.StatusInternalServerError
}

// source is the ARN by which a function's policy knows the route.
func (c *exchange) source() string {
	resource := "/$default"
	if c.route.method != "" {
		resource = "/" + c.request.Method + c.route.path
	}
	return "arn:aws:execute-api:" + c.region + ":" + c.account + ":" + c.api + "/" + c.stage + resource
}

// fail answers in the gateway's own words. t is nil when no API was found.
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
