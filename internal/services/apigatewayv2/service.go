package apigatewayv2

import (
	"context"
	"io"
	"net/http"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store/memo"
)

// Options are what the service needs beside its dependencies.
type Options struct {
	// Functions runs Lambda integrations and authorizers.
	Functions port.Functions
	// Domains are the custom domain names, which the service of REST APIs shares.
	Domains *domain.Domains
}

// Gateway is the service: its dependencies and the cache of compiled stages, which can be dropped at any time.
type Gateway struct {
	deps      service.Deps
	functions port.Functions
	domains   *domain.Domains
	tables    *memo.Cache[struct{}, tableKey, *table]
}

// New returns the service.
func New(deps service.Deps, o Options) service.Service {
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
	return service.Service{
		API:        api.API,
		Operations: h.Bindings(),
		Access:     access(),
		Resources:  g.resources(),
		Close: func(context.Context) error {
			g.tables.Close()
			g.domains.Close()
			return nil
		},
		Routes: g.routes(plane),
	}
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
	return &Gateway{deps: deps, functions: o.Functions, domains: o.Domains, tables: newTables(deps.Store)}
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
