package cloudformation

import (
	"context"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

var _ port.Hooks = (*Service)(nil)

// AskHooks implements [port.Hooks].
func (s *Service) AskHooks(ctx context.Context, q port.HookQuestion) ([]port.HookAnswer, error) {
	question := hookQuestion{hookTarget: hookTarget{Operation: onCloudControl, Action: q.Action, Name: q.Type}, Token: q.Token, LogicalID: q.LogicalID, Properties: q.Properties}
	hooks, err := s.hooksFor(ctx, question.hookTarget)
	if err != nil || len(hooks) == 0 {
		return nil, err
	}
	if question.Previous, err = q.Previous(ctx); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	var said []port.HookAnswer
	_, _, err = s.askHooks(ctx, question, func(h deploy.Hook) error {
		v := resultRecord{Hook: h, Invoked: s.Clock.Now(), TargetType: onCloudControl, TargetName: q.Type, TargetID: q.Token, Execution: q.Token}
		if h.Status != cloudformation.HookStatusHookInProgress {
			said = append(said, port.HookAnswer{
				Hook: h.Type, ARN: (&hookRecord{Alias: h.Type}).arn(p), Version: hookVersion, Mode: h.Mode, Status: h.Status, Reason: h.Reason, Time: v.Invoked, Forbids: forbids(h),
			})
		}
		return s.Store.Update(ctx, func(tx store.Txn) error { return putResult(tx, p, v) })
	})
	return said, err
}

// forbids tells whether a hook that has answered forbids what it was asked about.
func forbids(h deploy.Hook) bool {
	return h.Status != cloudformation.HookStatusHookCompleteSucceeded && h.Mode == cloudformation.HookFailureModeFail
}
