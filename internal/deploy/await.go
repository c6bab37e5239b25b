package deploy

import (
	"context"
	"slices"
)

// awaiting is the step of a resource that was made and waits for the signals of its creation policy.
const awaiting = "await"

// await waits for the signals of a resource's creation policy, from where it stood before a restart, and records the outcome.
func (r *Run) await(ctx context.Context, row *Resource) error {
	done, failed := "CREATE_COMPLETE", "CREATE_FAILED"
	if row.Previous != nil {
		done, failed = "UPDATE_COMPLETE", "UPDATE_FAILED"
	}
	err := r.Await(ctx, row, r.Target.signals[row.LogicalID], func(uniqueID, status string) error {
		if slices.Contains(row.Heard, uniqueID) {
			return nil
		}
		row.Heard = append(row.Heard, uniqueID)
		return r.save(ctx, row.clone(), event(row, row.Status, "Received "+status+" signal with UniqueId "+uniqueID))
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	row.Step, row.Heard = "", nil
	if err == nil {
		row.Status, row.Reason = done, ""
		return r.save(ctx, row, event(row, done, ""))
	}
	row.Failed, row.Status, row.Reason = true, failed, reason(err)
	if err := r.save(ctx, row, event(row, failed, row.Reason)); err != nil {
		return err
	}
	return errStep
}
