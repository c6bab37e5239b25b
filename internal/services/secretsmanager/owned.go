package secretsmanager

import (
	"context"
	"fmt"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// This file keeps secrets that another service owns, see https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html.

// NewSecret implements [port.Secrets].
func (s *Service) NewSecret(ctx context.Context, o port.OwnedSecret, text string) (string, func(tx store.Txn) error, error) {
	suffix, err := s.newSuffix()
	if err != nil {
		return "", nil, err
	}
	now := s.now()
	f := &found{place{o.Account, o.Region}, secretRecord{Name: o.Name, Suffix: suffix, Owner: o.Owner, Description: o.Description, KMSKey: o.Key, Created: now, Changed: now}}
	v, err := s.sealOwned(ctx, f, text)
	if err != nil {
		return "", nil, err
	}
	return f.arn(), func(tx store.Txn) error {
		if there, err := record.Has(tx, f.secret(o.Name)); there || err != nil {
			return orExists(o.Name, err)
		}
		fresh := *f
		fresh.Stages = map[string]string{}
		if err := s.put(tx, &fresh, v, nil); err != nil {
			return err
		}
		return fresh.save(tx)
	}, nil
}

// ChangeSecret implements [port.Secrets].
func (s *Service) ChangeSecret(ctx context.Context, id, key, text string) (func(tx store.Txn) error, error) {
	var f *found
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		f, err = lookOwned(r, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.KMSKey = key
	v, err := s.sealOwned(ctx, f, text)
	if err != nil {
		return nil, err
	}
	return func(tx store.Txn) error {
		f, err := lookOwned(tx, id)
		if err != nil {
			return err
		}
		f.KMSKey = key
		if err := s.put(tx, f, v, nil); err != nil {
			return err
		}
		return f.save(tx)
	}, nil
}

// ReadSecret implements [port.Secrets].
func (s *Service) ReadSecret(ctx context.Context, id string) (string, error) {
	var f *found
	var v versionRecord
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if f, err = lookOwned(r, id); err == nil {
			v, _, err = record.Get[versionRecord](r, f.version(f.Name, f.Stages[stageCurrent]))
		}
		return err
	})
	if err != nil {
		return "", err
	}
	plain, err := s.unseal(ctx, f, f.Stages[stageCurrent], &v, true)
	return opt.Value(plain.Text), err
}

// DeleteSecret implements [port.Secrets].
func (*Service) DeleteSecret(tx store.Txn, id string) error {
	f, err := lookOwned(tx, id)
	if err != nil {
		return service.Unless(err, codeNotFound)
	}
	return f.erase(tx)
}

// lookOwned returns the secret of an ARN.
func lookOwned(r store.Reader, id string) (*found, error) {
	a, err := arn.Parse(id)
	if err != nil {
		return nil, fmt.Errorf("secret %q: %w", id, err)
	}
	return look(r, place{a.Account, a.Region}, id)
}

// sealOwned seals the next value of a secret that a service owns.
func (s *Service) sealOwned(ctx context.Context, f *found, text string) (*sealedValue, error) {
	version, err := uuid.New(s.deps.Random)
	if err != nil {
		return nil, err
	}
	return s.sealNew(ctx, f, version, value{Text: &text})
}

var _ port.Secrets = (*Service)(nil)
