package kms

import (
	"context"
	"regexp"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	aliasPrefix = "alias/"
	// managedPrefix begins the aliases of the services' own keys.
	managedPrefix = "alias/aws/"
	maxAliases    = 50 // of a key, see https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
)

// aliasRecord is an alias of a key.
type aliasRecord struct {
	Target           string
	Created, Updated time.Time
}

var aliasForm = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]+$`)

// checkAlias refuses names that a user's alias cannot have.
func checkAlias(name string) error {
	switch {
	case !strings.HasPrefix(name, aliasPrefix):
		return invalid("Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case strings.HasPrefix(name, managedPrefix):
		return refused("NotAuthorizedException", "The alias %s is for the keys of services; the prefix %s is reserved.", name, managedPrefix)
	case !aliasForm.MatchString(name):
		return refused(codeAlias, "The alias %s has characters other than letters, digits, _, - and /.", name)
	}
	return nil
}

// target returns the key that a new alias is to name, which must be in the caller's account and region.
func target(tx store.Txn, p place, text string) (*found, error) {
	if strings.HasPrefix(text, aliasPrefix) {
		return nil, invalid("Aliases must refer to keys. Not aliases")
	}
	f, err := look(tx, p, text)
	if err != nil {
		return nil, err
	}
	if f.account != p.account {
		return nil, noKey(f.place, f.ID)
	}
	if err := f.refuse(api.KeyStatePendingDeletion, api.KeyStatePendingReplicaDeletion); err != nil {
		return nil, err
	}
	names, err := aliasNames(tx, p, f.ID)
	if err == nil && len(names) >= maxAliases {
		err = refused(codeLimit, "A key has at most %d aliases.", maxAliases)
	}
	return f, err
}

func (s *Service) createAlias(ctx context.Context, in *api.CreateAliasInput) (*api.CreateAliasOutput, error) {
	if err := checkAlias(in.AliasName); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	return &api.CreateAliasOutput{}, s.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := target(tx, p, in.TargetKeyId)
		if err != nil {
			return err
		}
		there, err := record.Has(tx, p.alias(in.AliasName))
		if err != nil {
			return err
		}
		if there {
			return refused(codeExists, "An alias with the name %s already exists", p.aliasARN(in.AliasName))
		}
		return setAlias(tx, p, in.AliasName, aliasRecord{Target: f.ID, Created: s.now(), Updated: s.now()})
	})
}

func setAlias(tx store.Txn, p place, name string, a aliasRecord) error {
	tx.Set(p.aliasesOf(a.Target).Str(name), nil)
	return record.Set(tx, p.alias(name), a)
}

func (s *Service) updateAlias(ctx context.Context, in *api.UpdateAliasInput) (*api.UpdateAliasOutput, error) {
	if err := checkAlias(in.AliasName); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	return &api.UpdateAliasOutput{}, s.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, there, err := record.Get[aliasRecord](tx, p.alias(in.AliasName))
		if err != nil {
			return err
		}
		if !there {
			return noAlias(p, in.AliasName)
		}
		f, err := target(tx, p, in.TargetKeyId)
		if err != nil {
			return err
		}
		old, there, err := record.Get[keyRecord](tx, p.key(a.Target))
		if err != nil {
			return err
		}
		if there && (old.Usage != f.Usage || old.spec().IsAsymmetric() != f.spec().IsAsymmetric()) {
			return invalid("The key %s is of another kind than the key of the alias %s: both must have the same KeyUsage, and be symmetric or asymmetric alike.", f.arn(), in.AliasName)
		}
		tx.Delete(p.aliasesOf(a.Target).Str(in.AliasName))
		return setAlias(tx, p, in.AliasName, aliasRecord{Target: f.ID, Created: a.Created, Updated: s.now()})
	})
}

func (s *Service) deleteAlias(ctx context.Context, in *api.DeleteAliasInput) (*api.DeleteAliasOutput, error) {
	if err := checkAlias(in.AliasName); err != nil {
		return nil, err
	}
	p := placeOf(ctx)
	return &api.DeleteAliasOutput{}, s.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, there, err := record.Get[aliasRecord](tx, p.alias(in.AliasName))
		if err != nil {
			return err
		}
		if !there {
			return noAlias(p, in.AliasName)
		}
		tx.Delete(p.alias(in.AliasName))
		tx.Delete(p.aliasesOf(a.Target).Str(in.AliasName))
		return nil
	})
}

func (s *Service) listAliases(ctx context.Context, in *api.ListAliasesInput) (*api.ListAliasesOutput, error) {
	p := placeOf(ctx)
	only := ""
	if in.KeyId != nil {
		f, err := s.find(ctx, *in.KeyId)
		if err != nil {
			return nil, err
		}
		only = f.ID
	}
	out := &api.ListAliasesOutput{Aliases: []api.AliasListEntry{}, Truncated: new(false)}
	next, err := page(ctx, s, p.aliases(), paging{in.Limit, 50, in.Marker}, func(name string, a aliasRecord) bool {
		if only != "" && a.Target != only {
			return false
		}
		out.Aliases = append(out.Aliases, api.AliasListEntry{
			AliasName: &name, AliasArn: new(p.aliasARN(name)), TargetKeyId: &a.Target, CreationDate: &a.Created, LastUpdatedDate: &a.Updated,
		})
		return true
	})
	out.NextMarker, *out.Truncated = next, next != nil
	return out, err
}
