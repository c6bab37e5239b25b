package apigatewayv2

import (
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
)

// maxRoutes and maxIntegrations are AWS's quotas for one API.
const (
	maxRoutes       = 300
	maxIntegrations = 300
)

// methods are the HTTP methods of a route key.
var methods = []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

// checkRouteKey checks a route key: "$default", or a method and a path whose variables are whole elements and
// whose greedy variable is the last.
func checkRouteKey(k string) error {
	if k == "$default" {
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

// splitPath returns the elements of a path without its leading slash.
func splitPath(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// target returns the integration id in a route's target.
func target(c *config, t *string) (string, error) {
	if t == nil {
		return "", nil
	}
	id, ok := strings.CutPrefix(*t, "integrations/")
	if !ok || c.integration(id) < 0 {
		return "", badRequest("Invalid target %q: give integrations/<id> of an integration of this API.", *t)
	}
	return id, nil
}

func (r *route) view() *api.CreateRouteOutput {
	out := &api.CreateRouteOutput{
		ApiKeyRequired: ptr(false), AuthorizationType: "NONE", OperationName: r.OperationName, RouteId: ptr(r.ID), RouteKey: ptr(r.Key),
	}
	if r.Integration != "" {
		out.Target = ptr("integrations/" + r.Integration)
	}
	return out
}

func (g *Gateway) createRoute(ctx context.Context, in *api.CreateRouteInput) (*api.CreateRouteOutput, error) {
	no := refused{operation: "CreateRoute"}
	no.when(in.AuthorizationType != "" && in.AuthorizationType != "NONE", "AuthorizationType "+in.AuthorizationType)
	no.when(in.AuthorizerId != nil, "AuthorizerId")
	no.when(in.AuthorizationScopes != nil, "AuthorizationScopes")
	no.when(in.ApiKeyRequired != nil && *in.ApiKeyRequired, "ApiKeyRequired")
	no.when(in.RequestModels != nil || in.ModelSelectionExpression != nil, "RequestModels")
	no.when(in.RequestParameters != nil, "RequestParameters")
	no.when(in.RouteResponseSelectionExpression != nil, "RouteResponseSelectionExpression")
	if no.err != nil {
		return nil, no.err
	}
	if err := checkRouteKey(in.RouteKey); err != nil {
		return nil, err
	}
	id, err := g.newID(7)
	if err != nil {
		return nil, err
	}
	r := route{ID: id, Key: in.RouteKey, OperationName: in.OperationName}
	_, err = g.change(ctx, in.ApiId, func(_ store.Txn, a *httpAPI) error {
		if len(a.Config.Routes) >= maxRoutes {
			return badRequest("An API has at most %d routes.", maxRoutes)
		}
		if slices.ContainsFunc(a.Config.Routes, func(o route) bool { return o.Key == r.Key }) {
			return conflict("Route with key %s already exists for this API", r.Key)
		}
		var err error
		if r.Integration, err = target(&a.Config, in.Target); err != nil {
			return err
		}
		a.Config.Routes = append(a.Config.Routes, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.view(), nil
}

// findRoute returns a route of an API, or NotFoundException.
func findRoute(c *config, id string) (*route, error) {
	if i := c.route(id); i >= 0 {
		return &c.Routes[i], nil
	}
	return nil, notFound("Route", id)
}

func (g *Gateway) getRoute(ctx context.Context, in *api.GetRouteInput) (*api.GetRouteOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	r, err := findRoute(&a.Config, in.RouteId)
	if err != nil {
		return nil, err
	}
	return (*api.GetRouteOutput)(r.view()), nil
}

func (g *Gateway) getRoutes(ctx context.Context, in *api.GetRoutesInput) (*api.GetRoutesOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	out := &api.GetRoutesOutput{Items: []api.Route{}}
	for _, r := range a.Config.Routes {
		v := r.view()
		out.Items = append(out.Items, api.Route{
			ApiKeyRequired: v.ApiKeyRequired, AuthorizationType: v.AuthorizationType, OperationName: v.OperationName, RouteId: v.RouteId, RouteKey: r.Key, Target: v.Target,
		})
	}
	return out, nil
}

func (g *Gateway) updateRoute(ctx context.Context, in *api.UpdateRouteInput) (*api.UpdateRouteOutput, error) {
	no := refused{operation: "UpdateRoute"}
	no.when(in.AuthorizationType != "" && in.AuthorizationType != "NONE", "AuthorizationType "+in.AuthorizationType)
	no.when(in.AuthorizerId != nil, "AuthorizerId")
	no.when(in.AuthorizationScopes != nil, "AuthorizationScopes")
	no.when(in.ApiKeyRequired != nil && *in.ApiKeyRequired, "ApiKeyRequired")
	no.when(in.RequestModels != nil || in.ModelSelectionExpression != nil, "RequestModels")
	no.when(in.RequestParameters != nil, "RequestParameters")
	no.when(in.RouteResponseSelectionExpression != nil, "RouteResponseSelectionExpression")
	if no.err != nil {
		return nil, no.err
	}
	var out *api.CreateRouteOutput
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *httpAPI) error {
		r, err := findRoute(&a.Config, in.RouteId)
		if err != nil {
			return err
		}
		if in.RouteKey != nil && *in.RouteKey != r.Key {
			if err := checkRouteKey(*in.RouteKey); err != nil {
				return err
			}
			if slices.ContainsFunc(a.Config.Routes, func(o route) bool { return o.Key == *in.RouteKey }) {
				return conflict("Route with key %s already exists for this API", *in.RouteKey)
			}
			r.Key = *in.RouteKey
		}
		if in.Target != nil {
			if r.Integration, err = target(&a.Config, in.Target); err != nil {
				return err
			}
		}
		if in.OperationName != nil {
			r.OperationName = in.OperationName
		}
		out = r.view()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return (*api.UpdateRouteOutput)(out), nil
}

func (g *Gateway) deleteRoute(ctx context.Context, in *api.DeleteRouteInput) (*api.DeleteRouteOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *httpAPI) error {
		i := a.Config.route(in.RouteId)
		if i < 0 {
			return notFound("Route", in.RouteId)
		}
		a.Config.Routes = slices.Delete(a.Config.Routes, i, i+1)
		return nil
	})
	return &api.DeleteRouteOutput{}, err
}
