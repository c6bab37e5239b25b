package apigatewayv2

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/gateway/domain"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigatewayv2/socket"
	"lambent.dev/lambent/internal/store/memo"
)

// Options are what the service needs beside its dependencies.
type Options struct {
	// Functions runs Lambda integrations and authorizers.
	Functions port.Functions
	// Sender assumes the roles of integrations; Requests calls the services that they are with.
	Sender   *deliver.Sender
	Requests port.Requests
	// Logs takes access logs.
	Logs port.LogSink
	// Domains are the custom domain names, which the service of REST APIs shares.
	Domains *domain.Domains
	// Caller proves who sent a request to a route with IAM authorization, whose whole body is given.
	Caller func(r *http.Request, body []byte) (service.Principal, error)
	// Calls is the AWS API plane, for calls about connections.
	Calls http.Handler
}

// Gateway is the service: its dependencies, the open connections of this process, and caches that can be dropped at any time.
type Gateway struct {
	deps      service.Deps
	functions port.Functions
	domains   *domain.Domains
	tables    *memo.Cache[struct{}, tableKey, *table]
	caller    func(r *http.Request, body []byte) (service.Principal, error)
	calls     http.Handler

	invoker   *backend.Functions
	services  *backend.Services
	transport *backend.Transport
	rates     *throttle.Rates
	access    *accesslog.Writer // nil without a place for access logs

	// node is the id of this run of this process; hub holds its connections.
	node string
	hub  *socket.Hub
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// New returns the service, and that of the management API of WebSocket connections.
func New(deps service.Deps, o Options) (gateway, connections service.Service) {
	g := newGateway(deps, o)
	h := api.Handlers{
		CreateApi:                   g.createAPI,
		ImportApi:                   g.importAPI,
		ReimportApi:                 g.reimportAPI,
		GetApi:                      g.getAPI,
		GetApis:                     g.getAPIs,
		UpdateApi:                   g.updateAPI,
		DeleteApi:                   g.deleteAPI,
		ExportApi:                   g.exportAPI,
		DeleteCorsConfiguration:     g.deleteCORS,
		CreateRoute:                 g.createRoute,
		GetRoute:                    g.getRoute,
		GetRoutes:                   g.getRoutes,
		UpdateRoute:                 g.updateRoute,
		DeleteRoute:                 g.deleteRoute,
		DeleteRouteRequestParameter: g.deleteRouteParameter,
		CreateRouteResponse:         g.createRouteResponse,
		GetRouteResponse:            g.getRouteResponse,
		GetRouteResponses:           g.getRouteResponses,
		UpdateRouteResponse:         g.updateRouteResponse,
		DeleteRouteResponse:         g.deleteRouteResponse,
		CreateIntegration:           g.createIntegration,
		GetIntegration:              g.getIntegration,
		GetIntegrations:             g.getIntegrations,
		UpdateIntegration:           g.updateIntegration,
		DeleteIntegration:           g.deleteIntegration,
		CreateIntegrationResponse:   g.createIntegrationResponse,
		GetIntegrationResponse:      g.getIntegrationResponse,
		GetIntegrationResponses:     g.getIntegrationResponses,
		UpdateIntegrationResponse:   g.updateIntegrationResponse,
		DeleteIntegrationResponse:   g.deleteIntegrationResponse,
		CreateAuthorizer:            g.createAuthorizer,
		GetAuthorizer:               g.getAuthorizer,
		GetAuthorizers:              g.getAuthorizers,
		UpdateAuthorizer:            g.updateAuthorizer,
		DeleteAuthorizer:            g.deleteAuthorizer,
		CreateModel:                 g.createModel,
		GetModel:                    g.getModel,
		GetModelTemplate:            g.getModelTemplate,
		GetModels:                   g.getModels,
		UpdateModel:                 g.updateModel,
		DeleteModel:                 g.deleteModel,
		CreateStage:                 g.createStage,
		GetStage:                    g.getStage,
		GetStages:                   g.getStages,
		UpdateStage:                 g.updateStage,
		DeleteStage:                 g.deleteStage,
		DeleteAccessLogSettings:     g.deleteAccessLog,
		ResetAuthorizersCache:       g.resetAuthorizersCache,
		DeleteRouteSettings:         g.deleteRouteSettings,
		CreateDeployment:            g.createDeployment,
		GetDeployment:               g.getDeployment,
		GetDeployments:              g.getDeployments,
		UpdateDeployment:            g.updateDeployment,
		DeleteDeployment:            g.deleteDeployment,
		CreateVpcLink:               g.createLink,
		GetVpcLink:                  g.getLink,
		GetVpcLinks:                 g.getLinks,
		UpdateVpcLink:               g.updateLink,
		DeleteVpcLink:               g.deleteLink,
		CreateDomainName:            g.createDomainName,
		GetDomainName:               g.getDomainName,
		GetDomainNames:              g.getDomainNames,
		UpdateDomainName:            g.updateDomainName,
		DeleteDomainName:            g.deleteDomainName,
		CreateApiMapping:            g.createAPIMapping,
		GetApiMapping:               g.getAPIMapping,
		GetApiMappings:              g.getAPIMappings,
		UpdateApiMapping:            g.updateAPIMapping,
		DeleteApiMapping:            g.deleteAPIMapping,
		CreateRoutingRule:           g.createRoutingRule,
		PutRoutingRule:              g.putRoutingRule,
		GetRoutingRule:              g.getRoutingRule,
		ListRoutingRules:            g.listRoutingRules,
		DeleteRoutingRule:           g.deleteRoutingRule,
		TagResource:                 g.tagResource,
		UntagResource:               g.untagResource,
		GetTags:                     g.getTags,
	}
	plane := &plane{gateway: g}
	g.domains.Register(planeName, plane)
	gateway = service.Service{
		API:        api.API,
		Operations: h.Bindings(),
		Access:     access(),
		Resources:  g.resources(),
		Start:      g.start,
		Close:      g.close,
		Routes:     g.routes(plane),
	}
	return gateway, g.managementService()
}

// start gives this run its id, and begins to take mail for its connections and to end those of an earlier run.
func (g *Gateway) start(ctx context.Context) error {
	var err error
	if g.node, err = g.newID(12); err != nil {
		return err
	}
	ctx, g.stop = context.WithCancel(context.WithoutCancel(ctx))
	g.wg.Go(func() { g.deliverMail(ctx) })
	g.wg.Go(func() {
		if err := g.adopt(ctx); err != nil && ctx.Err() == nil {
			g.deps.Log.ErrorContext(ctx, "connections of an earlier run could not be ended", slog.Any("error", err))
		}
	})
	return nil
}

// close ends the connections, with their $disconnect, and what start began.
func (g *Gateway) close(ctx context.Context) error {
	err := g.hub.Close(ctx)
	if g.stop != nil {
		g.stop()
	}
	g.wg.Wait()
	if g.access != nil {
		g.access.Close()
	}
	g.transport.Close()
	g.tables.Close()
	g.domains.Close()
	return err
}

// routes are the hosts and paths of the data plane, and those of custom domain names, which belong to all planes.
func (g *Gateway) routes(p *plane) []service.Route {
	return []service.Route{
		{Host: "{api}.execute-api.{region}.*", Handler: p, Public: true},
		{Path: "/_aws/execute-api/{api}", Handler: p, Public: true},
		{Hosts: g.domains.Knows, Handler: g.domains, Public: true},
		{Path: "/_aws/domains/{domain}", Handler: http.HandlerFunc(g.domains.ServePath), Public: true},
	}
}

func newGateway(deps service.Deps, o Options) *Gateway {
	g := &Gateway{
		deps: deps, functions: o.Functions, domains: o.Domains, tables: newTables(deps.Store), caller: o.Caller, calls: o.Calls,
		invoker:   &backend.Functions{Direct: o.Functions, Sender: o.Sender, Door: deps.Door, Random: deps.Random},
		services:  &backend.Services{Requests: o.Requests, Sender: o.Sender, Random: deps.Random},
		transport: backend.NewTransport(backend.TransportOptions{}), rates: throttle.New(), hub: socket.NewHub(deps.Clock),
	}
	if o.Logs != nil {
		g.access = accesslog.NewWriter(o.Logs, o.Sender, deps.Log)
	}
	return g
}

func scopeOf(ctx context.Context) scope {
	r := service.RequestFrom(ctx)
	return scope{r.Account, r.Region}
}

// idAlphabet is that of API Gateway's ids.
const idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// newID returns n random characters.
func (g *Gateway) newID(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(g.deps.Random, b); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = idAlphabet[int(b[i])%len(idAlphabet)]
	}
	return string(b), nil
}

// endpoint is the URL of an API as clients on this machine reach it.
func (g *Gateway) endpoint(a *gatewayAPI) string {
	base := g.deps.BaseURL
	if a.webSocket() {
		base = "ws" + strings.TrimPrefix(base, "http")
	}
	return base + "/_aws/execute-api/" + a.ID
}
