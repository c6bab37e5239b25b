package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/saml"
	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// samlQuota is how many SAML providers an account may have, by default.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	samlQuota = 100
	// samlYears is how long a provider is valid whose metadata does not say.
	samlYears = 100
)

// samlProvider is the record of a SAML provider.
type samlProvider struct {
	Account, Name, UUID string
	Created             time.Time
	// Metadata is the document as it was given; ValidUntil is when it ends.
	Metadata   string
	ValidUntil time.Time
	Tags       []api.Tag `json:",omitempty"`
}

func (p *samlProvider) arn() string { return samlARN(p.Account, p.Name) }

func samlARN(account, name string) string {
	return "arn:aws:iam::" + account + ":saml-provider/" + name
}

// setMetadata takes a document, unless it cannot be used.
func (p *samlProvider) setMetadata(doc string, now time.Time) error {
	m, err := saml.ParseMetadata(doc)
	if err != nil {
		e := invalid("Could not parse metadata: %s.", err.Error())
		e.Err = err
		return e
	}
	p.Metadata, p.ValidUntil = doc, m.ValidUntil.UTC().Truncate(time.Second)
	if m.ValidUntil.IsZero() {
		p.ValidUntil = now.AddDate(samlYears, 0, 0)
	}
	if !now.Before(p.ValidUntil) {
		return invalid("The metadata ended at %s (validUntil); have the identity provider write it again.", p.ValidUntil.Format(time.RFC3339))
	}
	return nil
}

// findSAML reads the provider of an ARN, or answers NoSuchEntity.
func findSAML(r store.Reader, account, arn string) (*samlProvider, error) {
	name, ok := strings.CutPrefix(arn, samlARN(account, ""))
	if ok {
		p, ok, err := record.Get[samlProvider](r, samlKey(account, name))
		if ok || err != nil {
			return &p, err
		}
	}
	return nil, fail(missing, 404, "Manifest not found for arn %s", arn)
}

// changeSAML reads a provider, lets fn change it and writes it back.
func (s *IAM) changeSAML(ctx context.Context, arn string, fn func(p *samlProvider) error) error {
	return s.update(ctx, func(tx store.Txn) error {
		p, err := findSAML(tx, account(ctx), arn)
		if err != nil {
			return err
		}
		if err := fn(p); err != nil {
			return err
		}
		return record.Set(tx, samlKey(p.Account, p.Name), p)
	})
}

// viewSAML reads a provider outside of a transaction.
func (s *IAM) viewSAML(ctx context.Context, arn string) (p *samlProvider, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		p, err = findSAML(r, account(ctx), arn)
		return err
	})
	return p, err
}

// plainOnly refuses what has to do with encrypted assertions, which are not read here.
func plainOnly(operation, mode string, keys ...*string) error {
	switch {
	case mode != "":
		return service.Unsupported("InvalidInput", operation, "AssertionEncryptionMode")
	case slices.ContainsFunc(keys, func(k *string) bool { return k != nil }):
		return service.Unsupported("InvalidInput", operation, "AddPrivateKey and RemovePrivateKey")
	}
	return nil
}

