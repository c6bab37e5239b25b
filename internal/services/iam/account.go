package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// alias is the record of an account alias.
type alias struct{ Name string }

func (s *IAM) createAccountAlias(ctx context.Context, in *api.CreateAccountAliasInput) (*api.CreateAccountAliasOutput, error) {
	return &api.CreateAccountAliasOutput{}, s.update(ctx, func(tx store.Txn) error {
		tx.DeleteRange(all(account(ctx), "alias"), all(account(ctx), "alias").End())
		return record.Set(tx, aliasKey(account(ctx), in.AccountAlias), alias{in.AccountAlias})
	})
}

func (s *IAM) deleteAccountAlias(ctx context.Context, in *api.DeleteAccountAliasInput) (*api.DeleteAccountAliasOutput, error) {
	return &api.DeleteAccountAliasOutput{}, s.update(ctx, func(tx store.Txn) error {
		has, err := record.Has(tx, aliasKey(account(ctx), in.AccountAlias))
		if err != nil {
			return err
		}
		if !has {
			return fail("NoSuchEntity", 404, "The account alias %s does not exist.", in.AccountAlias)
		}
		tx.Delete(aliasKey(account(ctx), in.AccountAlias))
		return nil
	})
}

func (s *IAM) listAccountAliases(ctx context.Context, _ *api.ListAccountAliasesInput) (*api.ListAccountAliasesOutput, error) {
	out := &api.ListAccountAliasesOutput{IsTruncated: ptr(false)}
	return out, s.deps.Store.View(ctx, func(r store.Reader) error {
		list, err := record.List[alias](r, all(account(ctx), "alias").Span())
		out.AccountAliases = mapped(list, func(a *alias) string { return a.Name })
		return err
	})
}

// everything is the account's state, read at one moment.
type everything struct {
	users, roles, groups []entity
	policies             []managed
	profiles             []profile
	providers            []oidcProvider
	certificates         []certificate
	devices              []mfaDevice
	federations          []samlProvider
	use                  usage
}

func (s *IAM) everything(ctx context.Context) (e everything, err error) {
	acct := account(ctx)
	err = s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		if e.users, err = record.List[entity](r, all(acct, string(user)).Span()); err != nil {
			return err
		}
		if e.roles, err = record.List[entity](r, all(acct, string(role)).Span()); err != nil {
			return err
		}
		if e.groups, err = record.List[entity](r, all(acct, string(group)).Span()); err != nil {
			return err
		}
		if e.policies, err = record.List[managed](r, all(acct, "policy").Span()); err != nil {
			return err
		}
		if e.profiles, err = record.List[profile](r, all(acct, "profile").Span()); err != nil {
			return err
		}
		if e.certificates, err = record.List[certificate](r, all(acct, "certificate").Span()); err != nil {
			return err
		}
		if e.devices, err = record.List[mfaDevice](r, all(acct, "mfa").Span()); err != nil {
			return err
		}
		if e.federations, err = record.List[samlProvider](r, all(acct, "saml").Span()); err != nil {
			return err
		}
		if e.providers, err = record.List[oidcProvider](r, all(acct, "oidc").Span()); err != nil {
			return err
		}
		e.use, err = usageOf(r, acct)
		return err
	})
	return e, err
}

func (s *IAM) getAccountSummary(ctx context.Context, _ *api.GetAccountSummaryInput) (*api.GetAccountSummaryOutput, error) {
	e, err := s.everything(ctx)
	if err != nil {
		return nil, err
	}
	versions, enabled := 0, 0
	for i := range e.policies {
		versions += len(e.policies[i].Versions)
	}
	for i := range e.devices {
		if e.devices[i].User != "" {
			enabled++
		}
	}
	return &api.GetAccountSummaryOutput{SummaryMap: map[string]int32{
		"Users": int32(len(e.users)), "Groups": int32(len(e.groups)), "Roles": int32(len(e.roles)), "Policies": int32(len(e.policies)),
		"InstanceProfiles": int32(len(e.profiles)), "Providers": int32(len(e.providers) + len(e.federations)), "PolicyVersionsInUse": int32(versions), "AccountAccessKeysPresent": 1,
		"ServerCertificates": int32(len(e.certificates)), "ServerCertificatesQuota": certificateQuota,
		"MFADevices": int32(len(e.devices)), "MFADevicesInUse": int32(enabled), "AccountMFAEnabled": 0,
		"AccessKeysPerUserQuota": keyQuota, "GroupsPerUserQuota": groupQuota, "VersionsPerPolicyQuota": versionQuota, "PolicySizeQuota": managedSize,
		"AttachedPoliciesPerRoleQuota": attachQuota, "AttachedPoliciesPerUserQuota": attachQuota, "AttachedPoliciesPerGroupQuota": attachQuota,
		"UserPolicySizeQuota": int32(user.inlineSize()), "GroupPolicySizeQuota": int32(group.inlineSize()), "RolePolicySizeQuota": int32(role.inlineSize()),
	}}, nil
}

