package cloudformation

import (
	"context"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (s *Service) detectStackSetDrift(ctx context.Context, in *cloudformation.DetectStackSetDriftInput) (*cloudformation.DetectStackSetDriftOutput, error) {
	id, err := s.operate(ctx, setCall{
		name: in.StackSetName, callAs: in.CallAs, id: in.OperationId, action: cloudformation.StackSetOperationActionDetectDrift, preferences: in.OperationPreferences, all: true,
		change: func(_ store.Txn, _ place, set *stackSetRecord) error {
			set.Drift.Detection = cloudformation.StackSetDriftDetectionStatusInProgress
			return nil
		},
	})
	return &cloudformation.DetectStackSetDriftOutput{OperationId: &id}, err
}

// detect compares one stack with its template.
func (run *setRun) detect(ctx context.Context, i *instanceRecord) error {
	if i.StackID == "" {
		return failStep("The stack does not exist.")
	}
	out, err := service.Call[cloudformation.DetectStackDriftOutput](ctx, run.s.Door, "cloudformation", "DetectStackDrift", &cloudformation.DetectStackDriftInput{StackName: i.StackID})
	var id string
	switch {
	case err == nil:
		id = out.StackDriftDetectionId
	case strings.Contains(err.Error(), "already in progress"): // begun before a restart, or by somebody else
		st, err := run.s.findStack(ctx, i.StackID)
		if err != nil {
			return failed(err)
		}
		id = st.Drift.Detection
	default:
		return failed(err)
	}
	d, err := run.s.detected(ctx, id)
	if err != nil {
		return failed(err)
	}
	i.Drift, i.Checked = d.Drift, run.s.Clock.Now()
	if d.Status == "DETECTION_FAILED" {
		return failStep("%s", d.Reason)
	}
	return nil
}

// detected waits for the end of a detection of drift. One that a change of the stack overtook is gone.
func (s *Service) detected(ctx context.Context, id string) (detectionRecord, error) {
	told, stop := s.board.watch(id)
	defer stop()
	for {
		var d detectionRecord
		err := s.Store.View(ctx, func(r store.Reader) error {
			var found bool
			var err error
			if d, found, err = record.Get[detectionRecord](r, placeOf(ctx).detection(id)); err == nil && !found {
				err = invalid("The stack was changed while its drift was detected.")
			}
			return err
		})
		if err != nil || d.Status != "DETECTION_IN_PROGRESS" {
			return d, err
		}
		select {
		case <-told:
		case <-ctx.Done():
			return d, ctx.Err()
		}
	}
}

// drifted notes on the operation and on the stack set what a detection found.
func (run *setRun) drifted(tx store.Txn, op *setOperationRecord) error {
	set, _, err := record.Get[stackSetRecord](tx, run.p.set(run.set.ID))
	if err != nil {
		return err
	}
	all, err := record.List[instanceRecord](tx, run.p.instances(set.ID).Span())
	if err != nil {
		return err
	}
	d := setDrift{Status: cloudformation.StackSetDriftStatusInSync, Detection: cloudformation.StackSetDriftDetectionStatusCompleted, Checked: op.Ended, Total: int32(len(all)), Failed: op.Failed}
	for _, i := range all {
		switch i.Drift {
		case "DRIFTED":
			d.Drifted, d.Status = d.Drifted+1, cloudformation.StackSetDriftStatusDrifted
		case "IN_SYNC":
			d.InSync++
		}
	}
	switch {
	case op.Status == cloudformation.StackSetOperationStatusStopped:
		d.Detection = cloudformation.StackSetDriftDetectionStatusStopped
	case op.Status == cloudformation.StackSetOperationStatusFailed:
		d.Detection = cloudformation.StackSetDriftDetectionStatusFailed
	case op.Failed > 0:
		d.Detection = cloudformation.StackSetDriftDetectionStatusPartialSuccess
	}
	op.Drift, set.Drift = &d, d
	return record.Set(tx, run.p.set(set.ID), set)
}

func (d setDrift) status() string {
	if d.Status == "" {
		return cloudformation.StackSetDriftStatusNotChecked
	}
	return d.Status
}

func (d setDrift) shape() *cloudformation.StackSetDriftDetectionDetails {
	out := &cloudformation.StackSetDriftDetectionDetails{
		DriftStatus: d.status(), DriftDetectionStatus: d.Detection, TotalStackInstancesCount: &d.Total, DriftedStackInstancesCount: &d.Drifted, InSyncStackInstancesCount: &d.InSync,
		InProgressStackInstancesCount: &d.InProgress, FailedStackInstancesCount: &d.Failed,
	}
	if d.Detection == "" {
		return &cloudformation.StackSetDriftDetectionDetails{DriftStatus: d.status()}
	}
	if !d.Checked.IsZero() {
		out.LastDriftCheckTimestamp = &d.Checked
	}
	return out
}

func (s *Service) listStackInstanceResourceDrifts(ctx context.Context, in *cloudformation.ListStackInstanceResourceDriftsInput) (*cloudformation.ListStackInstanceResourceDriftsOutput, error) {
	t := setTarget{in.StackInstanceAccount, in.StackInstanceRegion}
	_, i, err := s.findInstance(ctx, in.StackSetName, t, in.CallAs)
	if err != nil {
		return nil, err
	}
	if _, _, err := s.findSetOperation(ctx, in.StackSetName, in.OperationId, in.CallAs); err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackInstanceResourceDriftsOutput{Summaries: []cloudformation.StackInstanceResourceDriftsSummary{}}
	out.NextToken, err = page(ctx, s, placeOf(inPlace(ctx, t)).drifts(i.StackID), in.NextToken, in.MaxResults, func(d driftRecord) bool {
		if len(in.StackInstanceResourceDriftStatuses) > 0 && !slices.Contains(in.StackInstanceResourceDriftStatuses, d.Status) {
			return false
		}
		shown := d.shape(i.StackID)
		out.Summaries = append(out.Summaries, cloudformation.StackInstanceResourceDriftsSummary{
			StackId: shown.StackId, LogicalResourceId: shown.LogicalResourceId, PhysicalResourceId: shown.PhysicalResourceId, PhysicalResourceIdContext: shown.PhysicalResourceIdContext,
			ResourceType: shown.ResourceType, PropertyDifferences: shown.PropertyDifferences, StackResourceDriftStatus: shown.StackResourceDriftStatus, Timestamp: shown.Timestamp,
		})
		return true
	})
	return out, err
}
