package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxRefactored is how many stacks a refactor may have, see
	// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-refactoring.html.
	maxRefactored = 5
	// keptRefactors is how many refactors of a region are remembered.
	keptRefactors = 100
)

// refactorRecord is a stack refactor: resources that move between stacks, or get another logical id, and stay as they are.
type refactorRecord struct {
	ID, Description string
	Created         time.Time
	// Status and Reason are of its planning, Execution and ExecutionReason of its execution.
	Status, Reason             string
	Execution, ExecutionReason string
	Stacks                     []refactorStack
	Moves                      []refactorMove
}

// refactorStack is a stack of a refactor, as it will be.
type refactorStack struct {
	ID, Name string
	// Fresh tells that the refactor makes the stack.
	Fresh bool `json:",omitempty"`
	// Was is the id of the stack's template when the refactor was planned: with another one the plan no longer fits.
	Was        string
	Deployment deployment
	Outputs    []deploy.OutputValue
	Imports    []string
	// DependsOn has the dependencies of the stack's resources, by logical id.
	DependsOn map[string][]string
	// Running tells that the operation on the stack goes on.
	Running bool `json:",omitempty"`
}

type refactorMove struct {
	From, To                            resourcePlace
	Type, PhysicalID, Detection, Reason string
}

// resourcePlace is where a resource is.
type resourcePlace struct{ StackID, StackName, LogicalID string }

func noRefactor(id string) error {
	return service.Errorf("StackRefactorNotFoundException", "Stack refactor [%s] does not exist", id).WithStatus(404)
}

func (s *Service) createStackRefactor(ctx context.Context, in *cloudformation.CreateStackRefactorInput) (*cloudformation.CreateStackRefactorOutput, error) {
	if n := len(in.StackDefinitions); n == 0 || n > maxRefactored {
		return nil, invalid("A stack refactor has from 1 to %d StackDefinitions, and this one has %d.", maxRefactored, n)
	}
	id, err := s.uuid()
	if err != nil {
		return nil, err
	}
	r := refactorRecord{
		ID: id, Description: deref(in.Description), Created: s.Clock.Now(), Status: cloudformation.StackRefactorStatusCreateComplete, Execution: cloudformation.StackRefactorExecutionStatusAvailable,
	}
	f := &refactoring{s: s, exports: map[string]string{}}
	var refused *service.Error
	if err := f.plan(ctx, in); errors.As(err, &refused) && refused.Status < 500 {
		r.Status, r.Reason, r.Execution = cloudformation.StackRefactorStatusCreateFailed, refused.Message, cloudformation.StackRefactorExecutionStatusUnavailable
		f.moves = nil
	} else if err != nil {
		return nil, err
	}
	r.Moves = f.moves
	p := placeOf(ctx)
	err = s.Store.Update(ctx, func(tx store.Txn) error {
		r.Stacks = nil
		if err := forgetRefactors(tx, p); err != nil {
			return err
		}
		for _, st := range f.stacks {
			planned := st.planned()
			if r.Reason == "" {
				saveTemplate(tx, p, planned.Deployment.TemplateID, st.proposal)
			}
			r.Stacks = append(r.Stacks, planned)
		}
		return record.Set(tx, p.refactor(id), r)
	})
	return &cloudformation.CreateStackRefactorOutput{StackRefactorId: id}, err
}

// forgetRefactors makes room for one more refactor: the oldest goes, with the templates that no stack has.
func forgetRefactors(tx store.Txn, p place) error {
	all, err := record.List[refactorRecord](tx, p.base("refactor").Span())
	order.Sort(all, func(a, b refactorRecord) int { return a.Created.Compare(b.Created) })
	for i := 0; i <= len(all)-keptRefactors; i++ {
		tx.Delete(p.refactor(all[i].ID))
		for _, st := range all[i].Stacks {
			if all[i].Execution == cloudformation.StackRefactorExecutionStatusAvailable {
				dropTemplate(tx, p, st.Deployment.TemplateID)
			}
		}
	}
	return err
}

