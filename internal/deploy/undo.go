package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rollback gives every resource that an update touched its earlier properties.
func (r *Run) rollback(ctx context.Context) error {
	deps := map[string][]string{}
	r.mu.Lock()
	for id, row := range r.rows {
		if row.Operation == r.op.ID && row.Previous != nil && !row.RolledBack {
			deps[id] = row.Previous.DependsOn
		}
	}
	r.mu.Unlock()
	if _, cycle := topological(within(deps)); cycle != nil {
		deps = independent(deps)
	}
	var failed []string
	err := parallel(ctx, within(deps), true, r.restore)
	if err != nil && !errors.Is(err, errStep) {
		return err
	}
	if err != nil {
		for id := range deps {
			if row := r.row(id); !row.RolledBack {
				failed = append(failed, id)
			}
		}
		slices.Sort(failed)
		return r.next(ctx, Done, "UPDATE_ROLLBACK_FAILED", fmt.Sprintf("The following resource(s) failed to update: [%s]. ", strings.Join(failed, ", ")), Save{})
	}
	return r.next(ctx, Discard, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "", Save{})
}

// restore undoes what an update did to one resource.
func (r *Run) restore(ctx context.Context, id string) error {
	row := r.row(id)
	before := *row.Previous
	wanted, hadStep := row.Want, row.Step
	if hadStep == "" && !row.Failed {
		wanted = row.Properties
	}
	row.RolledBack = true
	i := slices.IndexFunc(row.Garbage, func(s Snapshot) bool { return s.PhysicalID == before.PhysicalID })
	switch {
	case i >= 0:
		made := row.Snapshot
		row.Garbage = append(slices.Delete(slices.Clone(row.Garbage), i, i+1), made)
	case hadStep != "replace" && wanted != nil && r.Types.update(row.Type) && changed(hadStep, row):
		if err := r.revert(ctx, row, wanted); err != nil {
			return err
		}
	}
	row.Snapshot, row.Step, row.Want, row.WantTags, row.Failed = before, "", nil, nil, false
	row.Status, row.Reason = "UPDATE_COMPLETE", ""
	return r.save(ctx, row, event(row, "UPDATE_COMPLETE", ""))
}

// changed tells whether the resource type was asked for anything.
func changed(step string, row *Resource) bool {
	return step == "update" || !maps.EqualFunc(row.Properties, row.Previous.Properties, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) ||
		!maps.Equal(row.Tags, row.Previous.Tags)
}

func (r *Run) revert(ctx context.Context, row *Resource, wanted map[string]any) error {
	e := event(row, "UPDATE_IN_PROGRESS", "")
	if err := r.Journal.Save(ctx, Save{Events: []Event{e}}); err != nil {
		return err
	}
	typ, old, err := r.former(ctx, row.Type, wanted)
	if err != nil {
		return r.notRestored(ctx, row, err)
	}
	_, before, err := r.typed(ctx, row.Type, row.Previous.Properties)
	if err != nil {
		return r.notRestored(ctx, row, err)
	}
	c := r.call(row, row.Previous.PhysicalID, "revert")
	c.NameSeed = row.Previous.NameSeed
	_, err = typ.Update(ctx, c, old, before)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return r.notRestored(ctx, row, err)
	}
	return nil
}

func (r *Run) notRestored(ctx context.Context, row *Resource, cause error) error {
	row.RolledBack, row.Status, row.Reason = false, "UPDATE_FAILED", reason(cause)
	if err := r.save(ctx, row, event(row, "UPDATE_FAILED", row.Reason)); err != nil {
		return err
	}
	return errStep
}

// within drops dependencies on nodes that are not in the graph.
func within(deps map[string][]string) map[string][]string {
	out := make(map[string][]string, len(deps))
	for id, list := range deps {
		out[id] = nil
		for _, d := range list {
			if _, ok := deps[d]; ok && d != id {
				out[id] = append(out[id], d)
			}
		}
	}
	return out
}

func independent(deps map[string][]string) map[string][]string {
	out := make(map[string][]string, len(deps))
	for id := range deps {
		out[id] = nil
	}
	return out
}
