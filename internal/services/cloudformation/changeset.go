package cloudformation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/lib/order"
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
	fresh := stack == nil || stack.Status == "REVIEW_IN_PROGRESS"
	kind, err := changeSetKind(in, stack, fresh)
	if err != nil {
		return nil, err
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
	q := request{
		kind: kind, body: in.TemplateBody, location: in.TemplateURL, usePrevious: deref(in.UsePreviousTemplate),
		parameters: in.Parameters, capabilities: in.Capabilities, tags: in.Tags, roleARN: deref(in.RoleARN), onFailure: in.OnStackFailure,
		resourceTypes: in.ResourceTypes, notify: in.NotificationARNs, revert: in.DeploymentMode == cloudformation.DeploymentModeRevertDrift,
	}
	proposal, err := s.propose(ctx, q, current, stack.ID, stack.Name)
	var failed *transformError
	if errors.As(err, &failed) {
		proposal, err = s.failedProposal(ctx, q, current, failed)
	}
	if err != nil {
		return nil, err
	}
	id, err := s.uuid()
	if err != nil {
		return nil, err
	}
	proposal.deployment.TemplateID, proposal.deployment.Notify = id, in.NotificationARNs
	if proposal.deployment.Rollback, err = rollbackOf(in.RollbackConfiguration); err != nil {
		return nil, err
	}
	c := changeSetRecord{
		ID: "arn:aws:cloudformation:" + p.region + ":" + p.account + ":changeSet/" + in.ChangeSetName + "/" + id, Name: in.ChangeSetName,
		StackID: stack.ID, StackName: stack.Name, Description: deref(in.Description), Created: s.Clock.Now(),
		Status: "CREATE_COMPLETE", Execution: "AVAILABLE", Changes: proposal.plan.Changes, Deployment: proposal.deployment, Live: proposal.live,
	}
	refused, err := s.importsOf(ctx, in, proposal, current)
	if err != nil {
		return nil, err
	}
	c.Deployment.Imports, c.ImportExisting = proposal.deployment.Imports, in.ImportExistingResources
	if failed != nil {
		refused = failed.message
	}
	if refused != "" {
		c.Status, c.Execution, c.Reason = "FAILED", "UNAVAILABLE", refused
	} else if !fresh && len(c.Changes) == 0 && !proposal.outputs {
		c.Status, c.Execution, c.Reason = "FAILED", "UNAVAILABLE", noChanges
	}
	var said []resultRecord
	if c.Status != "FAILED" {
		if said, refused, err = s.askAboutChangeSet(ctx, &c, proposal); err != nil {
			return nil, err
		}
		if refused != "" {
			c.Status, c.Execution, c.Reason = "FAILED", "UNAVAILABLE", refused
		}
	}
	if len(proposal.missing) > 0 {
		c.Warning = warnMissing(c.Changes, proposal.missing)
	}
	err = s.Store.Update(ctx, func(tx store.Txn) error {
		old, found, err := record.Get[changeSetRecord](tx, p.changeSet(stack.ID, c.Name))
		if err != nil || found && old.Execution != obsolete {
			if err == nil {
				return service.Errorf("AlreadyExistsException", "ChangeSet %s cannot be created due to a mismatch with existing attribute Name", c.ID).WithStatus(400)
			}
			return err
		}
		if isNew {
			if err := s.claimName(tx, p, stack); err != nil {
				return err
			}
			if err := s.addStackEvent(tx, p, stack, initiated, deref(in.ClientToken), s.Clock.Now().Truncate(time.Millisecond)); err != nil {
				return err
			}
		}
		for _, v := range said {
			if err := putResult(tx, p, v); err != nil {
				return err
			}
		}
		dropTemplate(tx, p, old.Deployment.TemplateID)
		saveTemplate(tx, p, id, proposal)
		return record.Set(tx, p.changeSet(stack.ID, c.Name), c)
	})
	if err != nil {
		return nil, err
	}
	return &cloudformation.CreateChangeSetOutput{Id: &c.ID, StackId: &stack.ID}, nil
}