// findRefactor returns a refactor; one whose stacks have changed since it was planned is obsolete.
func findRefactor(r store.Reader, p place, id string) (*refactorRecord, error) {
	f, found, err := record.Get[refactorRecord](r, p.refactor(id))
	if err == nil && !found {
		err = noRefactor(id)
	}
	if err == nil {
		err = f.judge(r, p)
	}
	return &f, err
}

// judge makes a refactor obsolete whose stacks have changed since it was planned.
func (f *refactorRecord) judge(r store.Reader, p place) error {
	if f.Execution != cloudformation.StackRefactorExecutionStatusAvailable {
		return nil
	}
	for _, rs := range f.Stacks {
		st, err := lookup(r, p, rs.ID)
		if err != nil && !isMissing(err) {
			return err
		}
		if missing := err != nil; missing != rs.Fresh || !missing && st.TemplateID != rs.Was {
			f.Execution, f.ExecutionReason = cloudformation.StackRefactorExecutionStatusObsolete, "Stack "+rs.Name+" has changed since the stack refactor was created. Create the refactor again."
		}
	}
	return nil
}

func (s *Service) describeStackRefactor(ctx context.Context, in *cloudformation.DescribeStackRefactorInput) (*cloudformation.DescribeStackRefactorOutput, error) {
	var f *refactorRecord
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		f, err = findRefactor(r, placeOf(ctx), in.StackRefactorId)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeStackRefactorOutput{
		StackRefactorId: &f.ID, Description: optional(f.Description), Status: f.Status, StatusReason: optional(f.Reason),
		ExecutionStatus: f.Execution, ExecutionStatusReason: optional(f.ExecutionReason), StackIds: []string{},
	}
	for _, st := range f.Stacks {
		out.StackIds = append(out.StackIds, st.ID)
	}
	return out, nil
}

