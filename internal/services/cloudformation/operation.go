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
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// jobKind is the durable work that carries out an operation.
const jobKind = "cloudformation.operation"

// start makes a deploy durable: the stack's new status, the operation and its job commit together. before runs first in the
// transaction, and also once the stack is read.
func (s *Service) start(ctx context.Context, stackID string, d deployment, token string, keep bool, before func(tx store.Txn, p place) error,
	and func(tx store.Txn, p place, stack *stackRecord) error,
) error {
	p := placeOf(ctx)
	id, err := s.uuid()
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Txn) error {
		if before != nil {
			if err := before(tx, p); err != nil {
				return err
			}
		}
		return s.startIn(ctx, tx, p, stackID, id, d, token, keep, and)
	})
}

// startIn is the part of [Service.start] within a transaction; id is the operation's.
func (s *Service) startIn(ctx context.Context, tx store.Txn, p place, stackID, id string, d deployment, token string, keep bool, and func(tx store.Txn, p place, stack *stackRecord) error) error {
	st, err := lookup(tx, p, stackID)
	if err != nil {
		return err
	}
	if d.Kind == deploy.Update || d.Kind == deploy.Import && st.TemplateID != "" {
		if err := updatable(st); err != nil {
			return err
		}
		st.Updated = s.Clock.Now()
	} else if st.Status != "" && st.Status != "REVIEW_IN_PROGRESS" {
		return invalid("Stack:%s is in %s state and can not be created.", st.ID, st.Status)
	}
	if err := and(tx, p, st); err != nil {
		return err
	}
	if d.SetPolicy != nil {
		st.Policy = *d.SetPolicy
	}
	if d.Notify != nil {
		st.Notify = &notifyRecord{Topics: d.Notify, As: service.RequestFrom(ctx).Principal}
	}
	st.DisableRollback = keep || d.OnFailure == "DO_NOTHING"
	op := operationRecord{
		Operation: deploy.Operation{ID: id, Kind: d.Kind, Phase: deploy.Forward, KeepOnFailure: st.DisableRollback, RetainExceptOnCreate: d.RetainExceptOnCreate, Imports: d.Imports},
		Token:     token, Deployment: d, Principal: service.RequestFrom(ctx).Principal,
	}
	if d.Kind != deploy.Import {
		st.Rollback = d.Rollback.over(st.Rollback)
		if op.Rollback = st.Rollback; op.Rollback != nil {
			op.Rollback.watch(tx, p, st.ID, id)
		}
	}
	if d.Timeout > 0 {
		op.Deadline = s.Clock.Now().Add(time.Duration(d.Timeout) * time.Minute)
		st.Timeout = d.Timeout
	}
	return s.enqueue(tx, p, st, op)
}

// startDelete makes the removal of a stack durable.
func (s *Service) startDelete(ctx context.Context, stackID string, d deployment, token string, op deploy.Operation) error {
	p := placeOf(ctx)
	id, err := s.uuid()
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Txn) error {
		st, err := lookup(tx, p, stackID)
		if err != nil {
			return err
		}
		switch {
		case st.Status == "DELETE_COMPLETE" || st.Status == "DELETE_IN_PROGRESS":
			return nil
		case strings.HasSuffix(st.Status, "_IN_PROGRESS") && st.Status != "REVIEW_IN_PROGRESS":
			return invalid("Stack [%s] cannot be deleted while in status %s", st.Name, st.Status)
		case len(op.Retain) > 0 && st.Status != "DELETE_FAILED":
			return invalid("Invalid operation on stack [%s]. Specify which resources to retain only when the stack is in the DELETE_FAILED state.", st.ID)
		}
		if err := exportsUnused(tx, p, st, nil); err != nil {
			return err
		}
		if err := dropChangeSets(tx, p, st.ID, st.TemplateID); err != nil {
			return err
		}
		op.ID, op.Kind, op.Phase = id, deploy.Delete, deploy.Forward
		return s.enqueue(tx, p, st, operationRecord{Operation: op, Token: token, Deployment: d, Principal: service.RequestFrom(ctx).Principal})
	})
}

