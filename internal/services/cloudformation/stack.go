package cloudformation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// lookup finds a stack by its name, if it is not deleted, or by its id.
func lookup(r store.Reader, p place, name string) (*stackRecord, error) {
	id := name
	if !strings.HasPrefix(name, "arn:") {
		b, err := r.Get(p.name(name))
		if errors.Is(err, store.ErrNotFound) {
			return nil, noStack(name)
		}
		if err != nil {
			return nil, err
		}
		id = string(b)
	}
	st, ok, err := record.Get[stackRecord](r, p.stack(id))
	if err == nil && !ok {
		err = noStack(name)
	}
	return &st, err
}

func (s *Service) findStack(ctx context.Context, name string) (*stackRecord, error) {
	var st *stackRecord
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		st, err = lookup(r, placeOf(ctx), name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// isMissing tells whether err says that a stack does not exist.
func isMissing(err error) bool {
	var e *service.Error
	return errors.As(err, &e) && strings.HasSuffix(e.Message, "does not exist")
}

func (s *Service) newStack(ctx context.Context, name string) (*stackRecord, error) {
	p := placeOf(ctx)
	if strings.HasPrefix(name, "arn:") {
		return nil, noStack(name)
	}
	id, err := s.uuid()
	if err != nil {
		return nil, err
	}
	return &stackRecord{ID: "arn:aws:cloudformation:" + p.region + ":" + p.account + ":stack/" + name + "/" + id, Name: name, Created: s.Clock.Now()}, nil
}

// claimName writes a new stack under its name, which may be the one that it has in review.
func (s *Service) claimName(tx store.Txn, p place, stack *stackRecord) error {
	have, err := lookup(tx, p, stack.Name)
	switch {
	case err != nil && !isMissing(err):
		return err
	case err == nil && (have.ID != stack.ID || have.Status != cloudformation.StackStatusReviewInProgress):
		return exists(stack.Name)
	}
	tx.Set(p.name(stack.Name), []byte(stack.ID))
	return record.Set(tx, p.stack(stack.ID), stack)
}

// updatable refuses updates that a stack's status does not allow.
func updatable(st *stackRecord) error {
	switch st.Status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE":
		return nil
	}
	return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
}

func (s *Service) createStack(ctx context.Context, in *cloudformation.CreateStackInput) (*cloudformation.CreateStackOutput, error) {
	undo, err := rollbackOf(in.RollbackConfiguration)
	if err != nil {
		return nil, err
	}
	if err := checkTopics(in.NotificationARNs); err != nil {
		return nil, err
	}
	stack, err := s.toCreate(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	stack.Protected = deref(in.EnableTerminationProtection)
	policy, err := s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL, "StackPolicyURL and StackPolicyBody")
	if err != nil {
		return nil, err
	}
	stack.Policy = deref(policy)
	if parent, ok := ctx.Value(parentKey{}).(parentRecord); ok {
		stack.Parent = &parent
	}
	if of, ok := ctx.Value(setTemplateKey{}).(setTemplate); ok {
		stack.StackSet = of.set
	}
	q := request{
		kind: deploy.Create, body: in.TemplateBody, location: in.TemplateURL, parameters: in.Parameters,
		capabilities: in.Capabilities, tags: in.Tags, roleARN: deref(in.RoleARN), onFailure: in.OnFailure, direct: true,
		resourceTypes: in.ResourceTypes, notify: in.NotificationARNs,
	}
	proposal, err := s.proposed(ctx, q, nil, stack.ID, stack.Name)
	if err != nil {
		return nil, err
	}
	proposal.deployment.RetainExceptOnCreate, proposal.deployment.Notify = deref(in.RetainExceptOnCreate), in.NotificationARNs
	proposal.deployment.Timeout, proposal.deployment.Rollback = deref(in.TimeoutInMinutes), undo
	err = s.begin(ctx, stack.ID, proposal, deref(in.ClientRequestToken), deref(in.DisableRollback), func(tx store.Txn, p place) error {
		return s.claimName(tx, p, stack)
	})
	if err != nil {
		return nil, err
	}
	return &cloudformation.CreateStackOutput{StackId: &stack.ID}, nil
}

// toCreate returns the stack that CreateStack makes: a new one, or one in review, whose change sets become obsolete.
func (s *Service) toCreate(ctx context.Context, name string) (*stackRecord, error) {
	st, err := s.findStack(ctx, name)
	switch {
	case isMissing(err):
		return s.newStack(ctx, name)
	case err != nil:
		return nil, err
	case st.Status != cloudformation.StackStatusReviewInProgress:
		return nil, exists(name)
	}
	return st, nil
}

// noUpdates is the message that command line tools look for.
const noUpdates = "No updates are to be performed."

func (s *Service) updateStack(ctx context.Context, in *cloudformation.UpdateStackInput) (*cloudformation.UpdateStackOutput, error) {
	undo, err := rollbackOf(in.RollbackConfiguration)
	if err != nil {
		return nil, err
	}
	stack, err := s.findStack(ctx, in.StackName)
	if err != nil {
		if isMissing(err) {
			err = invalid("Stack [%s] does not exist", in.StackName)
		}
		return nil, err
	}
	if err := updatable(stack); err != nil {
		return nil, err
	}
	if err := checkTopics(in.NotificationARNs); err != nil {
		return nil, err
	}
	q := request{
		kind: deploy.Update, body: in.TemplateBody, location: in.TemplateURL, usePrevious: deref(in.UsePreviousTemplate),
		parameters: in.Parameters, capabilities: in.Capabilities, tags: in.Tags, roleARN: deref(in.RoleARN), direct: true,
		resourceTypes: in.ResourceTypes, notify: in.NotificationARNs,
	}
	proposal, err := s.proposed(ctx, q, stack, stack.ID, stack.Name)
	if err != nil {
		return nil, err
	}
	// A template with transforms is not compared with the one before: what they make of it may be another one each time.
	if d := proposal.deployment; len(proposal.plan.Changes) == 0 && !proposal.outputs && !d.Expanded && d.Refused == "" {
		return nil, invalid(noUpdates)
	}
	if proposal.deployment.SetPolicy, err = s.policyText(ctx, in.StackPolicyBody, in.StackPolicyURL, "StackPolicyURL and StackPolicyBody"); err != nil {
		return nil, err
	}
	during, err := s.policyText(ctx, in.StackPolicyDuringUpdateBody, in.StackPolicyDuringUpdateURL, "StackPolicyDuringUpdateURL and StackPolicyDuringUpdateBody")
	if err != nil {
		return nil, err
	}
	proposal.deployment.Policy, proposal.deployment.RetainExceptOnCreate = deref(during), deref(in.RetainExceptOnCreate)
	proposal.deployment.Notify, proposal.deployment.Rollback = in.NotificationARNs, undo
	if err := s.begin(ctx, stack.ID, proposal, deref(in.ClientRequestToken), deref(in.DisableRollback), nil); err != nil {
		return nil, err
	}
	return &cloudformation.UpdateStackOutput{StackId: &stack.ID}, nil
}

// begin stores the template of a proposal and starts its deploy.
func (s *Service) begin(ctx context.Context, stackID string, proposal *proposal, token string, keep bool, first func(tx store.Txn, p place) error) error {
	id, err := s.uuid()
	if err != nil {
		return err
	}
	proposal.deployment.TemplateID = id
	return s.start(ctx, stackID, proposal.deployment, token, keep, func(tx store.Txn, p place) error {
		saveTemplate(tx, p, id, proposal)
		if first != nil {
			return first(tx, p)
		}
		return nil
	}, func(tx store.Txn, p place, st *stackRecord) error {
		return retireChangeSets(tx, p, stackID, id, st.TemplateID)
	})
}

func (s *Service) deleteStack(ctx context.Context, in *cloudformation.DeleteStackInput) (*cloudformation.DeleteStackOutput, error) {
	out := &cloudformation.DeleteStackOutput{}
	stack, err := s.findStack(ctx, in.StackName)
	if isMissing(err) || err == nil && stack.Status == "DELETE_COMPLETE" {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	if stack.Protected {
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", stack.Name)
	}
	force, err := forced(in.DeletionMode, stack)
	if err != nil {
		return nil, err
	}
	if err := s.checkRole(ctx, deref(in.RoleARN)); err != nil {
		return nil, err
	}
	role := stack.RoleARN
	if deref(in.RoleARN) != "" {
		role = deref(in.RoleARN)
	}
	d := deployment{Kind: deploy.Delete, RoleARN: role}
	return out, s.startDelete(ctx, stack.ID, d, deref(in.ClientRequestToken), deploy.Operation{Retain: in.RetainResources, Force: force})
}

func (s *Service) updateTerminationProtection(ctx context.Context, in *cloudformation.UpdateTerminationProtectionInput) (*cloudformation.UpdateTerminationProtectionOutput, error) {
	p := placeOf(ctx)
	out := &cloudformation.UpdateTerminationProtectionOutput{}
	return out, s.Store.Update(ctx, func(tx store.Txn) error {
		st, err := lookup(tx, p, in.StackName)
		if err != nil {
			return err
		}
		st.Protected, out.StackId = in.EnableTerminationProtection, ptr(st.ID)
		return record.Set(tx, p.stack(st.ID), st)
	})
}

func (s *Service) describeStacks(ctx context.Context, in *cloudformation.DescribeStacksInput) (*cloudformation.DescribeStacksOutput, error) {
	out := &cloudformation.DescribeStacksOutput{Stacks: []cloudformation.Stack{}}
	if deref(in.StackName) != "" {
		st, err := s.findStack(ctx, *in.StackName)
		if err != nil {
			return nil, err
		}
		out.Stacks = append(out.Stacks, stackShape(st))
		return out, nil
	}
	all, err := s.allStacks(ctx)
	for i := range all {
		if all[i].Status != "DELETE_COMPLETE" {
			out.Stacks = append(out.Stacks, stackShape(&all[i]))
		}
	}
	return out, err
}

// allStacks returns every stack, the newest first.
func (s *Service) allStacks(ctx context.Context) ([]stackRecord, error) {
	var all []stackRecord
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		all, err = record.List[stackRecord](r, placeOf(ctx).stacks())
		return err
	})
	order.Sort(all, func(a, b stackRecord) int { return b.Created.Compare(a.Created) })
	return all, err
}

