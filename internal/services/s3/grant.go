package s3

import (
	"context"
	"net/http"
	"strings"
	"time"

	control "lambent.dev/lambent/internal/awsapi/s3control"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// checkGrant refuses what no grant can be made of.
func checkGrant(in *control.CreateAccessGrantInput) error {
	g := in.Grantee
	switch {
	case in.ApplicationArn != nil:
		return unsupported("CreateAccessGrant", "ApplicationArn (grant access to users and roles of IAM)")
	case g == nil || g.GranteeType == "" || deref(g.GranteeIdentifier) == "":
		return malformedXML()
	case g.GranteeType != control.GranteeTypeIam:
		return unsupported("CreateAccessGrant", "Grantee.GranteeType "+g.GranteeType+" (grant access to users and roles of IAM)")
	}
	a, err := arn.Parse(*g.GranteeIdentifier)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "user/") && !strings.HasPrefix(a.Resource, "role/") {
		return invalidGrant("The specified Access Grant is invalid: the grantee %q is not the ARN of a user or role of IAM.", *g.GranteeIdentifier)
	}
	return nil
}

func (s *Service) createAccessGrant(ctx context.Context, in *control.CreateAccessGrantInput) (*control.CreateAccessGrantOutput, error) {
	if err := checkGrant(in); err != nil {
		return nil, err
	}
	tags, err := plainControlTags(in.Tags)
	if err != nil {
		return nil, err
	}
	id, err := uuid.New(s.random)
	if err != nil {
		return nil, err
	}
	p := placeOf(ctx, in.AccountId)
	g := accessGrant{ID: id, Location: in.AccessGrantsLocationId, Grantee: *in.Grantee.GranteeIdentifier, Permission: in.Permission, Created: s.now().Truncate(time.Millisecond)}
	if c := in.AccessGrantsLocationConfiguration; c != nil {
		g.SubPrefix = c.S3SubPrefix
	}
	err = s.store.Update(ctx, func(tx store.Txn) error {
		l, err := findLocation(tx, p, g.Location)
		if err != nil {
			return err
		}
		g.grantTarget = grantTarget{scopeOf(l.Scope, g.SubPrefix), in.S3PrefixType == control.S3PrefixTypeObject}
		return putGrant(tx, p, &g, tags)
	})
	e := p.entry(&g)
	return answerOf(&control.CreateAccessGrantOutput{
		CreatedAt: e.CreatedAt, AccessGrantId: e.AccessGrantId, AccessGrantArn: e.AccessGrantArn, Grantee: e.Grantee, Permission: e.Permission,
		AccessGrantsLocationId: e.AccessGrantsLocationId, AccessGrantsLocationConfiguration: e.AccessGrantsLocationConfiguration, GrantScope: e.GrantScope,
	}, fromStore(wrap("create access grant", err)))
}

// putGrant writes a new grant of a location that is there.
func putGrant(tx store.Txn, p grantsPlace, g *accessGrant, tags []tag) error {
	if _, _, ok := g.split(); !ok {
		return invalidGrant("The specified Access Grant is invalid: its scope %s must have the name of a bucket and, for an object, the whole key. Name them in S3SubPrefix.", g.Scope)
	}
	exists, err := record.Has(tx, p.ofKey(g))
	switch {
	case err != nil:
		return err
	case exists:
		return fail("AccessGrantAlreadyExists", http.StatusConflict, "The specified access grant already exists")
	}
	tx.Set(p.atKey(g.Location).Str(g.ID), nil)
	if err := record.Set(tx, p.ofKey(g), g.ID); err != nil {
		return err
	}
	if err := setGrantsTags(tx, p, grantResource(g.ID), tags); err != nil {
		return err
	}
	return record.Set(tx, p.grantKey(g.ID), *g)
}

// entry shows a grant.
func (p grantsPlace) entry(g *accessGrant) control.ListAccessGrantEntry {
	e := control.ListAccessGrantEntry{
		CreatedAt: &g.Created, AccessGrantId: &g.ID, AccessGrantArn: ptr(p.arn(grantResource(g.ID))), Grantee: granteeShape(g.Grantee), Permission: g.Permission,
		AccessGrantsLocationId: &g.Location, GrantScope: &g.Scope,
	}
	if g.SubPrefix != nil {
		e.AccessGrantsLocationConfiguration = &control.AccessGrantsLocationConfiguration{S3SubPrefix: g.SubPrefix}
	}
	return e
}

func granteeShape(identity string) *control.Grantee {
	return &control.Grantee{GranteeType: control.GranteeTypeIam, GranteeIdentifier: &identity}
}

func (s *Service) getAccessGrant(ctx context.Context, in *control.GetAccessGrantInput) (*control.GetAccessGrantOutput, error) {
	p := placeOf(ctx, in.AccountId)
	var g accessGrant
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		g, err = findGrant(r, p, in.AccessGrantId)
		return err
	})
	e := p.entry(&g)
	return answerOf(&control.GetAccessGrantOutput{
		CreatedAt: e.CreatedAt, AccessGrantId: e.AccessGrantId, AccessGrantArn: e.AccessGrantArn, Grantee: e.Grantee, Permission: e.Permission,
		AccessGrantsLocationId: e.AccessGrantsLocationId, AccessGrantsLocationConfiguration: e.AccessGrantsLocationConfiguration, GrantScope: e.GrantScope,
	}, fromStore(wrap("read access grant", err)))
}

func (s *Service) deleteAccessGrant(ctx context.Context, in *control.DeleteAccessGrantInput) (*control.DeleteAccessGrantOutput, error) {
	p := placeOf(ctx, in.AccountId)
	err := s.store.Update(ctx, func(tx store.Txn) error {
		g, err := findGrant(tx, p, in.AccessGrantId)
		if err != nil {
			return err
		}
		tx.Delete(p.atKey(g.Location).Str(g.ID))
		tx.Delete(p.ofKey(&g))
		tx.Delete(p.tagsKey(grantResource(g.ID)))
		tx.Delete(p.grantKey(g.ID))
		return nil
	})
	return answerOf(&control.DeleteAccessGrantOutput{}, fromStore(wrap("delete access grant", err)))
}

func (s *Service) listAccessGrants(ctx context.Context, in *control.ListAccessGrantsInput) (*control.ListAccessGrantsOutput, error) {
	p := placeOf(ctx, in.AccountId)
	out := &control.ListAccessGrantsOutput{AccessGrantsList: []control.ListAccessGrantEntry{}}
	next, err := grantsPage(ctx, s, p, p.grantsKey(), in.MaxResults, in.NextToken, func(g *accessGrant) bool {
		if !wantedGrant(in, g) {
			return false
		}
		out.AccessGrantsList = append(out.AccessGrantsList, p.entry(g))
		return true
	})
	out.NextToken = next
	return answerOf(out, err)
}

// wantedGrant tells whether the filters of a list take a grant.
func wantedGrant(in *control.ListAccessGrantsInput, g *accessGrant) bool {
	return (in.GranteeType == "" || in.GranteeType == control.GranteeTypeIam) &&
		(in.GranteeIdentifier == nil || *in.GranteeIdentifier == g.Grantee) &&
		(in.Permission == "" || in.Permission == g.Permission) &&
		(in.GrantScope == nil || *in.GrantScope == g.Scope) && in.ApplicationArn == nil
}
