package kms

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// The figures of https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html.
const (
	grantIDSize = 32
	grantPage   = 50
)

// grantRecord lets a principal use a key for some operations.
type grantRecord struct {
	ID, Name          string
	Grantee, Retiring string
	Issuer            string // account
	Operations        []string
	Equals, Subset    map[string]string `json:",omitempty"`
	Created           time.Time
}

// sameAs tells whether another call asked for the same grant. Only grants with a name are taken for the same.
func (g *grantRecord) sameAs(o *grantRecord) bool {
	a, b := *g, *o
	a.ID, b.ID, a.Created, b.Created = "", "", time.Time{}, time.Time{}
	return a.Name != "" && reflect.DeepEqual(a, b)
}

// fits tells whether the grant is about an operation with an encryption context. Constraints are about operations that have one.
func (g *grantRecord) fits(operation string, context map[string]string, hasContext bool) bool {
	if !slices.Contains(g.Operations, operation) {
		return false
	}
	if !hasContext {
		return true
	}
	if g.Equals != nil && !maps.Equal(g.Equals, context) {
		return false
	}
	for k, v := range g.Subset {
		if got, ok := context[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// statement returns the grant as a statement of the key's policy: principal may do actions.
func statement(g *grantRecord, principal string, actions ...string) any {
	kind := "AWS"
	if !strings.HasPrefix(principal, "arn:") && strings.HasSuffix(principal, ".amazonaws.com") {
		kind = "Service"
	}
	return map[string]any{"Sid": "Grant" + g.ID, "Effect": "Allow", "Principal": map[string]string{kind: principal}, "Action": actions, "Resource": "*"}
}

// grantees are the names by which grants may mean a principal.
func grantees(p *service.Principal) []string {
	all := []string{p.ARN, p.RoleARN, p.Service, p.Account}
	if p.Account != "" {
		all = append(all, "arn:aws:iam::"+p.Account+":root")
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return name == "" })
}

// grantStatements returns the grants that let p do an operation, as statements.
func grantStatements(r store.Reader, f *found, p *service.Principal, q *question) (out []any, err error) {
	operation := strings.TrimPrefix(q.action, "kms:")
	for _, grantee := range grantees(p) {
		prefix := f.grantsTo(f.ID, grantee)
		for row, err := range r.Range(prefix.Span()) {
			if err != nil {
				return nil, err
			}
			id := key.Decode(row.Key).Skip(prefix).Str()
			g, there, err := record.Get[grantRecord](r, f.grant(f.ID, id))
			if err != nil {
				return nil, err
			}
			if there && g.fits(operation, q.context, q.hasContext) {
				out = append(out, statement(&g, grantee, q.action))
			}
		}
	}
	return out, nil
}

func (s *Service) createGrant(ctx context.Context, in *api.CreateGrantInput) (*api.CreateGrantOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := f.usable(); err != nil {
		return nil, err
	}
	g := &grantRecord{
		Name: opt.Value(in.Name), Grantee: in.GranteePrincipal, Retiring: opt.Value(in.RetiringPrincipal), Issuer: placeOf(ctx).account,
		Operations: in.Operations, Created: s.now(),
	}
	if c := in.Constraints; c != nil {
		g.Equals, g.Subset = c.EncryptionContextEquals, c.EncryptionContextSubset
		if g.Equals != nil && g.Subset != nil {
			return nil, invalid("A grant has one of EncryptionContextEquals and EncryptionContextSubset.")
		}
	}
	if err := f.checkGrant(g); err != nil {
		return nil, err
	}
	if err := rehearsed(in.DryRun); err != nil {
		return nil, err
	}
	b := make([]byte, grantIDSize)
	if _, err := io.ReadFull(s.deps.Random, b); err != nil {
		return nil, err
	}
	id := hex.EncodeToString(b)
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		g.ID = id
		return f.putGrant(tx, g)
	})
	if err != nil {
		return nil, err
	}
	token, err := s.grantToken(f, g.ID)
	return &api.CreateGrantOutput{GrantId: &g.ID, GrantToken: &token}, err
}

