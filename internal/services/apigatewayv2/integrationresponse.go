package apigatewayv2

import (
	"context"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/lib/vtl"
	"lambent.dev/lambent/internal/store"
)

// webSocketTarget is a place in the request to the backend of a WebSocket integration.
var webSocketTarget = regexp.MustCompile(`^integration\.request\.(header|querystring|path)\.[A-Za-z0-9!#$%&'*+.^_|~-]+$`)

// checkTemplates checks that mapping templates can be run.
func checkTemplates(templates map[string]string) error {
	for name, text := range templates {
		if _, err := vtl.Parse(text); err != nil {
			return badRequest("Invalid mapping template %q: %v", name, err)
		}
	}
	return nil
}

// checkIntegrationResponse checks a response against its integration.
func (a *gatewayAPI) checkIntegrationResponse(i *integration, r *api.IntegrationResponse) error {
	if !a.webSocket() {
		return badRequest("Integration responses are supported only for WEBSOCKET APIs.")
	}
	if r.IntegrationResponseKey != defaultRoute {
		pattern, ok := strings.CutPrefix(r.IntegrationResponseKey, "/")
		pattern, closed := strings.CutSuffix(pattern, "/")
		if !ok || !closed {
			return badRequest("Invalid integration response key %q: give $default or a regular expression between slashes.", r.IntegrationResponseKey)
		}
		if _, err := regexp.Compile(pattern); err != nil {
			return badRequest("Invalid integration response key %q: %v", r.IntegrationResponseKey, err)
		}
	}
	if len(r.ResponseParameters) > 0 {
		return unsupported("CreateIntegrationResponse", "ResponseParameters (a message has no headers)")
	}
	if slices.ContainsFunc(i.Responses, func(o api.IntegrationResponse) bool {
		return o.IntegrationResponseKey == r.IntegrationResponseKey && integrationResponseID(&o) != integrationResponseID(r)
	}) {
		return conflict("Integration response with key %s already exists for this integration", r.IntegrationResponseKey)
	}
	return checkTemplates(r.ResponseTemplates)
}

func (g *Gateway) createIntegrationResponse(ctx context.Context, in *api.CreateIntegrationResponseInput) (*api.CreateIntegrationResponseOutput, error) {
	out := &api.CreateIntegrationResponseOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		i, err := a.Config.integration(in.IntegrationId)
		if err != nil {
			return err
		}
		id, err := g.newID(7)
		if err != nil {
			return err
		}
		r := api.IntegrationResponse{IntegrationResponseId: ptr(id)}
		members.Copy(&r, in)
		if err := a.checkIntegrationResponse(i, &r); err != nil {
			return err
		}
		i.Responses = append(i.Responses, r)
		members.Copy(out, &r)
		return nil
	})
	return out, err
}

// integrationResponse returns a response of an integration of the API.
func (c *config) integrationResponse(integrationID, id string) (*integration, *api.IntegrationResponse, error) {
	i, err := c.integration(integrationID)
	if err != nil {
		return nil, nil, err
	}
	r, err := find(i.Responses, id, "Integration Response", integrationResponseID)
	return i, r, err
}

func (g *Gateway) getIntegrationResponse(ctx context.Context, in *api.GetIntegrationResponseInput) (*api.GetIntegrationResponseOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	_, r, err := a.Config.integrationResponse(in.IntegrationId, in.IntegrationResponseId)
	if err != nil {
		return nil, err
	}
	out := &api.GetIntegrationResponseOutput{}
	members.Copy(out, r)
	return out, nil
}

func (g *Gateway) getIntegrationResponses(ctx context.Context, in *api.GetIntegrationResponsesInput) (*api.GetIntegrationResponsesOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	i, err := a.Config.integration(in.IntegrationId)
	if err != nil {
		return nil, err
	}
	out := &api.GetIntegrationResponsesOutput{}
	out.Items, out.NextToken, err = items(i.Responses, paging{in.MaxResults, in.NextToken}, integrationResponseID,
		func(r *api.IntegrationResponse) api.IntegrationResponse { return *r })
	return out, err
}

func (g *Gateway) updateIntegrationResponse(ctx context.Context, in *api.UpdateIntegrationResponseInput) (*api.UpdateIntegrationResponseOutput, error) {
	out := &api.UpdateIntegrationResponseOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		i, r, err := a.Config.integrationResponse(in.IntegrationId, in.IntegrationResponseId)
		if err != nil {
			return err
		}
		changed := *r
		members.Copy(&changed, in)
		if err := a.checkIntegrationResponse(i, &changed); err != nil {
			return err
		}
		*r = changed
		members.Copy(out, r)
		return nil
	})
	return out, err
}

func (g *Gateway) deleteIntegrationResponse(ctx context.Context, in *api.DeleteIntegrationResponseInput) (*api.DeleteIntegrationResponseOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		i, err := a.Config.integration(in.IntegrationId)
		if err != nil {
			return err
		}
		i.Responses, err = without(i.Responses, in.IntegrationResponseId, "Integration Response", integrationResponseID)
		return err
	})
	return &api.DeleteIntegrationResponseOutput{}, err
}
