package plane

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/respcache"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
)

// maxResults bounds the results of authorizer functions that are kept.
const maxResults = 65536

// Options are what the plane works with, beside the dependencies of every service.
type Options struct {
	service.Deps

	Functions *integration.Functions
	Services  *integration.Services
	Tokens    *authorizer.Tokens
	Rates     *throttle.Rates
	// Reach says where backends may be.
	Reach  *reach.Policy
	Access *accesslog.Writer
	Logs   port.LogSink
	// Traces keeps what requests saw; nil keeps nothing, and the header that asks for it is not heard.
	Traces *trace.Recorder
	// Caller proves who signed a request whose whole body is given.
	Caller func(r *http.Request, body []byte) (service.Principal, error)
	// Keys opens the private keys of client certificates.
	Keys port.Keys
	// Endpoints tells through which VPC endpoint a request came.
	Endpoints *vpcendpoint.Endpoints
	// Next answers requests for what is no REST API; nil answers that there is no such API.
	Next http.Handler
}

var errNoID = errors.New("no random bytes for the id of a request")

// Plane serves requests to REST APIs. Make one with [New].
type Plane struct {
	o         Options
	stages    *stages
	clients   *memo.Cache[api.Scope, string, *client]
	results   *authorizer.Results[*authorizer.Policy]
	responses *respcache.Cache
	quotas    quotas
	backends  *backends

	// those of the options that are used with every request
	functions *integration.Functions
	services  *integration.Services
	tokens    *authorizer.Tokens
	rates     *throttle.Rates

	// nowhere is the stage of requests that lead to none.
	nowhere *stage
}

// New returns a plane. Close ends it.
func New(o Options) *Plane {
	return &Plane{
		o: o, stages: newStages(o.Store), clients: newClients(o.Store), results: authorizer.NewResults[*authorizer.Policy](maxResults), responses: respcache.New(o.Clock),
		quotas: quotas{store: o.Store}, backends: &backends{keys: o.Keys}, functions: o.Functions, services: o.Services, tokens: o.Tokens, rates: o.Rates,
		nowhere: &stage{plain: &tree{}},
	}
}

// Routes are the hosts and paths at which REST APIs answer. h also gets the requests for other APIs with the same names.
func Routes(h http.Handler) []service.Route {
	return []service.Route{
		{Host: "{api}.execute-api.{region}.*", Handler: h, Public: true},
		{Path: "/_aws/execute-api/{api}", Handler: h, Public: true},
		{Path: "/restapis/{api}/{stage}/_user_request_", Handler: h, Public: true},
	}
}

// Close gives back what is left of quotas, and closes idle connections.
func (p *Plane) Close(ctx context.Context) error {
	p.stages.close()
	p.clients.Close()
	p.backends.close()
	p.responses.Close()
	return p.quotas.giveBack(ctx)
}

// ServeHTTP answers a request that names an API in its host or its path, and a stage in its path or by the route.
func (p *Plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := front.RouteVar(r, "api")
	owner, err := p.stages.owner(r.Context(), id)
	if owner == nil && err == nil && p.o.Next != nil {
		p.o.Next.ServeHTTP(w, r)
		return
	}
	x := p.begin(r)
	if x == nil || err != nil {
		p.fail(w, r, err)
		return
	}
	if owner == nil || front.RouteVar(r, "region") != "" && front.RouteVar(r, "region") != owner.Region {
		x.refuse(w, &failed{kind: "ACCESS_DENIED", message: "Forbidden", errorType: "ForbiddenException"})
		return
	}
	x.endpoint = p.o.Endpoints.Of(r, owner.Account, owner.Region)
	name, rest := front.RouteVar(r, "stage"), front.RoutePath(r)
	if name == "" {
		name, rest = firstElement(rest)
	}
	p.serve(w, x, *owner, id, httpevent.Unescape(name), rest, "/"+name+rest)
}

// Has implements [domain.Plane].
func (p *Plane) Has(r store.Reader, s domain.Scope, id, stage string) (found domain.Found, err error) {
	own := api.Scope(s)
	a, ok, err := record.Get[api.RestAPI](r, own.API(id))
	if err != nil || !ok {
		return domain.Found{}, err
	}
	found = domain.Found{API: true, Private: slices.Contains(a.Endpoint.Types, domain.Private)}
	if found.Stage = stage == ""; !found.Stage { // without a stage, it is the first element of the path
		found.Stage, err = record.Has(r, own.Stage(id, stage))
	}
	return found, err
}

