package apigatewayv2

import (
	"context"
	"encoding/json"
	"maps"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
)

// corsProperties are the CorsConfiguration of AWS::ApiGatewayV2::Api.
type corsProperties struct {
	AllowCredentials *bool    `cfn:"AllowCredentials"`
	AllowHeaders     []string `cfn:"AllowHeaders"`
	AllowMethods     []string `cfn:"AllowMethods"`
	AllowOrigins     []string `cfn:"AllowOrigins"`
	ExposeHeaders    []string `cfn:"ExposeHeaders"`
	MaxAge           *int32   `cfn:"MaxAge"`
}

func (p *corsProperties) cors() *api.Cors {
	if p == nil {
		return nil
	}
	c := api.Cors(*p)
	return &c
}

// apiProperties are the properties of AWS::ApiGatewayV2::Api.
type apiProperties struct {
	Body                      any               `cfn:"Body"`
	CorsConfiguration         *corsProperties   `cfn:"CorsConfiguration"`
	Description               *string           `cfn:"Description"`
	DisableExecuteApiEndpoint *bool             `cfn:"DisableExecuteApiEndpoint"`
	FailOnWarnings            *bool             `cfn:"FailOnWarnings"`
	Name                      *string           `cfn:"Name"`
	ProtocolType              *string           `cfn:"ProtocolType,createOnly"`
	Tags                      map[string]string `cfn:"Tags"`
	Version                   *string           `cfn:"Version"`
}

type stageProperties struct {
	ApiId          string            `cfn:"ApiId,required,createOnly"`
	AutoDeploy     *bool             `cfn:"AutoDeploy"`
	DeploymentId   *string           `cfn:"DeploymentId"`
	Description    *string           `cfn:"Description"`
	StageName      string            `cfn:"StageName,required,createOnly"`
	StageVariables map[string]string `cfn:"StageVariables"`
	Tags           map[string]string `cfn:"Tags"`
}

type routeProperties struct {
	ApiId             string  `cfn:"ApiId,required,createOnly"`
	AuthorizationType *string `cfn:"AuthorizationType"`
	OperationName     *string `cfn:"OperationName"`
	RouteKey          string  `cfn:"RouteKey,required"`
	Target            *string `cfn:"Target"`
}

type integrationProperties struct {
	ApiId                string  `cfn:"ApiId,required,createOnly"`
	Description          *string `cfn:"Description"`
	IntegrationMethod    *string `cfn:"IntegrationMethod"`
	IntegrationType      string  `cfn:"IntegrationType,required"`
	IntegrationUri       *string `cfn:"IntegrationUri"`
	PayloadFormatVersion *string `cfn:"PayloadFormatVersion"`
	TimeoutInMillis      *int32  `cfn:"TimeoutInMillis"`
}

type deploymentProperties struct {
	ApiId       string  `cfn:"ApiId,required,createOnly"`
	Description *string `cfn:"Description,createOnly"`
	StageName   *string `cfn:"StageName,createOnly"`
}

func (g *Gateway) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::ApiGatewayV2::Api", service.ResourceSpec[apiProperties]{
			Attributes: []string{"ApiEndpoint", "ApiId"}, Create: g.createAPIResource, Update: g.updateAPIResource, Delete: g.deleteAPIResource,
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Stage", service.ResourceSpec[stageProperties]{
			Create: g.createStageResource, Update: g.updateStageResource, Delete: g.deleteStageResource,
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Route", service.ResourceSpec[routeProperties]{
			Attributes: []string{"RouteId"}, Create: g.createRouteResource, Update: g.updateRouteResource, Delete: g.deleteRouteResource,
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Integration", service.ResourceSpec[integrationProperties]{
			Attributes: []string{"IntegrationId"}, Create: g.createIntegrationResource, Update: g.updateIntegrationResource, Delete: g.deleteIntegrationResource,
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Deployment", service.ResourceSpec[deploymentProperties]{
			Attributes: []string{"DeploymentId"}, Create: g.createDeploymentResource, Delete: g.deleteDeploymentResource,
		}),
	}
}

// call makes one of this service's own calls through the door.
func call[Out any](ctx context.Context, g *Gateway, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, g.deps.Door, "apigatewayv2", operation, in)
}

// drop makes a deleting call; what is gone already is no error.
func drop[Out any](ctx context.Context, g *Gateway, operation string, in any) error {
	_, err := call[Out](ctx, g, operation, in)
	if service.Code(err) == "NotFoundException" {
		return nil
	}
	return err
}

