package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// driftKind is the durable work that compares a stack with its template.
const driftKind = "cloudformation.drift"

// maxDetections is how many stacks are compared at a time.
const maxDetections = 16

// driftPage is how many drifts of resources are listed at a time, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResourceDrifts.html.
const driftPage = 100

// detectionRecord is one detection of drift.
type detectionRecord struct {
	ID, StackID, Status, Reason string
	// Drift is the status that the stack got.
	Drift   string
	Drifted int32
	// Only are the logical ids to look at; empty for all.
	Only      []string `json:",omitempty"`
	Started   time.Time
	Principal service.Principal
}

// stackDrift is what the last detection found of a stack.
type stackDrift struct {
	Status    string
	Checked   time.Time
	Detection string
}

// driftRecord is what was found last of a resource.
type driftRecord struct {
	LogicalID, PhysicalID, Type string
	Context                     []cloudformation.PhysicalResourceIdContextKeyValuePair `json:",omitempty"`
	Status, Reason              string
	Expected, Actual            string
	Differences                 []cloudformation.PropertyDifference
	Checked                     time.Time
}

func (s *Service) detectStackDrift(ctx context.Context, in *cloudformation.DetectStackDriftInput) (*cloudformation.DetectStackDriftOutput, error) {
	st, rows, err := s.stackRows(ctx, in.StackName)
	if err == nil {
		err = settled(st)
	}
	if err != nil {
		return nil, err
	}
	for _, id := range in.LogicalResourceIds {
		if !slices.ContainsFunc(rows, func(r *deploy.Resource) bool { return r.LogicalID == id }) {
			return nil, invalid("Resource %s does not exist for stack %s", id, in.StackName)
		}
	}
	id, err := s.uuid()
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	d := detectionRecord{
		ID: id, StackID: st.ID, Status: "DETECTION_IN_PROGRESS", Only: in.LogicalResourceIds, Started: s.Clock.Now(), Principal: service.RequestFrom(ctx).Principal,
	}
	payload, err := json.Marshal(job{p.account, p.region, st.ID, id})
	if err != nil {
		return nil, fmt.Errorf("encode job: %w", err)
	}
	err = s.Store.Update(ctx, func(tx store.Txn) error {
		st, err := lookup(tx, p, st.ID)
		if err == nil {
			err = settled(st)
		}
		if err != nil {
			return err
		}
		before, found, err := record.Get[detectionRecord](tx, p.detection(st.Drift.Detection))
		switch {
		case err != nil:
			return err
		case found && before.Status == d.Status:
			return invalid("Drift detection is already in progress for stack [%s].", st.ID)
		case found:
			tx.Delete(p.detection(before.ID))
		}
		st.Drift.Detection = id
		if err := record.Set(tx, p.stack(st.ID), st); err != nil {
			return err
		}
		if err := record.Set(tx, p.detection(id), d); err != nil {
			return err
		}
		return events.Enqueue(tx, events.Job{Kind: driftKind, Group: st.ID, Payload: payload})
	})
	return &cloudformation.DetectStackDriftOutput{StackDriftDetectionId: id}, err
}

// settled refuses stacks that are being changed, or that have no settled template.
func settled(st *stackRecord) error {
	switch st.Status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE":
		return nil
	}
	return invalid("Drift detection cannot be performed on stack [%s] while in status %s", st.ID, st.Status)
}

// detect carries out a detection.
func (s *Service) detect(ctx context.Context, j events.Job) error {
	var w job
	if err := json.Unmarshal(j.Payload, &w); err != nil {
		return events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	ctx = service.WithRequest(ctx, &service.Request{ID: w.OperationID, API: "cloudformation", Operation: "DetectStackDrift", Account: w.Account, Region: w.Region, Time: s.Clock.Now(), Secure: true})
	p := placeOf(ctx)
	var d detectionRecord
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		d, _, err = record.Get[detectionRecord](r, p.detection(w.OperationID))
		return err
	})
	if err != nil || d.Status != "DETECTION_IN_PROGRESS" {
		return err
	}
	ctx = service.As(ctx, d.Principal)
	st, rows, err := s.stackRows(ctx, d.StackID)
	if err != nil {
		return err
	}
	var found []driftRecord
	for _, row := range rows {
		if len(d.Only) > 0 && !slices.Contains(d.Only, row.LogicalID) || row.PhysicalID == "" || !s.types().Readable(row.Type) {
			continue
		}
		r, err := s.compare(ctx, st, row)
		if err != nil {
			return err
		}
		found = append(found, r)
	}
	return s.Store.Update(ctx, func(tx store.Txn) error { return s.settle(tx, p, d, found) })
}

