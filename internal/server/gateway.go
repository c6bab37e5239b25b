package server

import (
	"context"
	"net/http"

	"lambent.dev/lambent/internal/auth/oidc"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/plane"
	"lambent.dev/lambent/internal/services/apigatewayv2"
)

// gateway is what the data planes of API Gateway share.
type gateway struct {
	functions *integration.Functions
	services  *integration.Services
	tokens    *authorizer.Tokens
	rates     *throttle.Rates
	access    *accesslog.Writer
	logs      port.LogSink
	reach     *reach.Policy
}

// apiRate is the limit of an account in a region, of which a half may come at once, as AWS's default has it.
func (p *parts) apiRate() tokenbucket.Limit {
	n, err := p.cfg.APIRequests()
	if err != nil {
		n = 0 // the settings were validated
	}
	return tokenbucket.Limit{Rate: float64(n), Burst: float64(n / 2)}
}

// functionPort is how APIs reach functions.
type functionPort interface {
	port.Functions
	port.FunctionStreams
}

// gateway builds the shared parts of the data planes of API Gateway.
func (p *parts) gateway(s *Server, functions functionPort, logs port.LogSink, sender *deliver.Sender, issuers *oidc.Verifier) *gateway {
	reached := p.reached(s)
	g := &gateway{
		functions: &integration.Functions{Direct: functions, Streams: functions, Sender: sender, Door: p.deps.Door, Random: p.deps.Random},
		services:  &integration.Services{Requests: ownRequests{s}, Sender: sender, Random: p.deps.Random},
		tokens:    authorizer.NewTokens(issuers, p.deps.Clock),
		rates:     throttle.New(p.apiRate()),
		reach:     reached,
		access:    accesslog.NewWriter(logs, sender, p.deps.Log),
		logs:      logs,
	}
	s.onClose(func(context.Context) error { g.access.Close(); return nil })
	return g
}

// restAPIs builds the data plane of REST APIs. What is no REST API is served by httpAPIs, which answers under the same names.
func (g *gateway) restAPIs(p *parts, s *Server, keys port.Keys, httpAPIs service.Service) *plane.Plane {
	o := plane.Options{
		Deps: p.deps, Functions: g.functions, Services: g.services, Tokens: g.tokens, Rates: g.rates, Reach: g.reach, Access: g.access, Logs: g.logs, Traces: s.traces, Keys: keys, Endpoints: p.vpcEndpoints,
		Caller: func(r *http.Request, body []byte) (service.Principal, error) { return s.caller(r, "execute-api", body) },
	}
	for _, r := range httpAPIs.Routes {
		if r.Path == "/_aws/execute-api/{api}" {
			o.Next = r.Handler
		}
	}
	made := plane.New(o)
	p.domains.Register("rest", made)
	return made
}

// httpAPIs builds the service of HTTP and WebSocket APIs, and that by which applications reach their connections.
func (g *gateway) httpAPIs(p *parts, s *Server, objects port.Objects, endpoints http.RoundTripper) (apis, connections service.Service) {
	return apigatewayv2.New(p.deps, apigatewayv2.Options{
		Functions: g.functions, Services: g.services, Tokens: g.tokens, Rates: g.rates, Reach: g.reach, Access: g.access, Traces: s.traces, Domains: p.domains,
		APIs: apigateway.NewDocuments(p.deps.Store), Objects: objects, Endpoints: endpoints,
		Calls:  ownRequests{s},
		Caller: func(r *http.Request, body []byte) (service.Principal, error) { return s.caller(r, "execute-api", body) },
	})
}

// ownRequests hands requests of services to the plane of this Lambent's APIs, which is built last.
type ownRequests struct{ server *Server }

// ServeRequest implements [port.Requests].
func (o ownRequests) ServeRequest(w http.ResponseWriter, r *http.Request, c *port.ServiceRequest) {
	<-o.server.serving
	o.server.plane.ServeRequest(w, r, c)
}

// ServeHTTP answers a call that came to a data plane.
func (o ownRequests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	<-o.server.serving
	o.server.plane.ServeHTTP(w, r)
}

// serveTrace answers with what a request to an API saw.
func (s *Server) serveTrace(w http.ResponseWriter, r *http.Request) {
	if s.traces == nil {
		http.Error(w, "Requests are traced on loopback only.", http.StatusNotFound)
		return
	}
	s.traces.ServeID(w, front.RouteVar(r, "id"))
}