func inlineDetails(e *entity) []api.PolicyDetail {
	var out []api.PolicyDetail
	for _, name := range slices.Sorted(maps.Keys(e.Inline)) {
		out = append(out, api.PolicyDetail{PolicyName: ptr(name), PolicyDocument: ptr(encoded(e.Inline[name]))})
	}
	return out
}

// getAccountAuthorizationDetails answers in one page: the whole of an account's state is small.
func (s *IAM) getAccountAuthorizationDetails(ctx context.Context, in *api.GetAccountAuthorizationDetailsInput) (*api.GetAccountAuthorizationDetailsOutput, error) {
	e, err := s.everything(ctx)
	if err != nil {
		return nil, err
	}
	wants := func(f string) bool { return len(in.Filter) == 0 || slices.Contains(in.Filter, f) }
	out := &api.GetAccountAuthorizationDetailsOutput{IsTruncated: ptr(false)}
	if wants("User") {
		out.UserDetailList = mapped(e.users, func(u *entity) api.UserDetail {
			return api.UserDetail{
				Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: ptr(u.arn()), CreateDate: &u.Created, UserPolicyList: inlineDetails(u),
				GroupList: u.Groups, AttachedManagedPolicies: attachedOf(u.Attached), PermissionsBoundary: boundaryOf(u.Boundary), Tags: u.Tags,
			}
		})
	}
	if wants("Group") {
		out.GroupDetailList = mapped(e.groups, func(g *entity) api.GroupDetail {
			return api.GroupDetail{
				Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: ptr(g.arn()), CreateDate: &g.Created,
				GroupPolicyList: inlineDetails(g), AttachedManagedPolicies: attachedOf(g.Attached),
			}
		})
	}
	if wants("Role") {
		out.RoleDetailList = mapped(e.roles, func(r *entity) api.RoleDetail { return roleDetail(r, e.profiles) })
	}
	if wants("LocalManagedPolicy") {
		out.Policies = mapped(e.policies, func(p *managed) api.ManagedPolicyDetail { return p.detail(e.use) })
	}
	if wants("AWSManagedPolicy") {
		for _, name := range slices.Sorted(maps.Keys(s.builtin)) {
			if p := s.builtin[name]; e.use.attached[p.arn()]+e.use.boundary[p.arn()] > 0 {
				out.Policies = append(out.Policies, p.detail(e.use))
			}
		}
	}
	return out, nil
}

func roleDetail(r *entity, profiles []profile) api.RoleDetail {
	d := api.RoleDetail{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: ptr(r.arn()), CreateDate: &r.Created, AssumeRolePolicyDocument: ptr(encoded(r.Trust)),
		RolePolicyList: inlineDetails(r), AttachedManagedPolicies: attachedOf(r.Attached), PermissionsBoundary: boundaryOf(r.Boundary), Tags: r.Tags, RoleLastUsed: &api.RoleLastUsed{},
	}
	for i := range profiles {
		if p := &profiles[i]; strings.EqualFold(p.Role, r.Name) {
			d.InstanceProfileList = append(d.InstanceProfileList, api.InstanceProfile{
				Path: p.Path, InstanceProfileName: p.Name, InstanceProfileId: p.ID,
				Arn: p.arn(), CreateDate: p.Created, Roles: []api.Role{r.role()},
			})
		}
	}
	return d
}

func (p *managed) detail(u usage) api.ManagedPolicyDetail {
	a := p.api(u)
	d := api.ManagedPolicyDetail{
		PolicyName: a.PolicyName, PolicyId: a.PolicyId, Arn: a.Arn, Path: a.Path, DefaultVersionId: a.DefaultVersionId,
		AttachmentCount: a.AttachmentCount, PermissionsBoundaryUsageCount: a.PermissionsBoundaryUsageCount, IsAttachable: a.IsAttachable,
		Description: a.Description, CreateDate: a.CreateDate, UpdateDate: a.UpdateDate,
	}
	for i := range p.Versions {
		d.PolicyVersionList = append(d.PolicyVersionList, p.versionAPI(&p.Versions[i], true))
	}
	return d
}
