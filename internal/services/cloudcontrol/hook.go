package cloudcontrol

import (
	"context"

	"lambent.dev/lambent/internal/awsapi/cloudcontrol"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// preProvision is the one point at which hooks are asked.
const preProvision = "PRE_PROVISION"

// request returns a request as it is.
func (s *Service) request(ctx context.Context, token string) (r *requestRecord, err error) {
	err = s.Store.View(ctx, func(tx store.Reader) (err error) {
		r, err = lookup(tx, placeOf(ctx), token)
		return err
	})
	return r, err
}

// askHooks asks the hooks of a request that has not begun, and returns what they said; nothing without any.
func (s *Service) askHooks(ctx context.Context, r *requestRecord) ([]port.HookAnswer, error) {
	if r.Begun || r.ended() || r.Hooks != nil {
		return nil, nil
	}
	k, err := s.kind(r.Type, r.Operation, nil)
	if err != nil {
		return nil, nil //nolint:nilerr // the work itself says so
	}
	return s.options.Hooks.AskHooks(ctx, port.HookQuestion{
		Action: r.Operation, Type: r.Type, LogicalID: k.short(), Token: r.Token, Properties: r.Desired,
		Previous: func(ctx context.Context) (map[string]any, error) {
			if r.Operation == deploy.Create {
				return nil, nil
			}
			actual, err := s.read(ctx, k, r.Identifier)
			if err != nil {
				return nil, nil //nolint:nilerr // what is gone has no properties, and the work itself says so
			}
			return actual.Properties, nil
		},
	})
}

// forbidden is the failure of a request that hooks forbid; nil for one that they do not.
func forbidden(said []port.HookAnswer) error {
	var against []string
	for _, a := range said {
		if a.Forbids {
			against = append(against, a.Hook)
		}
	}
	if against == nil {
		return nil
	}
	return service.Errorf(hooksFailed, "%s", deploy.HooksFailed(against))
}

// hookEvents shows what the hooks said.
func (r *requestRecord) hookEvents() []cloudcontrol.HookProgressEvent {
	var out []cloudcontrol.HookProgressEvent
	for i := range r.Hooks {
		a := &r.Hooks[i]
		out = append(out, cloudcontrol.HookProgressEvent{
			HookTypeName: &a.Hook, HookTypeArn: &a.ARN, HookTypeVersionId: &a.Version, InvocationPoint: new(preProvision), HookStatus: &a.Status, HookEventTime: &a.Time,
			HookStatusMessage: &a.Reason, FailureMode: &a.Mode,
		})
	}
	return out
}
