package cloudformation

import (
	"context"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// instanceRecord is a stack of a stack set in one account and region, or the wish for it.
type instanceRecord struct {
	setTarget
	// StackID is empty until the stack was made.
	StackID string
	// Overrides are the values of parameters that this stack has otherwise than its stack set.
	Overrides []parameterRecord
	// Status tells whether the stack is as its stack set says, Detailed what became of it in its last operation.
	Status, Detailed, Reason string
	Operation                string
	Drift                    string
	Checked                  time.Time
}

// overrides are the ParameterOverrides of a call.
type overrides struct{ given []cloudformation.Parameter }

// apply gives an instance its values.
func (o *overrides) apply(r store.Reader, p place, set *stackSetRecord, i *instanceRecord) error {
	if o == nil {
		return nil
	}
	text, err := r.Get(p.template(set.TemplateID, "Original"))
	if err != nil {
		return err
	}
	i.Overrides, err = setParameters(string(text), o.given, i.Overrides, set.Parameters)
	return err
}

// outdate notes that the stacks are no longer as their stack set says.
func outdate(tx store.Txn, p place, set *stackSetRecord) error {
	all, err := record.List[instanceRecord](tx, p.instances(set.ID).Span())
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Status == cloudformation.StackInstanceStatusInoperable {
			continue
		}
		i.Status = cloudformation.StackInstanceStatusOutdated
		if err := record.Set(tx, p.instance(set.ID, i.setTarget), i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) createStackInstances(ctx context.Context, in *cloudformation.CreateStackInstancesInput) (*cloudformation.CreateStackInstancesOutput, error) {
	id, err := s.operate(ctx, setCall{
		name: in.StackSetName, callAs: in.CallAs, id: in.OperationId, action: cloudformation.StackSetOperationActionCreate, accounts: in.Accounts, regions: in.Regions,
		targets: in.DeploymentTargets, preferences: in.OperationPreferences, overrides: &overrides{in.ParameterOverrides}, change: modified,
	})
	return &cloudformation.CreateStackInstancesOutput{OperationId: &id}, err
}

// modified notes that a stack set is no longer as it was made.
func modified(_ store.Txn, _ place, set *stackSetRecord) error {
	set.Changed = true
	return nil
}

func (s *Service) updateStackInstances(ctx context.Context, in *cloudformation.UpdateStackInstancesInput) (*cloudformation.UpdateStackInstancesOutput, error) {
	q := setCall{
		name: in.StackSetName, callAs: in.CallAs, id: in.OperationId, action: cloudformation.StackSetOperationActionUpdate, accounts: in.Accounts, regions: in.Regions,
		targets: in.DeploymentTargets, preferences: in.OperationPreferences, must: true, change: modified,
	}
	if in.ParameterOverrides != nil {
		q.overrides = &overrides{in.ParameterOverrides}
	}
	id, err := s.operate(ctx, q)
	return &cloudformation.UpdateStackInstancesOutput{OperationId: &id}, err
}

func (s *Service) deleteStackInstances(ctx context.Context, in *cloudformation.DeleteStackInstancesInput) (*cloudformation.DeleteStackInstancesOutput, error) {
	id, err := s.operate(ctx, setCall{
		name: in.StackSetName, callAs: in.CallAs, id: in.OperationId, action: cloudformation.StackSetOperationActionDelete, accounts: in.Accounts, regions: in.Regions,
		targets: in.DeploymentTargets, preferences: in.OperationPreferences, retain: in.RetainStacks, present: true, change: modified,
	})
	return &cloudformation.DeleteStackInstancesOutput{OperationId: &id}, err
}

// importStacksToStackSet makes stacks that exist instances of a stack set, as they are.
func (s *Service) importStacksToStackSet(ctx context.Context, in *cloudformation.ImportStacksToStackSetInput) (*cloudformation.ImportStacksToStackSetOutput, error) {
	for parameter, given := range map[string]bool{"StackIdsUrl": in.StackIdsUrl != nil, "OrganizationalUnitIds": len(in.OrganizationalUnitIds) > 0} {
		if given {
			return nil, unsupported("ImportStacksToStackSet", parameter)
		}
	}
	if len(in.StackIds) == 0 || len(in.StackIds) > maxImports {
		return nil, invalid("StackIds must name from 1 to %d stacks.", maxImports)
	}
	q := setCall{
		name: in.StackSetName, callAs: in.CallAs, id: in.OperationId, action: cloudformation.StackSetOperationActionCreate, preferences: in.OperationPreferences,
		imports: map[setTarget]string{}, change: modified,
	}
	for _, id := range in.StackIds {
		t, err := placeOfStack(id)
		if err != nil {
			return nil, err
		}
		if other := q.imports[t]; other != "" && other != id {
			return nil, invalid("A stack set has one stack in an account and region, and both %s and %s are in the same.", other, id)
		}
		q.imports[t] = id
	}
	id, err := s.operate(ctx, q)
	return &cloudformation.ImportStacksToStackSetOutput{OperationId: &id}, err
}

// placeOfStack returns the account and region in the ARN of a stack.
func placeOfStack(id string) (setTarget, error) {
	parts := strings.Split(id, ":")
	if len(parts) != 6 || parts[2] != "cloudformation" || !strings.HasPrefix(parts[5], "stack/") {
		return setTarget{}, service.Errorf("StackNotFoundException", "%s is not the id of a stack", id).WithStatus(404)
	}
	return setTarget{parts[4], parts[3]}, nil
}

// maxImports is how many stacks one operation imports, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-import.html.
const maxImports = 10

func (s *Service) describeStackInstance(ctx context.Context, in *cloudformation.DescribeStackInstanceInput) (*cloudformation.DescribeStackInstanceOutput, error) {
	set, i, err := s.findInstance(ctx, in.StackSetName, setTarget{in.StackInstanceAccount, in.StackInstanceRegion}, in.CallAs)
	if err != nil {
		return nil, err
	}
	sum := i.summary(set)
	return &cloudformation.DescribeStackInstanceOutput{StackInstance: &cloudformation.StackInstance{
		StackSetId: sum.StackSetId, Region: sum.Region, Account: sum.Account, StackId: sum.StackId, ParameterOverrides: shownOverrides(i.Overrides), Status: sum.Status,
		StackInstanceStatus: sum.StackInstanceStatus, StatusReason: sum.StatusReason, OrganizationalUnitId: sum.OrganizationalUnitId, DriftStatus: sum.DriftStatus,
		LastDriftCheckTimestamp: sum.LastDriftCheckTimestamp, LastOperationId: sum.LastOperationId,
	}}, nil
}

func shownOverrides(list []parameterRecord) []cloudformation.Parameter {
	if out := parameters(list); out != nil {
		return out
	}
	return []cloudformation.Parameter{}
}

func (s *Service) findInstance(ctx context.Context, name string, t setTarget, as string) (set *stackSetRecord, i instanceRecord, err error) {
	if set, err = s.readSet(ctx, name, as); err != nil {
		return nil, i, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		var found bool
		i, found, err = record.Get[instanceRecord](r, placeOf(ctx).instance(set.ID, t))
		if err == nil && !found {
			err = noInstance(set.Name, t)
		}
		return err
	})
	return set, i, err
}

func (i *instanceRecord) summary(set *stackSetRecord) cloudformation.StackInstanceSummary {
	sum := cloudformation.StackInstanceSummary{
		StackSetId: &set.ID, Region: &i.Region, Account: &i.Account, StackId: optional(i.StackID), Status: i.Status, StatusReason: optional(i.Reason),
		StackInstanceStatus: &cloudformation.StackInstanceComprehensiveStatus{DetailedStatus: i.Detailed}, OrganizationalUnitId: ptr(""), DriftStatus: i.driftStatus(),
		LastOperationId: optional(i.Operation),
	}
	if !i.Checked.IsZero() {
		sum.LastDriftCheckTimestamp = &i.Checked
	}
	return sum
}

func (i *instanceRecord) driftStatus() string {
	if i.Drift == "" {
		return cloudformation.StackDriftStatusNotChecked
	}
	return i.Drift
}

func (s *Service) listStackInstances(ctx context.Context, in *cloudformation.ListStackInstancesInput) (*cloudformation.ListStackInstancesOutput, error) {
	set, err := s.readSet(ctx, in.StackSetName, in.CallAs)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackInstancesOutput{Summaries: []cloudformation.StackInstanceSummary{}}
	out.NextToken, err = page(ctx, s, placeOf(ctx).instances(set.ID), in.NextToken, in.MaxResults, func(i instanceRecord) bool {
		wanted := (in.StackInstanceAccount == nil || *in.StackInstanceAccount == i.Account) && (in.StackInstanceRegion == nil || *in.StackInstanceRegion == i.Region) &&
			!slices.ContainsFunc(in.Filters, func(f cloudformation.StackInstanceFilter) bool { return i.filtered(f.Name) != deref(f.Values) })
		if wanted {
			out.Summaries = append(out.Summaries, i.summary(set))
		}
		return wanted
	})
	return out, err
}

// filtered is what a filter of instances looks at.
func (i *instanceRecord) filtered(name string) string {
	switch name {
	case cloudformation.StackInstanceFilterNameDriftStatus:
		return i.driftStatus()
	case cloudformation.StackInstanceFilterNameLastOperationId:
		return i.Operation
	}
	return i.Detailed
}

// listStackSetAutoDeploymentTargets lists nothing: only stack sets of an organisation deploy by themselves.
func (s *Service) listStackSetAutoDeploymentTargets(ctx context.Context, in *cloudformation.ListStackSetAutoDeploymentTargetsInput) (*cloudformation.ListStackSetAutoDeploymentTargetsOutput, error) {
	_, err := s.readSet(ctx, in.StackSetName, in.CallAs)
	return &cloudformation.ListStackSetAutoDeploymentTargetsOutput{Summaries: []cloudformation.StackSetAutoDeploymentTargetSummary{}}, err
}

// inPlace returns a context for calls in the account and region of a target, by the principal of ctx.
func inPlace(ctx context.Context, t setTarget) context.Context {
	r := *service.RequestFrom(ctx)
	r.Account, r.Region, r.HTTP = t.Account, t.Region, nil
	return service.WithRequest(ctx, &r)
}