// settle keeps what a detection found.
func (s *Service) settle(tx store.Txn, p place, d detectionRecord, found []driftRecord) error {
	st, err := lookup(tx, p, d.StackID)
	if err != nil || st.Drift.Detection != d.ID { // the stack was changed meanwhile
		return err
	}
	for _, r := range found {
		if err := record.Set(tx, p.drift(d.StackID, r.LogicalID), r); err != nil {
			return err
		}
	}
	all, err := record.List[driftRecord](tx, p.drifts(d.StackID).Span())
	if err != nil {
		return err
	}
	d.Status, d.Drift = "DETECTION_COMPLETE", "IN_SYNC"
	var unread []string
	for _, r := range all {
		switch r.Status {
		case "MODIFIED", "DELETED":
			d.Drift = "DRIFTED"
			d.Drifted++
		case "UNKNOWN":
			unread = append(unread, r.LogicalID)
		}
	}
	if unread != nil {
		d.Status = "DETECTION_FAILED"
		d.Reason = "Failed to detect drift on resource [" + strings.Join(unread, ", ") + "]"
	}
	tx.OnCommit(func() { s.board.tell(d.ID) })
	st.Drift = stackDrift{Status: d.Drift, Checked: s.Clock.Now(), Detection: d.ID}
	if err := record.Set(tx, p.stack(st.ID), st); err != nil {
		return err
	}
	return record.Set(tx, p.detection(d.ID), d)
}

// compare compares one resource with its template. What cannot be read becomes a status, and only a failure of this process an error.
func (s *Service) compare(ctx context.Context, st *stackRecord, row *deploy.Resource) (driftRecord, error) {
	r := driftRecord{LogicalID: row.LogicalID, PhysicalID: row.PhysicalID, Type: row.Type, Checked: s.Clock.Now(), Status: "IN_SYNC"}
	typ, _ := s.types().Of(row.Type)
	for i, part := range s.types().Identify(row.Type, row.Snapshot) {
		if len(typ.Identifier) > 1 && part != row.PhysicalID {
			r.Context = append(r.Context, cloudformation.PhysicalResourceIdContextKeyValuePair{Key: typ.Identifier[i], Value: part})
		}
	}
	stack, err := s.deployStack(st.ID, st.Name, st.Tags)
	if err != nil {
		return r, err
	}
	reader := deploy.Reader{Types: s.types(), Stack: stack, Dynamic: s.dynamic}
	c, err := reader.Compare(ctx, row)
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	var refused *service.Error
	switch {
	case errors.Is(err, service.ErrGone):
		r.Status = cloudformation.StackResourceDriftStatusDeleted
	case errors.As(err, &refused):
		r.Status, r.Reason = cloudformation.StackResourceDriftStatusUnknown, refused.Message
	case err != nil:
		return r, fmt.Errorf("read %s: %w", row.LogicalID, err)
	case len(c.Drift) > 0:
		r.Status = cloudformation.StackResourceDriftStatusModified
	}
	if c == nil {
		return r, nil
	}
	mask := func(v any) any { return masked(v, st.Parameters) }
	if r.Expected, err = jsonText(mask(c.Expected)); err == nil && c.Actual != nil {
		r.Actual, err = jsonText(mask(c.Actual))
	}
	for _, d := range c.Drift {
		r.Differences = append(r.Differences, cloudformation.PropertyDifference{
			PropertyPath: d.Path, DifferenceType: d.Kind, ExpectedValue: driftText(mask(d.Expected)), ActualValue: driftText(mask(d.Actual)),
		})
	}
	return r, err
}

