package deploy

import (
	"context"
	"maps"
	"slices"
)

// WarningMark begins the reason of an event that warns.
const WarningMark = "Warning: "

// warnings asks the types of the stack's resources what will not work as the stack now stands, and returns an event for each answer. A type that cannot tell
// is no reason for a deploy to fail.
func (r *Run) warnings(ctx context.Context) []Event {
	var events []Event
	for _, id := range slices.Sorted(maps.Keys(r.Target.deps)) {
		row := r.row(id)
		if row == nil || row.PhysicalID == "" {
			continue
		}
		typ, ok := r.Types.Of(row.Type)
		if !ok || typ.Warnings == nil {
			continue
		}
		texts, err := typ.Warnings(ctx, r.call(row, row.PhysicalID, "warnings"))
		if err != nil {
			texts = []string{"it could not be checked: " + err.Error()}
		}
		for _, text := range texts {
			events = append(events, event(row, row.Status, WarningMark+text))
		}
	}
	return events
}
