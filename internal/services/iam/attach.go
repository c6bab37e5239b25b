package iam

import (
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (s *IAM) attach(ctx context.Context, k kind, name, arn string) error {
	return s.change(ctx, k, name, func(tx store.Txn, e *entity) error {
		if err := s.attachable(tx, e.Account, arn); err != nil {
			return err
		}
		if slices.Contains(e.Attached, arn) {
			return nil
		}
		e.Attached = append(e.Attached, arn)
		if len(e.Attached) > attachQuota {
			return limit("Cannot exceed quota for PoliciesPer%s: %d", k.title(), attachQuota)
		}
		return nil
	})
}

func (s *IAM) detach(ctx context.Context, k kind, name, arn string) error {
	return s.change(ctx, k, name, func(_ store.Txn, e *entity) error {
		i := slices.Index(e.Attached, arn)
		if i < 0 {
			return fail("NoSuchEntity", 404, "Policy %s was not found.", arn)
		}
		e.Attached = slices.Delete(e.Attached, i, i+1)
		return nil
	})
}

func policyName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func attachedOf(arns []string) []api.AttachedPolicy {
	return mapped(arns, func(arn *string) api.AttachedPolicy {
		return api.AttachedPolicy{PolicyName: ptr(policyName(*arn)), PolicyArn: arn}
	})
}

func (s *IAM) attached(ctx context.Context, k kind, name string, prefix, marker *string, size *int32) ([]api.AttachedPolicy, *bool, *string, error) {
	e, err := s.get(ctx, k, name)
	if err != nil {
		return nil, nil, nil, err
	}
	arns := slices.Clone(e.Attached)
	slices.SortFunc(arns, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	if prefix != nil {
		arns = slices.DeleteFunc(arns, func(a string) bool {
			_, p, _ := strings.Cut(a, ":policy")
			return !strings.HasPrefix(p, *prefix)
		})
	}
	arns, more, next, err := page(arns, marker, size, byText)
	return attachedOf(arns), more, next, err
}

func (s *IAM) attachRolePolicy(ctx context.Context, in *api.AttachRolePolicyInput) (*api.AttachRolePolicyOutput, error) {
	return &api.AttachRolePolicyOutput{}, s.attach(ctx, role, in.RoleName, in.PolicyArn)
}

func (s *IAM) attachUserPolicy(ctx context.Context, in *api.AttachUserPolicyInput) (*api.AttachUserPolicyOutput, error) {
	return &api.AttachUserPolicyOutput{}, s.attach(ctx, user, in.UserName, in.PolicyArn)
}

func (s *IAM) attachGroupPolicy(ctx context.Context, in *api.AttachGroupPolicyInput) (*api.AttachGroupPolicyOutput, error) {
	return &api.AttachGroupPolicyOutput{}, s.attach(ctx, group, in.GroupName, in.PolicyArn)
}

func (s *IAM) detachRolePolicy(ctx context.Context, in *api.DetachRolePolicyInput) (*api.DetachRolePolicyOutput, error) {
	return &api.DetachRolePolicyOutput{}, s.detach(ctx, role, in.RoleName, in.PolicyArn)
}

func (s *IAM) detachUserPolicy(ctx context.Context, in *api.DetachUserPolicyInput) (*api.DetachUserPolicyOutput, error) {
	return &api.DetachUserPolicyOutput{}, s.detach(ctx, user, in.UserName, in.PolicyArn)
}

func (s *IAM) detachGroupPolicy(ctx context.Context, in *api.DetachGroupPolicyInput) (*api.DetachGroupPolicyOutput, error) {
	return &api.DetachGroupPolicyOutput{}, s.detach(ctx, group, in.GroupName, in.PolicyArn)
}

func (s *IAM) listAttachedRolePolicies(ctx context.Context, in *api.ListAttachedRolePoliciesInput) (*api.ListAttachedRolePoliciesOutput, error) {
	out := &api.ListAttachedRolePoliciesOutput{}
	var err error
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.attached(ctx, role, in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}

func (s *IAM) listAttachedUserPolicies(ctx context.Context, in *api.ListAttachedUserPoliciesInput) (*api.ListAttachedUserPoliciesOutput, error) {
	out := &api.ListAttachedUserPoliciesOutput{}
	var err error
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.attached(ctx, user, in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}

func (s *IAM) listAttachedGroupPolicies(ctx context.Context, in *api.ListAttachedGroupPoliciesInput) (*api.ListAttachedGroupPoliciesOutput, error) {
	out := &api.ListAttachedGroupPoliciesOutput{}
	var err error
	out.AttachedPolicies, out.IsTruncated, out.Marker, err = s.attached(ctx, group, in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return out, err
}

// setBoundary sets or, with an empty ARN, removes a permission boundary.
func (s *IAM) setBoundary(ctx context.Context, k kind, name, arn string) error {
	return s.change(ctx, k, name, func(tx store.Txn, e *entity) error {
		if arn == "" && e.Boundary == "" {
			return fail("NoSuchEntity", 404, "The %s %s has no permissions boundary.", k.noun(), e.Name)
		}
		e.Boundary = arn
		if arn == "" {
			return nil
		}
		return s.attachable(tx, e.Account, arn)
	})
}

func (s *IAM) putRolePermissionsBoundary(ctx context.Context, in *api.PutRolePermissionsBoundaryInput) (*api.PutRolePermissionsBoundaryOutput, error) {
	return &api.PutRolePermissionsBoundaryOutput{}, s.setBoundary(ctx, role, in.RoleName, in.PermissionsBoundary)
}

func (s *IAM) putUserPermissionsBoundary(ctx context.Context, in *api.PutUserPermissionsBoundaryInput) (*api.PutUserPermissionsBoundaryOutput, error) {
	return &api.PutUserPermissionsBoundaryOutput{}, s.setBoundary(ctx, user, in.UserName, in.PermissionsBoundary)
}

func (s *IAM) deleteRolePermissionsBoundary(ctx context.Context, in *api.DeleteRolePermissionsBoundaryInput) (*api.DeleteRolePermissionsBoundaryOutput, error) {
	return &api.DeleteRolePermissionsBoundaryOutput{}, s.setBoundary(ctx, role, in.RoleName, "")
}

func (s *IAM) deleteUserPermissionsBoundary(ctx context.Context, in *api.DeleteUserPermissionsBoundaryInput) (*api.DeleteUserPermissionsBoundaryOutput, error) {
	return &api.DeleteUserPermissionsBoundaryOutput{}, s.setBoundary(ctx, user, in.UserName, "")
}

// usage counts the entities that have a policy attached or as their boundary.
type usage struct{ attached, boundary map[string]int32 }

func usageOf(r store.Reader, account string) (u usage, err error) {
	u = usage{map[string]int32{}, map[string]int32{}}
	for _, k := range []kind{user, role, group} {
		list, err := record.List[entity](r, all(account, string(k)).Span())
		if err != nil {
			return u, err
		}
		for i := range list {
			for _, arn := range list[i].Attached {
				u.attached[arn]++
			}
			if b := list[i].Boundary; b != "" {
				u.boundary[b]++
			}
		}
	}
	return u, nil
}

func (s *IAM) listEntitiesForPolicy(ctx context.Context, in *api.ListEntitiesForPolicyInput) (*api.ListEntitiesForPolicyOutput, error) {
	out := &api.ListEntitiesForPolicyOutput{IsTruncated: ptr(false)}
	if in.Marker != nil {
		return out, nil
	}
	return out, s.deps.Store.View(ctx, func(r store.Reader) error {
		if err := s.attachable(r, account(ctx), in.PolicyArn); err != nil {
			return err
		}
		for _, k := range []kind{user, role, group} {
			if f := in.EntityFilter; f != "" && !strings.EqualFold(f, string(k)) {
				continue
			}
			list, err := record.List[entity](r, all(account(ctx), string(k)).Span())
			if err != nil {
				return err
			}
			for i := range list {
				if e := &list[i]; uses(e, in) {
					collect(out, e)
				}
			}
		}
		return nil
	})
}

// uses reports whether an entity belongs into a listing of a policy's entities.
func uses(e *entity, in *api.ListEntitiesForPolicyInput) bool {
	if in.PathPrefix != nil && !strings.HasPrefix(e.Path, *in.PathPrefix) {
		return false
	}
	attached, boundary := slices.Contains(e.Attached, in.PolicyArn), e.Boundary == in.PolicyArn
	switch in.PolicyUsageFilter {
	case api.PolicyUsageTypePermissionsPolicy:
		return attached
	case api.PolicyUsageTypePermissionsBoundary:
		return boundary
	}
	return attached || boundary
}

func collect(out *api.ListEntitiesForPolicyOutput, e *entity) {
	switch e.Kind {
	case user:
		out.PolicyUsers = append(out.PolicyUsers, api.PolicyUser{UserName: &e.Name, UserId: &e.ID})
	case role:
		out.PolicyRoles = append(out.PolicyRoles, api.PolicyRole{RoleName: &e.Name, RoleId: &e.ID})
	case group:
		out.PolicyGroups = append(out.PolicyGroups, api.PolicyGroup{GroupName: &e.Name, GroupId: &e.ID})
	}
}
