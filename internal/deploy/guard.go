package deploy

import (
	"context"
	"slices"
)

// The actions that a stack policy allows or denies, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html.
const (
	UpdateModify  = "Update:Modify"
	UpdateReplace = "Update:Replace"
	UpdateDelete  = "Update:Delete"
)

// guarded refuses what the stack's policy denies: it returns the reason, or nothing.
func (r *Run) guarded(id, typ, action string) string {
	if r.Guard == nil || r.op.Kind != Update {
		return ""
	}
	return r.Guard(id, typ, action)
}

// guardStep refuses a change of one resource.
func (r *Run) guardStep(ctx context.Context, row *Resource, c Change) (denied bool, err error) {
	action := UpdateModify
	switch {
	case c.Action != Modify || row == nil:
		return false, nil
	case c.Replacement == Always:
		action = UpdateReplace
	}
	why := r.guarded(c.LogicalID, row.Type, action)
	if why == "" {
		return false, nil
	}
	before := row.Snapshot
	row.Operation, row.Failed, row.RolledBack, row.Step, row.Previous = r.op.ID, true, false, "", &before
	row.Status, row.Reason = "UPDATE_FAILED", why
	return true, r.save(ctx, row, event(row, "UPDATE_FAILED", why))
}

// guardRemovals returns why the policy denies a removal, if it does.
func (r *Run) guardRemovals() (id, why string) {
	var ids []string
	for id := range r.removed() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if why := r.guarded(id, r.row(id).Type, UpdateDelete); why != "" {
			return id, why
		}
	}
	return "", ""
}
