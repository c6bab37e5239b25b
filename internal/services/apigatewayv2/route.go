package apigatewayv2

import (
	"context"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/store"
)

// maxRoutes and maxIntegrations are AWS's quotas for one API.
const (
	maxRoutes       = 300
	maxIntegrations = 300
)

// The routes of WebSocket APIs with a meaning of their own; $default is also one of HTTP APIs.
const (
	connectRoute    = "$connect"
	disconnectRoute = "$disconnect"
	defaultRoute    = "$default"
)

// The authorization types of a route.
const (
	authNone   = "NONE"
	authIAM    = "AWS_IAM"
	authCustom = "CUSTOM"
	authJWT    = "JWT"
)

// methods are the HTTP methods of a route key.
var methods = []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// checkRouteKey checks the route key of an HTTP API: "$default", or a method and a path whose variables are whole elements and
// whose greedy variable is the last.
func checkRouteKey(k string) error {
	if k == defaultRoute {
		return nil
	}
	method, path, ok := strings.Cut(k, " ")
	if !ok || !slices.Contains(methods, method) || !strings.HasPrefix(path, "/") {
		return badRequest("The provided route key is not formatted properly for HTTP protocol. Format should be \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\"")
	}
	parts := splitPath(path)
	for i, p := range parts {
		name, isVar := strings.CutPrefix(p, "{")
		if !isVar {
			if strings.ContainsAny(p, "{}") {
				return badRequest("Invalid route key %q: a variable must be a whole path element.", k)
			}
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		name, greedy := strings.CutSuffix(name, "+")
		if !closed || name == "" || strings.ContainsAny(name, "{}+") || greedy && i != len(parts)-1 {
			return badRequest("Invalid route key %q: a greedy variable must be the last path element, and variables look like {name} or {name+}.", k)
		}
	}
	return nil
}

// checkMessageKey checks the route key of a WebSocket API: any text, of which $connect, $disconnect and $default have a meaning of their own.
func checkMessageKey(k string) error {
	if k == "" || strings.HasPrefix(k, "$") && k != connectRoute && k != disconnectRoute && k != defaultRoute {
		return badRequest("Invalid route key %q: routes that begin with $ are $connect, $disconnect and $default.", k)
	}
	return nil
}

// splitPath returns the elements of a path without its leading slash.
func splitPath(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// integration returns the id in the route's target; empty without a target.
func (r *route) integration() string { return strings.TrimPrefix(value(r.Target), "integrations/") }

// requestParameter is how a route of a WebSocket API names a parameter of its request.
var requestParameter = regexp.MustCompile(`^route\.request\.(header|querystring)\.[A-Za-z0-9!#$%&'*+.^_|~-]+$`)

// checkRoute checks a whole route against its API.
func (a *gatewayAPI) checkRoute(r *route) error {
	check := checkRouteKey
	if a.webSocket() {
		check = checkMessageKey
	}
	if err := check(r.RouteKey); err != nil {
		return err
	}
	if slices.ContainsFunc(a.Config.Routes, func(o route) bool { return o.RouteKey == r.RouteKey && routeID(&o) != routeID(r) }) {
		return conflict("Route with key %s already exists for this API", r.RouteKey)
	}
	if t := r.Target; t != nil && *t != "" {
		id, ok := strings.CutPrefix(*t, "integrations/")
		if _, err := a.Config.integration(id); !ok || err != nil {
			return badRequest("Invalid target %q: give integrations/<id> of an integration of this API.", *t)
		}
	}
	if err := a.checkRouteAuthorization(r); err != nil {
		return err
	}
	if a.webSocket() {
		return a.checkMessageRoute(r)
	}
	switch {
	case value(r.ApiKeyRequired):
		return badRequest("ApiKeyRequired is not currently supported for HTTP APIs")
	case len(r.RequestModels) > 0 || r.ModelSelectionExpression != nil:
		return badRequest("Model validation is not currently supported for HTTP APIs")
	case len(r.RequestParameters) > 0:
		return badRequest("RequestParameters of a route are not supported for HTTP APIs; those of an integration are.")
	case r.RouteResponseSelectionExpression != nil:
		return badRequest("RouteResponseSelectionExpression is supported only for WEBSOCKET APIs.")
	}
	return nil
}

// checkRouteAuthorization checks who may use a route.
func (a *gatewayAPI) checkRouteAuthorization(r *route) error {
	kind := ""
	if id := value(r.AuthorizerId); id != "" {
		found, err := a.Config.authorizer(id)
		if err != nil {
			return badRequest("Invalid authorizer identifier specified %s", id)
		}
		kind = found.AuthorizerType
	}
	switch {
	case r.AuthorizationType == authJWT && a.webSocket():
		return badRequest("JWT authorization is supported only for HTTP APIs.")
	case r.AuthorizationType == authJWT && kind != authorizerJWT, r.AuthorizationType == authCustom && kind != authorizerRequest:
		return badRequest("Authorization type %s needs the AuthorizerId of a %s authorizer of this API.", r.AuthorizationType,
			map[string]string{authJWT: authorizerJWT, authCustom: authorizerRequest}[r.AuthorizationType])
	case len(r.AuthorizationScopes) > 0 && r.AuthorizationType != authJWT:
		return badRequest("AuthorizationScopes are supported only with JWT authorization.")
	case a.webSocket() && r.AuthorizationType != authNone && r.RouteKey != connectRoute:
		return badRequest("Currently, authorization is restricted to the $connect route only")
	}
	return nil
}

// checkMessageRoute checks what only routes of WebSocket APIs have.
func (a *gatewayAPI) checkMessageRoute(r *route) error {
	if value(r.ApiKeyRequired) {
		return unsupported("CreateRoute", "ApiKeyRequired of a WebSocket route (API keys are those of REST APIs)")
	}
	for name := range r.RequestParameters {
		if !requestParameter.MatchString(name) {
			return badRequest("Invalid request parameter %q: give route.request.header.<name> or route.request.querystring.<name>.", name)
		}
		if r.RouteKey != connectRoute {
			return badRequest("RequestParameters are supported only for the $connect route.")
		}
	}
	if e := value(r.RouteResponseSelectionExpression); e != "" && e != defaultRoute {
		return badRequest("Invalid RouteResponseSelectionExpression %q: only $default is supported.", e)
	}
	for _, name := range r.RequestModels {
		if !slices.ContainsFunc(a.Config.Models, func(m api.Model) bool { return m.Name == name }) {
			return badRequest("Invalid model name specified: %s", name)
		}
	}
	return nil
}

// newRoute returns a route with an id of its own, checked.
func (g *Gateway) newRoute(a *gatewayAPI, in *api.CreateRouteInput) (*route, error) {
	if len(a.Config.Routes) >= maxRoutes {
		return nil, badRequest("An API has at most %d routes.", maxRoutes)
	}
	id, err := g.newID(7)
	if err != nil {
		return nil, err
	}
	r := &route{Route: api.Route{RouteId: ptr(id), ApiKeyRequired: ptr(false), AuthorizationType: authNone}}
	members.Copy(&r.Route, in)
	return r, a.checkRoute(r)
}

// changeRoute changes r, a route of a.
func (a *gatewayAPI) changeRoute(r *route, in *api.UpdateRouteInput) error {
	changed := *r
	members.Copy(&changed.Route, in)
	if changed.AuthorizationType == authNone || changed.AuthorizationType == authIAM {
		changed.AuthorizerId, changed.AuthorizationScopes = nil, nil
	}
	if err := a.checkRoute(&changed); err != nil {
		return err
	}
	*r = changed
	return nil
}

func (g *Gateway) createRoute(ctx context.Context, in *api.CreateRouteInput) (*api.CreateRouteOutput, error) {
	out := &api.CreateRouteOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		r, err := g.newRoute(a, in)
		if err != nil {
			return err
		}
		a.Config.Routes = append(a.Config.Routes, *r)
		members.Copy(out, &r.Route)
		return nil
	})
	return out, err
}