// changeSetKind returns the kind of the operation that a change set of a stack is for; fresh tells that the stack has no resources yet, and is nil or in review.
func changeSetKind(in *cloudformation.CreateChangeSetInput, stack *stackRecord, fresh bool) (string, error) {
	switch {
	case in.ChangeSetType == deploy.Import && fresh:
		return deploy.Import, nil
	case in.ChangeSetType == deploy.Import:
		return deploy.Import, updatable(stack)
	case in.ChangeSetType == deploy.Create && !fresh:
		return "", invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", in.StackName, in.ChangeSetName)
	case in.ChangeSetType == deploy.Create:
		return deploy.Create, nil
	case stack == nil:
		return "", invalid("Stack [%s] does not exist", in.StackName)
	case fresh:
		return "", invalid("Stack:%s is in REVIEW_IN_PROGRESS state and can not be updated.", stack.ID)
	}
	return deploy.Update, updatable(stack)
}

// removalsFirst returns changes in the order in which CloudFormation shows them: what is removed first, then by logical ids.
func removalsFirst(changes []deploy.Change) []deploy.Change {
	return order.Sorted(changes, func(a, b deploy.Change) int {
		rank := func(c deploy.Change) int {
			if c.Action == deploy.Remove {
				return 0
			}
			return 1
		}
		return cmp.Or(rank(a)-rank(b), strings.Compare(a.LogicalID, b.LogicalID))
	})
}

// warnMissing says, in CloudFormation's words, that a change set imports what is not exported yet.
func warnMissing(changes []deploy.Change, missing []string) string {
	var ids []string
	for _, c := range changes {
		if strings.Contains(fmt.Sprint(c.After), property.KnownAfterDeploy) {
			ids = append(ids, c.LogicalID)
		}
	}
	return "[WARN] --include-property-values option can return incomplete ChangeSet data because: ChangeSet creation failed for resource [" +
		strings.Join(ids, ", ") + "] because: No export named " + strings.Join(missing, ", ")
}

func saveTemplate(tx store.Txn, p place, id string, proposal *proposal) {
	tx.Set(p.template(id, "Original"), []byte(proposal.text))
	tx.Set(p.template(id, "Processed"), []byte(proposal.expanded.processed))
}

