package cloudformation

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// journal keeps the steps of one operation in the store.
type journal struct {
	s       *Service
	p       place
	stackID string

	mu sync.Mutex
	op operationRecord
	// next is the earliest time of the next event, see [Service.eventTime].
	next    time.Time
	imports map[string]bool
}

// imported notes the use of an export.
func (j *journal) imported(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.imports == nil {
		j.imports = map[string]bool{}
	}
	j.imports[name] = true
}

// Save makes one change of the operation durable.
func (j *journal) Save(ctx context.Context, v deploy.Save) error {
	now := j.s.Clock.Now()
	j.mu.Lock()
	first := now.Truncate(time.Millisecond)
	if first.Before(j.next) {
		first = j.next
	}
	j.next = first.Add(time.Duration(len(v.Events)+1) * time.Millisecond)
	op := j.op
	imports := slices.Sorted(maps.Keys(j.imports))
	j.mu.Unlock()
	err := j.s.Store.Update(ctx, func(tx store.Txn) error {
		for _, row := range v.Put {
			row.Updated = now
			if err := record.Set(tx, j.p.resource(j.stackID, row.LogicalID), row); err != nil {
				return err
			}
		}
		for _, id := range v.Remove {
			tx.Delete(j.p.resource(j.stackID, id))
		}
		at := first
		for _, e := range v.Events {
			if err := j.event(tx, e, at); err != nil {
				return err
			}
			at = at.Add(time.Millisecond)
		}
		if v.Operation == nil {
			return nil
		}
		next := op
		next.Operation = *v.Operation
		if err := record.Set(tx, j.p.operation(j.stackID), next); err != nil {
			return err
		}
		return j.status(tx, op, v, imports, at)
	})
	if err == nil && v.Operation != nil {
		j.mu.Lock()
		j.op.Operation = *v.Operation
		j.mu.Unlock()
	}
	return err
}

// status moves the stack on.
func (j *journal) status(tx store.Txn, op operationRecord, v deploy.Save, imports []string, now time.Time) error {
	st, err := lookup(tx, j.p, j.stackID)
	if err != nil {
		return err
	}
	st.Status, st.Reason = v.Status, v.Reason
	if v.Operation.Reason != "" && v.Operation.Phase == deploy.Rollback {
		st.Failure = v.Operation.Reason
	}
	tx.OnCommit(func() { j.s.board.tell(st.ID) })
	if op.Rollback != nil && v.Operation.Phase != deploy.Forward {
		op.Rollback.unwatch(tx, j.p, j.stackID)
	}
	if v.Status == "ROLLBACK_COMPLETE" && op.Deployment.OnFailure == "DELETE" {
		st.Status = "DELETE_COMPLETE"
	}
	if op.Kind == deploy.Create && v.Operation.Phase != deploy.Forward {
		st.Parameters, st.Tags, st.Capabilities, st.Description, st.RoleARN = op.Deployment.Parameters, op.Deployment.Tags, op.Deployment.Capabilities, op.Deployment.Description, op.Deployment.RoleARN
		st.TemplateID = op.Deployment.TemplateID
	}
	if op.Kind == deploy.Create && v.Operation.Phase == deploy.Rollback {
		st.Deleted = j.s.Clock.Now() // as CloudFormation has it: the stack is undone, though it stays until somebody deletes it
	}
	if v.SetOutputs {
		if err := j.succeed(tx, st, op, v.Outputs, imports); err != nil {
			return err
		}
	}
	if v.Operation.Phase == deploy.Done && (op.Kind == deploy.Update || op.Kind == deploy.Import) && !v.SetOutputs && st.TemplateID != op.Deployment.TemplateID {
		dropTemplate(tx, j.p, op.Deployment.TemplateID)
	}
	if v.Operation.Phase == deploy.Done && op.Kind != deploy.Delete {
		if err := executed(tx, j.p, st, st.Status == op.Kind+"_COMPLETE"); err != nil {
			return err
		}
	}
	if v.Operation.Phase == deploy.Done && op.Deployment.Refactor != "" {
		if err := refactored(tx, j.p, op.Deployment.Refactor, st); err != nil {
			return err
		}
	}
	if v.Operation.Phase == deploy.Done {
		tx.Delete(j.p.cancel(v.Operation.ID))
		tx.Delete(j.p.alarmed(v.Operation.ID))
		dropSignals(tx, j.p, v.Operation.ID)
	}
	if st.Status == "DELETE_COMPLETE" {
		if err := j.gone(tx, st, now); err != nil {
			return err
		}
	}
	if err := j.s.addStackEvent(tx, j.p, st, st.Reason, op.Token, now); err != nil {
		return err
	}
	return record.Set(tx, j.p.stack(st.ID), st)
}

