package apigateway

import (
	"context"
	"regexp"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
)

var (
	gatewayHeader = regexp.MustCompile(`^gatewayresponse\.header\..+$`)
	gatewaySource = regexp.MustCompile(`^(method\.request\.(header|querystring|path|multivalueheader|multivaluequerystring)\..+|context\..+|stageVariables\..+|'(.|\n)*')$`)
	anyStatus     = regexp.MustCompile(`^[1-5]\d\d$`)
)

// checkGatewayResponse fills in the defaults of a gateway response and validates it.
func checkGatewayResponse(r *aws.GatewayResponse) error {
	own := api.Builtin(r.ResponseType)
	if r.StatusCode == nil {
		r.StatusCode = own.StatusCode
	}
	if r.ResponseParameters == nil {
		r.ResponseParameters = map[string]string{}
	}
	if len(r.ResponseTemplates) == 0 {
		r.ResponseTemplates = own.ResponseTemplates
	}
	r.DefaultResponse = ptr(false)
	if r.StatusCode != nil && !anyStatus.MatchString(*r.StatusCode) {
		return badRequest("Invalid status code specified: %s", *r.StatusCode)
	}
	for _, to := range sortedKeys(r.ResponseParameters) {
		if !gatewayHeader.MatchString(to) || !gatewaySource.MatchString(r.ResponseParameters[to]) {
			return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s=%s]", to, r.ResponseParameters[to])
		}
	}
	return nil
}

func (g *Gateway) putGatewayResponse(ctx context.Context, in *aws.PutGatewayResponseInput) (*aws.PutGatewayResponseOutput, error) {
	r := aws.GatewayResponse{ResponseType: in.ResponseType, StatusCode: in.StatusCode, ResponseParameters: in.ResponseParameters, ResponseTemplates: in.ResponseTemplates}
	if err := checkGatewayResponse(&r); err != nil {
		return nil, err
	}
	err := g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		if d.tree.Responses == nil {
			d.tree.Responses = map[string]*aws.GatewayResponse{}
		}
		d.tree.Responses[in.ResponseType] = &r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &r, nil
}

func (g *Gateway) getGatewayResponse(ctx context.Context, in *aws.GetGatewayResponseInput) (out *aws.GetGatewayResponseOutput, err error) {
	err = g.view(ctx, in.RestApiId, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) error {
		out = t.Response(in.ResponseType)
		return nil
	})
	return out, err
}

// getGatewayResponses returns all types on one page, whatever limit is asked for, as AWS does.
func (g *Gateway) getGatewayResponses(ctx context.Context, in *aws.GetGatewayResponsesInput) (out *aws.GetGatewayResponsesOutput, err error) {
	err = g.view(ctx, in.RestApiId, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) error {
		out = &aws.GetGatewayResponsesOutput{}
		for _, kind := range api.GatewayResponseTypes() {
			out.Items = append(out.Items, *t.Response(kind))
		}
		return nil
	})
	return out, err
}

var gatewayResponsePatches = patch.Table[aws.GatewayResponse]{Wording: patch.Bare, Paths: []patch.Path[aws.GatewayResponse]{
	{Pattern: "/statusCode", Ops: "replace", Apply: patch.Text(func(r *aws.GatewayResponse) **string { return &r.StatusCode })},
	{
		Pattern: "/responseParameters/{}", Ops: "add,remove,replace",
		Apply: patch.FilledMap(func(r *aws.GatewayResponse) *map[string]string { return &r.ResponseParameters }, "Invalid parameter name specified", "responseParameters"),
	},
	{
		Pattern: "/responseTemplates/{}", Ops: "add,remove,replace",
		Apply: patch.FilledMap(func(r *aws.GatewayResponse) *map[string]string { return &r.ResponseTemplates }, "Invalid parameter name specified", "responseTemplates"),
	},
}}

func (g *Gateway) updateGatewayResponse(ctx context.Context, in *aws.UpdateGatewayResponseInput) (*aws.UpdateGatewayResponseOutput, error) {
	var out aws.GatewayResponse
	err := g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		out = *d.tree.Response(in.ResponseType)
		if err := gatewayResponsePatches.Apply(&out, in.PatchOperations); err != nil {
			return err
		}
		if err := checkGatewayResponse(&out); err != nil {
			return err
		}
		if d.tree.Responses == nil {
			d.tree.Responses = map[string]*aws.GatewayResponse{}
		}
		d.tree.Responses[in.ResponseType] = &out
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (g *Gateway) deleteGatewayResponse(ctx context.Context, in *aws.DeleteGatewayResponseInput) (*aws.DeleteGatewayResponseOutput, error) {
	err := g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		if d.tree.Responses[in.ResponseType] == nil {
			return notFound("Gateway response type not defined on api")
		}
		delete(d.tree.Responses, in.ResponseType)
		return nil
	})
	return &aws.DeleteGatewayResponseOutput{}, err
}
