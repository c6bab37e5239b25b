package iam

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	engine "lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The quotas of a managed policy.
const (
	managedSize  = 6144
	versionQuota = 5
)

// managed is the record of a managed policy.
type managed struct {
	Account, Name, Path, ID, Description string
	Created, Updated                     time.Time
	Default                              string
	// Last is the number of the newest version.
	Last     int
	Versions []policyVersion
	Tags     []api.Tag `json:",omitempty"`
	// aws tells that AWS's name stands in the ARN; such policies are not stored.
	aws bool
}

type policyVersion struct {
	ID       string
	Document string
	Created  time.Time
}

func (p *managed) arn() string {
	owner := p.Account
	if p.aws {
		owner = "aws"
	}
	return "arn:aws:iam::" + owner + ":policy" + p.Path + p.Name
}

func (p *managed) version(id string) *policyVersion {
	for i := range p.Versions {
		if p.Versions[i].ID == id {
			return &p.Versions[i]
		}
	}
	return nil
}

// lookup finds a managed policy of the account or of AWS.
func (s *IAM) lookup(r store.Reader, account, arn string) (*managed, error) {
	rest, isAWS := strings.CutPrefix(arn, "arn:aws:iam::aws:policy/")
	if isAWS {
		if p := s.builtin[rest]; p != nil {
			return p, nil
		}
		return nil, noPolicy(arn)
	}
	prefix := "arn:aws:iam::" + account + ":policy/"
	if !strings.HasPrefix(arn, prefix) {
		return nil, noPolicy(arn)
	}
	p, ok, err := record.Get[managed](r, policyKey(account, policyName(arn)))
	if err != nil {
		return nil, err
	}
	if !ok || p.arn() != arn {
		return nil, noPolicy(arn)
	}
	return &p, nil
}

// attachable checks that a policy exists.
func (s *IAM) attachable(r store.Reader, account, arn string) error {
	_, err := s.lookup(r, account, arn)
	return err
}

func (p *managed) api(u usage) api.Policy {
	arn := p.arn()
	return api.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &arn, Path: &p.Path, DefaultVersionId: &p.Default, AttachmentCount: ptr(u.attached[arn]),
		PermissionsBoundaryUsageCount: ptr(u.boundary[arn]), IsAttachable: ptr(true), Description: text(p.Description),
		CreateDate: &p.Created, UpdateDate: &p.Updated, Tags: p.Tags,
	}
}

func (p *managed) versionAPI(v *policyVersion, withDocument bool) api.PolicyVersion {
	out := api.PolicyVersion{VersionId: &v.ID, IsDefaultVersion: ptr(v.ID == p.Default), CreateDate: &v.Created}
	if withDocument {
		out.Document = ptr(encoded(v.Document))
	}
	return out
}

// checkManaged compiles a managed policy's document and checks its size.
func checkManaged(doc string) error {
	if _, err := engine.Parse(doc, engine.Identity); err != nil {
		return malformed(err)
	}
	if sizeOf(doc) > managedSize {
		return limit("Cannot exceed quota for PolicySize: %d", managedSize)
	}
	return nil
}

func (s *IAM) createPolicy(ctx context.Context, in *api.CreatePolicyInput) (*api.CreatePolicyOutput, error) {
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	path, err := pathOf(in.Path)
	if err != nil {
		return nil, err
	}
	tags, err := merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	now := s.now()
	p := managed{
		Account: account(ctx), Name: in.PolicyName, Path: path, Created: now, Updated: now, Default: "v1", Last: 1, Tags: tags,
		Versions: []policyVersion{{"v1", in.PolicyDocument, now}},
	}
	if in.Description != nil {
		p.Description = *in.Description
	}
	if p.ID, err = token.NewID(token.PrefixPolicy, s.deps.Random); err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	err = s.update(ctx, func(tx store.Txn) error {
		has, err := record.Has(tx, policyKey(p.Account, p.Name))
		if err != nil {
			return err
		}
		if has {
			return fail("EntityAlreadyExists", 409, "A policy called %s already exists. Duplicate names are not allowed.", p.Name)
		}
		return record.Set(tx, policyKey(p.Account, p.Name), p)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreatePolicyOutput{Policy: ptr(p.api(usage{}))}, nil
}

// changePolicy reads a customer managed policy, lets fn change it and writes it back.
func (s *IAM) changePolicy(ctx context.Context, arn string, fn func(tx store.Txn, p *managed) error) error {
	return s.update(ctx, func(tx store.Txn) error {
		p, err := s.lookup(tx, account(ctx), arn)
		if err != nil {
			return err
		}
		if p.aws {
			return fail("AccessDenied", 403, "The policy %s is managed by AWS and cannot be changed.", arn)
		}
		if err := fn(tx, p); err != nil {
			return err
		}
		return record.Set(tx, policyKey(p.Account, p.Name), p)
	})
}

// view reads a policy, of the account or of AWS, with the counts of its use.
func (s *IAM) view(ctx context.Context, arn string) (p *managed, u usage, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if p, err = s.lookup(r, account(ctx), arn); err != nil {
			return err
		}
		u, err = usageOf(r, account(ctx))
		return err
	})
	return p, u, err
}

