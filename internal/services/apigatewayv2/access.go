package apigatewayv2

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/service"
)

// rule returns the access rule of a management call. Its action is the HTTP method, its resource the path
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html).
func rule[In any](method string, path func(in In) string) service.Access {
	return service.On("apigateway:"+method, func(ctx context.Context, in In) string {
		return "arn:aws:apigateway:" + service.RequestFrom(ctx).Region + "::" + path(in)
	})
}

func access() map[string]service.Access {
	return map[string]service.Access{
		"CreateApi":               rule("POST", func(*api.CreateApiInput) string { return "/apis" }),
		"ImportApi":               rule("PUT", func(*api.ImportApiInput) string { return "/apis" }),
		"ReimportApi":             rule("PUT", func(in *api.ReimportApiInput) string { return "/apis/" + in.ApiId }),
		"GetApi":                  rule("GET", func(in *api.GetApiInput) string { return "/apis/" + in.ApiId }),
		"GetApis":                 rule("GET", func(*api.GetApisInput) string { return "/apis" }),
		"UpdateApi":               rule("PATCH", func(in *api.UpdateApiInput) string { return "/apis/" + in.ApiId }),
		"DeleteApi":               rule("DELETE", func(in *api.DeleteApiInput) string { return "/apis/" + in.ApiId }),
		"ExportApi":               rule("GET", func(in *api.ExportApiInput) string { return "/apis/" + in.ApiId + "/exports/" + in.Specification }),
		"DeleteCorsConfiguration": rule("DELETE", func(in *api.DeleteCorsConfigurationInput) string { return "/apis/" + in.ApiId + "/cors" }),
		"CreateRoute":             rule("POST", func(in *api.CreateRouteInput) string { return "/apis/" + in.ApiId + "/routes" }),
		"GetRoute":                rule("GET", func(in *api.GetRouteInput) string { return "/apis/" + in.ApiId + "/routes/" + in.RouteId }),
		"GetRoutes":               rule("GET", func(in *api.GetRoutesInput) string { return "/apis/" + in.ApiId + "/routes" }),
		"UpdateRoute":             rule("PATCH", func(in *api.UpdateRouteInput) string { return "/apis/" + in.ApiId + "/routes/" + in.RouteId }),
		"DeleteRoute":             rule("DELETE", func(in *api.DeleteRouteInput) string { return "/apis/" + in.ApiId + "/routes/" + in.RouteId }),
		"DeleteRouteRequestParameter": rule("DELETE", func(in *api.DeleteRouteRequestParameterInput) string {
			return "/apis/" + in.ApiId + "/routes/" + in.RouteId + "/requestparameters/" + escape(in.RequestParameterKey)
		}),
		"CreateRouteResponse": rule("POST", func(in *api.CreateRouteResponseInput) string {
			return "/apis/" + in.ApiId + "/routes/" + in.RouteId + "/routeresponses"
		}),
		"GetRouteResponse": rule("GET", func(in *api.GetRouteResponseInput) string {
			return "/apis/" + in.ApiId + "/routes/" + in.RouteId + "/routeresponses/" + in.RouteResponseId
		}),
		"GetRouteResponses": rule("GET", func(in *api.GetRouteResponsesInput) string {
			return "/apis/" + in.ApiId + "/routes/" + in.RouteId + "/routeresponses"
		}),
		"UpdateRouteResponse": rule("PATCH", func(in *api.UpdateRouteResponseInput) string {
			return "/apis/" + in.ApiId + "/routes/" + in.RouteId + "/routeresponses/" + in.RouteResponseId
		}),
		"DeleteRouteResponse": rule("DELETE", func(in *api.DeleteRouteResponseInput) string {
			return "/apis/" + in.ApiId + "/routes/" + in.RouteId + "/routeresponses/" + in.RouteResponseId
		}),
		"CreateIntegration": rule("POST", func(in *api.CreateIntegrationInput) string { return "/apis/" + in.ApiId + "/integrations" }),
		"GetIntegration": rule("GET", func(in *api.GetIntegrationInput) string {
			return "/apis/" + in.ApiId + "/integrations/" + in.IntegrationId
		}),
		"GetIntegrations": rule("GET", func(in *api.GetIntegrationsInput) string { return "/apis/" + in.ApiId + "/integrations" }),
		"UpdateIntegration": rule("PATCH", func(in *api.UpdateIntegrationInput) string {
			return "/apis/" + in.ApiId + "/integrations/" + in.IntegrationId
		}),
		"DeleteIntegration": rule("DELETE", func(in *api.DeleteIntegrationInput) string {
			return "/apis/" + in.ApiId + "/integrations/" + in.IntegrationId
		}),
		"CreateIntegrationResponse": rule("POST", func(in *api.CreateIntegrationResponseInput) string {
			return "/apis/" + in.ApiId + "/integrations/" + in.IntegrationId + "/integrationresponses"
		}),
		"GetIntegrationResponse": rule("GET", func(in *api.GetIntegrationResponseInput) string {
			return "/apis/" + in.ApiId + "/integrations/" + in.IntegrationId + "/integrationresponses/" + in.IntegrationResponseId
		}),
		"GetIntegrationResponses": rule("GET", func(in *api.GetIntegrationResponsesInput) string {
			return "/apis/" + in.ApiId + "/integrations/" + in.IntegrationId + "/integrationresponses"
		}),
		"UpdateIntegrationResponse": rule("PATCH", func(in *api.UpdateIntegrationResponseInput) string {
			return "/apis/" + in.ApiId + "/integrations/" + in.IntegrationId + "/integrationresponses/" + in.IntegrationResponseId
		}),
		"DeleteIntegrationResponse": rule("DELETE", func(in *api.DeleteIntegrationResponseInput) string {
			return "/apis/" + in.ApiId + "/integrations/" + in.IntegrationId + "/integrationresponses/" + in.IntegrationResponseId
		}),
		"CreateAuthorizer": rule("POST", func(in *api.CreateAuthorizerInput) string { return "/apis/" + in.ApiId + "/authorizers" }),
		"GetAuthorizer": rule("GET", func(in *api.GetAuthorizerInput) string {
			return "/apis/" + in.ApiId + "/authorizers/" + in.AuthorizerId
		}),
		"GetAuthorizers": rule("GET", func(in *api.GetAuthorizersInput) string { return "/apis/" + in.ApiId + "/authorizers" }),
		"UpdateAuthorizer": rule("PATCH", func(in *api.UpdateAuthorizerInput) string {
			return "/apis/" + in.ApiId + "/authorizers/" + in.AuthorizerId
		}),
		"DeleteAuthorizer": rule("DELETE", func(in *api.DeleteAuthorizerInput) string {
			return "/apis/" + in.ApiId + "/authorizers/" + in.AuthorizerId
		}),
		"CreateModel": rule("POST", func(in *api.CreateModelInput) string { return "/apis/" + in.ApiId + "/models" }),
		"GetModel":    rule("GET", func(in *api.GetModelInput) string { return "/apis/" + in.ApiId + "/models/" + in.ModelId }),
		"GetModels":   rule("GET", func(in *api.GetModelsInput) string { return "/apis/" + in.ApiId + "/models" }),
		"UpdateModel": rule("PATCH", func(in *api.UpdateModelInput) string { return "/apis/" + in.ApiId + "/models/" + in.ModelId }),
		"DeleteModel": rule("DELETE", func(in *api.DeleteModelInput) string { return "/apis/" + in.ApiId + "/models/" + in.ModelId }),
		"GetModelTemplate": rule("GET", func(in *api.GetModelTemplateInput) string {
			return "/apis/" + in.ApiId + "/models/" + in.ModelId + "/template"
		}),
		"CreateStage": rule("POST", func(in *api.CreateStageInput) string { return "/apis/" + in.ApiId + "/stages" }),
		"GetStage":    rule("GET", func(in *api.GetStageInput) string { return "/apis/" + in.ApiId + "/stages/" + in.StageName }),
		"GetStages":   rule("GET", func(in *api.GetStagesInput) string { return "/apis/" + in.ApiId + "/stages" }),
		"UpdateStage": rule("PATCH", func(in *api.UpdateStageInput) string { return "/apis/" + in.ApiId + "/stages/" + in.StageName }),
		"DeleteStage": rule("DELETE", func(in *api.DeleteStageInput) string { return "/apis/" + in.ApiId + "/stages/" + in.StageName }),
		"DeleteAccessLogSettings": rule("DELETE", func(in *api.DeleteAccessLogSettingsInput) string {
			return "/apis/" + in.ApiId + "/stages/" + in.StageName + "/accesslogsettings"
		}),
		"DeleteRouteSettings": rule("DELETE", func(in *api.DeleteRouteSettingsInput) string {
			return "/apis/" + in.ApiId + "/stages/" + in.StageName + "/routesettings/" + escape(in.RouteKey)
		}),
		"ResetAuthorizersCache": rule("DELETE", func(in *api.ResetAuthorizersCacheInput) string {
			return "/apis/" + in.ApiId + "/stages/" + in.StageName + "/cache/authorizers"
		}),
		"CreateDeployment": rule("POST", func(in *api.CreateDeploymentInput) string { return "/apis/" + in.ApiId + "/deployments" }),
		"GetDeployment": rule("GET", func(in *api.GetDeploymentInput) string {
			return "/apis/" + in.ApiId + "/deployments/" + in.DeploymentId
		}),
		"GetDeployments": rule("GET", func(in *api.GetDeploymentsInput) string { return "/apis/" + in.ApiId + "/deployments" }),
		"UpdateDeployment": rule("PATCH", func(in *api.UpdateDeploymentInput) string {
			return "/apis/" + in.ApiId + "/deployments/" + in.DeploymentId
		}),
		"DeleteDeployment": rule("DELETE", func(in *api.DeleteDeploymentInput) string {
			return "/apis/" + in.ApiId + "/deployments/" + in.DeploymentId
		}),
		"CreateVpcLink":    rule("POST", func(*api.CreateVpcLinkInput) string { return "/vpclinks" }),
		"GetVpcLink":       rule("GET", func(in *api.GetVpcLinkInput) string { return "/vpclinks/" + in.VpcLinkId }),
		"GetVpcLinks":      rule("GET", func(*api.GetVpcLinksInput) string { return "/vpclinks" }),
		"UpdateVpcLink":    rule("PATCH", func(in *api.UpdateVpcLinkInput) string { return "/vpclinks/" + in.VpcLinkId }),
		"DeleteVpcLink":    rule("DELETE", func(in *api.DeleteVpcLinkInput) string { return "/vpclinks/" + in.VpcLinkId }),
		"CreateDomainName": rule("POST", func(*api.CreateDomainNameInput) string { return "/domainnames" }),
		"GetDomainName":    rule("GET", func(in *api.GetDomainNameInput) string { return "/domainnames/" + in.DomainName }),
		"GetDomainNames":   rule("GET", func(*api.GetDomainNamesInput) string { return "/domainnames" }),
		"UpdateDomainName": rule("PATCH", func(in *api.UpdateDomainNameInput) string { return "/domainnames/" + in.DomainName }),
		"DeleteDomainName": rule("DELETE", func(in *api.DeleteDomainNameInput) string { return "/domainnames/" + in.DomainName }),
		"CreateApiMapping": rule("POST", func(in *api.CreateApiMappingInput) string { return "/domainnames/" + in.DomainName + "/apimappings" }),
		"GetApiMapping": rule("GET", func(in *api.GetApiMappingInput) string {
			return "/domainnames/" + in.DomainName + "/apimappings/" + in.ApiMappingId
		}),
		"GetApiMappings": rule("GET", func(in *api.GetApiMappingsInput) string { return "/domainnames/" + in.DomainName + "/apimappings" }),
		"UpdateApiMapping": rule("PATCH", func(in *api.UpdateApiMappingInput) string {
			return "/domainnames/" + in.DomainName + "/apimappings/" + in.ApiMappingId
		}),
		"DeleteApiMapping": rule("DELETE", func(in *api.DeleteApiMappingInput) string {
			return "/domainnames/" + in.DomainName + "/apimappings/" + in.ApiMappingId
		}),
		"CreateRoutingRule": service.On("apigateway:CreateRoutingRule", func(ctx context.Context, in *api.CreateRoutingRuleInput) string {
			return ruleARN(domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), "*")
		}),
		"PutRoutingRule": service.On("apigateway:UpdateRoutingRule", func(ctx context.Context, in *api.PutRoutingRuleInput) string {
			return ruleARN(domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), in.RoutingRuleId)
		}),
		"GetRoutingRule": service.On("apigateway:GetRoutingRule", func(ctx context.Context, in *api.GetRoutingRuleInput) string {
			return ruleARN(domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), in.RoutingRuleId)
		}),
		"DeleteRoutingRule": service.On("apigateway:DeleteRoutingRule", func(ctx context.Context, in *api.DeleteRoutingRuleInput) string {
			return ruleARN(domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), in.RoutingRuleId)
		}),
		"ListRoutingRules": service.On("apigateway:ListRoutingRules", func(ctx context.Context, in *api.ListRoutingRulesInput) string {
			return ruleARN(domainScope(ctx), domain.Ref(in.DomainName, value(in.DomainNameId)), "*")
		}),
		"TagResource":   rule("POST", func(in *api.TagResourceInput) string { return "/tags/" + escape(in.ResourceArn) }),
		"UntagResource": rule("DELETE", func(in *api.UntagResourceInput) string { return "/tags/" + escape(in.ResourceArn) }),
		"GetTags":       rule("GET", func(in *api.GetTagsInput) string { return "/tags/" + escape(in.ResourceArn) }),
	}
}

// escape returns a text as one element of a path.
func escape(s string) string {
	return strings.NewReplacer(":", "%3A", "/", "%2F", " ", "%20").Replace(s)
}
