package lambda

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// provision is the record of the provisioned concurrency of a version or an alias.
type provision struct {
	Qualifier string
	Requested int32
	Modified  time.Time
}

// targets are the versions that the environments of p are of. Those of an alias are shared out among its versions by their weights.
func (p *provision) targets(rd store.Reader, r ref) ([]target, error) {
	if !isAlias(p.Qualifier) {
		return targetsOf(rd, r, map[string]int{p.Qualifier: int(p.Requested)})
	}
	a, ok, err := record.Get[alias](rd, r.scope.alias(r.name, p.Qualifier))
	if err != nil || !ok {
		return nil, err
	}
	wants, left := map[string]int{}, int(p.Requested)
	for _, number := range slices.Sorted(maps.Keys(a.Weights)) {
		n := min(left, int(math.Ceil(a.Weights[number]*float64(p.Requested))))
		wants[number], left = n, left-n
	}
	wants[a.Version] = left
	return targetsOf(rd, r, wants)
}

// targetsOf finds the versions of a function that environments are wanted of, by number.
func targetsOf(rd store.Reader, r ref, wants map[string]int) (out []target, err error) {
	for number, n := range wants {
		v, ok, err := record.Get[version](rd, r.scope.version(r.name, number))
		if err != nil {
			return nil, err
		}
		if ok && n > 0 {
			out = append(out, target{ref: r, version: v, want: n})
		}
	}
	return out, nil
}

// touchProvision writes the provisioned concurrency of an alias again, so that the provisioner sees that it is of other versions.
func touchProvision(tx store.Txn, r ref) error {
	k := r.provisions(r.name).Str(r.qualifier)
	p, ok, err := record.Get[provision](tx, k)
	if err != nil || !ok {
		return err
	}
	return record.Set(tx, k, p)
}

// wantedVersions is how many environments are provisioned for each version of a function, by number.
func wantedVersions(rd store.Reader, r ref) (map[string]int, error) {
	wants := map[string]int{}
	for p, err := range record.Range[provision](rd, r.provisions(r.name).Span()) {
		if err != nil {
			return nil, err
		}
		targets, err := p.Value.targets(rd, r)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			wants[t.version.Number] += t.want
		}
	}
	return wants, nil
}

// provisionState is what the API shows: what was asked for, and how many environments are initialised.
func (l *Lambda) provisionState(p *provision, targets []target) *api.GetProvisionedConcurrencyConfigOutput {
	have, failure := 0, ""
	for i := range targets {
		ready := l.pools.readiness(keyOf(targets[i].ref, &targets[i].version))
		have += min(ready.have, targets[i].want)
		if ready.failure != "" {
			failure = ready.failure
		}
	}
	out := &api.GetProvisionedConcurrencyConfigOutput{
		RequestedProvisionedConcurrentExecutions: ptr(p.Requested), AllocatedProvisionedConcurrentExecutions: ptr(int32(have)),
		AvailableProvisionedConcurrentExecutions: ptr(int32(have)), Status: api.ProvisionedConcurrencyStatusEnumInProgress, LastModified: ptr(p.Modified.UTC().Format(lastModified)),
	}
	switch {
	case have >= int(p.Requested):
		out.Status = api.ProvisionedConcurrencyStatusEnumReady
	case failure != "":
		out.Status, out.StatusReason = api.ProvisionedConcurrencyStatusEnumFailed, &failure
	}
	return out
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
	_, v, err := resolve(rd, r)
	if err == nil && v.SnapStart {
		err = invalid("Provisioned Concurrency is not supported for SnapStart enabled functions. Set SnapStart to None and publish another version.")
	}
	if err == nil {
		err = errors.Join(v.notManaged("Provisioned Concurrency"), v.withoutTenants("Provisioned Concurrency"))
	}
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
	var targets []target
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
		if targets, err = p.targets(tx, r); err != nil {
			return err
		}
		return record.Set(tx, r.provisions(r.name).Str(r.qualifier), p)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	s := l.provisionState(&p, targets)
	// As on AWS, the answer is about what is still to be done.
	return &api.PutProvisionedConcurrencyConfigOutput{
		RequestedProvisionedConcurrentExecutions: s.RequestedProvisionedConcurrentExecutions, AllocatedProvisionedConcurrentExecutions: s.AllocatedProvisionedConcurrentExecutions,
		AvailableProvisionedConcurrentExecutions: s.AvailableProvisionedConcurrentExecutions, Status: api.ProvisionedConcurrencyStatusEnumInProgress, LastModified: s.LastModified,
	}, nil
}

// awaitProvisioned returns when the provisioned concurrency of a version or an alias is ready, and fails when it cannot be made.
func (l *Lambda) awaitProvisioned(ctx context.Context, name, qualifier string) error {
	for {
		news := l.provisioner.news.next()
		s, err := l.getProvisionedConcurrencyConfig(ctx, &api.GetProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: qualifier})
		switch {
		case err != nil || s.Status == api.ProvisionedConcurrencyStatusEnumReady:
			return err
		case s.Status == api.ProvisionedConcurrencyStatusEnumFailed:
			return invalid("Provisioned concurrency of %s:%s could not be made: %s", name, qualifier, orZero(s.StatusReason))
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
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
	mine, others, err := provisionedIn(rd, r, r.qualifier)
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

// provisionedIn adds up what is provisioned: for the function of r, leaving out one of its qualifiers, and for other functions that have nothing reserved.
func provisionedIn(rd store.Reader, r ref, except string) (mine, others int32, err error) {
	root := r.allProvisioned()
	for p, err := range record.Range[provision](rd, root.Span()) {
		if err != nil {
			return 0, 0, err
		}
		d := key.Decode(p.Key).Skip(root)
		name := d.Str()
		if err := d.Err(); err != nil {
			return 0, 0, err
		}
		if name == r.name {
			if p.Value.Qualifier != except {
				mine += p.Value.Requested
			}
			continue
		}
		f, ok, err := record.Get[function](rd, r.scope.function(name))
		if err != nil {
			return 0, 0, err
		}
		if ok && f.Reserved == nil {
			others += p.Value.Requested
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
	var targets []target
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		r, _, err := provisionable(ctx, rd, in.FunctionName, in.Qualifier)
		if err != nil {
			return err
		}
		var ok bool
		if p, ok, err = record.Get[provision](rd, r.provisions(r.name).Str(r.qualifier)); err != nil {
			return err
		}
		if !ok {
			return noProvision()
		}
		targets, err = p.targets(rd, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return l.provisionState(&p, targets), nil
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
			targets, err := p.Value.targets(rd, r)
			if err != nil {
				return err
			}
			s := l.provisionState(&p.Value, targets)
			last = p.Value.Qualifier
			out.ProvisionedConcurrencyConfigs = append(out.ProvisionedConcurrencyConfigs, api.ProvisionedConcurrencyConfigListItem{
				FunctionArn: ptr(r.with(last).arn()), RequestedProvisionedConcurrentExecutions: s.RequestedProvisionedConcurrentExecutions,
				AvailableProvisionedConcurrentExecutions: s.AvailableProvisionedConcurrentExecutions, AllocatedProvisionedConcurrentExecutions: s.AllocatedProvisionedConcurrentExecutions,
				Status: s.Status, StatusReason: s.StatusReason, LastModified: s.LastModified,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
