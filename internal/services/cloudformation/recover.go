package cloudformation

import (
	"context"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// cancelUpdateStack ends an update that is under way: what is being done to a resource is finished, nothing new begins, and the update is rolled back.
func (s *Service) cancelUpdateStack(ctx context.Context, in *cloudformation.CancelUpdateStackInput) (*cloudformation.CancelUpdateStackOutput, error) {
	p := placeOf(ctx)
	return &cloudformation.CancelUpdateStackOutput{}, s.Store.Update(ctx, func(tx store.Txn) error {
		st, err := lookup(tx, p, in.StackName)
		if err != nil {
			return err
		}
		if st.Status != "UPDATE_IN_PROGRESS" {
			return invalid("CancelUpdateStack cannot be called from current stack status")
		}
		op, _, err := record.Get[operationRecord](tx, p.operation(st.ID))
		if err != nil {
			return err
		}
		tx.OnCommit(func() { s.cancelNow(op.ID) })
		return record.Set(tx, p.cancel(op.ID), true)
	})
}

// continueUpdateRollback tries again to undo an update whose rollback failed.
func (s *Service) continueUpdateRollback(ctx context.Context, in *cloudformation.ContinueUpdateRollbackInput) (*cloudformation.ContinueUpdateRollbackOutput, error) {
	if err := s.checkRole(ctx, deref(in.RoleARN)); err != nil {
		return nil, err
	}
	_, err := s.resume(ctx, in.StackName, resumption{
		entry: cloudformation.OperationTypeContinueRollback, status: "UPDATE_ROLLBACK_FAILED", next: "UPDATE_ROLLBACK_IN_PROGRESS", token: deref(in.ClientRequestToken), role: deref(in.RoleARN), skip: in.ResourcesToSkip,
		refuse: func(st *stackRecord) error {
			return invalid("Stack:%s is in %s state and can not continue to rollback.", st.ID, st.Status)
		},
	})
	return &cloudformation.ContinueUpdateRollbackOutput{}, err
}

// rollbackStack undoes what a failed operation left in place because its rollback was disabled.
func (s *Service) rollbackStack(ctx context.Context, in *cloudformation.RollbackStackInput) (*cloudformation.RollbackStackOutput, error) {
	if err := s.checkRole(ctx, deref(in.RoleARN)); err != nil {
		return nil, err
	}
	st, err := s.findStack(ctx, in.StackName)
	if err != nil {
		return nil, err
	}
	r := resumption{entry: cloudformation.OperationTypeRollback, status: "UPDATE_FAILED", next: "UPDATE_ROLLBACK_IN_PROGRESS", token: deref(in.ClientRequestToken), role: deref(in.RoleARN), retainExceptOnCreate: deref(in.RetainExceptOnCreate)}
	if st.Status == "CREATE_FAILED" {
		r.status, r.next = st.Status, "ROLLBACK_IN_PROGRESS"
	}
	r.refuse = func(st *stackRecord) error {
		return invalid("Stack:%s is in %s state and can not be rolled back.", st.ID, st.Status)
	}
	id, err := s.resume(ctx, in.StackName, r)
	return &cloudformation.RollbackStackOutput{StackId: &id}, err
}

// resumption is the rollback of an operation that has ended.
type resumption struct {
	// status is the one that the stack must have, next the one that it gets.
	status, next, token, role string
	// entry is the type of the operation that it is shown as.
	entry                string
	skip                 []string
	retainExceptOnCreate bool
	refuse               func(st *stackRecord) error
}

// resume lets the last operation of a stack go on with its rollback.
func (s *Service) resume(ctx context.Context, name string, r resumption) (string, error) {
	p := placeOf(ctx)
	var id string
	entry, err := s.uuid()
	if err != nil {
		return "", err
	}
	err = s.Store.Update(ctx, func(tx store.Txn) error {
		st, err := lookup(tx, p, name)
		if err != nil {
			return err
		}
		if st.Status != r.status {
			return r.refuse(st)
		}
		id = st.ID
		op, _, err := record.Get[operationRecord](tx, p.operation(st.ID))
		if err != nil {
			return err
		}
		if err := skip(tx, p, st, op.ID, r.skip); err != nil {
			return err
		}
		op.Entry = operationEntry{entry, r.entry}
		op.Phase, op.Token, op.Principal = deploy.Rollback, r.token, service.RequestFrom(ctx).Principal
		op.RetainExceptOnCreate = op.RetainExceptOnCreate || r.retainExceptOnCreate
		if r.role != "" {
			op.Deployment.RoleARN = r.role
		}
		return s.enqueueAs(tx, p, st, op, r.next)
	})
	return id, err
}

// skip takes resources out of a rollback: they count as rolled back as they are.
func skip(tx store.Txn, p place, st *stackRecord, op string, ids []string) error {
	for _, id := range ids {
		row, found, err := record.Get[deploy.Resource](tx, p.resource(st.ID, id))
		if err != nil {
			return err
		}
		if !found || row.Operation != op || row.RolledBack {
			return invalid("Cannot skip resource %s: it is not one whose rollback failed.", id)
		}
		row.RolledBack, row.Status, row.Step, row.Failed = true, "UPDATE_COMPLETE", "", false
		if err := record.Set(tx, p.resource(st.ID, id), row); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) describeAccountLimits(context.Context, *cloudformation.DescribeAccountLimitsInput) (*cloudformation.DescribeAccountLimitsOutput, error) {
	limit := func(name string, value int32) cloudformation.AccountLimit {
		return cloudformation.AccountLimit{Name: &name, Value: &value}
	}
	return &cloudformation.DescribeAccountLimitsOutput{AccountLimits: []cloudformation.AccountLimit{
		limit("StackLimit", 2000), limit("StackOutputsLimit", 200), limit("ConcurrentResourcesLimit", 2500),
	}}, nil
}

// forced tells whether a delete may leave behind what it cannot delete.
func forced(mode string, st *stackRecord) (bool, error) {
	switch {
	case mode == "" || mode == "STANDARD":
		return false, nil
	case mode != "FORCE_DELETE_STACK" || st.Status != "DELETE_FAILED":
		return false, invalid("Invalid operation on stack [%s]. FORCE_DELETE_STACK can only be used on stacks in the DELETE_FAILED state.", st.ID)
	}
	return true, nil
}
