package apigatewayv2

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// codeMissing is the code of the error for what is not there.
const codeMissing = "NotFoundException"

// pages is the List of a type: all that a listing call answers, a page at a time.
func pages[P, Out, A any](g *Gateway, operation string, in func(p *P, next *string) any, out func(*Out) ([]A, *string), id func(p *P, item *A) service.Identifier) func(context.Context, *P, string) (service.Page, error) {
	return service.Pages(g.deps.Door, "apigatewayv2", operation, in, out, id)
}

func (g *Gateway) readAPIResource(ctx context.Context, id service.Identifier) (*apiProperties, service.Resource, error) {
	out, err := call[api.GetApiOutput](ctx, g, "GetApi", &api.GetApiInput{ApiId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[apiProperties](out), service.Resource{PhysicalID: id[0], Attributes: map[string]any{"ApiEndpoint": value(out.ApiEndpoint), "ApiId": id[0]}}, nil
}

func (g *Gateway) readMappingResource(ctx context.Context, id service.Identifier) (*mappingProperties, service.Resource, error) {
	out, err := call[api.GetApiMappingOutput](ctx, g, "GetApiMapping", &api.GetApiMappingInput{ApiMappingId: id[0], DomainName: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[mappingProperties](out)
	p.DomainName = id[1]
	return p, withID(id[0], "ApiMappingId"), nil
}

func (g *Gateway) readAuthorizerResource(ctx context.Context, id service.Identifier) (*authorizerProperties, service.Resource, error) {
	out, err := call[api.GetAuthorizerOutput](ctx, g, "GetAuthorizer", &api.GetAuthorizerInput{AuthorizerId: id[0], ApiId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[authorizerProperties](out)
	p.ApiId = id[1]
	return p, withID(id[0], "AuthorizerId"), nil
}

func (g *Gateway) readDeploymentResource(ctx context.Context, id service.Identifier) (*deploymentProperties, service.Resource, error) {
	out, err := call[api.GetDeploymentOutput](ctx, g, "GetDeployment", &api.GetDeploymentInput{ApiId: id[0], DeploymentId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &deploymentProperties{ApiId: id[0], Description: out.Description}, withID(id[1], "DeploymentId"), nil
}

func (g *Gateway) readDomainResource(ctx context.Context, id service.Identifier) (*domainProperties, service.Resource, error) {
	out, err := call[api.GetDomainNameOutput](ctx, g, "GetDomainName", &api.GetDomainNameInput{DomainName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[domainProperties](out), domainResource(id[0], out.DomainNameArn, out.DomainNameConfigurations), nil
}

func (g *Gateway) readIntegrationResource(ctx context.Context, id service.Identifier) (*integrationProperties, service.Resource, error) {
	out, err := call[api.GetIntegrationOutput](ctx, g, "GetIntegration", &api.GetIntegrationInput{ApiId: id[0], IntegrationId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[integrationProperties](out)
	p.ApiId, p.ResponseParameters = id[0], nil
	for _, status := range slices.Sorted(maps.Keys(out.ResponseParameters)) {
		if p.ResponseParameters == nil {
			p.ResponseParameters = map[string]responseParameters{}
		}
		var changes responseParameters
		for _, to := range slices.Sorted(maps.Keys(out.ResponseParameters[status])) {
			changes.ResponseParameters = append(changes.ResponseParameters, responseParameter{Destination: to, Source: out.ResponseParameters[status][to]})
		}
		p.ResponseParameters[status] = changes
	}
	return p, withID(id[1], "IntegrationId"), nil
}

func (g *Gateway) readIntegrationResponseResource(ctx context.Context, id service.Identifier) (*integrationResponseProperties, service.Resource, error) {
	out, err := call[api.GetIntegrationResponseOutput](ctx, g, "GetIntegrationResponse", &api.GetIntegrationResponseInput{ApiId: id[0], IntegrationId: id[1], IntegrationResponseId: id[2]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[integrationResponseProperties](out)
	p.ApiId, p.IntegrationId = id[0], id[1]
	return p, withID(id[2], "IntegrationResponseId"), nil
}

func (g *Gateway) readModelResource(ctx context.Context, id service.Identifier) (*modelProperties, service.Resource, error) {
	out, err := call[api.GetModelOutput](ctx, g, "GetModel", &api.GetModelInput{ApiId: id[0], ModelId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[modelProperties](out)
	p.ApiId = id[0]
	return p, withID(id[1], "ModelId"), nil
}

func (g *Gateway) readRouteResource(ctx context.Context, id service.Identifier) (*routeProperties, service.Resource, error) {
	out, err := call[api.GetRouteOutput](ctx, g, "GetRoute", &api.GetRouteInput{ApiId: id[0], RouteId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[routeProperties](out)
	p.ApiId = id[0]
	return p, withID(id[1], "RouteId"), nil
}

func (g *Gateway) readRouteResponseResource(ctx context.Context, id service.Identifier) (*routeResponseProperties, service.Resource, error) {
	out, err := call[api.GetRouteResponseOutput](ctx, g, "GetRouteResponse", &api.GetRouteResponseInput{ApiId: id[0], RouteId: id[1], RouteResponseId: id[2]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[routeResponseProperties](out)
	p.ApiId, p.RouteId = id[0], id[1]
	return p, withID(id[2], "RouteResponseId"), nil
}

// readRuleResource reads a routing rule by its ARN, arn:aws:apigateway:{region}:{account}:/domainnames/{name}/routingrules/{id}.
func (g *Gateway) readRuleResource(ctx context.Context, id service.Identifier) (*ruleProperties, service.Resource, error) {
	arn, _, _ := strings.Cut(id[0], "/routingrules/")
	name, private := (&ruleProperties{DomainNameArn: arn}).domain()
	if name == arn {
		return nil, service.Resource{}, service.ErrGone
	}
	out, err := call[api.GetRoutingRuleOutput](ctx, g, "GetRoutingRule", &api.GetRoutingRuleInput{DomainName: name, DomainNameId: private, RoutingRuleId: ruleID(id[0])})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[ruleProperties](out)
	p.DomainNameArn = domain.NameARN(domainScope(ctx), domain.Ref(name, value(private)))
	return p, ruleResource(out.RoutingRuleArn, out.RoutingRuleId), nil
}

func (g *Gateway) readStageResource(ctx context.Context, id service.Identifier) (*stageProperties, service.Resource, error) {
	out, err := call[api.GetStageOutput](ctx, g, "GetStage", &api.GetStageInput{ApiId: id[0], StageName: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[stageProperties](out)
	p.ApiId = id[0]
	if value(p.AutoDeploy) {
		p.DeploymentId = nil // its own, which nobody may give it
	}
	return p, service.Resource{PhysicalID: id[1]}, nil
}

func (g *Gateway) readLinkResource(ctx context.Context, id service.Identifier) (*linkProperties, service.Resource, error) {
	out, err := call[api.GetVpcLinkOutput](ctx, g, "GetVpcLink", &api.GetVpcLinkInput{VpcLinkId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[linkProperties](out), withID(id[0], "VpcLinkId"), nil
}
