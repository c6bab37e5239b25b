package cloudformation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// setKind is the durable work that carries out an operation on a stack set.
const setKind = "cloudformation.stackset"

const (
	// maxSetTargets is how many stacks one operation works on: what fits into one transaction.
	maxSetTargets = 2000
	// keptOperations is how many operations of a stack set are remembered.
	keptOperations = 200
	// setPage is how many elements a page of a list has unless the call says otherwise.
	setPage = 100
)

// setTarget is where a stack of a stack set is.
type setTarget struct{ Account, Region string }

// setOperationRecord is an operation on the stacks of a stack set.
type setOperationRecord struct {
	ID, SetID, Action, Status, Reason string
	Preferences                       *cloudformation.StackSetOperationPreferences
	// Regions are in the order in which they are worked on.
	Regions []string
	// Retain leaves the stacks of a DELETE as they are.
	Retain bool
	// AdminRole and ExecutionRole are those of the stack set when the operation was asked for.
	AdminRole, ExecutionRole string
	Created                  time.Time
	Ended                    time.Time
	Failed                   int32
	// Drift is what a DETECT_DRIFT found.
	Drift *setDrift `json:",omitempty"`
}

// active tells that the operation has not ended.
func (o *setOperationRecord) active() bool { return o.Ended.IsZero() }

// setResultRecord is what became of one stack in an operation. It is the step of the operation's journal: saved before the stack is touched, and again after.
type setResultRecord struct {
	setTarget
	Status, Reason string
	// Stack is the name of the stack that a CREATE makes, so that it is found again after a crash.
	Stack string
	// Import is the stack that becomes an instance.
	Import string `json:",omitempty"`
}

// setCall asks for an operation.
type setCall struct {
	name, callAs      string
	id                *string
	action            string
	accounts, regions []string
	targets           *cloudformation.DeploymentTargets
	preferences       *cloudformation.StackSetOperationPreferences
	retain            bool
	// all works on every instance; must refuses what is no instance, and otherwise it is made one; present leaves out what is none.
	all, must, present bool
	// overrides, when not nil, become the values of parameters that the instances have otherwise.
	overrides *overrides
	// imports are stacks by where they are.
	imports map[setTarget]string
	// change, when not nil, is made of the stack set first.
	change func(tx store.Txn, p place, set *stackSetRecord) error
}

// operate makes an operation durable and returns its id.
func (s *Service) operate(ctx context.Context, q setCall) (string, error) {
	if err := checkCaller(q.callAs); err != nil {
		return "", err
	}
	if q.targets != nil {
		return "", invalid("DeploymentTargets can only be used with stack sets of the SERVICE_MANAGED permission model, which needs AWS Organizations. Use Accounts.")
	}
	if err := checkPreferences(q.preferences, q.regions); err != nil {
		return "", err
	}
	id := deref(q.id)
	if id == "" {
		var err error
		if id, err = s.uuid(); err != nil {
			return "", err
		}
	}
	p := placeOf(ctx)
	return id, s.Store.Update(ctx, func(tx store.Txn) error {
		set, err := liveSet(tx, p, q.name)
		if err != nil {
			return err
		}
		op := setOperationRecord{
			ID: id, SetID: set.ID, Action: q.action, Status: cloudformation.StackSetOperationStatusRunning, Preferences: q.preferences, Retain: q.retain, Created: s.Clock.Now(),
		}
		if err := admit(tx, p, set, &op); err != nil {
			return err
		}
		if q.change != nil {
			if err := q.change(tx, p, set); err != nil {
				return err
			}
		}
		op.AdminRole, op.ExecutionRole = set.adminRole(p), set.ExecutionRole
		if op.Regions, err = s.begun(tx, p, set, &op, q); err != nil {
			return err
		}
		if err := record.Set(tx, p.set(set.ID), set); err != nil {
			return err
		}
		if err := record.Set(tx, p.setOperation(set.ID, id), op); err != nil {
			return err
		}
		payload, err := json.Marshal(job{p.account, p.region, set.ID, id})
		if err != nil {
			return fmt.Errorf("encode job: %w", err)
		}
		return events.Enqueue(tx, events.Job{Kind: setKind, Group: set.ID, Payload: payload})
	})
}