func (g *Gateway) createAPIResource(ctx context.Context, c service.ResourceCall, p *apiProperties) (service.Resource, error) {
	var id string
	if p.Body != nil {
		body, err := json.Marshal(p.Body)
		if err != nil {
			return service.Resource{}, badRequest("Body cannot be written as JSON: %v", err)
		}
		out, err := call[api.ImportApiOutput](ctx, g, "ImportApi", &api.ImportApiInput{Body: string(body), FailOnWarnings: p.FailOnWarnings})
		if err != nil {
			return service.Resource{}, err
		}
		id = *out.ApiId
		if err := g.overlay(ctx, id, p); err != nil {
			return service.Resource{}, err
		}
	} else {
		if p.Name == nil || p.ProtocolType == nil {
			return service.Resource{}, badRequest("AWS::ApiGatewayV2::Api needs Name and ProtocolType, or a Body.")
		}
		out, err := call[api.CreateApiOutput](ctx, g, "CreateApi", &api.CreateApiInput{
			Name: *p.Name, ProtocolType: *p.ProtocolType, Description: p.Description, Version: p.Version,
			CorsConfiguration: p.CorsConfiguration.cors(), DisableExecuteApiEndpoint: p.DisableExecuteApiEndpoint,
		})
		if err != nil {
			return service.Resource{}, err
		}
		id = *out.ApiId
	}
	if err := g.tagAPI(ctx, id, c, p.Tags); err != nil {
		return service.Resource{}, err
	}
	return g.apiResource(ctx, id)
}

// overlay sets the properties that stand beside a Body.
func (g *Gateway) overlay(ctx context.Context, id string, p *apiProperties) error {
	_, err := call[api.UpdateApiOutput](ctx, g, "UpdateApi", &api.UpdateApiInput{
		ApiId: id, Name: p.Name, Description: p.Description, Version: p.Version,
		CorsConfiguration: p.CorsConfiguration.cors(), DisableExecuteApiEndpoint: p.DisableExecuteApiEndpoint,
	})
	return err
}

func (g *Gateway) tagAPI(ctx context.Context, id string, c service.ResourceCall, own map[string]string) error {
	tags := make(map[string]string, len(own)+len(c.Tags))
	maps.Copy(tags, c.Tags)
	maps.Copy(tags, own)
	if len(tags) == 0 {
		return nil
	}
	arn := "arn:aws:apigateway:" + service.RequestFrom(ctx).Region + "::/apis/" + id
	_, err := call[api.TagResourceOutput](ctx, g, "TagResource", &api.TagResourceInput{ResourceArn: arn, Tags: tags})
	return err
}

func (g *Gateway) apiResource(ctx context.Context, id string) (service.Resource, error) {
	out, err := call[api.GetApiOutput](ctx, g, "GetApi", &api.GetApiInput{ApiId: id})
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"ApiEndpoint": *out.ApiEndpoint, "ApiId": id}}, nil
}

func (g *Gateway) updateAPIResource(ctx context.Context, c service.ResourceCall, _, p *apiProperties) (service.Resource, error) {
	if p.Body != nil {
		body, err := json.Marshal(p.Body)
		if err != nil {
			return service.Resource{}, badRequest("Body cannot be written as JSON: %v", err)
		}
		in := &api.ReimportApiInput{ApiId: c.PhysicalID, Body: string(body), FailOnWarnings: p.FailOnWarnings}
		if _, err := call[api.ReimportApiOutput](ctx, g, "ReimportApi", in); err != nil {
			return service.Resource{}, err
		}
	}
	if err := g.overlay(ctx, c.PhysicalID, p); err != nil {
		return service.Resource{}, err
	}
	if err := g.tagAPI(ctx, c.PhysicalID, c, p.Tags); err != nil {
		return service.Resource{}, err
	}
	return g.apiResource(ctx, c.PhysicalID)
}

func (g *Gateway) deleteAPIResource(ctx context.Context, c service.ResourceCall, _ *apiProperties) error {
	return drop[api.DeleteApiOutput](ctx, g, "DeleteApi", &api.DeleteApiInput{ApiId: c.PhysicalID})
}

func (g *Gateway) createStageResource(ctx context.Context, _ service.ResourceCall, p *stageProperties) (service.Resource, error) {
	_, err := call[api.CreateStageOutput](ctx, g, "CreateStage", &api.CreateStageInput{
		ApiId: p.ApiId, StageName: p.StageName, AutoDeploy: p.AutoDeploy, DeploymentId: p.DeploymentId, Description: p.Description,
		StageVariables: p.StageVariables, Tags: p.Tags,
	})
	return service.Resource{PhysicalID: p.StageName}, err
}

