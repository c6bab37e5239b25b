package apigatewayv2

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
)

// rule returns the access rule of a management call. Its action is the HTTP method, its resource the path
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html).
func rule[In any](method string, path func(in *In) string) service.Access {
	return service.On("apigateway:"+method, func(ctx context.Context, in *In) string {
		return "arn:aws:apigateway:" + service.RequestFrom(ctx).Region + "::" + path(in)
	})
}

func access() map[string]service.Access {
	return map[string]service.Access{
		"CreateApi":         rule("POST", func(*api.CreateApiInput) string { return "/apis" }),
		"ImportApi":         rule("PUT", func(*api.ImportApiInput) string { return "/apis" }),
		"ReimportApi":       rule("PUT", func(in *api.ReimportApiInput) string { return "/apis/" + in.ApiId }),
		"GetApi":            rule("GET", func(in *api.GetApiInput) string { return "/apis/" + in.ApiId }),
		"GetApis":           rule("GET", func(*api.GetApisInput) string { return "/apis" }),
		"UpdateApi":         rule("PATCH", func(in *api.UpdateApiInput) string { return "/apis/" + in.ApiId }),
		"DeleteApi":         rule("DELETE", func(in *api.DeleteApiInput) string { return "/apis/" + in.ApiId }),
		"CreateRoute":       rule("POST", func(in *api.CreateRouteInput) string { return "/apis/" + in.ApiId + "/routes" }),
		"GetRoute":          rule("GET", func(in *api.GetRouteInput) string { return "/apis/" + in.ApiId + "/routes/" + in.RouteId }),
		"GetRoutes":         rule("GET", func(in *api.GetRoutesInput) string { return "/apis/" + in.ApiId + "/routes" }),
		"UpdateRoute":       rule("PATCH", func(in *api.UpdateRouteInput) string { return "/apis/" + in.ApiId + "/routes/" + in.RouteId }),
		"DeleteRoute":       rule("DELETE", func(in *api.DeleteRouteInput) string { return "/apis/" + in.ApiId + "/routes/" + in.RouteId }),
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
		"CreateStage":      rule("POST", func(in *api.CreateStageInput) string { return "/apis/" + in.ApiId + "/stages" }),
		"GetStage":         rule("GET", func(in *api.GetStageInput) string { return "/apis/" + in.ApiId + "/stages/" + in.StageName }),
		"GetStages":        rule("GET", func(in *api.GetStagesInput) string { return "/apis/" + in.ApiId + "/stages" }),
		"UpdateStage":      rule("PATCH", func(in *api.UpdateStageInput) string { return "/apis/" + in.ApiId + "/stages/" + in.StageName }),
		"DeleteStage":      rule("DELETE", func(in *api.DeleteStageInput) string { return "/apis/" + in.ApiId + "/stages/" + in.StageName }),
		"CreateDeployment": rule("POST", func(in *api.CreateDeploymentInput) string { return "/apis/" + in.ApiId + "/deployments" }),
		"GetDeployment": rule("GET", func(in *api.GetDeploymentInput) string {
			return "/apis/" + in.ApiId + "/deployments/" + in.DeploymentId
		}),
		"GetDeployments": rule("GET", func(in *api.GetDeploymentsInput) string { return "/apis/" + in.ApiId + "/deployments" }),
		"DeleteDeployment": rule("DELETE", func(in *api.DeleteDeploymentInput) string {
			return "/apis/" + in.ApiId + "/deployments/" + in.DeploymentId
		}),
		"TagResource":   rule("POST", func(in *api.TagResourceInput) string { return "/tags/" + escapeARN(in.ResourceArn) }),
		"UntagResource": rule("DELETE", func(in *api.UntagResourceInput) string { return "/tags/" + escapeARN(in.ResourceArn) }),
		"GetTags":       rule("GET", func(in *api.GetTagsInput) string { return "/tags/" + escapeARN(in.ResourceArn) }),
	}
}

// escapeARN returns an ARN as one element of a path.
func escapeARN(arn string) string {
	return strings.ReplaceAll(strings.ReplaceAll(arn, ":", "%3A"), "/", "%2F")
}
