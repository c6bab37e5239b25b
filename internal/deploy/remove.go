package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// removed are the rows that the target no longer has.
func (r *Run) removed() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]bool{}
	for id := range r.rows {
		if _, live := r.Target.deps[id]; !live {
			out[id] = true
		}
	}
	return out
}

// made are the rows that the operation created.
func (r *Run) made() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]bool{}
	for id, row := range r.rows {
		if row.Operation == r.op.ID && row.Previous == nil {
			out[id] = true
		}
	}
	return out
}

// order returns the graph in which the given rows, and rows with garbage, are deleted: dependents first.
func (r *Run) order(rows map[string]bool, garbage bool) map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	deps := map[string][]string{}
	for id, row := range r.rows {
		if rows[id] {
			deps[id] = append(deps[id], row.DependsOn...)
		}
		if garbage && len(row.Garbage) > 0 {
			for _, g := range row.Garbage {
				deps[id] = append(deps[id], g.DependsOn...)
			}
		}
	}
	graph := reverse(deps)
	if _, cycle := topological(graph); cycle != nil {
		return independent(deps)
	}
	return graph
}

// cleanup deletes rows and garbage. What cannot be deleted is reported and left behind, as CloudFormation does.
func (r *Run) cleanup(ctx context.Context, rows map[string]bool, status, why string) error {
	err := r.rounds(ctx, rows, func(ctx context.Context, id string) error {
		if err := r.sweep(ctx, id); err != nil || !rows[id] {
			return err
		}
		row := r.row(id)
		if err := r.remove(ctx, row, row.Snapshot, row.DeletionPolicy); errors.Is(err, errHeld) || err != nil && !errors.Is(err, errStep) {
			return err
		}
		return r.drop(ctx, id)
	})
	if err != nil {
		return err
	}
	return r.next(ctx, Done, status, why, Save{})
}

// sweep deletes the garbage of a row.
func (r *Run) sweep(ctx context.Context, id string) error {
	row := r.row(id)
	if len(row.Garbage) == 0 {
		return nil
	}
	var held []Snapshot
	for _, g := range row.Garbage {
		policy := g.UpdateReplacePolicy
		if r.op.Phase == Discard {
			policy = ""
		}
		switch err := r.remove(ctx, row, g, policy); {
		case errors.Is(err, errHeld):
			held = append(held, g)
		case err != nil && !errors.Is(err, errStep):
			return err
		}
	}
	row.Garbage = held
	if err := r.save(ctx, row); err != nil || len(held) == 0 {
		return err
	}
	return errHeld
}

// drop forgets a row.
func (r *Run) drop(ctx context.Context, id string) error {
	if err := r.Journal.Save(ctx, Save{Remove: []string{id}}); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.rows, id)
	r.mu.Unlock()
	return nil
}

// remove deletes one physical resource, or leaves it as its policy says. It returns errStep when the type refused.
func (r *Run) remove(ctx context.Context, row *Resource, s Snapshot, policy string) error {
	e := Event{LogicalID: row.LogicalID, PhysicalID: s.PhysicalID, Type: row.Type}
	report := func(status, why string) error {
		e.Status, e.Reason = status, why
		return r.Journal.Save(ctx, Save{Events: []Event{e}})
	}
	if r.op.RetainExceptOnCreate && policy == "Retain" && (r.op.Phase == Rollback || r.op.Phase == Discard) && row.Previous == nil {
		policy = ""
	}
	if r.taken(row) {
		return report("DELETE_SKIPPED", "")
	}
	if policy == "Retain" || policy == "RetainExceptOnCreate" && r.op.Phase != Rollback && r.op.Phase != Discard || slices.Contains(r.op.Retain, row.LogicalID) {
		return report("DELETE_SKIPPED", "")
	}
	if s.PhysicalID == "" {
		return report("DELETE_COMPLETE", "")
	}
	if !r.deletions.isHeld(e) {
		if err := report("DELETE_IN_PROGRESS", ""); err != nil {
			return err
		}
		why, err := r.deletionForbidden(ctx, row, s)
		if err == nil && why != "" {
			err = report("DELETE_FAILED", why)
		}
		if err != nil || why != "" {
			return cmp.Or(err, errStep)
		}
	}
	typ, properties, err := r.former(ctx, row.Type, s.Properties)
	if err == nil {
		c := r.call(row, s.PhysicalID, "delete")
		c.NameSeed = s.NameSeed
		err = typ.Delete(ctx, c, properties)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		r.deletions.succeeded()
		return report("DELETE_COMPLETE", "")
	}
	if service.IsInUse(err) && r.deletions.hold(e) {
		return errHeld
	}
	if saveErr := report("DELETE_FAILED", reason(err)); saveErr != nil {
		return saveErr
	}
	return errStep
}

// unmake deletes what a failed create made.
func (r *Run) unmake(ctx context.Context) error {
	return r.tearDown(ctx, "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
}

// deleteAll deletes every resource of the stack.
func (r *Run) deleteAll(ctx context.Context) error {
	if r.Refused != "" {
		return r.next(ctx, Done, "DELETE_FAILED", r.Refused, Save{})
	}
	return r.tearDown(ctx, "DELETE_COMPLETE", "DELETE_FAILED")
}

func (r *Run) tearDown(ctx context.Context, good, bad string) error {
	all := map[string]bool{}
	for id := range r.rows {
		all[id] = true
	}
	err := r.rounds(ctx, all, r.takeDown)
	if err != nil && !errors.Is(err, errStep) {
		return err
	}
	if err == nil {
		return r.next(ctx, Done, good, "", Save{})
	}
	var left []string
	for id, row := range r.rows {
		if r.undeletable(row) {
			left = append(left, id)
		}
	}
	slices.Sort(left)
	return r.next(ctx, Done, bad, fmt.Sprintf("The following resource(s) failed to delete: [%s]. ", strings.Join(left, ", ")), Save{})
}

// undeletable tells whether the operation tried to delete a resource in vain.
func (r *Run) undeletable(row *Resource) bool {
	return row.Failed && row.Operation == r.op.ID && row.Status == "DELETE_FAILED"
}

// takeDown deletes one resource of a stack that goes, and what is left of its earlier ones.
func (r *Run) takeDown(ctx context.Context, id string) error {
	if r.undeletable(r.row(id)) {
		return errStep
	}
	if err := r.sweep(ctx, id); err != nil {
		return err
	}
	row := r.row(id)
	err := r.remove(ctx, row, row.Snapshot, row.DeletionPolicy)
	switch {
	case err == nil, !errors.Is(err, errHeld) && errors.Is(err, errStep) && r.op.Force:
		return r.drop(ctx, id)
	case errors.Is(err, errHeld), !errors.Is(err, errStep):
		return err
	}
	row.Status, row.Failed, row.Operation = "DELETE_FAILED", true, r.op.ID
	if err := r.save(ctx, row); err != nil {
		return err
	}
	return errStep
}
