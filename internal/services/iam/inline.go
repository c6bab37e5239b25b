package iam

import (
	"context"
	"maps"
	"slices"
	"strings"

	engine "lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
)

// putInline stores an inline policy of an entity.
func (s *IAM) putInline(ctx context.Context, k kind, name, policy, doc string) error {
	if _, err := engine.Parse(doc, engine.Identity); err != nil {
		return malformed(err)
	}
	return s.change(ctx, k, name, func(_ store.Txn, e *entity) error {
		if e.Inline == nil {
			e.Inline = map[string]string{}
		}
		e.Inline[policy] = doc
		total := 0
		for _, d := range e.Inline {
			total += sizeOf(d)
		}
		if total > k.inlineSize() {
			return limit("Maximum policy size of %d bytes exceeded for %s %s", k.inlineSize(), k.noun(), e.Name)
		}
		return nil
	})
}

// sizeOf is the length of a document without white space, as quotas count it.
func sizeOf(doc string) int {
	n := 0
	for _, r := range doc {
		if !strings.ContainsRune(" \t\r\n", r) {
			n++
		}
	}
	return n
}

func noInline(k kind, policy string) error {
	return fail("NoSuchEntity", 404, "The %s policy with name %s cannot be found.", k.noun(), policy)
}

// inline returns an inline policy, percent-encoded, with the entity's name.
func (s *IAM) inline(ctx context.Context, k kind, name, policy string) (owner, doc string, err error) {
	e, err := s.get(ctx, k, name)
	if err != nil {
		return "", "", err
	}
	d, ok := e.Inline[policy]
	if !ok {
		return "", "", noInline(k, policy)
	}
	return e.Name, encoded(d), nil
}

func (s *IAM) deleteInline(ctx context.Context, k kind, name, policy string) error {
	return s.change(ctx, k, name, func(_ store.Txn, e *entity) error {
		if _, ok := e.Inline[policy]; !ok {
			return noInline(k, policy)
		}
		delete(e.Inline, policy)
		return nil
	})
}

// inlineNames returns a page of the names of inline policies.
func (s *IAM) inlineNames(ctx context.Context, k kind, name string, marker *string, size *int32) ([]string, *bool, *string, error) {
	e, err := s.get(ctx, k, name)
	if err != nil {
		return nil, nil, nil, err
	}
	names := slices.Collect(maps.Keys(e.Inline))
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return page(names, marker, size, byText)
}

func (s *IAM) putRolePolicy(ctx context.Context, in *api.PutRolePolicyInput) (*api.PutRolePolicyOutput, error) {
	return &api.PutRolePolicyOutput{}, s.putInline(ctx, role, in.RoleName, in.PolicyName, in.PolicyDocument)
}

func (s *IAM) putUserPolicy(ctx context.Context, in *api.PutUserPolicyInput) (*api.PutUserPolicyOutput, error) {
	return &api.PutUserPolicyOutput{}, s.putInline(ctx, user, in.UserName, in.PolicyName, in.PolicyDocument)
}

func (s *IAM) putGroupPolicy(ctx context.Context, in *api.PutGroupPolicyInput) (*api.PutGroupPolicyOutput, error) {
	return &api.PutGroupPolicyOutput{}, s.putInline(ctx, group, in.GroupName, in.PolicyName, in.PolicyDocument)
}

func (s *IAM) getRolePolicy(ctx context.Context, in *api.GetRolePolicyInput) (*api.GetRolePolicyOutput, error) {
	name, doc, err := s.inline(ctx, role, in.RoleName, in.PolicyName)
	return &api.GetRolePolicyOutput{RoleName: name, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

func (s *IAM) getUserPolicy(ctx context.Context, in *api.GetUserPolicyInput) (*api.GetUserPolicyOutput, error) {
	name, doc, err := s.inline(ctx, user, in.UserName, in.PolicyName)
	return &api.GetUserPolicyOutput{UserName: name, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

func (s *IAM) getGroupPolicy(ctx context.Context, in *api.GetGroupPolicyInput) (*api.GetGroupPolicyOutput, error) {
	name, doc, err := s.inline(ctx, group, in.GroupName, in.PolicyName)
	return &api.GetGroupPolicyOutput{GroupName: name, PolicyName: in.PolicyName, PolicyDocument: doc}, err
}

func (s *IAM) deleteRolePolicy(ctx context.Context, in *api.DeleteRolePolicyInput) (*api.DeleteRolePolicyOutput, error) {
	return &api.DeleteRolePolicyOutput{}, s.deleteInline(ctx, role, in.RoleName, in.PolicyName)
}

func (s *IAM) deleteUserPolicy(ctx context.Context, in *api.DeleteUserPolicyInput) (*api.DeleteUserPolicyOutput, error) {
	return &api.DeleteUserPolicyOutput{}, s.deleteInline(ctx, user, in.UserName, in.PolicyName)
}

func (s *IAM) deleteGroupPolicy(ctx context.Context, in *api.DeleteGroupPolicyInput) (*api.DeleteGroupPolicyOutput, error) {
	return &api.DeleteGroupPolicyOutput{}, s.deleteInline(ctx, group, in.GroupName, in.PolicyName)
}

func (s *IAM) listRolePolicies(ctx context.Context, in *api.ListRolePoliciesInput) (*api.ListRolePoliciesOutput, error) {
	out := &api.ListRolePoliciesOutput{}
	var err error
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.inlineNames(ctx, role, in.RoleName, in.Marker, in.MaxItems)
	return out, err
}

func (s *IAM) listUserPolicies(ctx context.Context, in *api.ListUserPoliciesInput) (*api.ListUserPoliciesOutput, error) {
	out := &api.ListUserPoliciesOutput{}
	var err error
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.inlineNames(ctx, user, in.UserName, in.Marker, in.MaxItems)
	return out, err
}

func (s *IAM) listGroupPolicies(ctx context.Context, in *api.ListGroupPoliciesInput) (*api.ListGroupPoliciesOutput, error) {
	out := &api.ListGroupPoliciesOutput{}
	var err error
	out.PolicyNames, out.IsTruncated, out.Marker, err = s.inlineNames(ctx, group, in.GroupName, in.Marker, in.MaxItems)
	return out, err
}
