package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// Hook is one invocation of a hook, as the events of its target show it, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html.
type Hook struct {
	// Type names the hook, ID its invocation, and Mode what its refusal does: FAIL or WARN.
	Type, ID, Mode string
	// Status is such as HOOK_IN_PROGRESS, and Reason says more.
	Status, Reason string
	// Action is what it was asked about: CREATE, UPDATE or DELETE.
	Action string
	// Annotations are what its answer says beside the status, as a JSON list; nil without any.
	Annotations json.RawMessage `json:",omitempty"`
}

// HookTarget is the step of one resource that hooks are asked about before it is taken.
type HookTarget struct {
	// Action is CREATE, UPDATE or DELETE; a replacement is an update.
	Action, LogicalID, PhysicalID, Type string
	// Status is that of the resource, for the events.
	Status string
	// Token stands for the step: it is the same when the step is repeated after a crash.
	Token string
	// Properties are those that the step aims at, nil for a delete; Previous are those that the resource has, nil for a create. Dynamic references are as in the template.
	Properties, Previous map[string]any
}

// HooksFailed is CloudFormation's reason for what hooks forbid.
func HooksFailed(hooks []string) string {
	return fmt.Sprintf("The following hook(s) failed: [%s]", strings.Join(hooks, ", "))
}

// hooksPassed is the reason of a step that begins after its hooks allowed it, by the kind of the step.
func hooksPassed(step string) string {
	what := "update"
	if step == "create" {
		what = "creation"
	}
	return "Hook invocations complete. Resource " + what + " initiated"
}

// askHooks asks the hooks of a step, once; a step that they forbid has failed.
func (r *Run) askHooks(ctx context.Context, row *Resource) error {
	if r.Hooks == nil || row.Hooked == r.op.ID {
		return nil
	}
	t := HookTarget{
		Action: Update, LogicalID: row.LogicalID, PhysicalID: row.PhysicalID, Type: row.Type, Status: row.Status,
		Token: digest(32, r.op.ID, row.LogicalID, row.Step, "hook"), Properties: row.Want,
	}
	if row.Step == "create" {
		t.Action = Create
	} else {
		t.Previous = row.Properties
	}
	asked, against, err := r.Hooks(ctx, t)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrEnded):
		return r.stepFailed(ctx, row, service.Resource{}, ErrEnded)
	case err != nil:
		return err
	case len(against) > 0:
		return r.stepFailed(ctx, row, service.Resource{}, errors.New(HooksFailed(against)))
	case asked == 0:
		return nil
	}
	row.Hooked, row.Reason = r.op.ID, hooksPassed(row.Step)
	e := event(row, row.Status, row.Reason)
	e.Properties = row.Want
	return r.save(ctx, row, e)
}

// deletionForbidden asks the hooks about the deletion of a resource with its stack, and returns why it must not be; nothing when it may. What an update no longer needs goes unasked, as with
// CloudFormation, see https://docs.aws.amazon.com/cloudformation-cli/latest/hooks-userguide/lambda-hooks-create-lambda-function.html.
func (r *Run) deletionForbidden(ctx context.Context, row *Resource, s Snapshot) (string, error) {
	if r.Hooks == nil || r.op.Kind != Delete {
		return "", nil
	}
	_, against, err := r.Hooks(ctx, HookTarget{
		Action: Delete, LogicalID: row.LogicalID, PhysicalID: s.PhysicalID, Type: row.Type, Status: "DELETE_IN_PROGRESS",
		Token: digest(32, r.op.ID, row.LogicalID, s.PhysicalID, "hook"), Previous: s.Properties,
	})
	if err != nil || len(against) == 0 {
		return "", err
	}
	return HooksFailed(against), nil
}
