package domain

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// associateAction is what an account needs by the management policy of another account's name
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-custom-domains-provider-share-cli.html).
const associateAction = "apigateway:CreateAccessAssociation"

func noAssociation() error {
	return notFound("Invalid domain name access association identifier specified")
}

// Associate lets a VPC endpoint of the caller's reach the private name with an ARN.
func (d *Domains) Associate(ctx context.Context, s Scope, nameARN, endpoint string, tags map[string]string) (*Association, error) {
	provider, ref, path, ok := ParseARN(s, nameARN)
	if !ok || path != "" || !strings.Contains(ref, "+") {
		return nil, badRequest("Invalid domain name ARN %q: give that of a private custom domain name.", nameARN)
	}
	if provider.Region != s.Region {
		return nil, badRequest("The domain name is in %s and the VPC endpoint in %s: they have to be in one region.", provider.Region, s.Region)
	}
	n, err := d.Get(ctx, provider, ref)
	if err != nil {
		return nil, err
	}
	if provider.Account != s.Account {
		if err := d.deps.Door.Allow(ctx, service.Target{Action: associateAction, ARN: n.ARN(provider), Policy: n.ManagementPolicy, Owner: provider.Account}); err != nil {
			return nil, err
		}
	}
	at, err := d.options.Endpoints.Find(ctx, endpoint)
	if err != nil {
		return nil, badRequest("Invalid VPC endpoint %s: %v", endpoint, err)
	}
	a := &Association{Owner: s, Provider: provider, Name: ref, Domain: n.Domain, Endpoint: at.ID, VPC: at.VPC, Tags: tags}
	return a, d.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := Load(tx, provider, ref); err != nil {
			return err
		}
		if taken, err := record.Has(tx, a.way()); err != nil || taken {
			if err == nil {
				err = conflict("The VPC endpoint %s is already associated with a private custom domain name %s.", at.ID, n.Domain)
			}
			return err
		}
		return a.save(tx)
	})
}

// save writes an association where its endpoint, its owner and its name find it.
func (a *Association) save(tx store.Txn) error {
	if err := record.Set(tx, a.way(), *a); err != nil {
		return err
	}
	if err := record.Set(tx, a.key(), *a); err != nil {
		return err
	}
	return record.Set(tx, a.consumer(), *a)
}

func (a *Association) remove(tx store.Txn) {
	tx.Delete(a.way())
	tx.Delete(a.key())
	tx.Delete(a.consumer())
}

// dissociate removes the associations of a name.
func dissociate(tx store.Txn, s Scope, ref string) error {
	all, err := record.List[Association](tx, s.consumers(ref).Span())
	for i := range all {
		all[i].remove(tx)
	}
	return err
}

// loadAssociation returns an association by its ARN.
func loadAssociation(r store.Reader, arn string) (a Association, err error) {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[0] != "arn" || part[2] != "apigateway" {
		return a, badRequest("Invalid ARN specified in the request: %s", arn)
	}
	rest, ok := strings.CutPrefix(part[5], "/domainnameaccessassociations/domainname/")
	name, endpoint, more := strings.Cut(rest, "/vpcesource/")
	if !ok || !more {
		return a, badRequest("Invalid ARN specified in the request: %s names no domain name access association", arn)
	}
	a, ok, err = record.Get[Association](r, Scope{part[4], part[3]}.association(name, endpoint))
	if err == nil && !ok {
		err = noAssociation()
	}
	return a, err
}

// Dissociate removes an association of the caller's own.
func (d *Domains) Dissociate(ctx context.Context, s Scope, arn string) error {
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, err := loadAssociation(tx, arn)
		if err == nil && a.Owner != s {
			err = noAssociation()
		}
		if err != nil {
			return err
		}
		a.remove(tx)
		return nil
	})
}

// Reject removes an association of another account with a name of the caller's.
func (d *Domains) Reject(ctx context.Context, s Scope, arn, nameARN string) error {
	return d.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, err := loadAssociation(tx, arn)
		switch provider, ref, _, ok := ParseARN(s, nameARN); {
		case err != nil:
			return err
		case !ok || a.Provider != s || a.Provider != provider || a.Name != ref:
			return noAssociation()
		case a.Owner.Account == s.Account:
			return badRequest("The association is of your own account: use DeleteDomainNameAccessAssociation.")
		}
		a.remove(tx)
		return nil
	})
}

// Associations calls show with a page of the associations that an account made, or that others made with its names, and returns the token of the next page.
func (d *Domains) Associations(ctx context.Context, s Scope, others bool, token *string, limit int, show func(a *Association)) (*string, error) {
	at := s.associations()
	if others {
		at = s.root("c")
	}
	return pageOf(ctx, d, at, token, limit, func(a *Association) bool {
		if others && a.Owner.Account == s.Account {
			return false
		}
		show(a)
		return true
	})
}

// TagAssociation gives an association of the caller's the tags that change makes of its own; nil leaves them.
func TagAssociation(tx store.Txn, s Scope, arn string, change func(tags map[string]string) (map[string]string, error)) error {
	a, err := loadAssociation(tx, arn)
	if err == nil && a.Owner != s {
		err = noAssociation()
	}
	if err != nil {
		return err
	}
	tags, err := change(a.Tags)
	if err != nil || tags == nil {
		return err
	}
	a.Tags = tags
	return a.save(tx)
}