func (s *IAM) getPolicy(ctx context.Context, in *api.GetPolicyInput) (*api.GetPolicyOutput, error) {
	p, u, err := s.view(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &api.GetPolicyOutput{Policy: ptr(p.api(u))}, nil
}

func (s *IAM) listPolicies(ctx context.Context, in *api.ListPoliciesInput) (*api.ListPoliciesOutput, error) {
	var items []managed
	var u usage
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if in.Scope != api.PolicyScopeTypeAws {
			if items, err = record.List[managed](r, all(account(ctx), "policy").Span()); err != nil {
				return err
			}
		}
		u, err = usageOf(r, account(ctx))
		return err
	})
	if err != nil {
		return nil, err
	}
	if in.Scope != api.PolicyScopeTypeLocal {
		for _, p := range s.builtin {
			items = append(items, *p)
		}
	}
	items = slices.DeleteFunc(items, func(p managed) bool {
		arn := p.arn()
		switch {
		case in.PathPrefix != nil && !strings.HasPrefix(p.Path, *in.PathPrefix):
			return true
		case in.PolicyUsageFilter == api.PolicyUsageTypePermissionsBoundary && u.boundary[arn] == 0:
			return true
		}
		return in.OnlyAttached != nil && *in.OnlyAttached && u.attached[arn] == 0
	})
	order.Sort(items, func(a, b managed) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.arn(), b.arn()))
	})
	out := &api.ListPoliciesOutput{}
	items, out.IsTruncated, out.Marker, err = page(items, in.Marker, in.MaxItems, func(p *managed) string { return p.Name })
	out.Policies = mapped(items, func(p *managed) api.Policy { return p.api(u) })
	return out, err
}

func (s *IAM) deletePolicy(ctx context.Context, in *api.DeletePolicyInput) (*api.DeletePolicyOutput, error) {
	return &api.DeletePolicyOutput{}, s.update(ctx, func(tx store.Txn) error {
		p, err := s.lookup(tx, account(ctx), in.PolicyArn)
		if err != nil {
			return err
		}
		if p.aws {
			return fail("AccessDenied", 403, "The policy %s is managed by AWS and cannot be deleted.", in.PolicyArn)
		}
		u, err := usageOf(tx, p.Account)
		if err != nil {
			return err
		}
		if u.attached[in.PolicyArn]+u.boundary[in.PolicyArn] > 0 {
			return conflict("Cannot delete a policy attached to entities.")
		}
		if len(p.Versions) > 1 {
			return conflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		tx.Delete(policyKey(p.Account, p.Name))
		return nil
	})
}

func (s *IAM) createPolicyVersion(ctx context.Context, in *api.CreatePolicyVersionInput) (*api.CreatePolicyVersionOutput, error) {
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	out := &api.CreatePolicyVersionOutput{}
	return out, s.changePolicy(ctx, in.PolicyArn, func(_ store.Txn, p *managed) error {
		if len(p.Versions) >= versionQuota {
			return limit("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", versionQuota)
		}
		p.Last++
		v := policyVersion{"v" + strconv.Itoa(p.Last), in.PolicyDocument, s.now()}
		p.Versions = append(p.Versions, v)
		if in.SetAsDefault != nil && *in.SetAsDefault {
			p.Default = v.ID
		}
		p.Updated = v.Created
		out.PolicyVersion = ptr(p.versionAPI(&v, false))
		return nil
	})
}

func noVersion(arn, id string) error {
	return fail("NoSuchEntity", 404, "Policy %s version %s does not exist or is not attachable.", arn, id)
}

func (s *IAM) getPolicyVersion(ctx context.Context, in *api.GetPolicyVersionInput) (*api.GetPolicyVersionOutput, error) {
	p, _, err := s.view(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v := p.version(in.VersionId)
	if v == nil {
		return nil, noVersion(in.PolicyArn, in.VersionId)
	}
	return &api.GetPolicyVersionOutput{PolicyVersion: ptr(p.versionAPI(v, true))}, nil
}

func (s *IAM) listPolicyVersions(ctx context.Context, in *api.ListPolicyVersionsInput) (*api.ListPolicyVersionsOutput, error) {
	p, _, err := s.view(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListPolicyVersionsOutput{IsTruncated: ptr(false)}
	for i := range slices.Backward(p.Versions) {
		out.Versions = append(out.Versions, p.versionAPI(&p.Versions[i], false))
	}
	return out, nil
}

func (s *IAM) setDefaultPolicyVersion(ctx context.Context, in *api.SetDefaultPolicyVersionInput) (*api.SetDefaultPolicyVersionOutput, error) {
	return &api.SetDefaultPolicyVersionOutput{}, s.changePolicy(ctx, in.PolicyArn, func(_ store.Txn, p *managed) error {
		if p.version(in.VersionId) == nil {
			return noVersion(in.PolicyArn, in.VersionId)
		}
		p.Default, p.Updated = in.VersionId, s.now()
		return nil
	})
}

func (s *IAM) deletePolicyVersion(ctx context.Context, in *api.DeletePolicyVersionInput) (*api.DeletePolicyVersionOutput, error) {
	return &api.DeletePolicyVersionOutput{}, s.changePolicy(ctx, in.PolicyArn, func(_ store.Txn, p *managed) error {
		if p.version(in.VersionId) == nil {
			return noVersion(in.PolicyArn, in.VersionId)
		}
		if p.Default == in.VersionId {
			return conflict("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(p.Versions, func(v policyVersion) bool { return v.ID == in.VersionId })
		return nil
	})
}
