package apigatewayv2

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/gateway/domain"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigatewayv2/portal"
	"lambent.dev/lambent/internal/services/apigatewayv2/socket"
	"lambent.dev/lambent/internal/store/memo"
)

// Options are what the service needs beside its dependencies.
type Options struct {
	// Functions, Services, Tokens, Rates and Access are what the data planes of API Gateway share; without Access there are no access logs.
	Functions *backend.Functions
	Services  *backend.Services
	Tokens    *authorizer.Tokens
	Rates     *throttle.Rates
	Access    *accesslog.Writer
	// Reach says where backends may be.
	Reach *reach.Policy
	// Traces keeps what requests to HTTP APIs saw; nil keeps nothing, and the header that asks for it is not heard.
	Traces *trace.Recorder
	// Domains are the custom domain names, which the service of REST APIs shares.
	Domains *domain.Domains
	// Caller proves who sent a request to a route with IAM authorization, whose whole body is given.
	Caller func(r *http.Request, body []byte) (service.Principal, error)
	// Calls is the AWS API plane, for calls about connections.
	Calls http.Handler
	// APIs describes REST APIs for portals, Objects reads their logos, and Endpoints sends what their visitors ask for.
	APIs      port.RESTAPIs
	Objects   port.Objects
	Endpoints http.RoundTripper
}

// Gateway is the service: its dependencies, the open connections of this process, and caches that can be dropped at any time.
type Gateway struct {
	deps    service.Deps
	options Options
	// transports are the HTTP clients, by how backends are reached.
	transports backend.Transports[way]
	tables     *memo.Cache[struct{}, tableKey, *table]
	results    *authorizer.Results[*decision]

	// node is the id of this run of this process; hub holds its connections.
	node string
	hub  *socket.Hub
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// mayPass tells whether the caller may have API Gateway use roles, before they are stored.
func (g *Gateway) mayPass(ctx context.Context, roles ...*string) error {
	for _, role := range roles {
		if err := backend.MayPass(ctx, g.deps.Door, role); err != nil {
			return err
		}
	}
	return nil
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
	portals := portal.New(deps, portal.Options{APIs: o.APIs, Objects: o.Objects, Taken: o.Domains.Knows, Tokens: o.Tokens, Endpoints: o.Endpoints})
	portals.Handle(&h)
	rules := access()
	maps.Copy(rules, portals.Access())
	plane := &plane{gateway: g}
	g.options.Domains.Register(planeName, plane)
	gateway = service.Service{
		API:        api.API,
		Operations: h.Bindings(),
		Access:     rules,
		Resources:  g.resources(),
		Start:      g.start,
		Close: func(ctx context.Context) error {
			portals.Close()
			return g.close(ctx)
		},
		Routes: append(g.routes(plane), portals.Routes()...),
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
	g.transports.Close()
	g.tables.Close()
	g.options.Domains.Close()
	return err
}

// routes are the hosts and paths of the data plane, and those of custom domain names, which belong to all planes.
func (g *Gateway) routes(p *plane) []service.Route {
	return []service.Route{
		{Host: "{api}.execute-api.{region}.*", Handler: p, Public: true},
		{Path: "/_aws/execute-api/{api}", Handler: p, Public: true},
		{Hosts: g.options.Domains.Knows, Handler: g.options.Domains, Public: true},
		{Path: "/_aws/domains/{domain}", Handler: http.HandlerFunc(g.options.Domains.ServePath), Public: true},
	}
}

// maxResults bounds the answers of authorizers that are kept.
const maxResults = 65536

func newGateway(deps service.Deps, o Options) *Gateway {
	return &Gateway{
		deps: deps, options: o, tables: newTables(deps.Store), results: authorizer.NewResults[*decision](maxResults),
		hub: socket.NewHub(deps.Clock),
	}
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