// succeed gives the stack what the deploy made it.
func (j *journal) succeed(tx store.Txn, st *stackRecord, op operationRecord, outputs []deploy.OutputValue, imports []string) error {
	d := op.Deployment
	if st.TemplateID != d.TemplateID {
		dropTemplate(tx, j.p, st.TemplateID)
	}
	st.TemplateID, st.Description, st.Parameters, st.Capabilities, st.Tags, st.RoleARN, st.Outputs = d.TemplateID, d.Description, d.Parameters, d.Capabilities, d.Tags, d.RoleARN, outputs
	for _, name := range st.Exports {
		tx.Delete(j.p.export(name))
	}
	st.Exports = nil
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		st.Exports = append(st.Exports, o.Export)
		if err := record.Set(tx, j.p.export(o.Export), exportRecord{StackID: st.ID, StackName: st.Name, Value: o.Value}); err != nil {
			return err
		}
	}
	for _, name := range st.Imports {
		tx.Delete(j.p.importer(name, st.ID))
	}
	st.Imports = imports
	for _, name := range imports {
		if err := record.Set(tx, j.p.importer(name, st.ID), st.Name); err != nil {
			return err
		}
	}
	return nil
}

// gone forgets everything of a deleted stack but the stack and its history.
func (j *journal) gone(tx store.Txn, st *stackRecord, now time.Time) error {
	st.Deleted = now
	b, err := tx.Get(j.p.name(st.Name))
	if err == nil && string(b) == st.ID {
		tx.Delete(j.p.name(st.Name))
	}
	for _, name := range st.Exports {
		tx.Delete(j.p.export(name))
	}
	for _, name := range st.Imports {
		tx.Delete(j.p.importer(name, st.ID))
	}
	st.Exports, st.Imports, st.Outputs, st.ChangeSetID = nil, nil, nil, ""
	if err := dropChangeSets(tx, j.p, st.ID); err != nil {
		return err
	}
	span := j.p.resources(st.ID).Span()
	tx.DeleteRange(span.Lo, span.Hi)
	dropTemplate(tx, j.p, st.TemplateID)
	return nil
}

func (j *journal) event(tx store.Txn, e deploy.Event, now time.Time) error {
	r := eventRecord{LogicalID: e.LogicalID, PhysicalID: e.PhysicalID, Type: e.Type, Status: e.Status, Reason: e.Reason, Token: j.op.Token, Time: now, Operation: j.op.Entry, Hook: e.Hook}
	r.ID = e.LogicalID + "-" + e.Status + "-" + now.UTC().Format("2006-01-02T15:04:05.000Z")
	if e.Hook != nil {
		r.ID = e.LogicalID + "-" + uuid.Of(e.Hook.ID, e.Hook.Status)
		if err := putResult(tx, j.p, j.result(e, now)); err != nil {
			return err
		}
	}
	if e.Properties != nil {
		b, err := json.Marshal(j.mask(e.Properties))
		if err != nil {
			return err
		}
		r.Properties = string(b)
	}
	if err := j.op.Notify.tell(tx, j.p, j.stackID, &r); err != nil {
		return err
	}
	return record.Append(tx, j.p.events(j.stackID), r)
}

// mask hides the values of NoEcho parameters.
func (j *journal) mask(v any) any { return masked(v, j.op.Deployment.Parameters) }

// masked returns a value in which the values of NoEcho parameters are hidden.
func masked(v any, parameters []parameterRecord) any {
	switch x := v.(type) {
	case string:
		for _, p := range parameters {
			if p.NoEcho && p.Value != "" {
				x = strings.ReplaceAll(x, p.Value, hidden)
			}
		}
		return x
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = masked(x[i], parameters)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			out[k] = masked(x[k], parameters)
		}
		return out
	}
	return v
}