func jsonText(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// driftText returns a value of a difference: a scalar as it is, anything else as JSON, and "null" where there is none.
func driftText(v any) string {
	if v == nil {
		return "null"
	}
	if text, ok := property.Text(v); ok {
		return text
	}
	text, err := jsonText(v)
	if err != nil {
		return err.Error()
	}
	return text
}

// shape returns the record as the API shows it.
func (r *driftRecord) shape(stackID string) cloudformation.StackResourceDrift {
	d := cloudformation.StackResourceDrift{
		StackId: stackID, LogicalResourceId: r.LogicalID, PhysicalResourceId: optional(r.PhysicalID), PhysicalResourceIdContext: r.Context, ResourceType: r.Type,
		ExpectedProperties: optional(r.Expected), ActualProperties: optional(r.Actual), PropertyDifferences: r.Differences, StackResourceDriftStatus: r.Status,
		Timestamp: r.Checked, DriftStatusReason: optional(r.Reason),
	}
	if d.PropertyDifferences == nil && r.Status != "DELETED" {
		d.PropertyDifferences = []cloudformation.PropertyDifference{}
	}
	return d
}

func (s *Service) detectStackResourceDrift(ctx context.Context, in *cloudformation.DetectStackResourceDriftInput) (*cloudformation.DetectStackResourceDriftOutput, error) {
	st, rows, err := s.stackRows(ctx, in.StackName)
	if err == nil {
		err = settled(st)
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(r *deploy.Resource) bool { return r.LogicalID == in.LogicalResourceId })
	if i < 0 {
		return nil, invalid("Resource %s does not exist for stack %s", in.LogicalResourceId, in.StackName)
	}
	if !s.types().Readable(rows[i].Type) {
		return nil, invalid("Drift detection is not supported on resource type %s", rows[i].Type)
	}
	r, err := s.compare(ctx, st, rows[i])
	if err != nil {
		return nil, err
	}
	if r.Status == "UNKNOWN" {
		return nil, invalid("Failed to detect drift on resource [%s]: %s", r.LogicalID, r.Reason)
	}
	p := placeOf(ctx)
	err = s.Store.Update(ctx, func(tx store.Txn) error { return record.Set(tx, p.drift(st.ID, r.LogicalID), r) })
	shown := r.shape(st.ID)
	return &cloudformation.DetectStackResourceDriftOutput{StackResourceDrift: &shown}, err
}

func (s *Service) describeStackDriftDetectionStatus(
	ctx context.Context, in *cloudformation.DescribeStackDriftDetectionStatusInput,
) (*cloudformation.DescribeStackDriftDetectionStatusOutput, error) {
	var d detectionRecord
	err := s.Store.View(ctx, func(r store.Reader) error {
		var found bool
		var err error
		if d, found, err = record.Get[detectionRecord](r, placeOf(ctx).detection(in.StackDriftDetectionId)); err == nil && !found {
			err = invalid("DriftDetectionId [%s] not found", in.StackDriftDetectionId)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeStackDriftDetectionStatusOutput{
		StackId: d.StackID, StackDriftDetectionId: d.ID, StackDriftStatus: d.Drift, DetectionStatus: d.Status, DetectionStatusReason: optional(d.Reason), Timestamp: d.Started,
	}
	if d.Status != "DETECTION_IN_PROGRESS" {
		out.DriftedStackResourceCount = &d.Drifted
	}
	return out, nil
}

func (s *Service) describeStackResourceDrifts(ctx context.Context, in *cloudformation.DescribeStackResourceDriftsInput) (*cloudformation.DescribeStackResourceDriftsOutput, error) {
	st, err := s.findStack(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	limit := driftPage
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &cloudformation.DescribeStackResourceDriftsOutput{}
	err = s.Store.View(ctx, func(r store.Reader) error {
		out.StackResourceDrifts, out.NextToken = []cloudformation.StackResourceDrift{}, nil
		all, err := record.List[driftRecord](r, placeOf(ctx).drifts(st.ID).Span())
		for i := range all {
			d := &all[i]
			if len(in.StackResourceDriftStatusFilters) > 0 && !slices.Contains(in.StackResourceDriftStatusFilters, d.Status) || d.LogicalID <= deref(in.NextToken) {
				continue
			}
			if len(out.StackResourceDrifts) == limit {
				out.NextToken = ptr(out.StackResourceDrifts[limit-1].LogicalResourceId)
				break
			}
			out.StackResourceDrifts = append(out.StackResourceDrifts, d.shape(st.ID))
		}
		return err
	})
	return out, err
}

// drift returns what the last detection found of a stack.
func (st *stackRecord) drift() *cloudformation.StackDriftInformation {
	if st.Drift.Status == "" {
		return &cloudformation.StackDriftInformation{StackDriftStatus: "NOT_CHECKED"}
	}
	return &cloudformation.StackDriftInformation{StackDriftStatus: st.Drift.Status, LastCheckTimestamp: ptr(st.Drift.Checked)}
}

// resourceDrifts returns what is known of the resources of a stack, by logical id.
func (s *Service) resourceDrifts(ctx context.Context, stackID string) (func(logicalID string) cloudformation.StackResourceDriftInformation, error) {
	known := map[string]driftRecord{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		clear(known)
		all, err := record.List[driftRecord](r, placeOf(ctx).drifts(stackID).Span())
		for _, d := range all {
			known[d.LogicalID] = d
		}
		return err
	})
	return func(logicalID string) cloudformation.StackResourceDriftInformation {
		d, found := known[logicalID]
		if !found {
			return cloudformation.StackResourceDriftInformation{StackResourceDriftStatus: "NOT_CHECKED"}
		}
		return cloudformation.StackResourceDriftInformation{StackResourceDriftStatus: d.Status, LastCheckTimestamp: &d.Checked}
	}, err
}

// forgetDrift drops what was found of a stack that is changed now.
func (st *stackRecord) forgetDrift(tx store.Txn, p place) {
	if st.Drift == (stackDrift{}) {
		return
	}
	span := p.drifts(st.ID).Span()
	tx.DeleteRange(span.Lo, span.Hi)
	tx.Delete(p.detection(st.Drift.Detection))
	st.Drift = stackDrift{}
}