func (s *Service) enqueue(tx store.Txn, p place, st *stackRecord, op operationRecord) error {
	return s.enqueueAs(tx, p, st, op, op.Kind+"_IN_PROGRESS")
}

// enqueueAs makes an operation and its job part of a transaction, with the status that the stack has while it runs.
func (s *Service) enqueueAs(tx store.Txn, p place, st *stackRecord, op operationRecord, status string) error {
	st.Status, st.Reason, st.Failure = status, "", ""
	op.Notify = st.Notify
	st.forgetDrift(tx, p)
	if op.Entry.Type == "" {
		op.Entry = operationEntry{op.ID, op.Kind + "_STACK"}
		if op.Kind == deploy.Import { // which the API has no name of its own for
			op.Entry.Type = cloudformation.OperationTypeUpdateStack
		}
	}
	st.Last = op.Entry
	tx.Set(p.ran(op.Entry.ID), []byte(st.ID))
	tx.OnCommit(func() { s.board.tell(st.ID) })
	at, err := s.eventTime(tx, p, st.ID)
	if err != nil {
		return err
	}
	if err := s.addStackEvent(tx, p, st, initiated, op.Token, at); err != nil {
		return err
	}
	if err := record.Set(tx, p.stack(st.ID), st); err != nil {
		return err
	}
	if err := record.Set(tx, p.operation(st.ID), op); err != nil {
		return err
	}
	payload, err := json.Marshal(job{p.account, p.region, st.ID, op.ID})
	if err != nil {
		return fmt.Errorf("encode job: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: jobKind, Group: st.ID, Payload: payload})
}

// work carries out the operation that a job names, from where it stands.
func (s *Service) work(ctx context.Context, j events.Job) error {
	var w job
	if err := json.Unmarshal(j.Payload, &w); err != nil {
		return events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	ctx = service.WithRequest(ctx, &service.Request{ID: w.OperationID, API: "cloudformation", Operation: "ExecuteChangeSet", Account: w.Account, Region: w.Region, Time: s.Clock.Now(), Secure: true})
	p := placeOf(ctx)
	var op operationRecord
	var st *stackRecord
	var next time.Time
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		if st, err = lookup(r, p, w.StackID); err != nil {
			return err
		}
		if next, err = s.eventTime(r, p, w.StackID); err != nil {
			return err
		}
		op, _, err = record.Get[operationRecord](r, p.operation(w.StackID))
		return err
	})
	if err != nil {
		return err
	}
	if op.ID != w.OperationID || op.Phase == deploy.Done {
		return nil
	}
	if op.Kind == deploy.Delete {
		ctx = store.MakingRoom(ctx)
	}
	jr := &journal{s: s, p: p, stackID: st.ID, op: op, next: next}
	fail := func(reason error) error {
		return jr.Save(ctx, deploy.Save{Operation: &deploy.Operation{ID: op.ID, Kind: op.Kind, Phase: deploy.Done}, Status: stuck(op.Operation), Reason: reason.Error()})
	}
	as, err := s.deployer(ctx, op.Deployment, op.Principal)
	if refused := (*service.Error)(nil); errors.As(err, &refused) { // the role is gone, or does not trust this service any more
		return fail(service.Errorf(refused.Code, "%s", refused.Message)) // its cause is not for the client
	}
	if err != nil {
		return err
	}
	ctx = service.As(ctx, as)
	stack, err := s.deployStack(st.ID, st.Name, op.Deployment.Tags)
	if err != nil {
		return fail(err)
	}
	run := &deploy.Run{
		Stack: stack, Types: s.types(), Journal: jr,
		Dynamic:      s.dynamic,
		Await:        s.awaitSignals,
		Hooks:        jr.askAboutResource(st),
		CheckOutputs: func(ctx context.Context, outputs []deploy.OutputValue) error { return s.checkExports(ctx, st, outputs) },
	}
	if run.Guard, err = guard(st, op.Deployment); err != nil {
		return err
	}
	end, stop, err := s.watchEnd(ctx, p, op)
	defer stop()
	if err != nil {
		return err
	}
	run.Ended, run.EndReason = end.reached, end.reason
	run.Refused = op.Deployment.Refused
	if run.Refused == "" {
		if run.Refused, err = jr.askAboutStack(ctx, st); err != nil {
			return err
		}
	}
	if op.Kind != deploy.Delete && run.Refused == "" && (op.Phase == deploy.Forward || op.Phase == deploy.Cleanup) {
		if run.Target, err = s.target(ctx, st, stack, op, jr); err != nil {
			return fail(err)
		}
	}
	if op.Rollback != nil && op.Phase == deploy.Forward {
		run.Monitor = func(ctx context.Context) error { return jr.monitor(ctx, end.reached) }
		if run.Refused == "" {
			if run.Refused, err = s.checkTriggers(ctx, op.Rollback); err != nil {
				return err
			}
		}
	}
	rows, err := s.rows(ctx, st.ID)
	if err != nil {
		return err
	}
	return run.Do(ctx, op.Operation, rows)
}

// stuck is the status of a stack whose operation cannot go on.
func stuck(op deploy.Operation) string {
	switch {
	case op.Kind == deploy.Import:
		return cloudformation.StackStatusImportRollbackFailed
	case op.Phase == deploy.Rollback && op.Kind == deploy.Create:
		return "ROLLBACK_FAILED"
	case op.Phase == deploy.Rollback:
		return "UPDATE_ROLLBACK_FAILED"
	}
	return op.Kind + "_FAILED"
}

// stackService is who assumes the roles of stacks.
const stackService = "cloudformation.amazonaws.com"

// deployer returns the identity that a deployment is carried out as: whoever asked for it, or a session of the role that was passed.
func (s *Service) deployer(ctx context.Context, d deployment, asker service.Principal) (service.Principal, error) {
	if d.RoleARN == "" {
		return asker, nil
	}
	return s.options.Roles.SessionForService(ctx, stackService, d.RoleARN, "AWSCloudFormation")
}

func (s *Service) target(ctx context.Context, st *stackRecord, stack deploy.Stack, op operationRecord, jr *journal) (*deploy.Target, error) {
	stage := "Original" // whose text has the lines that people know
	if op.Deployment.Expanded {
		stage = "Processed"
	}
	text, err := s.storedTemplate(ctx, op.Deployment.TemplateID, stage)
	if err != nil {
		return nil, err
	}
	d, err := template.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	env := s.env(ctx, st.ID, st.Name, jr.imported)
	if env.Template, err = template.Decode(d); err != nil {
		return nil, err
	}
	if op.Notify != nil {
		env.Notifications = op.Notify.Topics
	}
	given := map[string]string{}
	for _, v := range op.Deployment.Parameters {
		given[v.Key] = v.Value
	}
	if env.Parameters, err = env.Template.Values(given, resolvedIn(op.Deployment.Parameters)); err != nil {
		return nil, err
	}
	return deploy.NewTarget(env, s.types(), stack)
}

// rows returns the resources of a stack.
func (s *Service) rows(ctx context.Context, stackID string) (map[string]*deploy.Resource, error) {
	rows := map[string]*deploy.Resource{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		clear(rows)
		all, err := record.List[deploy.Resource](r, placeOf(ctx).resources(stackID).Span())
		for i := range all {
			rows[all[i].LogicalID] = &all[i]
		}
		return err
	})
	return rows, err
}

// exportsUnused refuses the loss of exports that other stacks use; keep lists those that stay as they are.
func exportsUnused(r store.Reader, p place, st *stackRecord, keep []string) error {
	for _, name := range st.Exports {
		if slices.Contains(keep, name) {
			continue
		}
		users, err := record.List[string](r, p.importers(name).Span())
		if err != nil {
			return err
		}
		users = slices.DeleteFunc(users, func(u string) bool { return u == st.Name })
		if len(users) > 0 {
			return invalid("Export %s cannot be deleted as it is in use by %s", name, strings.Join(users, " and "))
		}
	}
	return nil
}
