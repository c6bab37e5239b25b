package codedeploy

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscodedeploy.html).
func access() map[string]service.Access {
	return map[string]service.Access{
		"BatchGetApplications": service.OnAll("codedeploy:BatchGetApplications", func(ctx context.Context, in *api.BatchGetApplicationsInput) ([]service.Target, error) {
			return each(in.ApplicationNames, placeOf(ctx).applicationARN), nil
		}),
		"BatchGetDeploymentGroups": service.OnAll("codedeploy:BatchGetDeploymentGroups", func(ctx context.Context, in *api.BatchGetDeploymentGroupsInput) ([]service.Target, error) {
			return each(in.DeploymentGroupNames, func(name string) string { return placeOf(ctx).groupARN(in.ApplicationName, name) }), nil
		}),
		"BatchGetDeploymentTargets": service.OnAny("codedeploy:BatchGetDeploymentTargets"),
		"BatchGetDeployments":       service.OnAny("codedeploy:BatchGetDeployments"),
		"CreateApplication":         onApplication("CreateApplication", func(in *api.CreateApplicationInput) string { return in.ApplicationName }),
		"CreateDeployment": onGroup("CreateDeployment", func(in *api.CreateDeploymentInput) (string, string) {
			return in.ApplicationName, opt.Value(in.DeploymentGroupName)
		}),
		"CreateDeploymentConfig": onConfig("CreateDeploymentConfig", func(in *api.CreateDeploymentConfigInput) string { return in.DeploymentConfigName }),
		"CreateDeploymentGroup": onGroup("CreateDeploymentGroup", func(in *api.CreateDeploymentGroupInput) (string, string) {
			return in.ApplicationName, in.DeploymentGroupName
		}),
		"DeleteApplication":      onApplication("DeleteApplication", func(in *api.DeleteApplicationInput) string { return in.ApplicationName }),
		"DeleteDeploymentConfig": onConfig("DeleteDeploymentConfig", func(in *api.DeleteDeploymentConfigInput) string { return in.DeploymentConfigName }),
		"DeleteDeploymentGroup": onGroup("DeleteDeploymentGroup", func(in *api.DeleteDeploymentGroupInput) (string, string) {
			return in.ApplicationName, in.DeploymentGroupName
		}),
		"GetApplication":      onApplication("GetApplication", func(in *api.GetApplicationInput) string { return in.ApplicationName }),
		"GetDeployment":       service.OnAny("codedeploy:GetDeployment"),
		"GetDeploymentConfig": onConfig("GetDeploymentConfig", func(in *api.GetDeploymentConfigInput) string { return in.DeploymentConfigName }),
		"GetDeploymentGroup": onGroup("GetDeploymentGroup", func(in *api.GetDeploymentGroupInput) (string, string) {
			return in.ApplicationName, in.DeploymentGroupName
		}),
		"GetDeploymentTarget":   service.OnAny("codedeploy:GetDeploymentTarget"),
		"ListApplications":      service.OnAny("codedeploy:ListApplications"),
		"ListDeploymentConfigs": service.OnAny("codedeploy:ListDeploymentConfigs"),
		"ListDeploymentGroups":  onApplication("ListDeploymentGroups", func(in *api.ListDeploymentGroupsInput) string { return in.ApplicationName }),
		"ListDeploymentTargets": service.OnAny("codedeploy:ListDeploymentTargets"),
		"ListDeployments": onGroup("ListDeployments", func(in *api.ListDeploymentsInput) (string, string) {
			return opt.Value(in.ApplicationName), opt.Value(in.DeploymentGroupName)
		}),
		"ListTagsForResource":                  service.On("codedeploy:ListTagsForResource", func(_ context.Context, in *api.ListTagsForResourceInput) string { return in.ResourceArn }),
		"PutLifecycleEventHookExecutionStatus": service.OnAny("codedeploy:PutLifecycleEventHookExecutionStatus"),
		"StopDeployment":                       service.OnAny("codedeploy:StopDeployment"),
		"TagResource":                          service.On("codedeploy:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.ResourceArn }),
		"UntagResource":                        service.On("codedeploy:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.ResourceArn }),
		"UpdateDeploymentGroup": onGroup("UpdateDeploymentGroup", func(in *api.UpdateDeploymentGroupInput) (string, string) {
			return in.ApplicationName, in.CurrentDeploymentGroupName
		}),
	}
}

func each(names []string, arn func(name string) string) []service.Target {
	out := make([]service.Target, len(names))
	for i, name := range names {
		out[i].ARN = arn(name)
	}
	return out
}

func onApplication[In any](action string, name func(in In) string) service.Access {
	return service.On("codedeploy:"+action, func(ctx context.Context, in In) string { return placeOf(ctx).applicationARN(name(in)) })
}

func onConfig[In any](action string, name func(in In) string) service.Access {
	return service.On("codedeploy:"+action, func(ctx context.Context, in In) string { return placeOf(ctx).configARN(name(in)) })
}

// onGroup is the rule of an operation on a deployment group; a call that names none is about all of them.
func onGroup[In any](action string, name func(in In) (application, group string)) service.Access {
	return service.On("codedeploy:"+action, func(ctx context.Context, in In) string {
		application, group := name(in)
		if application == "" && group == "" {
			return "*"
		}
		return placeOf(ctx).groupARN(application, group)
	})
}