// checkGrant refuses principals and operations that a grant on the key cannot have.
func (f *found) checkGrant(g *grantRecord) error {
	for _, principal := range []string{g.Grantee, g.Retiring} {
		if principal != "" && !strings.HasPrefix(principal, "arn:aws:") && !strings.HasSuffix(principal, ".amazonaws.com") {
			return refused(codeARN, "ARN does not refer to a valid principal: %s", principal)
		}
	}
	allowed := map[string][]string{
		"ENCRYPT_DECRYPT": {"Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo"}, "SIGN_VERIFY": {"Sign", "Verify"},
		"GENERATE_VERIFY_MAC": {"GenerateMac", "VerifyMac"}, "KEY_AGREEMENT": {"DeriveSharedSecret"},
	}[f.Usage]
	allowed = append(allowed, "CreateGrant", "DescribeKey", "RetireGrant")
	if f.spec().IsAsymmetric() {
		allowed = append(allowed, "GetPublicKey")
	} else if f.Usage == "ENCRYPT_DECRYPT" {
		allowed = append(allowed, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
	}
	for _, operation := range g.Operations {
		if !slices.Contains(allowed, operation) {
			return invalid("Operation %s is not valid for a key with KeyUsage %s and KeySpec %s.", operation, f.Usage, f.Spec)
		}
	}
	if f.spec().Name != "SYMMETRIC_DEFAULT" && (g.Equals != nil || g.Subset != nil) {
		return invalid("Constraints on the encryption context are for symmetric encryption keys; %s has the KeySpec %s.", f.arn(), f.Spec)
	}
	return nil
}

// putGrant adds a grant, or finds the one that an earlier call with the same name and parameters made.
func (f *found) putGrant(tx store.Txn, g *grantRecord) error {
	if g.Name != "" {
		for row, err := range record.Range[grantRecord](tx, f.grants(f.ID).Span()) {
			if err != nil {
				return err
			}
			if g.sameAs(&row.Value) {
				g.ID = row.Value.ID
				return nil
			}
		}
	}
	tx.Set(f.grantsTo(f.ID, g.Grantee).Str(g.ID), nil)
	if g.Retiring != "" {
		tx.Set(f.retirableBy(g.Retiring).Str(f.ID).Str(g.ID), nil)
	}
	return record.Set(tx, f.grant(f.ID, g.ID), *g)
}

func (f *found) dropGrant(tx store.Txn, g *grantRecord) {
	tx.Delete(f.grantsTo(f.ID, g.Grantee).Str(g.ID))
	if g.Retiring != "" {
		tx.Delete(f.retirableBy(g.Retiring).Str(f.ID).Str(g.ID))
	}
	tx.Delete(f.grant(f.ID, g.ID))
}

// grantPurpose is what grant tokens are sealed for.
const grantPurpose = "kms grant token"

type grantName struct{ KeyARN, Grant string }

// grantToken returns a token that names a grant. A grant counts from the moment on at which it is made, so that tokens are not needed; they are checked.
func (s *Service) grantToken(f *found, grant string) (string, error) {
	b, err := json.Marshal(grantName{f.arn(), grant})
	if err != nil {
		return "", err
	}
	sealed, err := s.options.Ring.Seal(grantPurpose, b)
	return base64.StdEncoding.EncodeToString(sealed), err
}

func (s *Service) openGrantToken(token string) (n grantName, err error) {
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err == nil {
		sealed, err = s.options.Ring.Open(grantPurpose, sealed)
	}
	if err == nil {
		err = json.Unmarshal(sealed, &n)
	}
	if err != nil {
		return n, refused(codeGrantToken, "The grant token is not valid.")
	}
	return n, nil
}

func (s *Service) checkTokens(tokens []string) error {
	for _, t := range tokens {
		if _, err := s.openGrantToken(t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) revokeGrant(ctx context.Context, in *api.RevokeGrantInput) (*api.RevokeGrantOutput, error) {
	return &api.RevokeGrantOutput{}, s.endGrant(ctx, in.KeyId, in.GrantId, in.DryRun)
}

func (s *Service) endGrant(ctx context.Context, keyID, grant string, dry *bool) error {
	return s.deps.Store.Update(ctx, func(tx store.Txn) error {
		f, err := look(tx, placeOf(ctx), keyID)
		if err != nil {
			return err
		}
		g, there, err := record.Get[grantRecord](tx, f.grant(f.ID, grant))
		if err != nil {
			return err
		}
		if !there {
			return refused(codeNotFound, "Grant ID %s not found", grant)
		}
		if err := rehearsed(dry); err != nil {
			return err
		}
		f.dropGrant(tx, &g)
		return nil
	})
}

// retired returns the grant that a RetireGrant names: by a token, or by the key and an id.
func (s *Service) retired(in *api.RetireGrantInput) (grantName, error) {
	if in.GrantToken != nil {
		return s.openGrantToken(*in.GrantToken)
	}
	if in.KeyId == nil || in.GrantId == nil {
		return grantName{}, invalid("Either GrantToken, or KeyId and GrantId must be given.")
	}
	return grantName{*in.KeyId, *in.GrantId}, nil
}

func (s *Service) retireGrant(ctx context.Context, in *api.RetireGrantInput) (*api.RetireGrantOutput, error) {
	n, err := s.retired(in)
	if err != nil {
		return nil, err
	}
	return &api.RetireGrantOutput{}, s.endGrant(ctx, n.KeyARN, n.Grant, in.DryRun)
}

func (f *found) grantEntry(g *grantRecord) api.GrantListEntry {
	e := api.GrantListEntry{
		KeyId: new(f.arn()), GrantId: &g.ID, Name: &g.Name, CreationDate: &g.Created, GranteePrincipal: &g.Grantee, RetiringPrincipal: opt.Of(g.Retiring),
		IssuingAccount: new("arn:aws:iam::" + g.Issuer + ":root"), Operations: g.Operations,
	}
	if g.Equals != nil || g.Subset != nil {
		e.Constraints = &api.GrantConstraints{EncryptionContextEquals: g.Equals, EncryptionContextSubset: g.Subset}
	}
	return e
}

func (s *Service) listGrants(ctx context.Context, in *api.ListGrantsInput) (*api.ListGrantsOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	out := &api.ListGrantsOutput{Grants: []api.GrantListEntry{}, Truncated: new(false)}
	next, err := page(ctx, s, f.grants(f.ID), paging{in.Limit, grantPage, in.Marker}, func(_ string, g grantRecord) bool {
		if in.GrantId != nil && g.ID != *in.GrantId || in.GranteePrincipal != nil && g.Grantee != *in.GranteePrincipal {
			return false
		}
		out.Grants = append(out.Grants, f.grantEntry(&g))
		return true
	})
	if err == nil && in.GrantId != nil && len(out.Grants) == 0 && next == nil && in.Marker == nil {
		err = refused(codeGrantID, "Grant ID %s not found", *in.GrantId)
	}
	out.NextMarker, *out.Truncated = next, next != nil
	return out, err
}

func (s *Service) listRetirableGrants(ctx context.Context, in *api.ListRetirableGrantsInput) (*api.ListRetirableGrantsOutput, error) {
	p := placeOf(ctx)
	all := []api.GrantListEntry{}
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		prefix := p.retirableBy(in.RetiringPrincipal)
		for row, err := range r.Range(prefix.Span()) {
			if err != nil {
				return err
			}
			d := key.Decode(row.Key).Skip(prefix)
			f := &found{place: p, keyRecord: keyRecord{ID: d.Str()}}
			g, there, err := record.Get[grantRecord](r, f.grant(f.ID, d.Str()))
			if err != nil {
				return err
			}
			if there {
				all = append(all, f.grantEntry(&g))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	part, next, err := slice(all, paging{in.Limit, grantPage, in.Marker}, func(e api.GrantListEntry) string { return *e.GrantId })
	return &api.ListRetirableGrantsOutput{Grants: part, NextMarker: next, Truncated: new(next != nil)}, err
}
