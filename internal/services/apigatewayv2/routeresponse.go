package apigatewayv2

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/store"
)

// checkRouteResponse checks a route response against its route; AWS has the one key $default.
func (a *gatewayAPI) checkRouteResponse(r *route, resp *api.RouteResponse) error {
	if !a.webSocket() {
		return badRequest("Route responses are supported only for WEBSOCKET APIs.")
	}
	if resp.RouteResponseKey != defaultRoute {
		return badRequest("Invalid route response key %q: only $default is supported.", resp.RouteResponseKey)
	}
	for _, name := range resp.ResponseModels {
		if !slices.ContainsFunc(a.Config.Models, func(m api.Model) bool { return m.Name == name }) {
			return badRequest("Invalid model name specified: %s", name)
		}
	}
	if len(resp.ResponseParameters) > 0 {
		return unsupported("CreateRouteResponse", "ResponseParameters (a message has no headers)")
	}
	if slices.ContainsFunc(r.Responses, func(o api.RouteResponse) bool {
		return o.RouteResponseKey == resp.RouteResponseKey && routeResponseID(&o) != routeResponseID(resp)
	}) {
		return conflict("Route response with key %s already exists for this route", resp.RouteResponseKey)
	}
	return nil
}

func (g *Gateway) createRouteResponse(ctx context.Context, in *api.CreateRouteResponseInput) (*api.CreateRouteResponseOutput, error) {
	out := &api.CreateRouteResponseOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		r, err := a.Config.route(in.RouteId)
		if err != nil {
			return err
		}
		id, err := g.newID(7)
		if err != nil {
			return err
		}
		resp := api.RouteResponse{RouteResponseId: ptr(id)}
		members.Copy(&resp, in)
		if err := a.checkRouteResponse(r, &resp); err != nil {
			return err
		}
		r.Responses = append(r.Responses, resp)
		members.Copy(out, &resp)
		return nil
	})
	return out, err
}

// routeResponse returns a response of a route of the API.
func (c *config) routeResponse(routeID, id string) (*route, *api.RouteResponse, error) {
	r, err := c.route(routeID)
	if err != nil {
		return nil, nil, err
	}
	resp, err := find(r.Responses, id, "Route Response", routeResponseID)
	return r, resp, err
}

func (g *Gateway) getRouteResponse(ctx context.Context, in *api.GetRouteResponseInput) (*api.GetRouteResponseOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	_, resp, err := a.Config.routeResponse(in.RouteId, in.RouteResponseId)
	if err != nil {
		return nil, err
	}
	out := &api.GetRouteResponseOutput{}
	members.Copy(out, resp)
	return out, nil
}

func (g *Gateway) getRouteResponses(ctx context.Context, in *api.GetRouteResponsesInput) (*api.GetRouteResponsesOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	r, err := a.Config.route(in.RouteId)
	if err != nil {
		return nil, err
	}
	out := &api.GetRouteResponsesOutput{}
	out.Items, out.NextToken, err = items(r.Responses, paging{in.MaxResults, in.NextToken}, routeResponseID, func(v *api.RouteResponse) api.RouteResponse { return *v })
	return out, err
}

func (g *Gateway) updateRouteResponse(ctx context.Context, in *api.UpdateRouteResponseInput) (*api.UpdateRouteResponseOutput, error) {
	out := &api.UpdateRouteResponseOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		r, resp, err := a.Config.routeResponse(in.RouteId, in.RouteResponseId)
		if err != nil {
			return err
		}
		changed := *resp
		members.Copy(&changed, in)
		if err := a.checkRouteResponse(r, &changed); err != nil {
			return err
		}
		*resp = changed
		members.Copy(out, resp)
		return nil
	})
	return out, err
}

func (g *Gateway) deleteRouteResponse(ctx context.Context, in *api.DeleteRouteResponseInput) (*api.DeleteRouteResponseOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		r, err := a.Config.route(in.RouteId)
		if err != nil {
			return err
		}
		r.Responses, err = without(r.Responses, in.RouteResponseId, "Route Response", routeResponseID)
		return err
	})
	return &api.DeleteRouteResponseOutput{}, err
}
