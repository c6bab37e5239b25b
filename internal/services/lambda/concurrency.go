package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// unreservedFloor is how much of the account's concurrency cannot be reserved: 100 of AWS's 1,000, and a tenth of a smaller limit.
func (l *Lambda) unreservedFloor() int32 { return int32(min(100, l.o.Concurrency/10)) }

// addReserved changes the sum of what is reserved.
func addReserved(tx store.Txn, s scope, n int32) error {
	if n == 0 {
		return nil
	}
	sum, err := reservedIn(tx, s)
	if err != nil {
		return err
	}
	return record.Set(tx, s.reserved(), sum+n)
}

func (l *Lambda) putFunctionConcurrency(ctx context.Context, in *api.PutFunctionConcurrencyInput) (*api.PutFunctionConcurrencyOutput, error) {
	n := in.ReservedConcurrentExecutions
	if n < 0 {
		return nil, validation("Value '%d' at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must have value greater than or equal to 0", n)
	}
	err := l.setReserved(ctx, in.FunctionName, &n)
	if err != nil {
		return nil, err
	}
	return &api.Concurrency{ReservedConcurrentExecutions: &n}, nil
}

func (l *Lambda) setReserved(ctx context.Context, name string, n *int32) error {
	r, err := unqualified(ctx, name)
	if err != nil {
		return err
	}
	return unavailable(l.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, ok, err := record.Get[function](tx, r.scope.function(r.name))
		if err != nil {
			return err
		}
		if !ok {
			return functionNotFound(r.qualified()) // as on AWS, unlike elsewhere
		}
		if err := f.Latest.notManaged("Reserved concurrency"); err != nil && n != nil {
			return err
		}
		sum, err := reservedIn(tx, r.scope)
		if err != nil {
			return err
		}
		if after := sum - orZero(f.Reserved) + orZero(n); n != nil && int32(l.o.Concurrency)-after < l.unreservedFloor() {
			return invalid("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", l.unreservedFloor())
		}
		mine, _, err := provisionedIn(tx, r, "")
		if err != nil {
			return err
		}
		if n != nil && *n < mine {
			return invalid(" ReservedConcurrentExecutions  %d should not be lower than function's total provisioned concurrency [%d].", *n, mine) // as recorded
		}
		if err := addReserved(tx, r.scope, orZero(n)-orZero(f.Reserved)); err != nil {
			return err
		}
		f.Reserved = n
		return record.Set(tx, r.scope.function(r.name), f)
	}))
}

func (l *Lambda) getFunctionConcurrency(ctx context.Context, in *api.GetFunctionConcurrencyInput) (*api.GetFunctionConcurrencyOutput, error) {
	if _, err := unqualified(ctx, in.FunctionName); err != nil {
		return nil, err
	}
	_, f, _, err := l.find(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return &api.GetFunctionConcurrencyOutput{ReservedConcurrentExecutions: f.Reserved}, nil
}

func (l *Lambda) deleteFunctionConcurrency(ctx context.Context, in *api.DeleteFunctionConcurrencyInput) (*api.DeleteFunctionConcurrencyOutput, error) {
	return &api.DeleteFunctionConcurrencyOutput{}, l.setReserved(ctx, in.FunctionName, nil)
}
