package iam

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/auth"
	engine "lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

var _ auth.Directory = (*IAM)(nil)

// AccessKey implements [auth.Directory].
func (s *IAM) AccessKey(ctx context.Context, id string) (out *auth.AccessKey, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		k, ok, err := record.Get[accessKey](r, accessKeyKey(id))
		if err != nil || !ok {
			return err
		}
		e, err := find(r, k.Account, user, k.User)
		if err != nil {
			return err
		}
		secret, err := s.ring.Open(secretPurpose(k.ID), k.Secret)
		if err != nil {
			return fmt.Errorf("open the secret of access key %s: %w", k.ID, err)
		}
		out = &auth.AccessKey{ID: k.ID, Secret: string(secret), Active: k.Status == "Active", Account: k.Account, ARN: e.arn(), UserID: e.ID}
		return nil
	})
	return out, err
}

// entityByARN finds a user or role by its ARN; nil when there is none.
func entityByARN(r store.Reader, name string) (*entity, error) {
	a, err := arn.Parse(name)
	if err != nil || a.Service != "iam" {
		return nil, nil //nolint:nilerr // No name of an identity: there is none.
	}
	k, rest := a.Split()
	if kind(k) != user && kind(k) != role {
		return nil, nil
	}
	e, err := find(r, a.Account, kind(k), rest[strings.LastIndexByte(rest, '/')+1:])
	if service.Code(err) == "NoSuchEntity" || err == nil && e.arn() != name {
		return nil, nil
	}
	return e, err
}

// Identity implements [auth.Directory].
func (s *IAM) Identity(ctx context.Context, name string) (out *auth.Identity, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		e, err := entityByARN(r, name)
		if err != nil || e == nil {
			return err
		}
		id := &auth.Identity{UserID: e.ID, Name: e.Name, Tags: map[string]string{}}
		for _, t := range e.Tags {
			id.Tags[t.Key] = t.Value
		}
		if id.Documents, err = s.documents(r, e); err != nil {
			return err
		}
		if e.Boundary != "" {
			d, err := s.managedDocument(r, e.Account, e.Boundary)
			if err != nil {
				return err
			}
			id.Boundary = []engine.Document{d}
		}
		out = id
		return nil
	})
	return out, err
}

// documents compiles the policies of an entity, for a user with those of its groups.
func (s *IAM) documents(r store.Reader, e *entity) ([]engine.Document, error) {
	var out []engine.Document
	for _, name := range slices.Sorted(maps.Keys(e.Inline)) {
		p, err := engine.Parse(e.Inline[name], engine.Identity)
		if err != nil {
			return nil, fmt.Errorf("compile policy %s of %s: %w", name, e.arn(), err)
		}
		out = append(out, engine.Document{Name: e.arn() + " inline policy " + name, Policy: p})
	}
	for _, a := range e.Attached {
		d, err := s.managedDocument(r, e.Account, a)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	for _, g := range e.Groups {
		ge, err := find(r, e.Account, group, g)
		if err != nil {
			return nil, err
		}
		docs, err := s.documents(r, ge)
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	return out, nil
}

// managedDocument compiles the default version of a managed policy.
func (s *IAM) managedDocument(r store.Reader, account, name string) (engine.Document, error) {
	p, err := s.lookup(r, account, name)
	if err != nil {
		return engine.Document{}, err
	}
	c, err := engine.Parse(p.version(p.Default).Document, engine.Identity)
	if err != nil {
		return engine.Document{}, fmt.Errorf("compile policy %s: %w", name, err)
	}
	return engine.Document{Name: name, Policy: c}, nil
}

// ManagedPolicy implements [auth.Directory].
func (s *IAM) ManagedPolicy(ctx context.Context, name string) (out *engine.Document, err error) {
	a, err := arn.Parse(name)
	if err != nil {
		return nil, nil //nolint:nilerr // No ARN: there is no such policy.
	}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		d, err := s.managedDocument(r, a.Account, name)
		if service.Code(err) == "NoSuchEntity" {
			return nil
		}
		if err == nil {
			out = &d
		}
		return err
	})
	return out, err
}

// Role finds a role for STS; nil when there is none.
func (s *IAM) Role(ctx context.Context, name string) (out *auth.Role, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		e, err := entityByARN(r, name)
		if err != nil || e == nil || e.Kind != role {
			return err
		}
		out = &auth.Role{ARN: e.arn(), Account: e.Account, Name: e.Name, ID: e.ID, Trust: e.Trust, MaxSession: e.MaxSession}
		return nil
	})
	return out, err
}

// OIDCProvider finds the provider of an issuer's URL for STS; nil when there is none.
func (s *IAM) OIDCProvider(ctx context.Context, account, issuer string) (out *auth.OIDCProvider, err error) {
	url, ok := strings.CutPrefix(issuer, "https://")
	if !ok {
		return nil, nil
	}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		p, ok, err := record.Get[oidcProvider](r, oidcKey(account, url))
		if ok {
			out = &auth.OIDCProvider{ARN: p.arn(), URL: p.URL, ClientIDs: p.ClientIDs}
		}
		return err
	})
	return out, err
}
