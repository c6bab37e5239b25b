package cloudformation

import (
	"context"
	"encoding/json"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// keptResults is how long the results of hooks are kept, see
// https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/hooks-view-invocations.html.
const keptResults = 90 * 24 * time.Hour

// resultRecord is one invocation of a hook.
type resultRecord struct {
	deploy.Hook
	Invoked time.Time
	// TargetType is one of [onResource] and its like, TargetName the resource type, and TargetID the logical id, the stack's or the change set's ARN, or the token of a request.
	TargetType, TargetName, TargetID string
	// Execution is the stack's ARN, or the token of a request of the Cloud Control API.
	Execution string
}

// putResult writes a result, in the place of what it was before, and forgets what is too old.
func putResult(tx store.Txn, p place, v resultRecord) error {
	at, found, err := record.Get[time.Time](tx, p.resultTime(v.ID))
	if err != nil {
		return err
	}
	if found {
		v.Invoked = at
		return record.Set(tx, p.result(at, v.ID), v)
	}
	if err := forgetResults(tx, p, v.Invoked.Add(-keptResults)); err != nil {
		return err
	}
	if err := record.Set(tx, p.resultTime(v.ID), v.Invoked); err != nil {
		return err
	}
	return record.Set(tx, p.result(v.Invoked, v.ID), v)
}

// forgetResults removes two of the results from before a time, so that every new one makes room.
func forgetResults(tx store.Txn, p place, before time.Time) error {
	span := p.results().Span()
	span.Reverse, span.Limit = true, 2
	old, err := record.List[resultRecord](tx, span)
	for _, v := range old {
		if v.Invoked.Before(before) {
			tx.Delete(p.result(v.Invoked, v.ID))
			tx.Delete(p.resultTime(v.ID))
		}
	}
	return err
}

func noResult() error {
	return service.Errorf("HookResultNotFound", "No hook invocation was found for what was asked.").WithStatus(404)
}

func (s *Service) listHookResults(ctx context.Context, in *cloudformation.ListHookResultsInput) (*cloudformation.ListHookResultsOutput, error) {
	ofTarget := in.TargetType != "" || deref(in.TargetId) != ""
	switch {
	case ofTarget && (in.TargetType == "" || deref(in.TargetId) == ""):
		return nil, invalid("TargetType and TargetId must be specified together.")
	case ofTarget && (deref(in.TypeArn) != "" || in.Status != ""):
		return nil, invalid("TypeArn and Status cannot be specified with TargetType and TargetId.")
	case in.Status != "" && deref(in.TypeArn) == "":
		return nil, invalid("Status can only be specified with TypeArn.")
	}
	p := placeOf(ctx)
	out := &cloudformation.ListHookResultsOutput{TargetType: in.TargetType, TargetId: in.TargetId, HookResults: []cloudformation.HookResultSummary{}}
	var err error
	out.NextToken, err = page(ctx, s, p.results(), in.NextToken, nil, func(v resultRecord) bool {
		h := &hookRecord{Alias: v.Type}
		switch {
		case ofTarget && (v.TargetType != in.TargetType || v.TargetID != *in.TargetId),
			deref(in.TypeArn) != "" && hookOf(*in.TypeArn) != v.Type, in.Status != "" && v.Status != in.Status:
			return false
		}
		item := cloudformation.HookResultSummary{
			HookResultId: &v.ID, InvocationPoint: cloudformation.HookInvocationPointPreProvision, FailureMode: v.Mode, TypeName: &v.Type, TypeVersionId: ptr(hookVersion), Status: v.Status,
			HookStatusReason: optional(v.Reason), TargetType: v.TargetType, TargetId: optional(v.TargetID), TypeArn: ptr(h.arn(p)),
		}
		if !ofTarget {
			item.InvokedAt, item.HookExecutionTarget = &v.Invoked, optional(v.Execution)
		}
		out.HookResults = append(out.HookResults, item)
		return true
	})
	if err == nil && ofTarget && len(out.HookResults) == 0 {
		err = noResult()
	}
	return out, err
}

func (s *Service) getHookResult(ctx context.Context, in *cloudformation.GetHookResultInput) (*cloudformation.GetHookResultOutput, error) {
	p := placeOf(ctx)
	var v resultRecord
	err := s.Store.View(ctx, func(r store.Reader) error {
		at, found, err := record.Get[time.Time](r, p.resultTime(deref(in.HookResultId)))
		if err == nil && found {
			v, found, err = record.Get[resultRecord](r, p.result(at, *in.HookResultId))
		}
		if err == nil && !found {
			err = noResult()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	h := &hookRecord{Alias: v.Type}
	out := &cloudformation.GetHookResultOutput{
		HookResultId: &v.ID, InvocationPoint: cloudformation.HookInvocationPointPreProvision, FailureMode: v.Mode, TypeName: &v.Type, OriginalTypeName: ptr(lambdaHook), TypeVersionId: ptr(hookVersion),
		TypeArn: ptr(h.arn(p)), Status: v.Status, HookStatusReason: optional(v.Reason), InvokedAt: &v.Invoked, Annotations: v.annotations(),
	}
	if v.TargetType == onResource || v.TargetType == onCloudControl {
		out.Target = &cloudformation.HookTarget{TargetType: cloudformation.HookTargetTypeResource, TargetTypeName: v.TargetName, TargetId: v.TargetID, Action: v.Action}
	}
	return out, nil
}

// annotations are those of the function's answer; what does not have their form is left out.
func (v *resultRecord) annotations() []cloudformation.Annotation {
	var list []struct{ AnnotationName, Status, StatusMessage, RemediationMessage, RemediationLink, SeverityLevel string }
	if v.Annotations == nil || json.Unmarshal(v.Annotations, &list) != nil {
		return nil
	}
	var out []cloudformation.Annotation
	for _, a := range list {
		out = append(out, cloudformation.Annotation{
			AnnotationName: optional(a.AnnotationName), Status: a.Status, StatusMessage: optional(a.StatusMessage), RemediationMessage: optional(a.RemediationMessage),
			RemediationLink: optional(a.RemediationLink), SeverityLevel: a.SeverityLevel,
		})
	}
	return out
}

// describeChangeSetHooks tells which hooks a change set's resources will be asked about. They are those that there are now: a change set does not keep them.
func (s *Service) describeChangeSetHooks(ctx context.Context, in *cloudformation.DescribeChangeSetHooksInput) (*cloudformation.DescribeChangeSetHooksOutput, error) {
	c, err := s.findChangeSet(ctx, in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	hooks, err := s.hooks(ctx)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeChangeSetHooksOutput{
		ChangeSetId: &c.ID, ChangeSetName: &c.Name, StackId: &c.StackID, StackName: &c.StackName, Status: cloudformation.ChangeSetHooksStatusPlanned, Hooks: []cloudformation.ChangeSetHook{},
	}
	if c.Status == "FAILED" {
		out.Status = cloudformation.ChangeSetHooksStatusUnavailable
		return out, nil
	}
	for _, change := range removalsFirst(c.Changes) {
		t := hookTarget{Operation: onResource, Action: hookAction(change.Action), Name: change.Type, Stack: c.StackName, Role: c.Deployment.RoleARN}
		if id := deref(in.LogicalResourceId); t.Action == "" || id != "" && id != change.LogicalID {
			continue
		}
		for _, h := range hooks {
			if h.wants(t) {
				out.Hooks = append(out.Hooks, h.planned(change))
			}
		}
	}
	return out, nil
}

// planned is a hook as a change set shows it.
func (h *hookRecord) planned(c deploy.Change) cloudformation.ChangeSetHook {
	return cloudformation.ChangeSetHook{
		InvocationPoint: cloudformation.HookInvocationPointPreProvision, FailureMode: h.Config.FailureMode, TypeName: &h.Alias, TypeVersionId: ptr(hookVersion),
		TargetDetails: &cloudformation.ChangeSetHookTargetDetails{TargetType: cloudformation.HookTargetTypeResource, ResourceTargetDetails: &cloudformation.ChangeSetHookResourceTargetDetails{
			LogicalResourceId: ptr(c.LogicalID), ResourceType: ptr(c.Type), ResourceAction: string(c.Action),
		}},
	}
}

// hookAction is what hooks call a change of a stack; nothing for one that they are not asked about: what is imported, and what an update removes.
func hookAction(a deploy.Action) string {
	switch a {
	case deploy.Add:
		return deploy.Create
	case deploy.Modify:
		return deploy.Update
	}
	return ""
}
