package codedeploy

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// putLifecycleEventHookExecutionStatus takes the report of a hook.
func (s *Service) putLifecycleEventHookExecutionStatus(
	ctx context.Context, in *api.PutLifecycleEventHookExecutionStatusInput,
) (*api.PutLifecycleEventHookExecutionStatusOutput, error) {
	if in.Status != api.LifecycleEventStatusSucceeded && in.Status != api.LifecycleEventStatusFailed {
		return nil, fault("InvalidLifecycleEventHookExecutionStatusException", "The status must be Succeeded or Failed, and is %q.", in.Status)
	}
	if in.DeploymentId == nil {
		return nil, fault("DeploymentIdRequiredException", "A deployment id is needed.")
	}
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := lookup(tx, p, *in.DeploymentId)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(d.Events[:], func(e lifecycleEvent) bool { return e.Execution == opt.Value(in.LifecycleEventHookExecutionId) })
		if i < 0 || d.Events[i].Name == allowTraffic {
			return fault("InvalidLifecycleEventHookExecutionIdException", "The deployment %s has no hook execution %s.", d.ID, opt.Value(in.LifecycleEventHookExecutionId))
		}
		if d.ended() || i < d.At {
			return fault("LifecycleEventAlreadyCompletedException", "The lifecycle event %s of the deployment %s is over.", d.Events[i].Name, d.ID)
		}
		if i > d.At {
			return fault("InvalidLifecycleEventHookExecutionIdException", "The lifecycle event %s of the deployment %s has not begun.", d.Events[i].Name, d.ID)
		}
		if d.Events[i].Start == nil {
			d.Events[i].Start, d.Status = new(s.now()), api.DeploymentStatusInProgress
		}
		if in.Status == api.LifecycleEventStatusSucceeded {
			return s.passed(tx, p, &d, in.Status)
		}
		why := &failure{codeHook, "The hook " + d.Events[i].Name + " (" + d.hook() + ") reported that it failed."}
		return s.fail(tx, p, &d, api.DeploymentStatusFailed, why, slices.Contains(d.RollBackOn, api.AutoRollbackEventDeploymentFailure))
	})
	return &api.PutLifecycleEventHookExecutionStatusOutput{LifecycleEventHookExecutionId: in.LifecycleEventHookExecutionId}, storeError(err)
}

func (s *Service) stopDeployment(ctx context.Context, in *api.StopDeploymentInput) (*api.StopDeploymentOutput, error) {
	p := placeOf(ctx)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		d, err := lookup(tx, p, in.DeploymentId)
		if err != nil {
			return err
		}
		if d.ended() {
			return fault("DeploymentAlreadyCompletedException", "The deployment %s has already completed.", d.ID)
		}
		undo := slices.Contains(d.RollBackOn, api.AutoRollbackEventDeploymentStopOnRequest)
		if in.AutoRollbackEnabled != nil {
			undo = *in.AutoRollbackEnabled
		}
		return s.fail(tx, p, &d, api.DeploymentStatusStopped, &failure{codeStopped, "The deployment was stopped."}, undo)
	})
	return &api.StopDeploymentOutput{Status: api.StopStatusSucceeded, StatusMessage: new("No more commands will be scheduled for execution in the deployment.")}, storeError(err)
}

// Await waits until a deployment has ended, with the one that undoes it, and returns why it failed.
func (s *Service) Await(ctx context.Context, id string) error {
	p := placeOf(ctx)
	w := s.deps.Store.Watch(p.deployments())
	defer w.Close()
	var failed error
	for {
		d, err := s.viewDeployment(ctx, id)
		if err != nil {
			return err
		}
		switch {
		case d.ended() && d.Status != api.DeploymentStatusSucceeded && failed == nil:
			failed = service.Errorf(d.Code, "The deployment %s has the status %s: %s", d.ID, d.Status, d.Message)
			if d.RolledBackBy == "" {
				return failed
			}
			id = d.RolledBackBy
			continue
		case d.ended():
			return failed
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.C():
		}
	}
}
