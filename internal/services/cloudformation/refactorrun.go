package cloudformation

import (
	"context"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (s *Service) executeStackRefactor(ctx context.Context, in *cloudformation.ExecuteStackRefactorInput) (*cloudformation.ExecuteStackRefactorOutput, error) {
	ids := make([]string, maxRefactored) // of the operations
	for i := range ids {
		var err error
		if ids[i], err = s.uuid(); err != nil {
			return nil, err
		}
	}
	p := placeOf(ctx)
	err := s.Store.Update(ctx, func(tx store.Txn) error {
		f, err := findRefactor(tx, p, in.StackRefactorId)
		if err != nil {
			return err
		}
		if f.Execution != cloudformation.StackRefactorExecutionStatusAvailable {
			return invalid("Stack refactor [%s] cannot be executed: its execution status is %s. %s", f.ID, f.Execution, f.ExecutionReason+f.Reason)
		}
		if err := s.makeStacks(tx, p, f); err != nil {
			return err
		}
		if err := s.moveRows(tx, p, f); err != nil {
			return err
		}
		if err := exchangeExports(tx, p, f); err != nil {
			return err
		}
		for i := range f.Stacks {
			rs := &f.Stacks[i]
			d := rs.Deployment
			d.Refactor, rs.Running = f.ID, true
			if err := s.startIn(ctx, tx, p, rs.ID, ids[i], d, "", false, func(tx store.Txn, p place, st *stackRecord) error {
				if err := retireChangeSets(tx, p, st.ID, d.TemplateID, st.TemplateID); err != nil {
					return err
				}
				dropTemplate(tx, p, st.TemplateID)
				st.become(rs)
				return nil
			}); err != nil {
				return err
			}
		}
		f.Execution = cloudformation.StackRefactorExecutionStatusExecuteInProgress
		return record.Set(tx, p.refactor(f.ID), f)
	})
	return &cloudformation.ExecuteStackRefactorOutput{}, err
}

// become makes a stack what a refactor planned.
func (st *stackRecord) become(rs *refactorStack) {
	d := &rs.Deployment
	st.TemplateID, st.Description, st.Parameters, st.Outputs, st.Imports = d.TemplateID, d.Description, d.Parameters, rs.Outputs, rs.Imports
	st.Exports = nil
	for _, o := range rs.Outputs {
		if o.Export != "" {
			st.Exports = append(st.Exports, o.Export)
		}
	}
}

// makeStacks makes the stacks that a refactor begins.
func (s *Service) makeStacks(tx store.Txn, p place, f *refactorRecord) error {
	for i := range f.Stacks {
		rs := &f.Stacks[i]
		if !rs.Fresh {
			continue
		}
		st := &stackRecord{ID: rs.ID, Name: rs.Name, Created: s.Clock.Now()}
		at := s.Clock.Now().Truncate(time.Millisecond)
		for _, status := range []string{cloudformation.StackStatusCreateInProgress, cloudformation.StackStatusCreateComplete} {
			st.Status = status
			if err := s.addStackEvent(tx, p, st, "Stack refactor "+f.ID, "", at); err != nil {
				return err
			}
			at = at.Add(time.Millisecond)
		}
		if err := s.claimName(tx, p, st); err != nil {
			return err
		}
	}
	return nil
}

// moveRows moves the resources. All are taken out before any is put in: two may change places.
func (s *Service) moveRows(tx store.Txn, p place, f *refactorRecord) error {
	rows := make([]deploy.Resource, len(f.Moves))
	for i := range f.Moves {
		from := f.Moves[i].From
		row, found, err := record.Get[deploy.Resource](tx, p.resource(from.StackID, from.LogicalID))
		if err != nil {
			return err
		}
		if !found {
			return invalid("Resource %s is gone. Create the stack refactor again.", from)
		}
		rows[i] = row
		tx.Delete(p.resource(from.StackID, from.LogicalID))
	}
	for i := range rows {
		if err := s.arrive(tx, p, &f.Moves[i], rows[i]); err != nil {
			return err
		}
	}
	for i := range f.Stacks {
		if err := f.Stacks[i].relate(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// arrive puts a resource into its new stack. The tags that are noted for it are those that it has of its old one, so that the update that follows changes them.
func (s *Service) arrive(tx store.Txn, p place, m *refactorMove, row deploy.Resource) error {
	row.LogicalID, row.Status, row.Reason, row.Updated = m.To.LogicalID, importComplete, "Moved from "+m.From.String(), s.Clock.Now()
	row.Tags = map[string]string{"aws:cloudformation:stack-id": m.From.StackID, "aws:cloudformation:logical-id": m.From.LogicalID}
	row.Previous = nil
	st, err := lookup(tx, p, m.To.StackID)
	if err != nil {
		return err
	}
	at, err := s.eventTime(tx, p, st.ID)
	if err != nil {
		return err
	}
	for _, status := range []string{"IMPORT_IN_PROGRESS", importComplete} {
		e := eventRecord{LogicalID: row.LogicalID, PhysicalID: row.PhysicalID, Type: row.Type, Status: status, Reason: row.Reason, Time: at}
		e.ID = e.LogicalID + "-" + status + "-" + at.UTC().Format("2006-01-02T15:04:05.000Z")
		if err := st.Notify.tell(tx, p, st.ID, &e); err != nil {
			return err
		}
		if err := record.Append(tx, p.events(st.ID), e); err != nil {
			return err
		}
		at = at.Add(time.Millisecond)
	}
	return record.Set(tx, p.resource(st.ID, row.LogicalID), row)
}

// importComplete is the status of a resource that came from elsewhere.
const importComplete = "IMPORT_COMPLETE"

// relate notes what the resources of a stack depend on now.
func (rs *refactorStack) relate(tx store.Txn, p place) error {
	all, err := record.List[deploy.Resource](tx, p.resources(rs.ID).Span())
	for i := range all {
		deps, planned := rs.DependsOn[all[i].LogicalID]
		if !planned || slices.Equal(deps, all[i].DependsOn) {
			continue
		}
		all[i].DependsOn = deps
		if err := record.Set(tx, p.resource(rs.ID, all[i].LogicalID), all[i]); err != nil {
			return err
		}
	}
	return err
}

// exchangeExports replaces the exports and imports of all stacks of a refactor at once: an export may go from one to another.
func exchangeExports(tx store.Txn, p place, f *refactorRecord) error {
	old, own := map[string]string{}, map[string]bool{}
	for i := range f.Stacks {
		st, err := lookup(tx, p, f.Stacks[i].ID)
		if err != nil {
			return err
		}
		own[st.Name] = true
		for _, o := range st.Outputs {
			if o.Export != "" {
				old[o.Export] = o.Value
				tx.Delete(p.export(o.Export))
			}
		}
		for _, name := range st.Imports {
			tx.Delete(p.importer(name, st.ID))
		}
	}
	for i := range f.Stacks {
		if err := f.Stacks[i].export(tx, p, old); err != nil {
			return err
		}
	}
	for name := range old { // whose value is no longer exported
		users, err := record.List[string](tx, p.importers(name).Span())
		if err != nil {
			return err
		}
		if users = slices.DeleteFunc(users, func(u string) bool { return own[u] }); len(users) > 0 {
			return invalid("Export %s cannot be deleted as it is in use by %s", name, strings.Join(users, " and "))
		}
	}
	return nil
}

// export writes the exports and imports of a stack, and removes from old what stays as it was.
func (rs *refactorStack) export(tx store.Txn, p place, old map[string]string) error {
	for _, o := range rs.Outputs {
		if o.Export == "" {
			continue
		}
		e, found, err := record.Get[exportRecord](tx, p.export(o.Export))
		if err != nil {
			return err
		}
		if found {
			return invalid("Export with name %s is already exported by stack %s. Rule: a name is exported once in an account and region.", o.Export, e.StackName)
		}
		if old[o.Export] == o.Value {
			delete(old, o.Export)
		}
		if err := record.Set(tx, p.export(o.Export), exportRecord{StackID: rs.ID, StackName: rs.Name, Value: o.Value}); err != nil {
			return err
		}
	}
	for _, name := range rs.Imports {
		if err := record.Set(tx, p.importer(name, rs.ID), rs.Name); err != nil {
			return err
		}
	}
	return nil
}

// refactored notes the end of the operation on a stack of a refactor. The resources are where they should be in any case: what can fail is the change of their tags.
func refactored(tx store.Txn, p place, id string, st *stackRecord) error {
	f, found, err := record.Get[refactorRecord](tx, p.refactor(id))
	if err != nil || !found || f.Execution != cloudformation.StackRefactorExecutionStatusExecuteInProgress {
		return err
	}
	running := false
	for i := range f.Stacks {
		rs := &f.Stacks[i]
		if rs.ID == st.ID && rs.Running {
			rs.Running = false
			if st.Status != cloudformation.StackStatusUpdateComplete {
				f.ExecutionReason = strings.TrimSpace(f.ExecutionReason + " Stack " + st.Name + " is " + st.Status + ": its resources moved, and their tags could not be changed. " + st.Failure)
			}
		}
		running = running || rs.Running
	}
	if !running {
		f.Execution = cloudformation.StackRefactorExecutionStatusExecuteComplete
		if f.ExecutionReason != "" {
			f.Execution = cloudformation.StackRefactorExecutionStatusExecuteFailed
		}
	}
	return record.Set(tx, p.refactor(id), f)
}