func refuseChangeSet(in *cloudformation.CreateChangeSetInput) error {
	if in.DeploymentMode != "" && in.ChangeSetType == deploy.Import {
		return invalid("DeploymentMode %s cannot be used with a change set of the type IMPORT.", in.DeploymentMode)
	}
	return checkTopics(in.NotificationARNs)
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
			if isMissing(err) {
				return invalid("Stack [%s] does not exist", *stack)
			}
			if err != nil {
				return err
			}
			c, ok, err := record.Get[changeSetRecord](r, p.changeSet(st.ID, name))
			if ok && c.Execution != obsolete {
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
		c, ok, err := record.Get[changeSetRecord](r, p.pastChangeSet(name))
		if ok {
			found = &c
		}
		return err
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
		IncludeNestedStacks: ptr(false), OnStackFailure: c.Deployment.OnFailure, NotificationARNs: c.Deployment.Notify, RollbackConfiguration: c.Deployment.Rollback.shown(),
		ImportExistingResources: c.ImportExisting,
		Changes:                 []cloudformation.Change{},
	}
	if c.Warning != "" && deref(in.IncludePropertyValues) {
		out.StatusReason = &c.Warning
	}
	if out.Capabilities == nil {
		out.Capabilities = []string{}
	}
	if out.NotificationARNs == nil {
		out.NotificationARNs = []string{}
	}
	if c.Live != nil {
		out.DeploymentMode, out.StackDriftStatus = cloudformation.DeploymentModeRevertDrift, stackDriftOf(c.Live)
	}
	secrets, err := s.secretsOf(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, change := range removalsFirst(c.Changes) {
		shown, err := resourceChange(concealed(change, secrets), deref(in.IncludePropertyValues))
		if err != nil {
			return nil, err
		}
		if c.Live != nil {
			c.showLive(change, shown, secrets, deref(in.IncludePropertyValues))
		}
		out.Changes = append(out.Changes, cloudformation.Change{Type: "Resource", ResourceChange: shown})
	}
	return out, nil
}

// secretsOf returns the parameters whose values the changes of a change set may hold: those that it brings, and those that its stack has.
func (s *Service) secretsOf(ctx context.Context, c *changeSetRecord) ([]parameterRecord, error) {
	st, err := s.findStack(ctx, c.StackID)
	if isMissing(err) {
		return c.Deployment.Parameters, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.Concat(c.Deployment.Parameters, st.Parameters), nil
}

// concealed returns a change in which the values of NoEcho parameters are hidden.
func concealed(c deploy.Change, parameters []parameterRecord) deploy.Change {
	if !slices.ContainsFunc(parameters, func(p parameterRecord) bool { return p.NoEcho && p.Value != "" }) {
		return c
	}
	for _, properties := range []*map[string]any{&c.Before, &c.After} {
		if *properties != nil {
			*properties, _ = masked(*properties, parameters).(map[string]any)
		}
	}
	c.Causes = slices.Clone(c.Causes)
	for i := range c.Causes {
		c.Causes[i].Before, c.Causes[i].After = masked(c.Causes[i].Before, parameters), masked(c.Causes[i].After, parameters)
	}
	return c
}

// resourceChange shows a change; values tells whether the properties are shown with it.
func resourceChange(c deploy.Change, values bool) (*cloudformation.ResourceChange, error) {
	r := &cloudformation.ResourceChange{
		Action: string(c.Action), LogicalResourceId: ptr(c.LogicalID), PhysicalResourceId: optional(c.PhysicalID), ResourceType: ptr(c.Type), Scope: c.Scope,
		Details: []cloudformation.ResourceChangeDetail{},
	}
	if r.Scope == nil {
		r.Scope = []string{}
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
	for _, cause := range c.Causes {
		d, err := causeShape(cause, values)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(r.Details, func(o cloudformation.ResourceChangeDetail) bool { return reflect.DeepEqual(o, d) }) {
			r.Details = append(r.Details, d)
		}
	}
	if !values {
		return r, nil
	}
	for to, properties := range map[**string]map[string]any{&r.BeforeContext: c.Before, &r.AfterContext: c.After} {
		if properties == nil {
			continue
		}
		b, err := json.Marshal(map[string]any{"Properties": properties})
		if err != nil {
			return nil, err
		}
		*to = ptr(string(b))
	}
	return r, nil
}

func causeShape(c deploy.Cause, values bool) (cloudformation.ResourceChangeDetail, error) {
	d := cloudformation.ResourceChangeDetail{
		Target:     &cloudformation.ResourceTargetDefinition{Attribute: c.Attribute, Name: optional(c.Name), RequiresRecreation: c.Recreation},
		Evaluation: "Dynamic", ChangeSource: c.Source, CausingEntity: optional(c.Entity),
	}
	if c.Static {
		d.Evaluation = "Static"
	}
	if !values || c.Attribute != "Properties" {
		return d, nil
	}
	d.Target.Path, d.Target.AttributeChangeType = ptr(c.Path), c.Kind
	for to, v := range map[**string]any{&d.Target.BeforeValue: c.Before, &d.Target.AfterValue: c.After} {
		if v == nil {
			continue
		}
		text, ok := template.Text(v)
		// A recorded number is a float64; AWS shows 30, not 30.0.
		if _, isFloat := v.(float64); !ok || isFloat {
			b, err := json.Marshal(v)
			if err != nil {
				return d, err
			}
			text = string(b)
		}
		*to = &text
	}
	return d, nil
}

func (s *Service) executeChangeSet(ctx context.Context, in *cloudformation.ExecuteChangeSetInput) (*cloudformation.ExecuteChangeSetOutput, error) {
	c, err := s.findChangeSet(ctx, in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	if c.Execution != "AVAILABLE" {
		return nil, service.Errorf("InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current status of [%s]", c.ID, c.Status).WithStatus(400)
	}
	c.Deployment.RetainExceptOnCreate = deref(in.RetainExceptOnCreate)
	err = s.start(ctx, c.StackID, c.Deployment, deref(in.ClientRequestToken), deref(in.DisableRollback), nil, func(tx store.Txn, p place, stack *stackRecord) error {
		if have, err := record.Has(tx, p.changeSet(c.StackID, c.Name)); err != nil || !have {
			if err == nil {
				err = noChangeSet(in.ChangeSetName)
			}
			return err
		}
		if err := c.Deployment.takeOver(tx, p, c.StackID); err != nil {
			return err
		}
		stack.ChangeSetID, stack.Updated = c.ID, s.Clock.Now()
		if err := retireChangeSets(tx, p, c.StackID, c.Deployment.TemplateID, stack.TemplateID); err != nil {
			return err
		}
		c.Execution = "EXECUTE_IN_PROGRESS"
		return record.Set(tx, p.changeSet(c.StackID, executedName), c)
	})
	if err != nil {
		return nil, err
	}
	return &cloudformation.ExecuteChangeSetOutput{}, nil
}

// executedName is in the place of the name in the key of the change set that was executed last: its name is free again, and its ARN still leads to it.
const executedName = "/executed"

// executed notes how the execution of the stack's change set ended.
func executed(tx store.Txn, p place, st *stackRecord, ok bool) error {
	c, found, err := record.Get[changeSetRecord](tx, p.changeSet(st.ID, executedName))
	if err != nil || !found || c.ID != st.ChangeSetID || c.Execution != "EXECUTE_IN_PROGRESS" {
		return err
	}
	c.Execution = "EXECUTE_FAILED"
	if ok {
		c.Execution = "EXECUTE_COMPLETE"
	}
	return record.Set(tx, p.changeSet(st.ID, executedName), c)
}

// obsolete is what becomes of the change sets of a stack that is changed otherwise, until it is changed again: their names are free, and their ARNs still lead to them.
const obsolete = cloudformation.ExecutionStatusObsolete

// retireChangeSets makes the change sets of a stack obsolete and removes those that were, with their templates but those to keep.
func retireChangeSets(tx store.Txn, p place, stackID string, keep ...string) error {
	return endChangeSets(tx, p, stackID, false, keep)
}

// dropChangeSets removes the change sets of a stack, and their templates but those to keep.
func dropChangeSets(tx store.Txn, p place, stackID string, keep ...string) error {
	return endChangeSets(tx, p, stackID, true, keep)
}

func endChangeSets(tx store.Txn, p place, stackID string, all bool, keep []string) error {
	rows, err := record.List[changeSetRecord](tx, p.changeSets(stackID).Span())
	if err != nil {
		return err
	}
	for _, c := range rows {
		if c.wasExecuted() {
			tx.Delete(p.changeSet(stackID, executedName))
			if all { // a deleted stack's can still be described
				if err := record.Set(tx, p.pastChangeSet(c.ID), c); err != nil {
					return err
				}
			}
			continue // the stack has its template
		}
		kept := slices.Contains(keep, c.Deployment.TemplateID)
		if all || kept || c.Execution == obsolete {
			tx.Delete(p.changeSet(stackID, c.Name))
			if !kept {
				dropTemplate(tx, p, c.Deployment.TemplateID)
			}
			continue
		}
		c.Execution = obsolete
		if err := record.Set(tx, p.changeSet(stackID, c.Name), c); err != nil {
			return err
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
	if c.wasExecuted() {
		return &cloudformation.DeleteChangeSetOutput{}, nil
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
		order.Sort(all, func(a, b changeSetRecord) int { return a.Created.Compare(b.Created) })
		for _, c := range all {
			if c.wasExecuted() || c.Execution == obsolete {
				continue
			}
			out.Summaries = append(out.Summaries, cloudformation.ChangeSetSummary{
				StackId: ptr(c.StackID), StackName: ptr(c.StackName), ChangeSetId: ptr(c.ID), ChangeSetName: ptr(c.Name), ExecutionStatus: c.Execution,
				Status: c.Status, StatusReason: optional(c.Reason), CreationTime: ptr(c.Created), Description: optional(c.Description), IncludeNestedStacks: ptr(false),
				ImportExistingResources: c.ImportExisting,
			})
		}
		return err
	})
	return out, err
}
