package apigatewayv2

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/gateway/authorizer"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/lib/jsonenc"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigatewayv2/socket"
)

// serveSocket answers a request to a stage of a WebSocket API: a handshake, or a call about a connection.
func (p *plane) serveSocket(w http.ResponseWriter, r *http.Request, t *table, path string) {
	if strings.HasPrefix(path, managementPath) {
		p.manage(w, r, t, path)
		return
	}
	if path != "/" && path != "" {
		fail(w, nil, r, http.StatusForbidden, "Forbidden")
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header()["Upgrade"] = []string{"websocket"}
		fail(w, nil, r, http.StatusUpgradeRequired, "Upgrade Required")
		return
	}
	p.gateway.connect(w, r, t)
}

// connect runs the $connect route of a handshake, and opens the connection when it agrees.
func (g *Gateway) connect(w http.ResponseWriter, r *http.Request, t *table) {
	ctx := r.Context()
	c := &connection{
		Node: g.node, Account: t.account, Region: t.region, API: t.api, Stage: t.stage, Domain: r.Host, Connected: g.deps.Clock.Now().UTC(), SourceIP: sourceIP(r), UserAgent: r.UserAgent(),
	}
	var err error
	if c.ID, err = g.newConnectionID(); err != nil {
		fail(w, nil, r, http.StatusInternalServerError, "Internal server error")
		return
	}
	route := t.socket.routes[connectRoute]
	if route == nil {
		route = &socketRoute{}
		route.RouteKey, route.AuthorizationType = connectRoute, authNone
	}
	m, err := g.newMessage(c, t, route, eventConnect)
	if err != nil {
		fail(w, nil, r, http.StatusInternalServerError, "Internal server error")
		return
	}
	m.request = r
	if g.options.Rates.Admit(m.now, t.limits(g.options.Rates, connectRoute)...) >= 0 {
		m.count(g.deps.Clock.Now(), refused)
		fail(w, nil, r, http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	if f := g.admit(ctx, m); f != nil {
		g.logAccess(ctx, m, f.status, f.err)
		m.count(g.deps.Clock.Now(), refused)
		if f.err != nil && f.status >= http.StatusInternalServerError {
			m.log(ctx, g.deps.Log, f.err)
		}
		fail(w, nil, r, f.status, f.message)
		return
	}
	m.context = nil // it has the authorizer's answer from now on
	g.open(w, r, m)
}

// open runs the integration of $connect and accepts the connection.
func (g *Gateway) open(w http.ResponseWriter, r *http.Request, m *message) {
	ctx := r.Context()
	a, err := g.run(service.WithRequest(ctx, m.serviceRequest()), m)
	m.count(g.deps.Clock.Now(), endOf(a.status, err))
	if err != nil {
		g.logAccess(ctx, m, http.StatusBadGateway, err)
		m.log(ctx, g.deps.Log, err)
		fail(w, nil, r, http.StatusBadGateway, "Internal server error")
		return
	}
	g.logAccess(ctx, m, a.status, nil)
	if a.status < 200 || a.status > 299 {
		w.Header()["Content-Type"] = []string{a.header["content-type"]}
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
		return
	}
	if err := g.register(ctx, m.connection); err != nil {
		m.log(ctx, g.deps.Log, err)
		fail(w, nil, r, http.StatusInternalServerError, "Internal server error")
		return
	}
	for name, text := range a.header {
		switch name {
		case "content-type", "content-length", "connection", "upgrade", "sec-websocket-protocol", "sec-websocket-accept", "sec-websocket-extensions", "transfer-encoding":
		default:
			w.Header().Set(name, text)
		}
	}
	if _, err := g.hub.Accept(w, r, m.connection.ID, a.header["sec-websocket-protocol"], &handler{g, m.connection}); err != nil {
		g.deps.Log.DebugContext(ctx, "handshake did not end", slog.String("connection", m.connection.ID), slog.Any("error", err))
		g.disconnected(context.WithoutCancel(ctx), m.connection, closeAbnormal, "Connection Closed Abnormally")
	}
}

// refusal is why a request is not let in, or not answered by what it was for.
type refusal struct {
	status    int
	message   string
	err       error  // for the log; nil when there is nothing to say
	challenge string // the WWW-Authenticate of the answer; empty for none
}

// authorizerTimeout is how long an authorizer function may take (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
const authorizerTimeout = 10 * time.Second

var errNoCaller = errors.New("the route asks for IAM authorization, and nobody can prove callers here")

// admit decides whether a client may connect. What an authorizer says goes into the connection.
func (g *Gateway) admit(ctx context.Context, m *message) *refusal {
	for name, c := range m.route.RequestParameters {
		if value(c.Required) && m.resolve(strings.TrimPrefix(name, "route.")) == "" {
			return &refusal{status: http.StatusBadRequest, message: "Missing required request parameters"}
		}
	}
	switch m.route.AuthorizationType {
	case authIAM:
		caller, refused := g.allowCaller(ctx, m.request, nil, m.serviceRequest(), m.arn(connectRoute), m.Account)
		if refused == nil {
			m.Authorizer = callerContext(caller)
		}
		return refused
	case authCustom:
		return g.askConnect(ctx, m)
	}
	return nil
}

// allowCaller proves who signed a request and whether that principal may invoke a method.
func (g *Gateway) allowCaller(ctx context.Context, r *http.Request, body []byte, as *service.Request, method, owner string) (service.Principal, *refusal) {
	if g.options.Caller == nil {
		return service.Principal{}, &refusal{status: http.StatusInternalServerError, message: "Internal Server Error", err: errNoCaller}
	}
	caller, err := g.options.Caller(r, body)
	if err == nil && caller.Kind == service.Anonymous {
		err = errors.New("the request is not signed")
	}
	if err != nil {
		return caller, &refusal{status: http.StatusForbidden, message: "Forbidden", err: err}
	}
	as.Principal = caller
	if err := g.deps.Door.Allow(service.WithRequest(ctx, as), service.Target{Action: "execute-api:Invoke", ARN: method, Owner: owner}); err != nil {
		return caller, &refusal{status: http.StatusForbidden, message: "Forbidden", err: err}
	}
	return caller, nil
}

// callerContext is what events of WebSocket APIs show of a caller that IAM let in.
func callerContext(p service.Principal) json.RawMessage {
	b := append([]byte(nil), `{"principalId":`...)
	b = jsonenc.String(b, p.UserID)
	return append(b, '}')
}

// askConnect asks the authorizer function of $connect
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html).
func (g *Gateway) askConnect(ctx context.Context, m *message) *refusal {
	z := m.route.authorizer
	if z == nil {
		return &refusal{status: http.StatusInternalServerError, message: "Internal server error", err: errors.New("the authorizer of $connect does not exist")}
	}
	for _, s := range z.IdentitySource {
		if m.resolve(strings.TrimPrefix(s, "route.")) == "" {
			return &refusal{status: http.StatusUnauthorized, message: "Unauthorized"}
		}
	}
	method := m.arn(connectRoute)
	b := append([]byte(nil), `{"type":"REQUEST"`...)
	b = member(b, "methodArn", method)
	b = append(b, ',')
	b = m.appendRequest(b)
	b = appendVariables(b, m.table.variables)
	b = append(append(append(b, `,"requestContext":`...), m.requestContext()...), '}')
	function, err := functionOf(variables(value(z.AuthorizerUri), m.table.variables))
	if err != nil {
		return &refusal{status: http.StatusInternalServerError, message: "Internal server error", err: err}
	}
	ctx, cancel := context.WithTimeout(service.WithRequest(ctx, m.serviceRequest()), authorizerTimeout)
	defer cancel()
	out, err := g.options.Functions.Invoke(ctx, &backend.Call{
		Function: function, Source: authorizerARN(m.table.scope, m.API, authorizerID(z)), Account: m.Account, Role: value(z.AuthorizerCredentialsArn), Payload: b,
	})
	switch {
	case err != nil:
		return &refusal{status: http.StatusInternalServerError, message: "Internal server error", err: err}
	case out.Error != "" && bodyPath(out.Payload, "errorMessage") == "Unauthorized":
		return &refusal{status: http.StatusUnauthorized, message: "Unauthorized"}
	case out.Error != "":
		return &refusal{status: http.StatusInternalServerError, message: "Internal server error", err: errors.New("the authorizer " + function + " failed: " + out.Error)}
	}
	policy, err := authorizer.ParsePolicy(out.Payload)
	if err != nil {
		return &refusal{status: http.StatusInternalServerError, message: "Internal server error", err: err}
	}
	switch policy.Decide("execute-api:Invoke", method, authorizer.RequestKeys{Request: m.request, Time: m.now, Region: m.Region}) {
	case authorizer.Allowed:
		m.Authorizer = policyContext(policy)
		return nil
	case authorizer.Denied:
		return &refusal{status: http.StatusForbidden, message: "User is not authorized to access this resource with an explicit deny"}
	}
	return &refusal{status: http.StatusForbidden, message: "User is not authorized to access this resource"}
}

// authorizerARN is the source of the invocations of an authorizer's function.
func authorizerARN(s scope, api, id string) string {
	return "arn:aws:execute-api:" + s.region + ":" + s.account + ":" + api + "/authorizers/" + id
}

// policyContext is what events show of the answer of an authorizer: its principal and its context, whose values are text.
func policyContext(p *authorizer.Policy) json.RawMessage {
	b := append([]byte(nil), `{"principalId":`...)
	b = jsonenc.String(b, p.Principal)
	for i := range p.Context {
		e := &p.Context[i]
		b = append(b, ',')
		b = jsonenc.String(b, e.Name)
		b = append(b, ':')
		b = jsonenc.String(b, e.Text())
	}
	return append(b, '}')
}

var _ socket.Handler = (*handler)(nil)
