package iam

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The quotas of OpenID Connect providers.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	providerQuota   = 100 // of an account
	clientQuota     = 100 // client ids of a provider
	thumbprintQuota = 5   // thumbprints of a provider
)

// oidcProvider is the record of an OpenID Connect provider.
type oidcProvider struct {
	// URL is the issuer without its scheme, which is always https.
	Account, URL string
	Created      time.Time
	ClientIDs    []string  `json:",omitempty"`
	Thumbprints  []string  `json:",omitempty"`
	Tags         []api.Tag `json:",omitempty"`
}

func (p *oidcProvider) arn() string { return oidcARN(p.Account, p.URL) }

func oidcARN(account, url string) string {
	return "arn:aws:iam::" + account + ":oidc-provider/" + url
}

// issuerOf returns the URL of an issuer without its scheme. It must be https and may have no port, query or fragment.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
func issuerOf(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Host != u.Hostname() || u.User != nil || strings.ContainsAny(text, "?#") {
		return "", fail("ValidationError", 400, "Invalid Open ID Connect Provider URL: it is https:// with a host and perhaps a path, without a port, a query or a fragment.")
	}
	return strings.TrimPrefix(text, "https://"), nil
}

// findOIDC reads the provider of an ARN, or answers NoSuchEntity.
func findOIDC(r store.Reader, account, arn string) (*oidcProvider, error) {
	issuer, ok := strings.CutPrefix(arn, oidcARN(account, ""))
	if ok {
		p, ok, err := record.Get[oidcProvider](r, oidcKey(account, issuer))
		if ok || err != nil {
			return &p, err
		}
	}
	return nil, fail(missing, 404, "OpenIDConnect Provider not found for arn %s", arn)
}

// changeOIDC reads a provider, lets fn change it and writes it back.
func (s *IAM) changeOIDC(ctx context.Context, arn string, fn func(p *oidcProvider) error) error {
	return s.update(ctx, func(tx store.Txn) error {
		p, err := findOIDC(tx, account(ctx), arn)
		if err != nil {
			return err
		}
		if err := fn(p); err != nil {
			return err
		}
		return record.Set(tx, oidcKey(p.Account, p.URL), p)
	})
}

// setThumbprints replaces the thumbprints.
func (p *oidcProvider) setThumbprints(list []string) error {
	if len(list) > thumbprintQuota {
		return invalid("A provider has at most %d thumbprints.", thumbprintQuota)
	}
	p.Thumbprints = list
	return nil
}

// addClient adds a client id, unless it is there.
func (p *oidcProvider) addClient(id string) error {
	if slices.Contains(p.ClientIDs, id) {
		return nil
	}
	if len(p.ClientIDs) >= clientQuota {
		return limit("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", clientQuota)
	}
	p.ClientIDs = append(p.ClientIDs, id)
	return nil
}

func (s *IAM) createOpenIDConnectProvider(ctx context.Context, in *api.CreateOpenIDConnectProviderInput) (*api.CreateOpenIDConnectProviderOutput, error) {
	issuer, err := issuerOf(in.Url)
	if err != nil {
		return nil, err
	}
	p := oidcProvider{Account: account(ctx), URL: issuer, Created: s.now()}
	if p.Tags, err = merge(nil, in.Tags); err != nil {
		return nil, err
	}
	if err := p.setThumbprints(in.ThumbprintList); err != nil {
		return nil, err
	}
	for _, id := range in.ClientIDList {
		if err := p.addClient(id); err != nil {
			return nil, err
		}
	}
	err = s.update(ctx, func(tx store.Txn) error {
		have, err := record.List[oidcProvider](tx, all(p.Account, "oidc").Span())
		switch {
		case err != nil:
			return err
		case slices.ContainsFunc(have, func(h oidcProvider) bool { return h.URL == p.URL }):
			return fail("EntityAlreadyExists", 409, "Provider with url %s already exists.", in.Url)
		case len(have) >= providerQuota:
			return limit("Cannot exceed quota for OpenIdConnectProvidersPerAccount: %d", providerQuota)
		}
		return record.Set(tx, oidcKey(p.Account, p.URL), p)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: ptr(p.arn()), Tags: p.Tags}, nil
}

// viewOIDC reads a provider outside of a transaction.
func (s *IAM) viewOIDC(ctx context.Context, arn string) (p *oidcProvider, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		p, err = findOIDC(r, account(ctx), arn)
		return err
	})
	return p, err
}