// admit refuses an operation beside another, unless the stack set is managed: then it waits for its turn. Old operations are forgotten.
func admit(tx store.Txn, p place, set *stackSetRecord, op *setOperationRecord) error {
	all, err := record.List[setOperationRecord](tx, p.setOperations(set.ID).Span())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(o setOperationRecord) bool { return o.ID == op.ID }) {
		return service.Errorf("OperationIdAlreadyExistsException", "Operation with id %s already exists", op.ID).WithStatus(409)
	}
	if slices.ContainsFunc(all, func(o setOperationRecord) bool { return o.active() }) {
		if !set.Managed {
			return idle(tx, p, set)
		}
		op.Status = cloudformation.StackSetOperationStatusQueued
	}
	order.Sort(all, func(a, b setOperationRecord) int { return a.Created.Compare(b.Created) })
	for i := 0; i <= len(all)-keptOperations; i++ {
		if all[i].active() {
			continue
		}
		tx.Delete(p.setOperation(set.ID, all[i].ID))
		span := p.setResults(set.ID, all[i].ID).Span()
		tx.DeleteRange(span.Lo, span.Hi)
	}
	return nil
}

// idle refuses what cannot be done while an operation goes on.
func idle(r store.Reader, p place, set *stackSetRecord) error {
	for row, err := range record.Range[setOperationRecord](r, p.setOperations(set.ID).Span()) {
		if err != nil {
			return err
		}
		if row.Value.active() {
			return service.Errorf("OperationInProgressException", "Another Operation on StackSet %s is in progress: %s", set.arn(p), row.Value.ID).WithStatus(409)
		}
	}
	return nil
}

// begun writes the rows of an operation's targets and returns their regions in order.
func (s *Service) begun(tx store.Txn, p place, set *stackSetRecord, op *setOperationRecord, q setCall) ([]string, error) {
	targets, err := targetsOf(tx, p, set, q)
	if err != nil {
		return nil, err
	}
	var regions []string
	for _, t := range targets {
		i, found, err := record.Get[instanceRecord](tx, p.instance(set.ID, t))
		switch {
		case err != nil:
			return nil, err
		case !found && q.must:
			return nil, noInstance(set.Name, t)
		case !found && q.present, q.all && i.Status == cloudformation.StackInstanceStatusInoperable:
			continue
		}
		id, err := s.uuid()
		if err != nil {
			return nil, err
		}
		i.setTarget, i.Operation, i.Detailed, i.Reason = t, op.ID, cloudformation.StackInstanceDetailedStatusPending, ""
		if !found || op.Action == cloudformation.StackSetOperationActionUpdate {
			i.Status = cloudformation.StackInstanceStatusOutdated
		}
		if err := q.overrides.apply(tx, p, set, &i); err != nil {
			return nil, err
		}
		if err := record.Set(tx, p.instance(set.ID, t), i); err != nil {
			return nil, err
		}
		result := setResultRecord{setTarget: t, Status: cloudformation.StackSetOperationResultStatusPending, Stack: stackName(set.Name, id), Import: q.imports[t]}
		if err := record.Set(tx, p.setResult(set.ID, op.ID, t), result); err != nil {
			return nil, err
		}
		if !slices.Contains(regions, t.Region) {
			regions = append(regions, t.Region)
		}
	}
	return inOrder(regions, q.preferences), nil
}

// stackName is the name of a stack of a stack set; names of stacks have 128 characters at most.
func stackName(set, id string) string {
	const fixed = len("StackSet--") + 36
	return "StackSet-" + set[:min(len(set), 128-fixed)] + "-" + id
}

