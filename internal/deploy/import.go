package deploy

import (
	"context"
	"fmt"
	"slices"

	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/service"
)

// importing is the step of a resource that exists already and becomes part of the stack.
const importing = "import"

// taken tells whether the operation under way took a resource into the stack: undoing it leaves the resource alone.
func (r *Run) taken(row *Resource) bool {
	return r.op.Imports[row.LogicalID] != nil && row.Operation == r.op.ID && row.Previous == nil && r.op.Phase != Cleanup && r.op.Phase != Forward
}

// take finds a resource that exists already and makes it the stack's. What it is set to stays as it is, whatever the template says: a detection of drift shows the difference.
func (r *Run) take(ctx context.Context, row *Resource) error {
	made, err := r.existing(ctx, row)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		row.Failed, row.Status, row.Reason = true, "IMPORT_FAILED", reason(err)
		if err := r.save(ctx, row, event(row, row.Status, row.Reason)); err != nil {
			return err
		}
		return errStep
	}
	next := r.describe(row.Snapshot, row)
	next.PhysicalID, next.Ref, next.Attributes = made.PhysicalID, made.Ref, made.Attributes
	row.Snapshot, row.Step, row.Want, row.WantTags = next, "", nil, nil
	row.Status, row.Reason = "UPDATE_COMPLETE", ""
	return r.save(
		ctx, row, event(row, "IMPORT_COMPLETE", "Resource import completed."),
		event(row, "UPDATE_IN_PROGRESS", "Apply stack-level tags to imported resource if applicable."), event(row, "UPDATE_COMPLETE", ""),
	)
}

// existing reads the resource that a row imports, and gives it the tags of the stack.
func (r *Run) existing(ctx context.Context, row *Resource) (service.Resource, error) {
	typ, ok := r.Types.Of(row.Type)
	if !ok || typ.Read == nil {
		return service.Resource{}, fmt.Errorf("the resource type %s cannot be imported by this version of Lambent", row.Type)
	}
	state, err := typ.Read(ctx, r.op.Imports[row.LogicalID])
	if err != nil {
		return service.Resource{}, err
	}
	shape, err := property.Of(typ.NewProperties())
	if err != nil || typ.Update == nil || !shape.Has("Tags") {
		return state.Resource, err
	}
	c := r.call(row, state.PhysicalID, importing)
	c.Tags = merged(c.Tags, row.WantTags)
	before := Snapshot{PhysicalID: state.PhysicalID, Ref: state.Ref, Attributes: state.Attributes}
	return r.kept(before)(r.checked(typ.Update(ctx, c, state.Properties, state.Properties)))
}

// release lets go of what a failed import took: the resources stay as they are.
func (r *Run) release(ctx context.Context) error {
	var ids []string
	for id := range r.made() {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		row := r.row(id)
		s := Save{Remove: []string{id}}
		if row.PhysicalID != "" {
			s.Events = []Event{event(row, "IMPORT_ROLLBACK_IN_PROGRESS", ""), event(row, "IMPORT_ROLLBACK_COMPLETE", "")}
		}
		if err := r.Journal.Save(ctx, s); err != nil {
			return err
		}
		r.mu.Lock()
		delete(r.rows, id)
		r.mu.Unlock()
	}
	return r.next(ctx, Done, "IMPORT_ROLLBACK_COMPLETE", "", Save{})
}