func (g *Gateway) getRoute(ctx context.Context, in *api.GetRouteInput) (*api.GetRouteOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	r, err := a.Config.route(in.RouteId)
	if err != nil {
		return nil, err
	}
	out := &api.GetRouteOutput{}
	members.Copy(out, &r.Route)
	return out, nil
}

func (g *Gateway) getRoutes(ctx context.Context, in *api.GetRoutesInput) (*api.GetRoutesOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	out := &api.GetRoutesOutput{}
	out.Items, out.NextToken, err = items(a.Config.Routes, paging{in.MaxResults, in.NextToken}, routeID, func(r *route) api.Route { return r.Route })
	return out, err
}

func (g *Gateway) updateRoute(ctx context.Context, in *api.UpdateRouteInput) (*api.UpdateRouteOutput, error) {
	out := &api.UpdateRouteOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		r, err := a.Config.route(in.RouteId)
		if err != nil {
			return err
		}
		if err := a.changeRoute(r, in); err != nil {
			return err
		}
		members.Copy(out, &r.Route)
		return nil
	})
	return out, err
}

func (g *Gateway) deleteRoute(ctx context.Context, in *api.DeleteRouteInput) (*api.DeleteRouteOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) (err error) {
		if r, err := a.Config.route(in.RouteId); err == nil && value(r.ApiGatewayManaged) {
			return errManaged("Route", in.RouteId)
		}
		a.Config.Routes, err = without(a.Config.Routes, in.RouteId, "Route", routeID)
		return err
	})
	return &api.DeleteRouteOutput{}, err
}

func (g *Gateway) deleteRouteParameter(ctx context.Context, in *api.DeleteRouteRequestParameterInput) (*api.DeleteRouteRequestParameterOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		r, err := a.Config.route(in.RouteId)
		if err != nil {
			return err
		}
		if _, ok := r.RequestParameters[in.RequestParameterKey]; !ok {
			return notFound("Route Request Parameter", in.RequestParameterKey)
		}
		delete(r.RequestParameters, in.RequestParameterKey)
		return nil
	})
	return &api.DeleteRouteRequestParameterOutput{}, err
}
