package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// needsRename is CloudFormation's refusal to replace a resource by one of the same name.
func needsRename(name string) error {
	return fmt.Errorf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again.", name) //nolint:revive // CloudFormation's text
}

// sameName returns the name that a template gives a resource both before and after its replacement: the one property that identifies it. It is empty for all other steps.
func (r *Run) sameName(row *Resource) string {
	typ, _ := r.Types.Of(row.Type)
	if row.Step != "replace" || row.Previous == nil || typ.Update == nil || len(typ.Identifier) != 1 {
		return ""
	}
	was, _ := Member(row.Previous.Properties, typ.Identifier[0]).(string)
	if now, _ := Member(row.Want, typ.Identifier[0]).(string); now == was {
		return now
	}
	return ""
}

// step brings one resource of the target to its wanted properties.
func (r *Run) step(ctx context.Context, id string) error {
	row := r.row(id)
	if row != nil && row.Operation == r.op.ID {
		switch {
		case row.Failed:
			return errStep
		case row.Step == "":
			return nil
		}
		return r.finish(ctx, row, true)
	}
	if r.ended() {
		return errNotBegun
	}
	if row != nil && row.PhysicalID == "" {
		row = nil // an earlier operation failed to make it
	}
	want, err := r.Target.properties(r.Target.with(r.lookup(ctx)), id)
	if err != nil {
		return r.unresolved(ctx, id, row, err)
	}
	change, needed := r.Target.compare(id, row, want)
	if !needed {
		return nil
	}
	if denied, err := r.guardStep(ctx, row, change); err != nil || denied {
		if err == nil {
			err = errStep
		}
		return err
	}
	row, begun := r.begin(id, row, change, want)
	if row.Step == "" {
		return r.save(ctx, row)
	}
	if err := r.save(ctx, row, begun); err != nil {
		return err
	}
	return r.finish(ctx, row, false)
}

// begin prepares the row and the event of a step.
func (r *Run) begin(id string, cur *Resource, c Change, want map[string]any) (*Resource, Event) {
	t := r.Target.template.Resources[id]
	row := &Resource{LogicalID: id, Type: t.Type}
	status, why := "CREATE_IN_PROGRESS", ""
	switch {
	case cur == nil && r.op.Imports[id] != nil:
		row.Step, status, why = importing, "IMPORT_IN_PROGRESS", "Resource import started."
	case cur == nil:
		row.Step = "create"
	case c.Replacement == Always:
		row, status = cur, "UPDATE_IN_PROGRESS"
		row.Step = "replace"
		why = "Requested update requires the creation of a new physical resource; hence creating one."
	case len(c.Differences) > 0 || slices.Contains(c.Scope, "Tags") || r.always(t.Type):
		row, status = cur, "UPDATE_IN_PROGRESS"
		row.Step = "update"
		if !r.Types.update(t.Type) {
			// The type has no tags to change without making it anew: the tags are recorded only.
			row.Step = ""
		}
	default:
		row = cur
	}
	row.Operation, row.Want, row.WantTags, row.Failed, row.RolledBack, row.Previous = r.op.ID, want, r.Stack.Tags, false, false, nil
	if cur != nil {
		before := cur.Snapshot
		row.Previous = &before
	}
	if row.Step == "" {
		row.Snapshot = r.describe(row.Snapshot, row)
		row.Want, row.WantTags = nil, nil
		return row, Event{}
	}
	if row.Step != "update" && row.Step != importing {
		row.NameSeed = r.seed(id)
	}
	row.Status, row.Reason = status, why
	e := event(row, status, why)
	e.Properties = want
	return row, e
}

func (r *Run) always(name string) bool {
	typ, _ := r.Types.Of(name)
	return typ.Always
}

// describe returns s with what the template says beside the properties.
func (r *Run) describe(s Snapshot, row *Resource) Snapshot {
	t := r.Target.template.Resources[row.LogicalID]
	s.DependsOn, s.DeletionPolicy, s.UpdateReplacePolicy, s.Metadata = r.Target.deps[row.LogicalID], t.DeletionPolicy, t.UpdateReplacePolicy, t.Metadata
	s.Properties, s.Tags = row.Want, row.WantTags
	return s
}

// unresolved records that the properties of a resource could not be evaluated.
func (r *Run) unresolved(ctx context.Context, id string, row *Resource, err error) error {
	var visible *template.Error
	var refused *service.Error
	if !errors.As(err, &visible) && !errors.As(err, &refused) {
		return err
	}
	status := "UPDATE_FAILED"
	if row == nil {
		status = "CREATE_FAILED"
		row = &Resource{LogicalID: id, Type: r.Target.template.Resources[id].Type}
	} else {
		before := row.Snapshot
		row.Previous = &before
	}
	row.Operation, row.Failed, row.RolledBack, row.Step = r.op.ID, true, false, ""
	row.Status, row.Reason = status, reason(err)
	if err := r.save(ctx, row, event(row, status, row.Reason)); err != nil {
		return err
	}
	return errStep
}

