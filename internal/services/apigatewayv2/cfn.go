package apigatewayv2

import (
	"context"
	"encoding/json"
	"maps"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/service"
)

// Properties have the names of the members of the calls that they become; package lib/members copies them there. What a template leaves out of a resource that
// had it is set back to what a new resource has, as far as the calls can.

// apiProperties are the properties of AWS::ApiGatewayV2::Api.
type apiProperties struct {
	ApiKeySelectionExpression *string
	BasePath                  *string `cfn:"BasePath,writeOnly"`
	Body                      any     `cfn:"Body,writeOnly"`
	CorsConfiguration         *api.Cors
	CredentialsArn            *string `cfn:"CredentialsArn,writeOnly"`
	Description               *string
	DisableExecuteApiEndpoint *bool
	DisableSchemaValidation   *bool `cfn:"DisableSchemaValidation,writeOnly"`
	FailOnWarnings            *bool `cfn:"FailOnWarnings,writeOnly"`
	IpAddressType             *string
	Name                      *string
	ProtocolType              *string `cfn:"ProtocolType,createOnly"`
	RouteKey                  *string `cfn:"RouteKey,writeOnly"`
	RouteSelectionExpression  *string
	Tags                      map[string]string
	Target                    *string `cfn:"Target,writeOnly"`
	Version                   *string
}