func (g *Gateway) updateStageResource(ctx context.Context, _ service.ResourceCall, _, p *stageProperties) (service.Resource, error) {
	_, err := call[api.UpdateStageOutput](ctx, g, "UpdateStage", &api.UpdateStageInput{
		ApiId: p.ApiId, StageName: p.StageName, AutoDeploy: p.AutoDeploy, DeploymentId: p.DeploymentId, Description: p.Description, StageVariables: p.StageVariables,
	})
	return service.Resource{PhysicalID: p.StageName}, err
}

func (g *Gateway) deleteStageResource(ctx context.Context, c service.ResourceCall, p *stageProperties) error {
	return drop[api.DeleteStageOutput](ctx, g, "DeleteStage", &api.DeleteStageInput{ApiId: p.ApiId, StageName: c.PhysicalID})
}

func (g *Gateway) createRouteResource(ctx context.Context, _ service.ResourceCall, p *routeProperties) (service.Resource, error) {
	out, err := call[api.CreateRouteOutput](ctx, g, "CreateRoute", &api.CreateRouteInput{
		ApiId: p.ApiId, RouteKey: p.RouteKey, Target: p.Target, OperationName: p.OperationName, AuthorizationType: value(p.AuthorizationType),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.RouteId, "RouteId"), nil
}

func withID(id, attribute string) service.Resource {
	return service.Resource{PhysicalID: id, Attributes: map[string]any{attribute: id}}
}

func (g *Gateway) updateRouteResource(ctx context.Context, c service.ResourceCall, _, p *routeProperties) (service.Resource, error) {
	_, err := call[api.UpdateRouteOutput](ctx, g, "UpdateRoute", &api.UpdateRouteInput{
		ApiId: p.ApiId, RouteId: c.PhysicalID, RouteKey: ptr(p.RouteKey), Target: p.Target, OperationName: p.OperationName, AuthorizationType: value(p.AuthorizationType),
	})
	return withID(c.PhysicalID, "RouteId"), err
}

func (g *Gateway) deleteRouteResource(ctx context.Context, c service.ResourceCall, p *routeProperties) error {
	return drop[api.DeleteRouteOutput](ctx, g, "DeleteRoute", &api.DeleteRouteInput{ApiId: p.ApiId, RouteId: c.PhysicalID})
}

func (g *Gateway) createIntegrationResource(ctx context.Context, _ service.ResourceCall, p *integrationProperties) (service.Resource, error) {
	out, err := call[api.CreateIntegrationOutput](ctx, g, "CreateIntegration", &api.CreateIntegrationInput{
		ApiId: p.ApiId, IntegrationType: p.IntegrationType, IntegrationUri: p.IntegrationUri, IntegrationMethod: p.IntegrationMethod,
		PayloadFormatVersion: p.PayloadFormatVersion, TimeoutInMillis: p.TimeoutInMillis, Description: p.Description,
	})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.IntegrationId, "IntegrationId"), nil
}

func (g *Gateway) updateIntegrationResource(ctx context.Context, c service.ResourceCall, _, p *integrationProperties) (service.Resource, error) {
	_, err := call[api.UpdateIntegrationOutput](ctx, g, "UpdateIntegration", &api.UpdateIntegrationInput{
		ApiId: p.ApiId, IntegrationId: c.PhysicalID, IntegrationType: p.IntegrationType, IntegrationUri: p.IntegrationUri, IntegrationMethod: p.IntegrationMethod,
		PayloadFormatVersion: p.PayloadFormatVersion, TimeoutInMillis: p.TimeoutInMillis, Description: p.Description,
	})
	return withID(c.PhysicalID, "IntegrationId"), err
}

func (g *Gateway) deleteIntegrationResource(ctx context.Context, c service.ResourceCall, p *integrationProperties) error {
	return drop[api.DeleteIntegrationOutput](ctx, g, "DeleteIntegration", &api.DeleteIntegrationInput{ApiId: p.ApiId, IntegrationId: c.PhysicalID})
}

func (g *Gateway) createDeploymentResource(ctx context.Context, _ service.ResourceCall, p *deploymentProperties) (service.Resource, error) {
	out, err := call[api.CreateDeploymentOutput](ctx, g, "CreateDeployment", &api.CreateDeploymentInput{ApiId: p.ApiId, Description: p.Description, StageName: p.StageName})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.DeploymentId, "DeploymentId"), nil
}

func (g *Gateway) deleteDeploymentResource(ctx context.Context, c service.ResourceCall, p *deploymentProperties) error {
	return drop[api.DeleteDeploymentOutput](ctx, g, "DeleteDeployment", &api.DeleteDeploymentInput{ApiId: p.ApiId, DeploymentId: c.PhysicalID})
}