func (s *Service) listStackRefactors(ctx context.Context, in *cloudformation.ListStackRefactorsInput) (*cloudformation.ListStackRefactorsOutput, error) {
	out := &cloudformation.ListStackRefactorsOutput{StackRefactorSummaries: []cloudformation.StackRefactorSummary{}}
	judged := map[string]refactorRecord{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		all, err := record.List[refactorRecord](r, placeOf(ctx).base("refactor").Span())
		for i := 0; i < len(all) && err == nil; i++ {
			err = all[i].judge(r, placeOf(ctx))
			judged[all[i].ID] = all[i]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out.NextToken, err = page(ctx, s, placeOf(ctx).base("refactor"), in.NextToken, in.MaxResults, func(f refactorRecord) bool {
		if known, ok := judged[f.ID]; ok {
			f = known
		}
		if len(in.ExecutionStatusFilter) > 0 && !slices.Contains(in.ExecutionStatusFilter, f.Execution) {
			return false
		}
		out.StackRefactorSummaries = append(out.StackRefactorSummaries, cloudformation.StackRefactorSummary{
			StackRefactorId: ptr(f.ID), Description: optional(f.Description), Status: f.Status, StatusReason: optional(f.Reason),
			ExecutionStatus: f.Execution, ExecutionStatusReason: optional(f.ExecutionReason),
		})
		return true
	})
	return out, err
}

func (s *Service) listStackRefactorActions(ctx context.Context, in *cloudformation.ListStackRefactorActionsInput) (*cloudformation.ListStackRefactorActionsOutput, error) {
	out := &cloudformation.ListStackRefactorActionsOutput{StackRefactorActions: []cloudformation.StackRefactorAction{}}
	var f *refactorRecord
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		f, err = findRefactor(r, placeOf(ctx), in.StackRefactorId)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, st := range f.Stacks {
		if st.Fresh && f.Reason == "" {
			out.StackRefactorActions = append(out.StackRefactorActions, cloudformation.StackRefactorAction{
				Action: cloudformation.StackRefactorActionTypeCreate, Entity: cloudformation.StackRefactorActionEntityStack, PhysicalResourceId: ptr(st.ID), Description: ptr("Stack " + st.Name + " created."),
			})
		}
	}
	for i := range f.Moves {
		action, err := s.moveAction(ctx, &f.Moves[i])
		if err != nil {
			return nil, err
		}
		out.StackRefactorActions = append(out.StackRefactorActions, action)
	}
	from, size := 0, pageSize(in.MaxResults)
	if in.NextToken != nil {
		from = slices.IndexFunc(out.StackRefactorActions, func(a cloudformation.StackRefactorAction) bool { return actionToken(&a) == *in.NextToken }) + 1
		if from == 0 {
			return nil, invalid("NextToken is not valid.")
		}
	}
	if out.StackRefactorActions = out.StackRefactorActions[from:]; len(out.StackRefactorActions) > size {
		out.StackRefactorActions = out.StackRefactorActions[:size]
		out.NextToken = ptr(actionToken(&out.StackRefactorActions[size-1]))
	}
	return out, nil
}

// actionToken names an action within its refactor.
func actionToken(a *cloudformation.StackRefactorAction) string {
	if a.ResourceMapping == nil {
		return deref(a.PhysicalResourceId)
	}
	return a.ResourceMapping.Destination.StackName + "/" + a.ResourceMapping.Destination.LogicalResourceId
}

// moveAction shows a move. The tags are those that every resource of a stack gets.
func (s *Service) moveAction(ctx context.Context, m *refactorMove) (cloudformation.StackRefactorAction, error) {
	rows, err := s.rows(ctx, m.From.StackID)
	if err != nil {
		return cloudformation.StackRefactorAction{}, err
	}
	a := cloudformation.StackRefactorAction{
		Action: cloudformation.StackRefactorActionTypeMove, Entity: cloudformation.StackRefactorActionEntityResource, PhysicalResourceId: ptr(m.PhysicalID),
		Description: ptr("Resource " + m.From.LogicalID + " of stack " + m.From.StackName + " moves to " + m.To.LogicalID + " of stack " + m.To.StackName + "."),
		Detection:   m.Detection, DetectionReason: ptr(m.Reason), UntagResources: []string{},
		TagResources: []cloudformation.Tag{
			{Key: "aws:cloudformation:stack-name", Value: m.To.StackName}, {Key: "aws:cloudformation:logical-id", Value: m.To.LogicalID}, {Key: "aws:cloudformation:stack-id", Value: m.To.StackID},
		},
		ResourceMapping: &cloudformation.ResourceMapping{Source: m.From.shape(), Destination: m.To.shape()},
	}
	if row := rows[m.From.LogicalID]; row != nil {
		typ, _ := s.types().Of(row.Type)
		named := map[string]string{}
		for i, part := range s.types().Identify(row.Type, row.Snapshot) {
			named[typ.Identifier[i]] = part
		}
		text, err := json.Marshal(named)
		if err != nil {
			return a, err
		}
		a.ResourceIdentifier = ptr(string(text))
	}
	return a, nil
}

func (l resourcePlace) shape() *cloudformation.ResourceLocation {
	return &cloudformation.ResourceLocation{StackName: l.StackName, LogicalResourceId: l.LogicalID}
}

func (l resourcePlace) String() string { return l.LogicalID + " of stack " + l.StackName }

// names lists places in a message.
func names(places []resourcePlace) string {
	texts := make([]string, len(places))
	for i, l := range places {
		texts[i] = l.String()
	}
	return strings.Join(slices.Sorted(slices.Values(texts)), ", ")
}

// planned is what a refactor keeps of a stack.
func (st *refactorTarget) planned() refactorStack {
	if st.proposal == nil { // the plan failed before
		return refactorStack{ID: st.record.ID, Name: st.record.Name, Fresh: st.fresh, Was: st.record.TemplateID}
	}
	return refactorStack{
		ID: st.record.ID, Name: st.record.Name, Fresh: st.fresh, Was: st.record.TemplateID, Deployment: st.proposal.deployment, Outputs: st.outputs,
		Imports: slices.Sorted(maps.Keys(st.imports)), DependsOn: st.dependsOn(),
	}
}