func (s *Service) listStacks(ctx context.Context, in *cloudformation.ListStacksInput) (*cloudformation.ListStacksOutput, error) {
	all, err := s.allStacks(ctx)
	out := &cloudformation.ListStacksOutput{StackSummaries: []cloudformation.StackSummary{}}
	for _, st := range all {
		if len(in.StackStatusFilter) > 0 && !slices.Contains(in.StackStatusFilter, st.Status) {
			continue
		}
		sum := cloudformation.StackSummary{
			StackId: ptr(st.ID), StackName: st.Name, TemplateDescription: optional(st.Description), CreationTime: st.Created,
			StackStatus: st.Status, StackStatusReason: optional(st.Reason),
			DriftInformation: ptr(cloudformation.StackDriftInformationSummary(*st.drift())),
		}
		if !st.Updated.IsZero() {
			sum.LastUpdatedTime = ptr(st.Updated)
		}
		if !st.Deleted.IsZero() {
			sum.DeletionTime = ptr(st.Deleted)
		}
		out.StackSummaries = append(out.StackSummaries, sum)
	}
	return out, err
}

// initiated is the reason of the first status of a stack.
const initiated = "User Initiated"

func stackShape(st *stackRecord) cloudformation.Stack {
	out := cloudformation.Stack{
		StackId: ptr(st.ID), StackName: st.Name, Description: optional(st.Description), CreationTime: st.Created,
		StackStatus: st.Status, StackStatusReason: optional(st.Reason), DisableRollback: ptr(st.DisableRollback), Capabilities: st.Capabilities,
		Parameters: parameters(st.Parameters), Tags: tags(st.Tags), RoleARN: optional(st.RoleARN), ChangeSetId: optional(st.ChangeSetID),
		EnableTerminationProtection: ptr(st.Protected), RollbackConfiguration: st.Rollback.shown(), NotificationARNs: st.topics(),
		DriftInformation: st.drift(),
	}
	if out.Tags == nil {
		out.Tags = []cloudformation.Tag{}
	}
	if st.Last.ID != "" {
		out.LastOperations = []cloudformation.OperationEntry{{OperationType: st.Last.Type, OperationId: ptr(st.Last.ID)}}
	}
	if st.Timeout > 0 {
		out.TimeoutInMinutes = ptr(st.Timeout)
	}
	if strings.HasPrefix(st.Status, "ROLLBACK_") {
		out.ChangeSetId = nil
	}
	if st.Status == "DELETE_COMPLETE" {
		out.EnableTerminationProtection = nil
	}
	if st.Parent != nil {
		out.ParentId, out.RootId = ptr(st.Parent.ID), ptr(st.Parent.Root)
	}
	if st.Status == "REVIEW_IN_PROGRESS" {
		out.StackStatusReason = ptr(initiated)
	}
	if !st.Updated.IsZero() {
		out.LastUpdatedTime = ptr(st.Updated)
	}
	if !st.Deleted.IsZero() {
		out.DeletionTime = ptr(st.Deleted)
	}
	for _, o := range st.Outputs {
		out.Outputs = append(out.Outputs, cloudformation.Output{
			OutputKey: ptr(o.Name), OutputValue: ptr(o.Value), Description: optional(o.Description), ExportName: optional(o.Export),
		})
	}
	return out
}

// hidden is what CloudFormation shows instead of the value of a NoEcho parameter.
const hidden = "****"

func parameters(list []parameterRecord) []cloudformation.Parameter {
	var out []cloudformation.Parameter
	for _, p := range list {
		v := p.Value
		if p.NoEcho {
			v = hidden
		}
		out = append(out, cloudformation.Parameter{ParameterKey: ptr(p.Key), ParameterValue: &v, ResolvedValue: optional(p.Resolved)})
	}
	return out
}

func tags(m map[string]string) []cloudformation.Tag {
	var out []cloudformation.Tag
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, cloudformation.Tag{Key: k, Value: m[k]})
	}
	return out
}