// ServeDomain implements [domain.Plane]: an API answers under its custom domain names also when its own endpoint is switched off. A name that leads to an API
// without a stage takes it from the path.
func (p *Plane) ServeDomain(w http.ResponseWriter, r *http.Request, to domain.Target) {
	x := p.begin(r)
	if x == nil {
		p.fail(w, r, nil)
		return
	}
	x.mapped, x.basePath, x.privateName, x.endpoint = true, to.BasePath, to.Private, to.Endpoint
	path, _, _ := strings.Cut(r.RequestURI, "?")
	stage, rest := to.Stage, to.Path
	if stage == "" {
		stage, rest = firstElement(rest)
		stage = httpevent.Unescape(stage)
	}
	p.serve(w, x, api.Scope(to.Scope), to.API, stage, rest, path)
}

// firstElement splits the first element off a raw path. Slashes in front of it are as good as one.
func firstElement(path string) (first, rest string) {
	first, rest, more := strings.Cut(strings.TrimLeft(path, "/"), "/")
	if !more {
		return first, ""
	}
	return first, "/" + rest
}

// begin returns an exchange for a request, or nil when it cannot even have an id.
func (p *Plane) begin(r *http.Request) *exchange {
	id, err := uuid.New(p.o.Random)
	if err != nil {
		return nil
	}
	x := &exchange{stage: p.nowhere, plane: p, http: r, id: id, now: p.o.Clock.Now(), fields: requestFields(r), tree: p.nowhere.plain}
	x.extended = extendedID(id)
	x.traceID = r.Header.Get("X-Amzn-Trace-Id")
	if x.traceID == "" {
		x.traceID = trace.NewHeader(id, x.now)
	}
	return x
}

// extendedID is the x-amz-apigw-id of a request.
func extendedID(id string) string {
	var last [11]byte
	copy(last[:], id[len(id)-len(last):])
	var text [16]byte
	return string(append(base64.RawURLEncoding.AppendEncode(text[:0], last[:]), '='))
}

// fail answers when the platform itself fails.
func (p *Plane) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.o.Log.ErrorContext(r.Context(), "api could not be loaded", slog.Any("error", err))
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, `{"message": "Internal server error"}`)
}

// serve answers a request to a stage. rest is the raw path within the stage, full the one with the stage in front.
func (p *Plane) serve(w http.ResponseWriter, x *exchange, s api.Scope, id, name, rest, full string) {
	ctx := x.http.Context()
	st, err := p.stage(ctx, s, id, name)
	if err != nil {
		p.fail(w, x.http, err)
		return
	}
	if st == nil || st.plain.noEndpoint && !x.mapped {
		x.refuse(w, &failed{kind: "ACCESS_DENIED", message: "Forbidden", errorType: "ForbiddenException"})
		return
	}
	x.stage, x.tree, x.variables = st, st.plain, st.variables.plain
	if st.percent > 0 && p.chance() < st.percent {
		x.canary, x.variables = true, st.variables.canary
		if st.second != nil {
			x.tree = st.second
		}
	}
	x.path = "/" + strings.TrimLeft(rest, "/")
	x.shown, x.full = x.path, full
	if x.basePath != "" { // functions see the base path of a custom domain name
		x.shown = "/" + x.basePath + x.shown
	}
	whole := p.o.Traces != nil && x.http.Header.Get(trace.Header) != ""
	x.trace = p.o.Traces.Begin(x.now, x.id, id, name, x.http.Method, x.path, whole)
	defer func() {
		x.ended = p.o.Clock.Now()
		x.trace.End(x.ended, x.status)
		x.count()
		x.writeLogs(ctx)
	}()
	if f := x.run(ctx, w); f != nil {
		x.note(f)
		x.refuse(w, f)
	}
	if x.broken {
		panic(http.ErrAbortHandler) // net/http's way to close a connection in the middle of a body
	}
}

// run takes the request through the stages of the pipeline, and answers it unless it fails.
func (x *exchange) run(ctx context.Context, w http.ResponseWriter) *failed {
	if f := x.route(w); f != nil {
		return f
	}
	x.startLog()
	step := x.trace.Step("authorizer", x.authorizerInput())
	f := x.authorize(ctx)
	step.End(x.authorizerOutput(f))
	if f != nil {
		return f
	}
	claims, f := x.identify(ctx)
	if f == nil {
		f = x.throttle(claims)
	}
	if x.apiKey != "" || f != nil {
		x.trace.Note("usage plan", outcome(f, x.apiKey))
	}
	if f != nil {
		return f
	}
	if v := x.method.validate; v != nil {
		step := x.trace.StepText("validation", trace.Text{Body: x.body})
		f := v.check(x)
		step.End(outcome(f, "valid"))
		if f != nil {
			return f
		}
	}
	if x.method.call == nil {
		return &failed{kind: "API_CONFIGURATION_ERROR", message: "Internal server error", err: errNoIntegration}
	}
	return x.call(ctx, w)
}

