package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// alias is the record of a name for a version.
type alias struct {
	Name, Version, Description, Revision string
	// Weights are the shares of the invocations that go to other versions, by number; the rest goes to Version.
	Weights map[string]float64 `json:",omitempty"`
}

func (a *alias) configuration(r ref) *api.AliasConfiguration {
	c := &api.AliasConfiguration{
		AliasArn: ptr(r.with(a.Name).arn()), Name: ptr(a.Name), FunctionVersion: ptr(a.Version), Description: ptr(a.Description), RevisionId: ptr(a.Revision),
	}
	if len(a.Weights) > 0 {
		c.RoutingConfig = &api.AliasRoutingConfiguration{AdditionalVersionWeights: a.Weights}
	}
	return c
}

// isAlias tells whether a qualifier names an alias.
func isAlias(q string) bool { return q != "" && q != latest && !isPublished(q) }

func (l *Lambda) createAlias(ctx context.Context, in *api.CreateAliasInput) (*api.CreateAliasOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if isNumber(in.Name) {
		return nil, validation("Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)", in.Name)
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	a := alias{Name: in.Name, Version: in.FunctionVersion, Description: orZero(in.Description), Revision: id}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if exists, err := record.Has(tx, r.scope.alias(r.name, in.Name)); err != nil || exists {
			if err != nil {
				return err
			}
			return conflict("Alias already exists: %s", r.with(in.Name).arn())
		}
		if err := a.point(tx, r, in.RoutingConfig); err != nil {
			return err
		}
		return record.Set(tx, r.scope.alias(r.name, in.Name), a)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return a.configuration(r), nil
}

// point checks the alias's version, and sets the weights where a routing configuration is given.
func (a *alias) point(rd store.Reader, r ref, routing *api.AliasRoutingConfiguration) error {
	if routing != nil {
		a.Weights = routing.AdditionalVersionWeights
	}
	if len(a.Weights) > 1 {
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	if _, _, err := resolve(rd, r.with(a.Version)); err != nil {
		return err
	}
	for number := range a.Weights {
		if number == a.Version {
			return invalid("Invalid function version %s. Function version %[1]s is already included in routing configuration.", number)
		}
		if a.Version == latest {
			return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
		}
		if _, _, err := resolve(rd, r.with(number)); err != nil {
			return err
		}
	}
	return nil
}

func loadAlias(rd store.Reader, r ref, name string) (alias, error) {
	a, ok, err := record.Get[alias](rd, r.scope.alias(r.name, name))
	if err == nil && !ok {
		err = notFound("Cannot find alias arn: %s", r.with(name).arn())
	}
	return a, err
}

func (l *Lambda) getAlias(ctx context.Context, in *api.GetAliasInput) (*api.GetAliasOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	var a alias
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		a, err = loadAlias(rd, r, in.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.configuration(r), nil
}

func (l *Lambda) updateAlias(ctx context.Context, in *api.UpdateAliasInput) (*api.UpdateAliasOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	var a alias
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		var ok bool
		if a, ok, err = record.Get[alias](tx, r.scope.alias(r.name, in.Name)); err != nil {
			return err
		}
		if !ok {
			return notFound("Alias not found: %s", r.with(in.Name).arn())
		}
		if err := checkRevision(in.RevisionId, a.Revision); err != nil {
			return err
		}
		if in.FunctionVersion != nil {
			a.Version = *in.FunctionVersion
		}
		if err := a.point(tx, r, in.RoutingConfig); err != nil {
			return err
		}
		if in.Description != nil {
			a.Description = *in.Description
		}
		a.Revision = id
		if err := record.Set(tx, r.scope.alias(r.name, in.Name), a); err != nil {
			return err
		}
		return touchProvision(tx, r.with(in.Name))
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return a.configuration(r), nil
}

func (l *Lambda) deleteAlias(ctx context.Context, in *api.DeleteAliasInput) (*api.DeleteAliasOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadFunction(tx, r); err != nil {
			return err
		}
		tx.Delete(r.scope.alias(r.name, in.Name))
		removeQualified(tx, r.with(in.Name))
		return removeURL(tx, r.with(in.Name))
	})
	return &api.DeleteAliasOutput{}, unavailable(err)
}

func (l *Lambda) listAliases(ctx context.Context, in *api.ListAliasesInput) (*api.ListAliasesOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	limit := pageSize(in.MaxItems, defaultPage)
	span := r.aliases(r.name).Span()
	if in.Marker != nil {
		span.Lo = append(r.scope.alias(r.name, *in.Marker), 0)
	}
	out := &api.ListAliasesOutput{Aliases: []api.AliasConfiguration{}}
	err = l.deps.Store.View(ctx, func(rd store.Reader) error {
		if _, err := loadFunction(rd, r); err != nil {
			return err
		}
		for row, err := range record.Range[alias](rd, span) {
			if err != nil {
				return err
			}
			if _, routed := row.Value.Weights[orZero(in.FunctionVersion)]; in.FunctionVersion != nil && row.Value.Version != *in.FunctionVersion && !routed {
				continue
			}
			if len(out.Aliases) == limit {
				out.NextMarker = out.Aliases[limit-1].Name
				return nil
			}
			out.Aliases = append(out.Aliases, *row.Value.configuration(r))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
