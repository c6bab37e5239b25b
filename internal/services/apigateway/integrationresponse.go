package apigateway

import (
	"context"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

func (g *Gateway) putIntegrationResponse(ctx context.Context, in *aws.PutIntegrationResponseInput) (*aws.PutIntegrationResponseOutput, error) {
	out := aws.IntegrationResponse{
		StatusCode: ptr(in.StatusCode), SelectionPattern: in.SelectionPattern, ResponseParameters: in.ResponseParameters, ResponseTemplates: in.ResponseTemplates, ContentHandling: in.ContentHandling,
	}
	err := g.editIntegration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *aws.Method, i *aws.Integration) error {
		if err := api.CheckIntegrationResponse(&out); err != nil {
			return err
		}
		for _, to := range sortedKeys(in.ResponseParameters) {
			if _, ok := m.MethodResponses[in.StatusCode].ResponseParameters[to]; !ok {
				return badRequest("Invalid mapping expression parameter specified: %s", to)
			}
		}
		if i.IntegrationResponses == nil {
			i.IntegrationResponses = map[string]aws.IntegrationResponse{}
		}
		i.IntegrationResponses[in.StatusCode] = out
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (g *Gateway) getIntegrationResponse(ctx context.Context, in *aws.GetIntegrationResponseInput) (*aws.GetIntegrationResponseOutput, error) {
	var out aws.IntegrationResponse
	err := g.viewMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *aws.Method) error {
		if m.MethodIntegration == nil {
			return noIntegration()
		}
		r, ok := m.MethodIntegration.IntegrationResponses[in.StatusCode]
		if !ok {
			return noStatus()
		}
		out = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var integrationResponsePatches = patch.Table[aws.IntegrationResponse]{Wording: patch.Terse, Paths: []patch.Path[aws.IntegrationResponse]{
	{Pattern: "/selectionPattern", Ops: "replace,remove", Apply: patch.Text(func(r *aws.IntegrationResponse) **string { return &r.SelectionPattern })},
	{Pattern: "/contentHandling", Ops: "replace,remove", Apply: contentHandling(func(r *aws.IntegrationResponse) *string { return &r.ContentHandling })},
	{Pattern: "/responseParameters/{}", Ops: "add,remove,replace", Apply: patch.Map(func(r *aws.IntegrationResponse) *map[string]string { return &r.ResponseParameters }, "Invalid parameter name specified")},
	{Pattern: "/responseTemplates/{}", Ops: "add,remove,replace", Apply: patch.Map(func(r *aws.IntegrationResponse) *map[string]string { return &r.ResponseTemplates }, "Content-Type specified was not found")},
}}

func (g *Gateway) updateIntegrationResponse(ctx context.Context, in *aws.UpdateIntegrationResponseInput) (*aws.UpdateIntegrationResponseOutput, error) {
	var out aws.IntegrationResponse
	err := g.editIntegration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *aws.Method, i *aws.Integration) error {
		r, ok := i.IntegrationResponses[in.StatusCode]
		if !ok {
			return noStatus()
		}
		if err := integrationResponsePatches.Apply(&r, in.PatchOperations); err != nil {
			return err
		}
		i.IntegrationResponses[in.StatusCode], out = r, r
		return api.CheckIntegrationResponse(&r)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// deleteIntegrationResponse reports a method that does not exist as an integration that does not, as AWS does.
func (g *Gateway) deleteIntegrationResponse(ctx context.Context, in *aws.DeleteIntegrationResponseInput) (*aws.DeleteIntegrationResponseOutput, error) {
	err := g.editIntegration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *aws.Method, i *aws.Integration) error {
		if _, ok := i.IntegrationResponses[in.StatusCode]; !ok {
			return noStatus()
		}
		if delete(i.IntegrationResponses, in.StatusCode); len(i.IntegrationResponses) == 0 {
			i.IntegrationResponses = nil // an integration whose last response was deleted shows none
		}
		return nil
	})
	if isNotFound(err) && strings.Contains(err.Error(), "Method identifier") {
		err = noIntegration()
	}
	return &aws.DeleteIntegrationResponseOutput{}, err
}
