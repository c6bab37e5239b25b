package cloudformation

import (
	"context"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// noChanges is the reason that command line tools look for.
const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

func (s *Service) createChangeSet(ctx context.Context, in *cloudformation.CreateChangeSetInput) (*cloudformation.CreateChangeSetOutput, error) {
	if err := refuseChangeSet(in); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	stack, err := s.findStack(ctx, in.StackName)
	if err != nil && !isMissing(err) {
		return nil, err
	}
	kind := deploy.Update
	fresh := stack == nil || stack.Status == "REVIEW_IN_PROGRESS"
	switch {
	case in.ChangeSetType == deploy.Create && !fresh:
		return nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", in.StackName, in.ChangeSetName)
	case in.ChangeSetType == deploy.Create:
		kind = deploy.Create
	case stack == nil:
		return nil, invalid("Stack [%s] does not exist", in.StackName)
	case fresh:
		return nil, invalid("Stack:%s is in REVIEW_IN_PROGRESS state and can not be updated.", stack.ID)
	default:
		if err := updatable(stack); err != nil {
			return nil, err
		}
	}
	isNew := stack == nil
	if isNew {
		if stack, err = s.newStack(ctx, in.StackName); err != nil {
			return nil, err
		}
		stack.Status = "REVIEW_IN_PROGRESS"
	}
	var current *stackRecord
	if !fresh {
		current = stack
	}
	proposal, err := s.propose(ctx, request{
		kind: kind, body: in.TemplateBody, location: in.TemplateURL, usePrevious: deref(in.UsePreviousTemplate),
		parameters: in.Parameters, capabilities: in.Capabilities, tags: in.Tags, roleARN: deref(in.RoleARN), onFailure: in.OnStackFailure,
	}, current, stack.ID, stack.Name)
	if err != nil {
		return nil, err
	}
	id, err := s.uuid()
	if err != nil {
		return nil, err
	}
	proposal.deployment.TemplateID = id
	c := changeSetRecord{
		ID: "arn:aws:cloudformation:" + p.region + ":" + p.account + ":changeSet/" + in.ChangeSetName + "/" + id, Name: in.ChangeSetName,
		StackID: stack.ID, StackName: stack.Name, Description: deref(in.Description), Created: s.Clock.Now(),
		Status: "CREATE_COMPLETE", Execution: "AVAILABLE", Changes: proposal.plan.Changes, Deployment: proposal.deployment,
	}
	if len(c.Changes) == 0 && !proposal.outputs {
		c.Status, c.Execution, c.Reason = "FAILED", "UNAVAILABLE", noChanges
	}
	err = s.Store.Update(ctx, func(tx store.Txn) error {
		if have, err := record.Has(tx, p.changeSet(stack.ID, c.Name)); err != nil || have {
			if have {
				return service.Errorf("AlreadyExistsException", "ChangeSet %s cannot be created due to a mismatch with existing attribute Name", c.ID).WithStatus(400)
			}
			return err
		}
		if isNew {
			if err := s.claimName(tx, p, stack); err != nil {
				return err
			}
			if err := s.addStackEvent(tx, p, stack, "User Initiated", deref(in.ClientToken)); err != nil {
				return err
			}
		}
		saveTemplate(tx, p, id, proposal)
		return record.Set(tx, p.changeSet(stack.ID, c.Name), c)
	})
	if err != nil {
		return nil, err
	}
	return &cloudformation.CreateChangeSetOutput{Id: &c.ID, StackId: &stack.ID}, nil
}

func saveTemplate(tx store.Txn, p place, id string, proposal *proposal) {
	tx.Set(p.template(id, "Original"), []byte(proposal.text))
	tx.Set(p.template(id, "Processed"), []byte(proposal.expanded.processed))
}

func refuseChangeSet(in *cloudformation.CreateChangeSetInput) error {
	for parameter, given := range map[string]bool{
		"NotificationARNs": len(in.NotificationARNs) > 0, "ResourcesToImport": len(in.ResourcesToImport) > 0, "ResourceTypes": len(in.ResourceTypes) > 0,
		"RollbackConfiguration":   in.RollbackConfiguration != nil && len(in.RollbackConfiguration.RollbackTriggers) > 0,
		"ImportExistingResources": deref(in.ImportExistingResources), "DeploymentMode": in.DeploymentMode != "", "ChangeSetType IMPORT": in.ChangeSetType == "IMPORT",
	} {
		if given {
			return unsupported("CreateChangeSet", parameter)
		}
	}
	return nil
}

// findChangeSet finds a change set by its ARN, or by its name and stack.
func (s *Service) findChangeSet(ctx context.Context, name string, stack *string) (*changeSetRecord, error) {
	p := placeOf(ctx)
	var found *changeSetRecord
	err := s.Store.View(ctx, func(r store.Reader) error {
		if !strings.HasPrefix(name, "arn:") {
			if deref(stack) == "" {
				return invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
			}
			st, err := lookup(r, p, *stack)
			if err != nil {
				return err
			}
			c, ok, err := record.Get[changeSetRecord](r, p.changeSet(st.ID, name))
			if ok {
				found = &c
			}
			return err
		}
		for row, err := range record.Range[changeSetRecord](r, p.base("changeset").Span()) {
			if err != nil {
				return err
			}
			if row.Value.ID == name {
				found = &row.Value
				return nil
			}
		}
		return nil
	})
	if err == nil && found == nil {
		err = noChangeSet(name)
	}
	return found, err
}

func (s *Service) describeChangeSet(ctx context.Context, in *cloudformation.DescribeChangeSetInput) (*cloudformation.DescribeChangeSetOutput, error) {
	c, err := s.findChangeSet(ctx, in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeChangeSetOutput{
		ChangeSetName: &c.Name, ChangeSetId: &c.ID, StackId: &c.StackID, StackName: &c.StackName, Description: optional(c.Description),
		CreationTime: &c.Created, ExecutionStatus: c.Execution, Status: c.Status, StatusReason: optional(c.Reason),
		Parameters: parameters(c.Deployment.Parameters), Capabilities: c.Deployment.Capabilities, Tags: tags(c.Deployment.Tags),
		IncludeNestedStacks: ptr(false), OnStackFailure: c.Deployment.OnFailure,
		Changes: []cloudformation.Change{},
	}
	for _, change := range c.Changes {
		out.Changes = append(out.Changes, cloudformation.Change{Type: "Resource", ResourceChange: resourceChange(change)})
	}
	return out, nil
}

func resourceChange(c deploy.Change) *cloudformation.ResourceChange {
	r := &cloudformation.ResourceChange{
		Action: string(c.Action), LogicalResourceId: ptr(c.LogicalID), PhysicalResourceId: optional(c.PhysicalID), ResourceType: ptr(c.Type), Scope: c.Scope,
	}
	if c.Action == deploy.Modify {
		r.Replacement = string(c.Replacement)
	}
	if c.Action == deploy.Remove || c.Replacement == deploy.Always {
		r.PolicyAction = c.Policy
		if c.Action == deploy.Modify && c.Policy == "Delete" {
			r.PolicyAction = "ReplaceAndDelete"
		} else if c.Action == deploy.Modify {
			r.PolicyAction = "ReplaceAndRetain"
		}
	}
	for _, d := range c.Differences {
		detail := cloudformation.ResourceChangeDetail{
			Target:     &cloudformation.ResourceTargetDefinition{Attribute: "Properties", RequiresRecreation: "Never", Path: ptr("/Properties/" + d.Path)},
			Evaluation: "Static", ChangeSource: "DirectModification",
		}
		name, _, _ := strings.Cut(d.Path, "/")
		detail.Target.Name = &name
		if d.Replaces {
			detail.Target.RequiresRecreation = "Always"
		}
		if d.Maybe {
			detail.Evaluation, detail.ChangeSource = "Dynamic", "ResourceReference"
			detail.CausingEntity = ptr(d.WaitsFor.Resource)
			if d.WaitsFor.Attribute != "" {
				detail.ChangeSource, detail.CausingEntity = "ResourceAttribute", ptr(d.WaitsFor.Resource+"."+d.WaitsFor.Attribute)
			}
			if d.Replaces {
				detail.Target.RequiresRecreation = "Conditionally"
			}
		}
		r.Details = append(r.Details, detail)
	}
	return r
}

func (s *Service) executeChangeSet(ctx context.Context, in *cloudformation.ExecuteChangeSetInput) (*cloudformation.ExecuteChangeSetOutput, error) {
	if deref(in.RetainExceptOnCreate) {
		return nil, unsupported("ExecuteChangeSet", "RetainExceptOnCreate")
	}
	c, err := s.findChangeSet(ctx, in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	if c.Execution != "AVAILABLE" {
		return nil, service.Errorf("InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current status of [%s]", c.ID, c.Status).WithStatus(400)
	}
	err = s.start(ctx, c.StackID, c.Deployment, deref(in.ClientRequestToken), deref(in.DisableRollback), nil, func(tx store.Txn, p place, stack *stackRecord) error {
		if have, err := record.Has(tx, p.changeSet(c.StackID, c.Name)); err != nil || !have {
			if err == nil {
				err = noChangeSet(in.ChangeSetName)
			}
			return err
		}
		stack.ChangeSetID = c.ID
		return dropChangeSets(tx, p, c.StackID, c.Deployment.TemplateID)
	})
	if err != nil {
		return nil, err
	}
	return &cloudformation.ExecuteChangeSetOutput{}, nil
}

// dropChangeSets removes the change sets of a stack, and their templates but one.
func dropChangeSets(tx store.Txn, p place, stackID, keep string) error {
	all, err := record.List[changeSetRecord](tx, p.changeSets(stackID).Span())
	if err != nil {
		return err
	}
	for _, c := range all {
		tx.Delete(p.changeSet(stackID, c.Name))
		if c.Deployment.TemplateID != keep {
			dropTemplate(tx, p, c.Deployment.TemplateID)
		}
	}
	return nil
}

func dropTemplate(tx store.Txn, p place, id string) {
	if id != "" {
		tx.Delete(p.template(id, "Original"))
		tx.Delete(p.template(id, "Processed"))
	}
}

func (s *Service) deleteChangeSet(ctx context.Context, in *cloudformation.DeleteChangeSetInput) (*cloudformation.DeleteChangeSetOutput, error) {
	c, err := s.findChangeSet(ctx, in.ChangeSetName, in.StackName)
	if service.Code(err) == "ChangeSetNotFound" {
		return &cloudformation.DeleteChangeSetOutput{}, nil
	}
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	return &cloudformation.DeleteChangeSetOutput{}, s.Store.Update(ctx, func(tx store.Txn) error {
		if have, err := record.Has(tx, p.changeSet(c.StackID, c.Name)); err != nil || !have {
			return err
		}
		tx.Delete(p.changeSet(c.StackID, c.Name))
		dropTemplate(tx, p, c.Deployment.TemplateID)
		return nil
	})
}

func (s *Service) listChangeSets(ctx context.Context, in *cloudformation.ListChangeSetsInput) (*cloudformation.ListChangeSetsOutput, error) {
	stack, err := s.findStack(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListChangeSetsOutput{Summaries: []cloudformation.ChangeSetSummary{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		out.Summaries = out.Summaries[:0]
		all, err := record.List[changeSetRecord](r, placeOf(ctx).changeSets(stack.ID).Span())
		slices.SortFunc(all, func(a, b changeSetRecord) int { return a.Created.Compare(b.Created) })
		for _, c := range all {
			out.Summaries = append(out.Summaries, cloudformation.ChangeSetSummary{
				StackId: ptr(c.StackID), StackName: ptr(c.StackName), ChangeSetId: ptr(c.ID), ChangeSetName: ptr(c.Name), ExecutionStatus: c.Execution,
				Status: c.Status, StatusReason: optional(c.Reason), CreationTime: ptr(c.Created), Description: optional(c.Description), IncludeNestedStacks: ptr(false),
			})
		}
		return err
	})
	return out, err
}