// resources are the CloudFormation types of the service.
func (g *Gateway) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::ApiGatewayV2::Api", service.ResourceSpec[apiProperties]{
			Attributes: []string{"ApiEndpoint", "ApiId"}, Create: g.createAPIResource, Update: g.updateAPIResource, Delete: g.deleteAPIResource,
			Warnings:   g.warnings,
			Identifier: []string{"ApiId"}, Read: g.readAPIResource, Missing: []string{codeMissing},
			List: pages(g, "GetApis", func(_ *apiProperties, next *string) any { return &api.GetApisInput{NextToken: next} },
				func(o *api.GetApisOutput) ([]api.Api, *string) { return o.Items, o.NextToken }, func(p *apiProperties, v *api.Api) service.Identifier { return service.Identifier{value(v.ApiId)} }),
		}),
		service.NewResourceType("AWS::ApiGatewayV2::ApiGatewayManagedOverrides", service.ResourceSpec[managedProperties]{
			Attributes: []string{"Id"}, Create: g.createManagedResource, Update: g.updateManagedResource, Delete: g.deleteManagedResource,
			Identifier: []string{"ApiId"}, Read: g.readManagedResource, Missing: []string{codeMissing},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::ApiMapping", service.ResourceSpec[mappingProperties]{
			Attributes: []string{"ApiMappingId"}, Create: g.createMappingResource, Update: g.updateMappingResource, Delete: g.deleteMappingResource,
			Identifier: []string{"ApiMappingId", "DomainName"}, Read: g.readMappingResource, Missing: []string{codeMissing},
			List: pages(g, "GetApiMappings", func(p *mappingProperties, next *string) any {
				return &api.GetApiMappingsInput{DomainName: p.DomainName, NextToken: next}
			},
				func(o *api.GetApiMappingsOutput) ([]api.ApiMapping, *string) { return o.Items, o.NextToken }, func(p *mappingProperties, v *api.ApiMapping) service.Identifier {
					return service.Identifier{value(v.ApiMappingId), p.DomainName}
				}), ListBy: []string{"DomainName"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Authorizer", service.ResourceSpec[authorizerProperties]{
			Attributes: []string{"AuthorizerId"}, Create: g.createAuthorizerResource, Update: g.updateAuthorizerResource, Delete: g.deleteAuthorizerResource,
			Identifier: []string{"AuthorizerId", "ApiId"}, Read: g.readAuthorizerResource, Missing: []string{codeMissing},
			List: pages(g, "GetAuthorizers", func(p *authorizerProperties, next *string) any {
				return &api.GetAuthorizersInput{ApiId: p.ApiId, NextToken: next}
			},
				func(o *api.GetAuthorizersOutput) ([]api.Authorizer, *string) { return o.Items, o.NextToken }, func(p *authorizerProperties, v *api.Authorizer) service.Identifier {
					return service.Identifier{value(v.AuthorizerId), p.ApiId}
				}), ListBy: []string{"ApiId"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Deployment", service.ResourceSpec[deploymentProperties]{
			Attributes: []string{"DeploymentId"}, Create: g.createDeploymentResource, Delete: g.deleteDeploymentResource,
			After: []service.Order{
				{Type: "AWS::ApiGatewayV2::Route", Theirs: "ApiId", Own: "ApiId"},
				{Type: "AWS::ApiGatewayV2::RouteResponse", Theirs: "ApiId", Own: "ApiId"},
				{Type: "AWS::ApiGatewayV2::IntegrationResponse", Theirs: "ApiId", Own: "ApiId"},
			},
			Identifier: []string{"ApiId", "DeploymentId"}, Read: g.readDeploymentResource, Missing: []string{codeMissing},
			List: pages(g, "GetDeployments", func(p *deploymentProperties, next *string) any {
				return &api.GetDeploymentsInput{ApiId: p.ApiId, NextToken: next}
			},
				func(o *api.GetDeploymentsOutput) ([]api.Deployment, *string) { return o.Items, o.NextToken }, func(p *deploymentProperties, v *api.Deployment) service.Identifier {
					return service.Identifier{p.ApiId, value(v.DeploymentId)}
				}), ListBy: []string{"ApiId"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::DomainName", service.ResourceSpec[domainProperties]{
			Attributes: []string{"DomainNameArn", "RegionalDomainName", "RegionalHostedZoneId"}, Create: g.createDomainResource, Update: g.updateDomainResource, Delete: g.deleteDomainResource,
			Identifier: []string{"DomainName"}, Read: g.readDomainResource, Missing: []string{codeMissing},
			List: pages(g, "GetDomainNames", func(p *domainProperties, next *string) any { return &api.GetDomainNamesInput{NextToken: next} },
				func(o *api.GetDomainNamesOutput) ([]api.DomainName, *string) { return o.Items, o.NextToken }, func(p *domainProperties, v *api.DomainName) service.Identifier {
					return service.Identifier{v.DomainName}
				}),
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Integration", service.ResourceSpec[integrationProperties]{
			Attributes: []string{"IntegrationId"}, Create: g.createIntegrationResource, Update: g.updateIntegrationResource, Delete: g.deleteIntegrationResource,
			Identifier: []string{"ApiId", "IntegrationId"}, Read: g.readIntegrationResource, Missing: []string{codeMissing},
			List: pages(g, "GetIntegrations", func(p *integrationProperties, next *string) any {
				return &api.GetIntegrationsInput{ApiId: p.ApiId, NextToken: next}
			},
				func(o *api.GetIntegrationsOutput) ([]api.Integration, *string) { return o.Items, o.NextToken }, func(p *integrationProperties, v *api.Integration) service.Identifier {
					return service.Identifier{p.ApiId, value(v.IntegrationId)}
				}), ListBy: []string{"ApiId"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::IntegrationResponse", service.ResourceSpec[integrationResponseProperties]{
			Attributes: []string{"IntegrationResponseId"}, Create: g.createIntegrationResponseResource, Update: g.updateIntegrationResponseResource, Delete: g.deleteIntegrationResponseResource,
			Identifier: []string{"ApiId", "IntegrationId", "IntegrationResponseId"}, Read: g.readIntegrationResponseResource, Missing: []string{codeMissing},
			List: pages(g, "GetIntegrationResponses", func(p *integrationResponseProperties, next *string) any {
				return &api.GetIntegrationResponsesInput{IntegrationId: p.IntegrationId, ApiId: p.ApiId, NextToken: next}
			},
				func(o *api.GetIntegrationResponsesOutput) ([]api.IntegrationResponse, *string) {
					return o.Items, o.NextToken
				}, func(p *integrationResponseProperties, v *api.IntegrationResponse) service.Identifier {
					return service.Identifier{p.ApiId, p.IntegrationId, value(v.IntegrationResponseId)}
				}), ListBy: []string{"ApiId", "IntegrationId"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Model", service.ResourceSpec[modelProperties]{
			Attributes: []string{"ModelId"}, Create: g.createModelResource, Update: g.updateModelResource, Delete: g.deleteModelResource,
			Identifier: []string{"ApiId", "ModelId"}, Read: g.readModelResource, Missing: []string{codeMissing},
			List: pages(g, "GetModels", func(p *modelProperties, next *string) any {
				return &api.GetModelsInput{ApiId: p.ApiId, NextToken: next}
			},
				func(o *api.GetModelsOutput) ([]api.Model, *string) { return o.Items, o.NextToken }, func(p *modelProperties, v *api.Model) service.Identifier {
					return service.Identifier{p.ApiId, value(v.ModelId)}
				}), ListBy: []string{"ApiId"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::PortalProduct", service.ResourceSpec[productProperties]{
			Attributes: []string{"LastModified", "PortalProductArn", "PortalProductId"}, Create: g.createProductResource, Update: g.updateProductResource, Delete: g.deleteProductResource,
			Identifier: []string{"PortalProductArn"}, Read: g.readProductResource, Missing: []string{codeMissing},
			List: pages(g, "ListPortalProducts", func(_ *productProperties, next *string) any { return &api.ListPortalProductsInput{NextToken: next} },
				func(o *api.ListPortalProductsOutput) ([]api.PortalProductSummary, *string) {
					return o.Items, o.NextToken
				},
				func(_ *productProperties, v *api.PortalProductSummary) service.Identifier {
					return service.Identifier{v.PortalProductArn}
				}),
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Route", service.ResourceSpec[routeProperties]{
			Attributes: []string{"RouteId"}, Create: g.createRouteResource, Update: g.updateRouteResource, Delete: g.deleteRouteResource,
			Identifier: []string{"ApiId", "RouteId"}, Read: g.readRouteResource, Missing: []string{codeMissing},
			List: pages(g, "GetRoutes", func(p *routeProperties, next *string) any {
				return &api.GetRoutesInput{ApiId: p.ApiId, NextToken: next}
			},
				func(o *api.GetRoutesOutput) ([]api.Route, *string) { return o.Items, o.NextToken }, func(p *routeProperties, v *api.Route) service.Identifier {
					return service.Identifier{p.ApiId, value(v.RouteId)}
				}), ListBy: []string{"ApiId"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::RouteResponse", service.ResourceSpec[routeResponseProperties]{
			Attributes: []string{"RouteResponseId"}, Create: g.createRouteResponseResource, Update: g.updateRouteResponseResource, Delete: g.deleteRouteResponseResource,
			Identifier: []string{"ApiId", "RouteId", "RouteResponseId"}, Read: g.readRouteResponseResource, Missing: []string{codeMissing},
			List: pages(g, "GetRouteResponses", func(p *routeResponseProperties, next *string) any {
				return &api.GetRouteResponsesInput{RouteId: p.RouteId, ApiId: p.ApiId, NextToken: next}
			},
				func(o *api.GetRouteResponsesOutput) ([]api.RouteResponse, *string) { return o.Items, o.NextToken }, func(p *routeResponseProperties, v *api.RouteResponse) service.Identifier {
					return service.Identifier{p.ApiId, p.RouteId, value(v.RouteResponseId)}
				}), ListBy: []string{"ApiId", "RouteId"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::RoutingRule", service.ResourceSpec[ruleProperties]{
			Attributes: []string{"RoutingRuleArn", "RoutingRuleId"}, Create: g.createRuleResource, Update: g.updateRuleResource, Delete: g.deleteRuleResource,
			Identifier: []string{"RoutingRuleArn"}, Read: g.readRuleResource, Missing: []string{codeMissing},
			List: pages(g, "ListRoutingRules", func(p *ruleProperties, next *string) any {
				name, id := p.domain()
				return &api.ListRoutingRulesInput{DomainName: name, DomainNameId: id, NextToken: next}
			},
				func(o *api.ListRoutingRulesOutput) ([]api.RoutingRule, *string) { return o.RoutingRules, o.NextToken }, func(p *ruleProperties, v *api.RoutingRule) service.Identifier {
					return service.Identifier{value(v.RoutingRuleArn)}
				}), ListBy: []string{"DomainNameArn"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::Stage", service.ResourceSpec[stageProperties]{
			Create: g.createStageResource, Update: g.updateStageResource, Delete: g.deleteStageResource,
			Identifier: []string{"ApiId", "StageName"}, Read: g.readStageResource, Missing: []string{codeMissing},
			List: pages(g, "GetStages", func(p *stageProperties, next *string) any {
				return &api.GetStagesInput{ApiId: p.ApiId, NextToken: next}
			},
				func(o *api.GetStagesOutput) ([]api.Stage, *string) { return o.Items, o.NextToken }, func(p *stageProperties, v *api.Stage) service.Identifier {
					return service.Identifier{p.ApiId, v.StageName}
				}), ListBy: []string{"ApiId"},
		}),
		service.NewResourceType("AWS::ApiGatewayV2::VpcLink", service.ResourceSpec[linkProperties]{
			Attributes: []string{"VpcLinkId"}, Create: g.createLinkResource, Update: g.updateLinkResource, Delete: g.deleteLinkResource,
			Identifier: []string{"VpcLinkId"}, Read: g.readLinkResource, Missing: []string{codeMissing},
			List: pages(g, "GetVpcLinks", func(p *linkProperties, next *string) any { return &api.GetVpcLinksInput{NextToken: next} },
				func(o *api.GetVpcLinksOutput) ([]api.VpcLink, *string) { return o.Items, o.NextToken }, func(p *linkProperties, v *api.VpcLink) service.Identifier {
					return service.Identifier{v.VpcLinkId}
				}),
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

// withID is a resource whose id is also an attribute.
func withID(id, attribute string) service.Resource {
	return service.Resource{PhysicalID: id, Attributes: map[string]any{attribute: id}}
}

// textOf is a free-form property as the text that calls take: itself when it is a text, its JSON otherwise.
func textOf(property any) (string, error) {
	if s, ok := property.(string); ok {
		return s, nil
	}
	b, err := json.Marshal(property)
	if err != nil {
		return "", badRequest("A property cannot be written as JSON: %v", err)
	}
	return string(b), nil
}

// cleared is updated with an empty value for each member that only old has, which takes it away.
func cleared(old, updated map[string]string) map[string]string {
	out := maps.Clone(updated)
	if out == nil {
		out = map[string]string{}
	}
	for k := range old {
		if _, ok := out[k]; !ok {
			out[k] = ""
		}
	}
	return out
}

// orDefault is p, or a pointer to v when it is nil.
func orDefault[T any](p *T, v T) *T {
	if p == nil {
		return &v
	}
	return p
}

// orEmpty is a list that is given also when it is empty.
func orEmpty(list []string) []string { return append([]string{}, list...) }

// tagsOf are the stack's tags and a resource's own.
func tagsOf(c service.ResourceCall, own map[string]string) map[string]string {
	tags := make(map[string]string, len(own)+len(c.Tags))
	maps.Copy(tags, c.Tags)
	maps.Copy(tags, own)
	return tags
}

func (g *Gateway) createAPIResource(ctx context.Context, c service.ResourceCall, p *apiProperties) (service.Resource, error) {
	var id string
	if p.Body != nil {
		body, err := textOf(p.Body)
		if err != nil {
			return service.Resource{}, err
		}
		out, err := call[api.ImportApiOutput](ctx, g, "ImportApi", &api.ImportApiInput{Body: body, Basepath: p.BasePath, FailOnWarnings: p.FailOnWarnings})
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
		in := &api.CreateApiInput{}
		members.Copy(in, p)
		in.Tags = nil // they are set below, with those of the stack
		out, err := call[api.CreateApiOutput](ctx, g, "CreateApi", in)
		if err != nil {
			return service.Resource{}, err
		}
		id = *out.ApiId
	}
	if err := g.tag(ctx, "/apis/"+id, c, p.Tags); err != nil {
		return service.Resource{}, err
	}
	return g.apiResource(ctx, id)
}

// overlay sets the properties that stand beside a Body.
func (g *Gateway) overlay(ctx context.Context, id string, p *apiProperties) error {
	in := &api.UpdateApiInput{}
	members.Copy(in, p)
	in.ApiId = id
	_, err := call[api.UpdateApiOutput](ctx, g, "UpdateApi", in)
	return err
}

// tag tags what stands at a path of the service's ARNs.
func (g *Gateway) tag(ctx context.Context, path string, c service.ResourceCall, own map[string]string) error {
	tags := tagsOf(c, own)
	if len(tags) == 0 {
		return nil
	}
	arn := "arn:aws:apigateway:" + service.RequestFrom(ctx).Region + "::" + path
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

func (g *Gateway) updateAPIResource(ctx context.Context, c service.ResourceCall, old, p *apiProperties) (service.Resource, error) {
	if p.Body != nil {
		body, err := textOf(p.Body)
		if err != nil {
			return service.Resource{}, err
		}
		in := &api.ReimportApiInput{ApiId: c.PhysicalID, Body: body, Basepath: p.BasePath, FailOnWarnings: p.FailOnWarnings}
		if _, err := call[api.ReimportApiOutput](ctx, g, "ReimportApi", in); err != nil {
			return service.Resource{}, err
		}
	} else if old.CorsConfiguration != nil && p.CorsConfiguration == nil {
		if err := drop[api.DeleteCorsConfigurationOutput](ctx, g, "DeleteCorsConfiguration", &api.DeleteCorsConfigurationInput{ApiId: c.PhysicalID}); err != nil {
			return service.Resource{}, err
		}
	}
	p.DisableExecuteApiEndpoint = orDefault(p.DisableExecuteApiEndpoint, false)
	if err := g.overlay(ctx, c.PhysicalID, p); err != nil {
		return service.Resource{}, err
	}
	if err := g.tag(ctx, "/apis/"+c.PhysicalID, c, p.Tags); err != nil {
		return service.Resource{}, err
	}
	return g.apiResource(ctx, c.PhysicalID)
}

func (g *Gateway) deleteAPIResource(ctx context.Context, c service.ResourceCall, _ *apiProperties) error {
	return drop[api.DeleteApiOutput](ctx, g, "DeleteApi", &api.DeleteApiInput{ApiId: c.PhysicalID})
}
