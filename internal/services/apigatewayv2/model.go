package apigatewayv2

import (
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
)

// The protocols of APIs.
const (
	protocolHTTP      = "HTTP"
	protocolWebSocket = "WEBSOCKET"
)

// gatewayAPI is the record of one API with all that a deployment copies.
type gatewayAPI struct {
	ID          string
	Protocol    string
	Name        string
	Description *string `json:",omitempty"`
	Version     *string `json:",omitempty"`
	Created     time.Time
	NoEndpoint  bool              `json:",omitempty"` // DisableExecuteApiEndpoint
	AddressType string            `json:",omitempty"` // IpAddressType
	Tags        map[string]string `json:",omitempty"`
	// ImportInfo and Warnings are what the last import had to say.
	ImportInfo []string `json:",omitempty"`
	Warnings   []string `json:",omitempty"`
	Config     config
}

// config is what a stage serves.
type config struct {
	CORS *api.Cors `json:",omitempty"`
	// Selection and KeySelection are the expressions that find the route and the API key of a message of a WebSocket API.
	Selection    string `json:",omitempty"`
	KeySelection string `json:",omitempty"`
	// NoValidation is DisableSchemaValidation.
	NoValidation bool             `json:",omitempty"`
	Routes       []route          `json:",omitempty"`
	Integrations []integration    `json:",omitempty"`
	Authorizers  []api.Authorizer `json:",omitempty"`
	Models       []api.Model      `json:",omitempty"`
}

// route sends requests to an integration. The key of an HTTP API's route is "$default" or "METHOD /path"; that of a WebSocket API's is any text.
type route struct {
	api.Route

	Responses []api.RouteResponse `json:",omitempty"`
}

// integration is what answers for a route.
type integration struct {
	api.Integration

	Responses []api.IntegrationResponse `json:",omitempty"`
}

// stage is the record of a stage. A stage with automatic deployment serves the API as it is, which is what its own deployment says.
type stage struct {
	api.Stage

	// Resets counts how many times the cache of its authorizers was reset.
	Resets int `json:",omitempty"`
}

// deployment is an immutable copy of an API's configuration.
type deployment struct {
	ID          string
	Description *string `json:",omitempty"`
	Created     time.Time
	// Auto tells that a stage with auto-deploy made it.
	Auto   bool `json:",omitempty"`
	Config config
}

// webSocket reports whether the API is a WebSocket API.
func (a *gatewayAPI) webSocket() bool { return a.Protocol == protocolWebSocket }

// find returns the element of list with an id, or NotFoundException for a thing called what.
func find[T any](list []T, id, what string, idOf func(*T) string) (*T, error) {
	if i := slices.IndexFunc(list, func(v T) bool { return idOf(&v) == id }); i >= 0 {
		return &list[i], nil
	}
	return nil, notFound(what, id)
}

// without returns list without the element with an id, or NotFoundException.
func without[T any](list []T, id, what string, idOf func(*T) string) ([]T, error) {
	i := slices.IndexFunc(list, func(v T) bool { return idOf(&v) == id })
	if i < 0 {
		return nil, notFound(what, id)
	}
	return slices.Delete(list, i, i+1), nil
}

func routeID(r *route) string                                 { return value(r.RouteId) }
func routeResponseID(r *api.RouteResponse) string             { return value(r.RouteResponseId) }
func integrationID(i *integration) string                     { return value(i.IntegrationId) }
func integrationResponseID(r *api.IntegrationResponse) string { return value(r.IntegrationResponseId) }
func authorizerID(a *api.Authorizer) string                   { return value(a.AuthorizerId) }
func modelID(m *api.Model) string                             { return value(m.ModelId) }

func (c *config) route(id string) (*route, error) { return find(c.Routes, id, "Route", routeID) }

func (c *config) integration(id string) (*integration, error) {
	return find(c.Integrations, id, "Integration", integrationID)
}

func (c *config) authorizer(id string) (*api.Authorizer, error) {
	return find(c.Authorizers, id, "Authorizer", authorizerID)
}

func (c *config) model(id string) (*api.Model, error) { return find(c.Models, id, "Model", modelID) }

func ptr[T any](v T) *T { return &v }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