// route finds the method, and reads the request.
func (x *exchange) route(w http.ResponseWriter) *failed {
	step := x.trace.Step("route", x.http.Method+" "+x.path)
	r, params := x.tree.routes.find(x.path, x.http.Method)
	if r != nil {
		x.resource, x.params, x.method = r, params, r.method(x.http.Method)
	}
	if x.method == nil {
		f := &failed{kind: "MISSING_AUTHENTICATION_TOKEN", message: "Missing Authentication Token"}
		step.End(outcome(f, ""))
		return f
	}
	step.End(x.method.label)
	x.settings = x.settingsOf(x.method, x.http.Method)
	_, query, _ := strings.Cut(x.http.RequestURI, "?")
	x.query = parseQuery(query)
	if x.headerBytes() > maxHeaders {
		return &failed{kind: "REQUEST_TOO_LARGE", status: http.StatusRequestHeaderFieldsTooLarge, message: "Request header fields too large"}
	}
	x.gatewayFields()
	return x.readBody(w)
}

// chance is a random number from 0 to 100.
func (p *Plane) chance() float64 {
	var b [2]byte
	if _, err := io.ReadFull(p.o.Random, b[:]); err != nil {
		return 100
	}
	return float64(uint16(b[0])<<8|uint16(b[1])) / 65536 * 100
}

// serviceRequest is the call that decisions and logs see.
func (x *exchange) serviceRequest() *service.Request {
	operation := x.method.label
	if x.http.Method != x.method.name {
		operation = x.http.Method + " " + x.resource.path
	}
	return &service.Request{
		ID: x.id, API: "execute-api", Operation: operation, Account: x.Account, Region: x.Region, Time: x.now, Trace: x.traceID,
	}
}

// send writes the answer.
func (x *exchange) send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	x.identifyTo(h)
	if x.status == 0 {
		x.status = status
	}
	if !bodiless(status) {
		body = x.compress(h, body)
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	keepType(h)
	w.WriteHeader(status)
	if !bodiless(status) && x.http.Method != http.MethodHead {
		// The client knows best that it has gone.
		n, _ := w.Write(body)
		x.sent = n
	}
}

// keepType has the standard library add no type of its own beside one whose name a function spelled another way, such as content-type.
func keepType(h http.Header) {
	if _, ok := h["Content-Type"]; ok {
		return
	}
	for name := range h {
		if strings.EqualFold(name, "Content-Type") {
			h["Content-Type"] = nil
			return
		}
	}
}

// segment is the tracing header of the answer: a client that names a trace alone is told of a parent, too.
func (x *exchange) segment() string {
	if strings.Contains(x.traceID, "Parent=") || len(x.id) < 18 {
		return x.traceID
	}
	return x.traceID + ";Parent=" + x.id[:8] + x.id[9:13] + x.id[14:18] + ";Sampled=0"
}

// identifyTo sets the headers by which the client can ask about the request.
func (x *exchange) identifyTo(h http.Header) {
	values := make([]string, 3) // one piece of memory for all of them
	values[0], values[1] = x.id, x.extended
	h["x-amzn-RequestId"], h["x-amz-apigw-id"] = values[0:1:1], values[1:2:2]
	if x.called && x.method.call.Type != "HTTP_PROXY" { // a client of a backend gets what that says of its traces
		values[2] = x.segment()
		h["X-Amzn-Trace-Id"] = values[2:3:3]
	}
	if x.trace != nil && x.trace.Whole {
		h[trace.Answer] = []string{x.id}
		h["Server-Timing"] = []string{x.trace.Timing()}
	}
}

// bodiless tells whether answers of a status have no body.
func bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified || status < 200
}

// setHeader sets a header in the spelling of its mapping, in place of one in another.
func setHeader(h http.Header, name string, values ...string) {
	for k := range h {
		if strings.EqualFold(k, name) {
			delete(h, k)
		}
	}
	h[name] = values
}

// validValue tells whether a header's value can be sent.
func validValue(v string) bool { return httpevent.ValidHeader("x", v) }