func (s *IAM) getOpenIDConnectProvider(ctx context.Context, in *api.GetOpenIDConnectProviderInput) (*api.GetOpenIDConnectProviderOutput, error) {
	p, err := s.viewOIDC(ctx, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &api.GetOpenIDConnectProviderOutput{Url: &p.URL, ClientIDList: p.ClientIDs, ThumbprintList: p.Thumbprints, CreateDate: &p.Created, Tags: p.Tags}, nil
}

func (s *IAM) listOpenIDConnectProviders(ctx context.Context, _ *api.ListOpenIDConnectProvidersInput) (*api.ListOpenIDConnectProvidersOutput, error) {
	var items []oidcProvider
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		items, err = record.List[oidcProvider](r, all(account(ctx), "oidc").Span())
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: mapped(items, func(p *oidcProvider) api.OpenIDConnectProviderListEntry {
		return api.OpenIDConnectProviderListEntry{Arn: ptr(p.arn())}
	})}, nil
}

// deleteOpenIDConnectProvider is no error when there is no such provider, as AWS has it.
func (s *IAM) deleteOpenIDConnectProvider(ctx context.Context, in *api.DeleteOpenIDConnectProviderInput) (*api.DeleteOpenIDConnectProviderOutput, error) {
	err := s.update(ctx, func(tx store.Txn) error {
		p, err := findOIDC(tx, account(ctx), in.OpenIDConnectProviderArn)
		if err != nil {
			return err
		}
		tx.Delete(oidcKey(p.Account, p.URL))
		return nil
	})
	return &api.DeleteOpenIDConnectProviderOutput{}, gone(err)
}

func (s *IAM) addClientIDToOpenIDConnectProvider(ctx context.Context, in *api.AddClientIDToOpenIDConnectProviderInput) (*api.AddClientIDToOpenIDConnectProviderOutput, error) {
	return &api.AddClientIDToOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *oidcProvider) error {
		return p.addClient(in.ClientID)
	})
}

func (s *IAM) removeClientIDFromOpenIDConnectProvider(ctx context.Context, in *api.RemoveClientIDFromOpenIDConnectProviderInput) (*api.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	return &api.RemoveClientIDFromOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *oidcProvider) error {
		p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(id string) bool { return id == in.ClientID })
		return nil
	})
}

func (s *IAM) updateOpenIDConnectProviderThumbprint(ctx context.Context, in *api.UpdateOpenIDConnectProviderThumbprintInput) (*api.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	return &api.UpdateOpenIDConnectProviderThumbprintOutput{}, s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *oidcProvider) error {
		return p.setThumbprints(in.ThumbprintList)
	})
}

func (s *IAM) tagOpenIDConnectProvider(ctx context.Context, in *api.TagOpenIDConnectProviderInput) (*api.TagOpenIDConnectProviderOutput, error) {
	return &api.TagOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *oidcProvider) (err error) {
		p.Tags, err = merge(p.Tags, in.Tags)
		return err
	})
}

func (s *IAM) untagOpenIDConnectProvider(ctx context.Context, in *api.UntagOpenIDConnectProviderInput) (*api.UntagOpenIDConnectProviderOutput, error) {
	return &api.UntagOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, in.OpenIDConnectProviderArn, func(p *oidcProvider) error {
		p.Tags = without(p.Tags, in.TagKeys)
		return nil
	})
}

func (s *IAM) listOpenIDConnectProviderTags(ctx context.Context, in *api.ListOpenIDConnectProviderTagsInput) (*api.ListOpenIDConnectProviderTagsOutput, error) {
	p, err := s.viewOIDC(ctx, in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &api.ListOpenIDConnectProviderTagsOutput{Tags: p.Tags, IsTruncated: ptr(false)}, nil
}