// finish makes the call of a step that is under way, again after a restart, and records its result.
func (r *Run) finish(ctx context.Context, row *Resource, again bool) error {
	switch row.Step {
	case awaiting:
		return r.await(ctx, row)
	case importing:
		return r.take(ctx, row)
	}
	if name := r.sameName(row); name != "" {
		return r.stepFailed(ctx, row, service.Resource{}, needsRename(name))
	}
	if err := r.askHooks(ctx, row); err != nil {
		return err
	}
	made, err := r.invoke(ctx, row, again)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if row.Step == "replace" && err == nil && made.PhysicalID == row.PhysicalID {
		err = needsRename(row.PhysicalID)
		made = service.Resource{}
	}
	if err != nil {
		return r.stepFailed(ctx, row, made, err)
	}
	next := r.describe(row.Snapshot, row)
	next.PhysicalID, next.Ref, next.Attributes = made.PhysicalID, made.Ref, made.Attributes
	status, events := "UPDATE_COMPLETE", []Event(nil)
	if row.Step == "create" {
		status = "CREATE_COMPLETE"
	} else if made.PhysicalID != row.PhysicalID {
		row.Garbage = append(row.Garbage, *row.Previous)
	}
	old, done := row.Step, event(row, status, "")
	done.PhysicalID, done.Properties = made.PhysicalID, row.Want
	row.Snapshot, row.Step, row.Want, row.WantTags = next, "", nil, nil
	if old == "create" {
		begun := event(row, "CREATE_IN_PROGRESS", "Resource creation Initiated")
		begun.Properties = next.Properties
		events = append(events, begun)
	}
	if _, waits := r.Target.signals[row.LogicalID]; waits && old != "update" {
		row.Step = awaiting
		if err := r.save(ctx, row, events...); err != nil {
			return err
		}
		return r.await(ctx, row)
	}
	row.Status, row.Reason = status, ""
	return r.save(ctx, row, append(events, done)...)
}

func (r *Run) stepFailed(ctx context.Context, row *Resource, made service.Resource, cause error) error {
	status := "UPDATE_FAILED"
	switch {
	case row.Step == "create":
		status = "CREATE_FAILED"
		row.PhysicalID, row.Properties = made.PhysicalID, row.Want
		row.DependsOn = r.Target.deps[row.LogicalID]
	case row.Step == "replace" && made.PhysicalID != "" && made.PhysicalID != row.PhysicalID:
		row.Garbage = append(row.Garbage, Snapshot{PhysicalID: made.PhysicalID, Properties: row.Want, NameSeed: row.NameSeed})
	}
	row.Failed, row.Status, row.Reason = true, status, reason(cause)
	e := event(row, status, row.Reason)
	e.Properties = row.Want
	if err := r.save(ctx, row, e); err != nil {
		return err
	}
	return errStep
}

// invoke calls the resource type.
func (r *Run) invoke(ctx context.Context, row *Resource, again bool) (service.Resource, error) {
	typ, want, err := r.typed(ctx, row.Type, row.Want)
	if err != nil {
		return service.Resource{}, err
	}
	if row.Step != "update" {
		c := r.call(row, "", row.Step)
		c.Retry = again
		return r.checked(typ.Create(ctx, c, want))
	}
	_, old, err := r.former(ctx, row.Type, row.Properties)
	if err != nil {
		return service.Resource{}, err
	}
	c := r.call(row, row.PhysicalID, row.Step)
	c.Retry = again
	if c.UpdatePolicy, err = r.updatePolicy(ctx, row.LogicalID); err != nil {
		return service.Resource{}, err
	}
	c.Tags = merged(c.Tags, row.WantTags)
	return r.kept(row.Snapshot)(r.checked(typ.Update(ctx, c, old, want)))
}

// updatePolicy evaluates the update policy of a resource.
func (r *Run) updatePolicy(ctx context.Context, id string) (map[string]any, error) {
	policy := r.Target.template.Resources[id].UpdatePolicy
	if policy == nil {
		return nil, nil
	}
	v, err := r.Target.with(r.lookup(ctx)).Resolve(policy)
	if err != nil {
		return nil, r.Target.template.Document.Locate(err, "Resources", id, "UpdatePolicy")
	}
	m, _ := v.(map[string]any)
	return m, nil
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// checked refuses a resource without a physical id.
func (r *Run) checked(made service.Resource, err error) (service.Resource, error) {
	if err == nil && made.PhysicalID == "" {
		err = errors.New("the resource type returned no physical id")
	}
	return made, err
}

// kept fills in what an update that keeps the resource leaves out.
func (r *Run) kept(s Snapshot) func(service.Resource, error) (service.Resource, error) {
	return func(made service.Resource, err error) (service.Resource, error) {
		if made.PhysicalID == s.PhysicalID {
			if made.Ref == "" {
				made.Ref = s.Ref
			}
			if made.Attributes == nil {
				made.Attributes = s.Attributes
			}
		}
		return made, err
	}
}
