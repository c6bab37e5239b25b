package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// liveRecord is what a change set that puts back drift found of a resource.
type liveRecord struct {
	// Status is the resource's drift, and Checked when it was read.
	Status  string
	Checked time.Time
	// Previous are the properties of the last deployment, as JSON.
	Previous string
	Drift    []property.Drift `json:",omitempty"`
}

// readLive reads the resources of a stack, as whoever will deploy it, and makes the rows what they are: the plan then compares that with the template. stack is nil for a new one.
func (s *Service) readLive(ctx context.Context, p *proposal, stack *stackRecord, rows map[string]*deploy.Resource) error {
	p.live, p.deployment.Actual = map[string]liveRecord{}, map[string]map[string]any{}
	if stack == nil {
		return nil
	}
	ctx, err := s.reading(ctx, p)
	if err != nil {
		return err
	}
	as, err := s.deployStack(stack.ID, stack.Name, stack.Tags)
	if err != nil {
		return err
	}
	reader := deploy.Reader{Types: s.types(), Stack: as, Dynamic: s.dynamic}
	mask := func(v any) any { return masked(v, stack.Parameters) }
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		row := rows[id]
		if row.PhysicalID == "" {
			continue
		}
		previous, err := jsonText(map[string]any{"Properties": mask(row.Properties)})
		if err != nil {
			return err
		}
		found := liveRecord{Status: cloudformation.StackResourceDriftStatusUnsupported, Checked: s.Clock.Now(), Previous: previous}
		if s.types().Readable(row.Type) {
			live, err := reader.Live(ctx, row)
			if found.Status, err = driftOf(live, err); err != nil {
				return fmt.Errorf("read %s: %w", id, err)
			}
			if live != nil {
				rows[id], found.Drift = live.Row, live.Drift
				p.deployment.note(id, live)
			}
		}
		p.live[id] = found
	}
	return nil
}

// driftOf returns the drift of what was read; a refusal leaves it unknown.
func driftOf(live *deploy.Live, err error) (string, error) {
	var refused *service.Error
	switch {
	case errors.As(err, &refused):
		return cloudformation.StackResourceDriftStatusUnknown, nil
	case err != nil:
		return "", err
	case live.Row.PhysicalID == "":
		return cloudformation.StackResourceDriftStatusDeleted, nil
	case len(live.Drift) > 0:
		return cloudformation.StackResourceDriftStatusModified, nil
	}
	return cloudformation.StackResourceDriftStatusInSync, nil
}

// note keeps what a deployment has to know of a resource that is not as it was deployed.
func (d *deployment) note(id string, live *deploy.Live) {
	switch {
	case live.Row.PhysicalID == "":
		d.Lost = append(d.Lost, id)
	case len(live.Drift) > 0:
		d.Actual[id] = live.Row.Properties
	}
}

// takeOver makes the rows of a stack what its change set found. What the operation does, and what its rollback goes back to, is then based on the resources as they are.
func (d *deployment) takeOver(tx store.Txn, p place, stackID string) error {
	for _, id := range append(slices.Sorted(maps.Keys(d.Actual)), d.Lost...) {
		row, found, err := record.Get[deploy.Resource](tx, p.resource(stackID, id))
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if actual, has := d.Actual[id]; has {
			row.Properties = actual
		} else {
			row.PhysicalID, row.Ref, row.Attributes = "", "", nil
		}
		if err := record.Set(tx, p.resource(stackID, id), row); err != nil {
			return err
		}
	}
	return nil
}

// sync adds to the plan the resources that have become what the template says by a change beside the stack: nothing is done to them but that it is noted.
func (p *proposal) sync(rows map[string]*deploy.Resource) {
	for _, id := range slices.Sorted(maps.Keys(p.deployment.Actual)) {
		if !slices.ContainsFunc(p.plan.Changes, func(c deploy.Change) bool { return c.LogicalID == id }) {
			p.plan.Changes = append(p.plan.Changes, deploy.Change{
				Action: deploy.Sync, LogicalID: id, PhysicalID: rows[id].PhysicalID, Type: rows[id].Type, Before: rows[id].Properties, After: rows[id].Properties, Scope: []string{"Properties"},
			})
		}
	}
}

// stackDriftOf tells whether a stack had drifted.
func stackDriftOf(live map[string]liveRecord) string {
	status := cloudformation.StackDriftStatusInSync
	for _, l := range live {
		switch l.Status {
		case cloudformation.StackResourceDriftStatusModified, cloudformation.StackResourceDriftStatusDeleted:
			return cloudformation.StackDriftStatusDrifted
		case cloudformation.StackResourceDriftStatusUnknown:
			status = cloudformation.StackDriftStatusUnknown
		}
	}
	return status
}

// showLive adds to a change what was found of its resource; values tells whether the values of properties are shown.
func (c *changeSetRecord) showLive(change deploy.Change, shown *cloudformation.ResourceChange, secrets []parameterRecord, values bool) {
	l, found := c.Live[change.LogicalID]
	if !found { // a resource that the change set makes
		return
	}
	shown.ResourceDriftStatus = l.Status
	if !values {
		return
	}
	if l.Previous != "" {
		shown.PreviousDeploymentContext = &l.Previous
	}
	mask := func(v any) any { return masked(v, secrets) }
	for i := range shown.Details {
		d := &shown.Details[i]
		if d.Target.Attribute != "Properties" {
			continue
		}
		d.Target.BeforeValueFrom, d.Target.AfterValueFrom = cloudformation.BeforeValueFromPreviousDeploymentState, cloudformation.AfterValueFromTemplate
		path := strings.TrimPrefix(deref(d.Target.Path), "/Properties")
		for _, drift := range l.Drift {
			if drift.Path != path && !strings.HasPrefix(drift.Path, path+"/") && !strings.HasPrefix(path, drift.Path+"/") {
				continue
			}
			d.Target.BeforeValueFrom = cloudformation.BeforeValueFromActualState
			d.Target.Drift = &cloudformation.LiveResourceDrift{PreviousValue: ptr(driftText(mask(drift.Expected))), ActualValue: ptr(driftText(mask(drift.Actual))), DriftDetectionTimestamp: &l.Checked}
			if property.Equal(drift.Expected, valueOf(change, drift.Path)) {
				d.ChangeSource = cloudformation.ChangeSourceNoModification
			}
		}
	}
}

// valueOf returns what a change makes of the property at a path without lists.
func valueOf(c deploy.Change, path string) any {
	var v any = c.After
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}