func (s *IAM) createSAMLProvider(ctx context.Context, in *api.CreateSAMLProviderInput) (*api.CreateSAMLProviderOutput, error) {
	if err := plainOnly("CreateSAMLProvider", in.AssertionEncryptionMode, in.AddPrivateKey); err != nil {
		return nil, err
	}
	p := samlProvider{Account: account(ctx), Name: in.Name, Created: s.now()}
	var err error
	if p.Tags, err = merge(nil, in.Tags); err != nil {
		return nil, err
	}
	if err := p.setMetadata(in.SAMLMetadataDocument, p.Created); err != nil {
		return nil, err
	}
	if p.UUID, err = token.NewID(token.PrefixSAML, s.deps.Random); err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	err = s.update(ctx, func(tx store.Txn) error {
		have, err := record.List[samlProvider](tx, all(p.Account, "saml").Span())
		switch {
		case err != nil:
			return err
		case slices.ContainsFunc(have, func(h samlProvider) bool { return h.Name == p.Name }):
			return exists("Provider", p.Name)
		case len(have) >= samlQuota:
			return limit("Cannot exceed quota for SAMLProvidersPerAccount: %d", samlQuota)
		}
		return record.Set(tx, samlKey(p.Account, p.Name), p)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateSAMLProviderOutput{SAMLProviderArn: ptr(p.arn()), Tags: p.Tags}, nil
}

func (s *IAM) getSAMLProvider(ctx context.Context, in *api.GetSAMLProviderInput) (*api.GetSAMLProviderOutput, error) {
	p, err := s.viewSAML(ctx, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	return &api.GetSAMLProviderOutput{SAMLProviderUUID: &p.UUID, SAMLMetadataDocument: &p.Metadata, CreateDate: &p.Created, ValidUntil: &p.ValidUntil, Tags: p.Tags}, nil
}

func (s *IAM) listSAMLProviders(ctx context.Context, _ *api.ListSAMLProvidersInput) (*api.ListSAMLProvidersOutput, error) {
	var items []samlProvider
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		items, err = record.List[samlProvider](r, all(account(ctx), "saml").Span())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.ListSAMLProvidersOutput{SAMLProviderList: mapped(items, func(p *samlProvider) api.SAMLProviderListEntry {
		return api.SAMLProviderListEntry{Arn: ptr(p.arn()), ValidUntil: &p.ValidUntil, CreateDate: &p.Created}
	})}, nil
}

func (s *IAM) updateSAMLProvider(ctx context.Context, in *api.UpdateSAMLProviderInput) (*api.UpdateSAMLProviderOutput, error) {
	if err := plainOnly("UpdateSAMLProvider", in.AssertionEncryptionMode, in.AddPrivateKey, in.RemovePrivateKey); err != nil {
		return nil, err
	}
	return &api.UpdateSAMLProviderOutput{SAMLProviderArn: &in.SAMLProviderArn}, s.changeSAML(ctx, in.SAMLProviderArn, func(p *samlProvider) error {
		if in.SAMLMetadataDocument == nil {
			return invalid("Nothing to change was given: SAMLMetadataDocument is missing.")
		}
		return p.setMetadata(*in.SAMLMetadataDocument, s.now())
	})
}

func (s *IAM) deleteSAMLProvider(ctx context.Context, in *api.DeleteSAMLProviderInput) (*api.DeleteSAMLProviderOutput, error) {
	return &api.DeleteSAMLProviderOutput{}, s.update(ctx, func(tx store.Txn) error {
		p, err := findSAML(tx, account(ctx), in.SAMLProviderArn)
		if err != nil {
			return err
		}
		tx.Delete(samlKey(p.Account, p.Name))
		return nil
	})
}

func (s *IAM) tagSAMLProvider(ctx context.Context, in *api.TagSAMLProviderInput) (*api.TagSAMLProviderOutput, error) {
	return &api.TagSAMLProviderOutput{}, s.changeSAML(ctx, in.SAMLProviderArn, func(p *samlProvider) (err error) {
		p.Tags, err = merge(p.Tags, in.Tags)
		return err
	})
}

func (s *IAM) untagSAMLProvider(ctx context.Context, in *api.UntagSAMLProviderInput) (*api.UntagSAMLProviderOutput, error) {
	return &api.UntagSAMLProviderOutput{}, s.changeSAML(ctx, in.SAMLProviderArn, func(p *samlProvider) error {
		p.Tags = without(p.Tags, in.TagKeys)
		return nil
	})
}

func (s *IAM) listSAMLProviderTags(ctx context.Context, in *api.ListSAMLProviderTagsInput) (*api.ListSAMLProviderTagsOutput, error) {
	p, err := s.viewSAML(ctx, in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	return &api.ListSAMLProviderTagsOutput{Tags: p.Tags, IsTruncated: ptr(false)}, nil
}

// SAMLProvider finds a provider by its ARN for STS; nil when there is none.
func (s *IAM) SAMLProvider(ctx context.Context, name string) (out *auth.SAMLProvider, err error) {
	a, err := arn.Parse(name)
	if err != nil {
		return nil, nil //nolint:nilerr // No ARN: there is no such provider.
	}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		p, err := findSAML(r, a.Account, name)
		if err == nil {
			out = &auth.SAMLProvider{ARN: name, Account: p.Account, Name: p.Name, Metadata: p.Metadata, ValidUntil: p.ValidUntil}
		}
		return service.Unless(err, missing)
	})
	return out, err
}