// targetsOf returns what an operation works on.
func targetsOf(r store.Reader, p place, set *stackSetRecord, q setCall) ([]setTarget, error) {
	var out []setTarget
	if q.all {
		all, err := record.List[instanceRecord](r, p.instances(set.ID).Span())
		for _, i := range all {
			out = append(out, i.setTarget)
		}
		if err != nil {
			return nil, err
		}
	}
	for t := range q.imports {
		out = append(out, t)
	}
	for _, region := range q.regions {
		for _, account := range q.accounts {
			if t := (setTarget{account, region}); !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	if len(out) > maxSetTargets {
		return nil, service.Errorf("LimitExceededException", "An operation of Lambent works on %d stacks at most, and this one names %d. Name fewer accounts or regions.", maxSetTargets, len(out)).WithStatus(400)
	}
	return out, nil
}

// inOrder puts regions in the order that the preferences name; the others follow as they are.
func inOrder(regions []string, c *cloudformation.StackSetOperationPreferences) []string {
	if c == nil {
		return regions
	}
	rank := func(r string) int {
		if i := slices.Index(c.RegionOrder, r); i >= 0 {
			return i
		}
		return len(c.RegionOrder)
	}
	return slices.SortedStableFunc(slices.Values(regions), func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
}

// checkPreferences refuses preferences that contradict one another, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackSetOperationPreferences.html.
func checkPreferences(c *cloudformation.StackSetOperationPreferences, regions []string) error {
	switch {
	case c == nil:
		return nil
	case c.FailureToleranceCount != nil && c.FailureTolerancePercentage != nil:
		return invalid("You can specify either FailureToleranceCount or FailureTolerancePercentage, but not both.")
	case c.MaxConcurrentCount != nil && c.MaxConcurrentPercentage != nil:
		return invalid("You can specify either MaxConcurrentCount or MaxConcurrentPercentage, but not both.")
	}
	for _, r := range c.RegionOrder {
		if len(regions) > 0 && !slices.Contains(regions, r) {
			return invalid("Region order contains %s, which is not a region of the operation.", r)
		}
	}
	return nil
}

// findSetOperation reads an operation of a stack set.
func (s *Service) findSetOperation(ctx context.Context, name, id, as string) (set *stackSetRecord, op setOperationRecord, err error) {
	if set, err = s.readSet(ctx, name, as); err != nil {
		return nil, op, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		var found bool
		op, found, err = record.Get[setOperationRecord](r, placeOf(ctx).setOperation(set.ID, id))
		if err == nil && !found {
			err = noSetOperation(id)
		}
		return err
	})
	return set, op, err
}

func (s *Service) describeStackSetOperation(ctx context.Context, in *cloudformation.DescribeStackSetOperationInput) (*cloudformation.DescribeStackSetOperationOutput, error) {
	set, op, err := s.findSetOperation(ctx, in.StackSetName, in.OperationId, in.CallAs)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.StackSetOperation{
		OperationId: &op.ID, StackSetId: &set.ID, Action: op.Action, Status: op.Status, StatusReason: optional(op.Reason), OperationPreferences: op.preferences(),
		AdministrationRoleARN: &op.AdminRole, ExecutionRoleName: &op.ExecutionRole, CreationTimestamp: &op.Created, EndTimestamp: op.ended(), StatusDetails: op.details(),
	}
	if op.Action == cloudformation.StackSetOperationActionDelete {
		out.RetainStacks = &op.Retain
	}
	if op.Drift != nil {
		out.StackSetDriftDetectionDetails = op.Drift.shape()
	}
	return &cloudformation.DescribeStackSetOperationOutput{StackSetOperation: out}, nil
}

// preferences are those of the operation as they are shown, with the order of its regions.
func (o *setOperationRecord) preferences() *cloudformation.StackSetOperationPreferences {
	c := cloudformation.StackSetOperationPreferences{}
	if o.Preferences != nil {
		c = *o.Preferences
	}
	c.RegionOrder = slices.Clone(o.Regions)
	if c.RegionOrder == nil {
		c.RegionOrder = []string{}
	}
	return &c
}

func (o *setOperationRecord) ended() *time.Time {
	if o.active() {
		return nil
	}
	return &o.Ended
}

func (o *setOperationRecord) details() *cloudformation.StackSetOperationStatusDetails {
	if o.active() {
		return nil
	}
	return &cloudformation.StackSetOperationStatusDetails{FailedStackInstancesCount: &o.Failed}
}

func (s *Service) listStackSetOperations(ctx context.Context, in *cloudformation.ListStackSetOperationsInput) (*cloudformation.ListStackSetOperationsOutput, error) {
	set, err := s.readSet(ctx, in.StackSetName, in.CallAs)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackSetOperationsOutput{Summaries: []cloudformation.StackSetOperationSummary{}}
	return out, s.Store.View(ctx, func(r store.Reader) error {
		all, err := record.List[setOperationRecord](r, placeOf(ctx).setOperations(set.ID).Span())
		if err != nil {
			return err
		}
		order.Sort(all, func(a, b setOperationRecord) int { return b.Created.Compare(a.Created) })
		from := 0
		if in.NextToken != nil { // the operation that the page before ended with
			from = 1 + slices.IndexFunc(all, func(o setOperationRecord) bool { return o.ID == *in.NextToken })
			if from == 0 {
				return invalid("NextToken is not valid.")
			}
		}
		for i := from; i < len(all); i++ {
			o := &all[i]
			if len(out.Summaries) == pageSize(in.MaxResults) {
				out.NextToken = &all[i-1].ID
				return nil
			}
			out.Summaries = append(out.Summaries, cloudformation.StackSetOperationSummary{
				OperationId: &o.ID, Action: o.Action, Status: o.Status, StatusReason: optional(o.Reason), CreationTimestamp: &o.Created, EndTimestamp: o.ended(), StatusDetails: o.details(),
				OperationPreferences: o.preferences(),
			})
		}
		return nil
	})
}

func (s *Service) listStackSetOperationResults(ctx context.Context, in *cloudformation.ListStackSetOperationResultsInput) (*cloudformation.ListStackSetOperationResultsOutput, error) {
	set, op, err := s.findSetOperation(ctx, in.StackSetName, in.OperationId, in.CallAs)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackSetOperationResultsOutput{Summaries: []cloudformation.StackSetOperationResultSummary{}}
	out.NextToken, err = page(ctx, s, placeOf(ctx).setResults(set.ID, op.ID), in.NextToken, in.MaxResults, func(v setResultRecord) bool {
		for _, f := range in.Filters { // the only filter is OPERATION_RESULT_STATUS
			if f.Values != nil && *f.Values != v.Status {
				return false
			}
		}
		out.Summaries = append(out.Summaries, cloudformation.StackSetOperationResultSummary{
			Account: &v.Account, Region: &v.Region, Status: v.Status, StatusReason: optional(v.Reason),
			AccountGateResult: &cloudformation.AccountGateResult{Status: cloudformation.AccountGateStatusSkipped, StatusReason: ptr(noGate(v.setTarget))},
		})
		return true
	})
	return out, err
}

// noGate says why no function was asked whether an operation may begin in an account: this platform does not ask one.
func noGate(t setTarget) string {
	return "Function not found: arn:aws:lambda:" + t.Region + ":" + t.Account + ":function:AWSCloudFormationStackSetAccountGate"
}

func (s *Service) stopStackSetOperation(ctx context.Context, in *cloudformation.StopStackSetOperationInput) (*cloudformation.StopStackSetOperationOutput, error) {
	set, _, err := s.findSetOperation(ctx, in.StackSetName, in.OperationId, in.CallAs)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	return &cloudformation.StopStackSetOperationOutput{}, s.Store.Update(ctx, func(tx store.Txn) error {
		op, _, err := record.Get[setOperationRecord](tx, p.setOperation(set.ID, in.OperationId))
		if err != nil {
			return err
		}
		if !op.active() {
			return badOperation("Operation %s is in status %s and cannot be stopped", op.ID, op.Status)
		}
		op.Status = cloudformation.StackSetOperationStatusStopping
		return record.Set(tx, p.setOperation(set.ID, op.ID), op)
	})
}

func pageSize(limit *int32) int {
	if limit == nil {
		return setPage
	}
	return int(*limit)
}

// page is [record.PageRows] with the errors of the API.
func page[T any](ctx context.Context, s *Service, prefix key.Key, token *string, limit *int32, keep func(v T) bool) (*string, error) {
	next, err := record.PageRows(ctx, s.Store, prefix, record.Paging{Token: token, Limit: pageSize(limit)}, func(_ []byte, v T) bool { return keep(v) })
	if errors.Is(err, record.ErrToken) {
		err = invalid("NextToken is not valid.")
	}
	return next, err
}
