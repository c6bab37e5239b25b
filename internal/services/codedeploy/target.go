package codedeploy

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/arn"
)

// targetID names the one target of a deployment.
func (d *deploymentRecord) targetID() string { return d.Spec.Function + ":" + d.Spec.Alias }

func (d *deploymentRecord) targetStatus() string {
	switch d.Status {
	case api.DeploymentStatusCreated:
		return api.TargetStatusPending
	case api.DeploymentStatusInProgress:
		return api.TargetStatusInProgress
	case api.DeploymentStatusSucceeded:
		return api.TargetStatusSucceeded
	}
	return api.TargetStatusFailed
}

func (d *deploymentRecord) target(p place) *api.DeploymentTarget {
	t := &api.LambdaTarget{
		DeploymentId: &d.ID, TargetId: new(d.targetID()), TargetArn: new(arn.New("lambda", p.region, p.account, "function:"+d.targetID()).String()), Status: d.targetStatus(),
		LastUpdatedAt: &d.Updated, LambdaFunctionInfo: &api.LambdaFunctionInfo{
			FunctionName: &d.Spec.Function, FunctionAlias: &d.Spec.Alias, CurrentVersion: &d.Spec.Current, TargetVersion: &d.Spec.Target, TargetVersionWeight: new(float64(d.Percent) / 100),
		},
	}
	for i := range d.Events {
		e := &d.Events[i]
		t.LifecycleEvents = append(t.LifecycleEvents, api.LifecycleEvent{LifecycleEventName: &e.Name, Status: e.Status, StartTime: e.Start, EndTime: e.End})
	}
	return &api.DeploymentTarget{DeploymentTargetType: api.DeploymentTargetTypeLambdaTarget, LambdaTarget: t}
}

func (s *Service) targetOf(ctx context.Context, deployment, target string) (*api.DeploymentTarget, error) {
	d, err := s.viewDeployment(ctx, deployment)
	if err == nil && d.targetID() != target {
		err = fault("DeploymentTargetDoesNotExistException", "The deployment %s has no target %s; its target is %s.", d.ID, target, d.targetID())
	}
	return d.target(placeOf(ctx)), err
}

func (s *Service) getDeploymentTarget(ctx context.Context, in *api.GetDeploymentTargetInput) (*api.GetDeploymentTargetOutput, error) {
	t, err := s.targetOf(ctx, in.DeploymentId, in.TargetId)
	return &api.GetDeploymentTargetOutput{DeploymentTarget: t}, err
}

func (s *Service) batchGetDeploymentTargets(ctx context.Context, in *api.BatchGetDeploymentTargetsInput) (*api.BatchGetDeploymentTargetsOutput, error) {
	out := &api.BatchGetDeploymentTargetsOutput{DeploymentTargets: []api.DeploymentTarget{}}
	for _, id := range in.TargetIds {
		t, err := s.targetOf(ctx, in.DeploymentId, id)
		if err != nil {
			return nil, err
		}
		out.DeploymentTargets = append(out.DeploymentTargets, *t)
	}
	return out, nil
}

func (s *Service) listDeploymentTargets(ctx context.Context, in *api.ListDeploymentTargetsInput) (*api.ListDeploymentTargetsOutput, error) {
	if len(in.TargetFilters) > 0 {
		return nil, unsupported("targetFilters", "A deployment has one target.")
	}
	d, err := s.viewDeployment(ctx, in.DeploymentId)
	return &api.ListDeploymentTargetsOutput{TargetIds: []string{d.targetID()}}, err
}
