package lambda

import (
	"context"
	"time"

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
		sum, err := reservedIn(tx, r.scope)
		if err != nil {
			return err
		}
		if after := sum - orZero(f.Reserved) + orZero(n); n != nil && int32(l.o.Concurrency)-after < l.unreservedFloor() {
			return invalid("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", l.unreservedFloor())
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

// asyncConfig is the record of how asynchronous invocations are tried again.
type asyncConfig struct {
	Modified time.Time
	Retries  *int32 `json:",omitempty"`
	MaxAge   *int32 `json:",omitempty"` // seconds
}

func (a *asyncConfig) configuration(r ref) *api.FunctionEventInvokeConfig {
	return &api.FunctionEventInvokeConfig{
		LastModified: ptr(a.Modified), FunctionArn: ptr(r.qualified().arn()), MaximumRetryAttempts: a.Retries, MaximumEventAgeInSeconds: a.MaxAge,
		DestinationConfig: &api.DestinationConfig{OnSuccess: &api.OnSuccess{}, OnFailure: &api.OnFailure{}},
	}
}

func (l *Lambda) putFunctionEventInvokeConfig(ctx context.Context, in *api.PutFunctionEventInvokeConfigInput) (*api.PutFunctionEventInvokeConfigOutput, error) {
	return l.setAsync(ctx, "PutFunctionEventInvokeConfig", api.UpdateFunctionEventInvokeConfigInput(*in), false)
}

func (l *Lambda) updateFunctionEventInvokeConfig(ctx context.Context, in *api.UpdateFunctionEventInvokeConfigInput) (*api.UpdateFunctionEventInvokeConfigOutput, error) {
	return l.setAsync(ctx, "UpdateFunctionEventInvokeConfig", *in, true)
}

func (l *Lambda) setAsync(ctx context.Context, operation string, in api.UpdateFunctionEventInvokeConfigInput, keep bool) (*api.FunctionEventInvokeConfig, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if d := in.DestinationConfig; d != nil && (d.OnSuccess != nil && d.OnSuccess.Destination != nil || d.OnFailure != nil && d.OnFailure.Destination != nil) {
		return nil, unsupported(operation, "DestinationConfig")
	}
	if in.MaximumRetryAttempts == nil && in.MaximumEventAgeInSeconds == nil {
		return nil, invalid("You must specify at least one of error handling or destination setting.")
	}
	var a asyncConfig
	if err := setNumber(new(int32), in.MaximumRetryAttempts, 0, 2, "maximumRetryAttempts"); err != nil {
		return nil, err
	}
	if err := setNumber(new(int32), in.MaximumEventAgeInSeconds, 60, 21600, "maximumEventAgeInSeconds"); err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, _, err := resolve(tx, r); err != nil {
			return err
		}
		at := r.scope.async(r.name, r.qualified().qualifier)
		old, ok, err := record.Get[asyncConfig](tx, at)
		if err != nil {
			return err
		}
		if keep && !ok {
			return noAsync(r)
		}
		a = asyncConfig{Modified: l.deps.Clock.Now().UTC(), Retries: in.MaximumRetryAttempts, MaxAge: in.MaximumEventAgeInSeconds}
		if keep && a.Retries == nil {
			a.Retries = old.Retries
		}
		if keep && a.MaxAge == nil {
			a.MaxAge = old.MaxAge
		}
		return record.Set(tx, at, a)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return a.configuration(r), nil
}

func noAsync(r ref) error {
	return notFound("The function %s doesn't have an EventInvokeConfig", r.qualified().arn())
}

func (l *Lambda) getFunctionEventInvokeConfig(ctx context.Context, in *api.GetFunctionEventInvokeConfigInput) (*api.GetFunctionEventInvokeConfigOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	var a asyncConfig
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		var ok bool
		if a, ok, err = record.Get[asyncConfig](rd, r.scope.async(r.name, r.qualified().qualifier)); err == nil && !ok {
			err = noAsync(r)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.configuration(r), nil
}

func (l *Lambda) deleteFunctionEventInvokeConfig(ctx context.Context, in *api.DeleteFunctionEventInvokeConfigInput) (*api.DeleteFunctionEventInvokeConfigOutput, error) {
	r, err := parseRef(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		at := r.scope.async(r.name, r.qualified().qualifier)
		ok, err := record.Has(tx, at)
		if err != nil {
			return err
		}
		if !ok {
			return noAsync(r)
		}
		tx.Delete(at)
		return nil
	})
	return &api.DeleteFunctionEventInvokeConfigOutput{}, unavailable(err)
}
