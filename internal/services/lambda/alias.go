package lambda

import (
	"context"
	"regexp"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// alias is the record of a name for a version.
type alias struct {
	Name, Version, Description, Revision string
}

func (a *alias) configuration(r ref) *api.AliasConfiguration {
	return &api.AliasConfiguration{
		AliasArn: ptr(r.with(a.Name).arn()), Name: ptr(a.Name), FunctionVersion: ptr(a.Version), Description: ptr(a.Description), RevisionId: ptr(a.Revision),
	}
}

var validAlias = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,128}$`)

func (l *Lambda) createAlias(ctx context.Context, in *api.CreateAliasInput) (*api.CreateAliasOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	if !validAlias.MatchString(in.Name) || isNumber(in.Name) {
		return nil, validation("Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)", in.Name)
	}
	if hasWeights(in.RoutingConfig) {
		return nil, unsupported("CreateAlias", "RoutingConfig.AdditionalVersionWeights")
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	a := alias{Name: in.Name, Version: in.FunctionVersion, Description: orZero(in.Description), Revision: id}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := checkVersion(tx, r.with(in.FunctionVersion)); err != nil {
			return err
		}
		if exists, err := record.Has(tx, r.scope.alias(r.name, in.Name)); err != nil || exists {
			if err != nil {
				return err
			}
			return conflict("Alias already exists: %s", r.with(in.Name).arn())
		}
		return record.Set(tx, r.scope.alias(r.name, in.Name), a)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return a.configuration(r), nil
}

func hasWeights(c *api.AliasRoutingConfiguration) bool {
	return c != nil && len(c.AdditionalVersionWeights) > 0
}

// checkVersion tells whether a qualifier is a version that exists.
func checkVersion(rd store.Reader, r ref) error {
	if r.qualifier != latest && !isNumber(r.qualifier) {
		return validation("Value '%s' at 'functionVersion' failed to satisfy constraint: Member must satisfy regular expression pattern: (\\$LATEST|[0-9]+)", r.qualifier)
	}
	_, _, err := resolve(rd, r)
	return err
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
	if hasWeights(in.RoutingConfig) {
		return nil, unsupported("UpdateAlias", "RoutingConfig.AdditionalVersionWeights")
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	var a alias
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if a, err = loadAlias(tx, r, in.Name); err != nil {
			return err
		}
		if err := checkRevision(in.RevisionId, a.Revision); err != nil {
			return err
		}
		if in.FunctionVersion != nil {
			if err := checkVersion(tx, r.with(*in.FunctionVersion)); err != nil {
				return err
			}
			a.Version = *in.FunctionVersion
		}
		if in.Description != nil {
			a.Description = *in.Description
		}
		a.Revision = id
		return record.Set(tx, r.scope.alias(r.name, in.Name), a)
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
		tx.Delete(r.scope.policy(r.name, in.Name))
		tx.Delete(r.scope.async(r.name, in.Name))
		return nil
	})
	return &api.DeleteAliasOutput{}, unavailable(err)
}

func (l *Lambda) listAliases(ctx context.Context, in *api.ListAliasesInput) (*api.ListAliasesOutput, error) {
	r, err := unqualified(ctx, in.FunctionName)
	if err != nil {
		return nil, err
	}
	limit := pageSize(in.MaxItems, 50)
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
			if in.FunctionVersion != nil && row.Value.Version != *in.FunctionVersion {
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
