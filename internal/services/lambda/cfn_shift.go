package lambda

import (
	"context"
	"encoding/json"
	"fmt"

	"lambent.dev/lambent/internal/awsapi/codedeploy"
	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// aliasUpdate is the attribute CodeDeployLambdaAliasUpdate of an UpdatePolicy, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html.
type aliasUpdate struct {
	ApplicationName, DeploymentGroupName          string
	BeforeAllowTrafficHook, AfterAllowTrafficHook string
}

// shiftAlias moves an alias to another version by a deployment of CodeDeploy, when the template has an update policy that says so, and waits for its end.
func (l *Lambda) shiftAlias(ctx context.Context, c service.ResourceCall, old, p *aliasProperties) error {
	policy, given := c.UpdatePolicy["CodeDeployLambdaAliasUpdate"]
	if !given || old.FunctionVersion == p.FunctionVersion {
		return nil
	}
	if l.o.Deployments == nil {
		return service.Unsupported("ValidationError", "AWS::Lambda::Alias", "UpdatePolicy")
	}
	var u aliasUpdate
	text, err := json.Marshal(policy)
	if err == nil {
		err = json.Unmarshal(text, &u)
	}
	if err != nil || u.ApplicationName == "" || u.DeploymentGroupName == "" {
		return invalid("CodeDeployLambdaAliasUpdate needs texts for ApplicationName and DeploymentGroupName.")
	}
	id, err := l.begunShift(ctx, c, &u)
	if err == nil && id == "" {
		id, err = l.beginShift(ctx, c, &u, p)
	}
	if err != nil {
		return err
	}
	return l.o.Deployments.Await(ctx, id)
}

// begunShift returns the deployment that an earlier try of the same step made; its description is the token of the step.
func (l *Lambda) begunShift(ctx context.Context, c service.ResourceCall, u *aliasUpdate) (string, error) {
	if !c.Retry {
		return "", nil
	}
	g, err := service.Call[codedeploy.GetDeploymentGroupOutput](ctx, l.deps.Door, "codedeploy", "GetDeploymentGroup", &codedeploy.GetDeploymentGroupInput{
		ApplicationName: u.ApplicationName, DeploymentGroupName: u.DeploymentGroupName,
	})
	if err != nil || g.DeploymentGroupInfo.LastAttemptedDeployment == nil {
		return "", err
	}
	id := orZero(g.DeploymentGroupInfo.LastAttemptedDeployment.DeploymentId)
	for range 2 { // the last one may be the rollback of it
		d, err := service.Call[codedeploy.GetDeploymentOutput](ctx, l.deps.Door, "codedeploy", "GetDeployment", &codedeploy.GetDeploymentInput{DeploymentId: id})
		if err != nil {
			return "", err
		}
		if orZero(d.DeploymentInfo.Description) == shiftDescription(c) {
			return id, nil
		}
		if d.DeploymentInfo.RollbackInfo == nil || d.DeploymentInfo.RollbackInfo.RollbackTriggeringDeploymentId == nil {
			break
		}
		id = *d.DeploymentInfo.RollbackInfo.RollbackTriggeringDeploymentId
	}
	return "", nil
}

func shiftDescription(c service.ResourceCall) string {
	return fmt.Sprintf("CloudFormation, stack %s, resource %s, %s", c.StackName, c.LogicalID, c.Token)
}

func (l *Lambda) beginShift(ctx context.Context, c service.ResourceCall, u *aliasUpdate, p *aliasProperties) (string, error) {
	now, err := service.Call[api.GetAliasOutput](ctx, l.deps.Door, "lambda", "GetAlias", &api.GetAliasInput{FunctionName: p.FunctionName, Name: p.Name})
	if err != nil {
		return "", err
	}
	r, err := parseRef(ctx, p.FunctionName, nil)
	if err != nil {
		return "", err
	}
	hooks := []map[string]string{}
	for event, function := range map[string]string{"BeforeAllowTraffic": u.BeforeAllowTrafficHook, "AfterAllowTraffic": u.AfterAllowTrafficHook} {
		if function != "" {
			hooks = append(hooks, map[string]string{event: function})
		}
	}
	spec, err := json.Marshal(map[string]any{
		"version": 0.0, "Hooks": hooks, "Resources": []any{map[string]any{r.name: map[string]any{"Type": "AWS::Lambda::Function", "Properties": map[string]string{
			"Name": r.name, "Alias": p.Name, "CurrentVersion": orZero(now.FunctionVersion), "TargetVersion": p.FunctionVersion,
		}}}},
	})
	if err != nil {
		return "", err
	}
	out, err := service.Call[codedeploy.CreateDeploymentOutput](ctx, l.deps.Door, "codedeploy", "CreateDeployment", &codedeploy.CreateDeploymentInput{
		ApplicationName: u.ApplicationName, DeploymentGroupName: &u.DeploymentGroupName, Description: new(shiftDescription(c)),
		Revision: &codedeploy.RevisionLocation{RevisionType: codedeploy.RevisionLocationTypeAppSpecContent, AppSpecContent: &codedeploy.AppSpecContent{Content: new(string(spec))}},
	})
	if err != nil {
		return "", err
	}
	return orZero(out.DeploymentId), nil
}
