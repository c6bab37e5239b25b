package apigatewayv2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/service"
)

// routeProperties are the properties of AWS::ApiGatewayV2::Route.
type routeProperties struct {
	ApiId                            string `cfn:"ApiId,required,createOnly"`
	ApiKeyRequired                   *bool
	AuthorizationScopes              []string
	AuthorizationType                *string
	AuthorizerId                     *string
	ModelSelectionExpression         *string
	OperationName                    *string
	RequestModels                    map[string]string
	RequestParameters                map[string]api.ParameterConstraints
	RouteKey                         string `cfn:"RouteKey,required"`
	RouteResponseSelectionExpression *string
	Target                           *string
}

func (g *Gateway) createRouteResource(ctx context.Context, _ service.ResourceCall, p *routeProperties) (service.Resource, error) {
	in := &api.CreateRouteInput{}
	members.Copy(in, p)
	out, err := call[api.CreateRouteOutput](ctx, g, "CreateRoute", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.RouteId, "RouteId"), nil
}

func (g *Gateway) updateRouteResource(ctx context.Context, c service.ResourceCall, old, p *routeProperties) (service.Resource, error) {
	for name := range old.RequestParameters {
		if _, ok := p.RequestParameters[name]; !ok {
			if err := drop[api.DeleteRouteRequestParameterOutput](ctx, g, "DeleteRouteRequestParameter", &api.DeleteRouteRequestParameterInput{ApiId: p.ApiId, RouteId: c.PhysicalID, RequestParameterKey: name}); err != nil {
				return service.Resource{}, err
			}
		}
	}
	in := &api.UpdateRouteInput{}
	members.Copy(in, p)
	in.RouteId, in.AuthorizationScopes = c.PhysicalID, orEmpty(p.AuthorizationScopes)
	in.AuthorizationType = *orDefault(p.AuthorizationType, authNone)
	_, err := call[api.UpdateRouteOutput](ctx, g, "UpdateRoute", in)
	return withID(c.PhysicalID, "RouteId"), err
}

func (g *Gateway) deleteRouteResource(ctx context.Context, c service.ResourceCall, p *routeProperties) error {
	return drop[api.DeleteRouteOutput](ctx, g, "DeleteRoute", &api.DeleteRouteInput{ApiId: p.ApiId, RouteId: c.PhysicalID})
}

// routeResponseProperties are the properties of AWS::ApiGatewayV2::RouteResponse.
type routeResponseProperties struct {
	ApiId                    string `cfn:"ApiId,required,createOnly"`
	ModelSelectionExpression *string
	ResponseModels           map[string]string
	ResponseParameters       map[string]api.ParameterConstraints
	RouteId                  string `cfn:"RouteId,required,createOnly"`
	RouteResponseKey         string `cfn:"RouteResponseKey,required"`
}

func (g *Gateway) createRouteResponseResource(ctx context.Context, _ service.ResourceCall, p *routeResponseProperties) (service.Resource, error) {
	in := &api.CreateRouteResponseInput{}
	members.Copy(in, p)
	out, err := call[api.CreateRouteResponseOutput](ctx, g, "CreateRouteResponse", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.RouteResponseId, "RouteResponseId"), nil
}

func (g *Gateway) updateRouteResponseResource(ctx context.Context, c service.ResourceCall, _, p *routeResponseProperties) (service.Resource, error) {
	in := &api.UpdateRouteResponseInput{}
	members.Copy(in, p)
	in.RouteResponseId = c.PhysicalID
	_, err := call[api.UpdateRouteResponseOutput](ctx, g, "UpdateRouteResponse", in)
	return withID(c.PhysicalID, "RouteResponseId"), err
}

func (g *Gateway) deleteRouteResponseResource(ctx context.Context, c service.ResourceCall, p *routeResponseProperties) error {
	return drop[api.DeleteRouteResponseOutput](ctx, g, "DeleteRouteResponse", &api.DeleteRouteResponseInput{ApiId: p.ApiId, RouteId: p.RouteId, RouteResponseId: c.PhysicalID})
}

// modelProperties are the properties of AWS::ApiGatewayV2::Model.
type modelProperties struct {
	ApiId       string `cfn:"ApiId,required,createOnly"`
	ContentType *string
	Description *string
	Name        string `cfn:"Name,required"`
	Schema      any    `cfn:"Schema,required"`
}

func (g *Gateway) createModelResource(ctx context.Context, _ service.ResourceCall, p *modelProperties) (service.Resource, error) {
	schema, err := textOf(p.Schema)
	if err != nil {
		return service.Resource{}, err
	}
	out, err := call[api.CreateModelOutput](ctx, g, "CreateModel", &api.CreateModelInput{ApiId: p.ApiId, Name: p.Name, ContentType: p.ContentType, Description: p.Description, Schema: schema})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.ModelId, "ModelId"), nil
}

func (g *Gateway) updateModelResource(ctx context.Context, c service.ResourceCall, _, p *modelProperties) (service.Resource, error) {
	schema, err := textOf(p.Schema)
	if err != nil {
		return service.Resource{}, err
	}
	_, err = call[api.UpdateModelOutput](ctx, g, "UpdateModel", &api.UpdateModelInput{
		ApiId: p.ApiId, ModelId: c.PhysicalID, Name: &p.Name, ContentType: p.ContentType, Description: p.Description, Schema: &schema,
	})
	return withID(c.PhysicalID, "ModelId"), err
}

func (g *Gateway) deleteModelResource(ctx context.Context, c service.ResourceCall, p *modelProperties) error {
	return drop[api.DeleteModelOutput](ctx, g, "DeleteModel", &api.DeleteModelInput{ApiId: p.ApiId, ModelId: c.PhysicalID})
}

// authorizerProperties are the properties of AWS::ApiGatewayV2::Authorizer.
type authorizerProperties struct {
	ApiId                          string `cfn:"ApiId,required,createOnly"`
	AuthorizerCredentialsArn       *string
	AuthorizerPayloadFormatVersion *string
	AuthorizerResultTtlInSeconds   *int32
	AuthorizerType                 string `cfn:"AuthorizerType,required,createOnly"`
	AuthorizerUri                  *string
	EnableSimpleResponses          *bool
	IdentitySource                 []string
	IdentityValidationExpression   *string
	JwtConfiguration               *api.JWTConfiguration
	Name                           string `cfn:"Name,required"`
}

func (g *Gateway) createAuthorizerResource(ctx context.Context, _ service.ResourceCall, p *authorizerProperties) (service.Resource, error) {
	in := &api.CreateAuthorizerInput{}
	members.Copy(in, p)
	out, err := call[api.CreateAuthorizerOutput](ctx, g, "CreateAuthorizer", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.AuthorizerId, "AuthorizerId"), nil
}

func (g *Gateway) updateAuthorizerResource(ctx context.Context, c service.ResourceCall, _, p *authorizerProperties) (service.Resource, error) {
	in := &api.UpdateAuthorizerInput{}
	members.Copy(in, p)
	in.AuthorizerId, in.IdentitySource = c.PhysicalID, orEmpty(p.IdentitySource)
	_, err := call[api.UpdateAuthorizerOutput](ctx, g, "UpdateAuthorizer", in)
	return withID(c.PhysicalID, "AuthorizerId"), err
}

func (g *Gateway) deleteAuthorizerResource(ctx context.Context, c service.ResourceCall, p *authorizerProperties) error {
	return drop[api.DeleteAuthorizerOutput](ctx, g, "DeleteAuthorizer", &api.DeleteAuthorizerInput{ApiId: p.ApiId, AuthorizerId: c.PhysicalID})
}
