package lambda

import (
	"context"
	"errors"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/codedeploy"
	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// shifter stands for CodeDeploy with one group: it remembers its last deployment.
type shifter struct {
	service.Door

	made    []*codedeploy.CreateDeploymentInput
	awaited []string
	fail    error
}

func (s *shifter) Call(_ context.Context, _, operation string, in any) (any, error) {
	switch in := in.(type) {
	case *api.GetAliasInput:
		return &api.GetAliasOutput{FunctionVersion: new("1")}, nil
	case *codedeploy.CreateDeploymentInput:
		s.made = append(s.made, in)
		return &codedeploy.CreateDeploymentOutput{DeploymentId: new("d-1")}, nil
	case *codedeploy.GetDeploymentGroupInput:
		info := &codedeploy.DeploymentGroupInfo{}
		if s.made != nil {
			info.LastAttemptedDeployment = &codedeploy.LastDeploymentInfo{DeploymentId: new("d-2")}
		}
		return &codedeploy.GetDeploymentGroupOutput{DeploymentGroupInfo: info}, nil
	case *codedeploy.GetDeploymentInput: // d-2 is the rollback of d-1
		if in.DeploymentId == "d-2" {
			return &codedeploy.GetDeploymentOutput{DeploymentInfo: &codedeploy.DeploymentInfo{RollbackInfo: &codedeploy.RollbackInfo{RollbackTriggeringDeploymentId: new("d-1")}}}, nil
		}
		return &codedeploy.GetDeploymentOutput{DeploymentInfo: &codedeploy.DeploymentInfo{Description: s.made[0].Description}}, nil
	}
	return nil, errors.New("unexpected call of " + operation)
}

func (s *shifter) Await(_ context.Context, id string) error {
	s.awaited = append(s.awaited, id)
	return s.fail
}

func TestAliasesWithAnUpdatePolicyMoveByADeployment(t *testing.T) {
	door := &shifter{fail: errors.New("the hook said no")}
	l := &Lambda{deps: service.Deps{Door: door}, o: Options{Deployments: door}}
	ctx := service.WithRequest(t.Context(), &service.Request{Account: "000000000000", Region: "us-east-1"})
	old, p := &aliasProperties{FunctionName: "board", Name: "live", FunctionVersion: "1"}, &aliasProperties{FunctionName: "board", Name: "live", FunctionVersion: "2"}
	c := service.ResourceCall{StackName: "s", LogicalID: "Live", Token: "t", UpdatePolicy: map[string]any{
		"CodeDeployLambdaAliasUpdate": map[string]any{"ApplicationName": "app", "DeploymentGroupName": "group", "BeforeAllowTrafficHook": "before"},
	}}

	// No other version, and no policy, as in a rollback: no deployment.
	if err := errors.Join(l.shiftAlias(ctx, c, p, p), l.shiftAlias(ctx, service.ResourceCall{}, old, p)); err != nil || door.made != nil {
		t.Fatalf("error %v, %d deployments", err, len(door.made))
	}

	if err := l.shiftAlias(ctx, c, old, p); !errors.Is(err, door.fail) {
		t.Errorf("error %v", err)
	}
	in := door.made[0]
	const spec = `{"Hooks":[{"BeforeAllowTraffic":"before"}],"Resources":[{"board":{"Properties":{"Alias":"live","CurrentVersion":"1","Name":"board","TargetVersion":"2"},"Type":"AWS::Lambda::Function"}}],"version":0}`
	if in.ApplicationName != "app" || *in.DeploymentGroupName != "group" || *in.Revision.AppSpecContent.Content != spec {
		t.Errorf("the deployment is of %s, %s: %s", in.ApplicationName, *in.DeploymentGroupName, *in.Revision.AppSpecContent.Content)
	}

	// A repeated step waits for the same deployment, although that is rolled back since.
	c.Retry = true
	if err := l.shiftAlias(ctx, c, old, p); !errors.Is(err, door.fail) || len(door.made) != 1 || strings.Join(door.awaited, " ") != "d-1 d-1" {
		t.Errorf("error %v, %d deployments, waited for %v", err, len(door.made), door.awaited)
	}

	// Another step makes another one.
	c.Token = "u"
	if err := l.shiftAlias(ctx, c, old, p); !errors.Is(err, door.fail) || len(door.made) != 2 {
		t.Errorf("error %v, %d deployments", err, len(door.made))
	}
}
