package lambda

import (
	"context"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// provision is the record of the provisioned concurrency of a version or an alias.
type provision struct {
	Qualifier string
	Requested int32
	Modified  time.Time
}

// state is what the API shows. What was asked for is reserved when it is acknowledged, so it is ready at once.
func (p *provision) state() *api.GetProvisionedConcurrencyConfigOutput {
	return &api.GetProvisionedConcurrencyConfigOutput{
		RequestedProvisionedConcurrentExecutions: ptr(p.Requested), AllocatedProvisionedConcurrentExecutions: ptr(p.Requested),
		AvailableProvisionedConcurrentExecutions: ptr(p.Requested), Status: api.ProvisionedConcurrencyStatusEnumReady, LastModified: ptr(p.Modified.UTC().Format(lastModified)),
	}
}

// provisionable finds the version or alias that an input names.
func provisionable(ctx context.Context, rd store.Reader, name, qualifier string) (r ref, target string, err error) {
	if r, err = parseRef(ctx, name, &qualifier); err != nil {
		return r, "", err
	}
	if isAlias(r.qualifier) {
		a, err := loadAlias(rd, r, r.qualifier)
		return r, a.Version, err
	}
	if r.qualifier == latest || r.qualifier == "" {
		return r, "", invalid("The function resource provided must be an alias or a published version.")
	}
	_, _, err = resolve(rd, r)
	if service.Code(err) == "ResourceNotFoundException" {
		err = functionNotFound(r)
	}
	return r, r.qualifier, err
}

func (l *Lambda) putProvisionedConcurrencyConfig(ctx context.Context, in *api.PutProvisionedConcurrencyConfigInput) (*api.PutProvisionedConcurrencyConfigOutput, error) {
	if in.Qualifier == latest {
		return nil, invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	}
	p := provision{Requested: in.ProvisionedConcurrentExecutions, Modified: l.deps.Clock.Now().UTC()}
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, target, err := provisionable(ctx, tx, in.FunctionName, in.Qualifier)
		if err != nil {
			return err
		}
		p.Qualifier = r.qualifier
		if err := checkProvisionedOnce(tx, r, target); err != nil {
			return err
		}
		if err := l.checkProvisionable(tx, r, p.Requested); err != nil {
			return err
		}
		return record.Set(tx, r.provisions(r.name).Str(r.qualifier), p)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	// As on AWS, the answer is about what is still to be done.
	return &api.PutProvisionedConcurrencyConfigOutput{
		RequestedProvisionedConcurrentExecutions: ptr(p.Requested), AllocatedProvisionedConcurrentExecutions: ptr(int32(0)), AvailableProvisionedConcurrentExecutions: ptr(int32(0)),
		Status: api.ProvisionedConcurrencyStatusEnumInProgress, LastModified: ptr(p.Modified.Format(lastModified)),
	}, nil
}

// checkProvisionedOnce makes sure that a version is provisioned only by itself or by one alias.
func checkProvisionedOnce(rd store.Reader, r ref, target string) error {
	for row, err := range record.Range[provision](rd, r.provisions(r.name).Span()) {
		if err != nil {
			return err
		}
		q := row.Value.Qualifier
		if q == r.qualifier {
			continue
		}
		if q == target {
			return conflict("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
		}
		if !isAlias(q) {
			continue
		}
		a, err := loadAlias(rd, r, q)
		if err != nil {
			return err
		}
		if a.Version == target {
			return conflict("Version is pointed by a Provisioned Concurrency alias")
		}
	}
	return nil
}

// checkProvisionable makes sure that the function's or the account's concurrency allows for what is requested.
func (l *Lambda) checkProvisionable(rd store.Reader, r ref, requested int32) error {
	f, err := loadFunction(rd, r)
	if err != nil {
		return err
	}
	mine, others, err := provisionedElse(rd, r)
	if err != nil {
		return err
	}
	if f.Reserved != nil {
		if requested+mine > *f.Reserved {
			return invalid("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
		}
		return nil
	}
	reserved, err := reservedIn(rd, r.scope)
	if err != nil {
		return err
	}
	unreserved := int32(l.o.Concurrency) - reserved - mine - others
	if requested > unreserved {
		return invalid("Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [%d].", unreserved)
	}
	if unreserved-requested < l.unreservedFloor() {
		return invalid("Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", l.unreservedFloor())
	}
	return nil
}

// provisionedElse adds up what is provisioned beside r: for other qualifiers of its function, and for other functions that have nothing reserved.
func provisionedElse(rd store.Reader, r ref) (mine, others int32, err error) {
	for f, err := range record.Range[function](rd, r.functions().Span()) {
		if err != nil {
			return 0, 0, err
		}
		if f.Value.Name != r.name && f.Value.Reserved != nil {
			continue
		}
		for p, err := range record.Range[provision](rd, r.provisions(f.Value.Name).Span()) {
			switch {
			case err != nil:
				return 0, 0, err
			case f.Value.Name != r.name:
				others += p.Value.Requested
			case p.Value.Qualifier != r.qualifier:
				mine += p.Value.Requested
			}
		}
	}
	return mine, others, nil
}

// reservedIn is what the functions of an account and region have reserved together.
func reservedIn(rd store.Reader, s scope) (int32, error) {
	n, _, err := record.Get[int32](rd, s.reserved())
	return n, err
}

func noProvision() *service.Error {
	return service.Errorf("ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function").WithStatus(http.StatusNotFound)
}

func (l *Lambda) getProvisionedConcurrencyConfig(ctx context.Context, in *api.GetProvisionedConcurrencyConfigInput) (*api.GetProvisionedConcurrencyConfigOutput, error) {
	var p provision
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		r, _, err := provisionable(ctx, rd, in.FunctionName, in.Qualifier)
		if err != nil {
			return err
		}
		var ok bool
		if p, ok, err = record.Get[provision](rd, r.provisions(r.name).Str(r.qualifier)); err == nil && !ok {
			err = noProvision()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return p.state(), nil
}

func (l *Lambda) deleteProvisionedConcurrencyConfig(ctx context.Context, in *api.DeleteProvisionedConcurrencyConfigInput) (*api.DeleteProvisionedConcurrencyConfigOutput, error) {
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, _, err := provisionable(ctx, tx, in.FunctionName, in.Qualifier)
		if err != nil {
			return err
		}
		tx.Delete(r.provisions(r.name).Str(r.qualifier))
		return nil
	})
	return &api.DeleteProvisionedConcurrencyConfigOutput{}, unavailable(err)
}

func (l *Lambda) listProvisionedConcurrencyConfigs(ctx context.Context, in *api.ListProvisionedConcurrencyConfigsInput) (*api.ListProvisionedConcurrencyConfigsOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	limit := pageSize(in.MaxItems, defaultPage)
	span := r.provisions(r.name).Span()
	if in.Marker != nil {
		span.Lo = append(r.provisions(r.name).Str(*in.Marker), 0)
	}
	out := &api.ListProvisionedConcurrencyConfigsOutput{ProvisionedConcurrencyConfigs: []api.ProvisionedConcurrencyConfigListItem{}}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		if _, err := loadFunction(rd, r); err != nil {
			return err
		}
		last := ""
		for p, err := range record.Range[provision](rd, span) {
			if err != nil {
				return err
			}
			if len(out.ProvisionedConcurrencyConfigs) == limit {
				out.NextMarker = &last
				return nil
			}
			s := p.Value.state()
			last = p.Value.Qualifier
			out.ProvisionedConcurrencyConfigs = append(out.ProvisionedConcurrencyConfigs, api.ProvisionedConcurrencyConfigListItem{
				FunctionArn: ptr(r.with(last).arn()), RequestedProvisionedConcurrentExecutions: s.RequestedProvisionedConcurrentExecutions,
				AvailableProvisionedConcurrentExecutions: s.AvailableProvisionedConcurrentExecutions, AllocatedProvisionedConcurrentExecutions: s.AllocatedProvisionedConcurrentExecutions,
				Status: s.Status, LastModified: s.LastModified,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
