package iam

import (
	"context"
	"net/url"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// missing is the code of the error of what is not there.
const missing = "NoSuchEntity"

func ask[Out any](ctx context.Context, s *IAM, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "iam", operation, in)
}

// decoded returns the value of a document, which the API writes for URLs.
func decoded(text string) any {
	if plain, err := url.QueryUnescape(text); err == nil {
		text = plain
	}
	return reshape.Document(text)
}

// gather returns the items of a list, whose pages get returns.
func gather[T any](get func(marker *string) (items []T, next *string, err error)) (out []T, err error) {
	var marker *string
	for {
		items, next, err := get(marker)
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
		if next == nil {
			return out, nil
		}
		marker = next
	}
}

// attachedTo returns the managed policies of a principal.
func (s *IAM) attachedTo(ctx context.Context, k kind, name string) ([]string, error) {
	list, err := gather(func(marker *string) ([]api.AttachedPolicy, *string, error) {
		switch k {
		case role:
			out, err := ask[api.ListAttachedRolePoliciesOutput](ctx, s, "ListAttachedRolePolicies", &api.ListAttachedRolePoliciesInput{RoleName: name, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.AttachedPolicies, out.Marker, nil
		case user:
			out, err := ask[api.ListAttachedUserPoliciesOutput](ctx, s, "ListAttachedUserPolicies", &api.ListAttachedUserPoliciesInput{UserName: name, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.AttachedPolicies, out.Marker, nil
		case group:
		}
		out, err := ask[api.ListAttachedGroupPoliciesOutput](ctx, s, "ListAttachedGroupPolicies", &api.ListAttachedGroupPoliciesInput{GroupName: name, Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.AttachedPolicies, out.Marker, nil
	})
	var arns []string
	for _, p := range list {
		arns = append(arns, opt.Value(p.PolicyArn))
	}
	return arns, err
}

// inlineOf returns the inline policies of a principal.
func (s *IAM) inlineOf(ctx context.Context, k kind, name string) (out []inlineProperty, err error) {
	names, err := gather(func(marker *string) ([]string, *string, error) {
		switch k {
		case role:
			out, err := ask[api.ListRolePoliciesOutput](ctx, s, "ListRolePolicies", &api.ListRolePoliciesInput{RoleName: name, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		case user:
			out, err := ask[api.ListUserPoliciesOutput](ctx, s, "ListUserPolicies", &api.ListUserPoliciesInput{UserName: name, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.PolicyNames, out.Marker, nil
		case group:
		}
		out, err := ask[api.ListGroupPoliciesOutput](ctx, s, "ListGroupPolicies", &api.ListGroupPoliciesInput{GroupName: name, Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.PolicyNames, out.Marker, nil
	})
	for _, policy := range names {
		doc, err := s.inlineDocument(ctx, k, name, policy)
		if err != nil {
			return nil, err
		}
		out = append(out, inlineProperty{PolicyName: policy, PolicyDocument: doc})
	}
	return out, err
}

func (s *IAM) inlineDocument(ctx context.Context, k kind, name, policy string) (any, error) {
	switch k {
	case role:
		out, err := ask[api.GetRolePolicyOutput](ctx, s, "GetRolePolicy", &api.GetRolePolicyInput{RoleName: name, PolicyName: policy})
		if err != nil {
			return nil, err
		}
		return decoded(out.PolicyDocument), nil
	case user:
		out, err := ask[api.GetUserPolicyOutput](ctx, s, "GetUserPolicy", &api.GetUserPolicyInput{UserName: name, PolicyName: policy})
		if err != nil {
			return nil, err
		}
		return decoded(out.PolicyDocument), nil
	case group:
	}
	out, err := ask[api.GetGroupPolicyOutput](ctx, s, "GetGroupPolicy", &api.GetGroupPolicyInput{GroupName: name, PolicyName: policy})
	if err != nil {
		return nil, err
	}
	return decoded(out.PolicyDocument), nil
}

func boundaryProperty(b *api.AttachedPermissionsBoundary) *string {
	if b == nil {
		return nil
	}
	return b.PermissionsBoundaryArn
}

func (s *IAM) readRoleResource(ctx context.Context, id service.Identifier) (*roleProperties, service.Resource, error) {
	out, err := ask[api.GetRoleOutput](ctx, s, "GetRole", &api.GetRoleInput{RoleName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[roleProperties](out.Role)
	p.AssumeRolePolicyDocument, p.PermissionsBoundary = decoded(opt.Value(out.Role.AssumeRolePolicyDocument)), boundaryProperty(out.Role.PermissionsBoundary)
	if p.ManagedPolicyArns, err = s.attachedTo(ctx, role, id[0]); err == nil {
		p.Policies, err = s.inlineOf(ctx, role, id[0])
	}
	if err != nil {
		return nil, service.Resource{}, err
	}
	r, err := s.roleResource(ctx, id[0])
	return p, r, err
}

func (s *IAM) listRoleResources(ctx context.Context, _ *roleProperties, next string) (service.Page, error) {
	out, err := ask[api.ListRolesOutput](ctx, s, "ListRoles", &api.ListRolesInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Roles, out.Marker, func(r *api.Role) service.Identifier { return service.Identifier{r.RoleName} }), nil
}

func (s *IAM) readUserResource(ctx context.Context, id service.Identifier) (*userProperties, service.Resource, error) {
	out, err := ask[api.GetUserOutput](ctx, s, "GetUser", &api.GetUserInput{UserName: &id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[userProperties](out.User)
	p.PermissionsBoundary = boundaryProperty(out.User.PermissionsBoundary)
	groups, err := gather(func(marker *string) ([]api.Group, *string, error) {
		out, err := ask[api.ListGroupsForUserOutput](ctx, s, "ListGroupsForUser", &api.ListGroupsForUserInput{UserName: id[0], Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.Groups, out.Marker, nil
	})
	for _, g := range groups {
		p.Groups = append(p.Groups, g.GroupName)
	}
	if err == nil {
		p.ManagedPolicyArns, err = s.attachedTo(ctx, user, id[0])
	}
	if err == nil {
		p.Policies, err = s.inlineOf(ctx, user, id[0])
	}
	if err != nil {
		return nil, service.Resource{}, err
	}
	r, err := s.userResource(ctx, id[0])
	return p, r, err
}

func (s *IAM) listUserResources(ctx context.Context, _ *userProperties, next string) (service.Page, error) {
	out, err := ask[api.ListUsersOutput](ctx, s, "ListUsers", &api.ListUsersInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Users, out.Marker, func(u *api.User) service.Identifier { return service.Identifier{u.UserName} }), nil
}

func (s *IAM) readGroupResource(ctx context.Context, id service.Identifier) (*groupProperties, service.Resource, error) {
	out, err := ask[api.GetGroupOutput](ctx, s, "GetGroup", &api.GetGroupInput{GroupName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[groupProperties](out.Group)
	if p.ManagedPolicyArns, err = s.attachedTo(ctx, group, id[0]); err == nil {
		p.Policies, err = s.inlineOf(ctx, group, id[0])
	}
	return p, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Arn": out.Group.Arn}}, err
}

func (s *IAM) listGroupResources(ctx context.Context, _ *groupProperties, next string) (service.Page, error) {
	out, err := ask[api.ListGroupsOutput](ctx, s, "ListGroups", &api.ListGroupsInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Groups, out.Marker, func(g *api.Group) service.Identifier { return service.Identifier{g.GroupName} }), nil
}

// rereadPolicyResource reads the policy of each principal that recorded names: those that have it no more are left out.
func (s *IAM) rereadPolicyResource(ctx context.Context, _ service.ResourceCall, recorded *policyProperties) (*policyProperties, error) {
	p := &policyProperties{PolicyName: recorded.PolicyName, PolicyDocument: recorded.PolicyDocument}
	want, err := document(recorded.PolicyDocument)
	if err != nil {
		return nil, err
	}
	for _, h := range holders(recorded.Roles, recorded.Users, recorded.Groups) {
		doc, err := s.inlineDocument(ctx, h.kind, h.name, recorded.PolicyName)
		if service.Code(err) == missing {
			continue
		}
		if err != nil {
			return nil, err
		}
		if text, err := document(doc); err != nil || text != want {
			p.PolicyDocument = doc
		}
		switch h.kind {
		case role:
			p.Roles = append(p.Roles, h.name)
		case user:
			p.Users = append(p.Users, h.name)
		case group:
			p.Groups = append(p.Groups, h.name)
		}
	}
	if p.Roles == nil && p.Users == nil && p.Groups == nil {
		return nil, service.ErrGone
	}
	return p, nil
}

func (s *IAM) readManagedResource(ctx context.Context, id service.Identifier) (*managedProperties, service.Resource, error) {
	out, err := ask[api.GetPolicyOutput](ctx, s, "GetPolicy", &api.GetPolicyInput{PolicyArn: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	version, err := ask[api.GetPolicyVersionOutput](ctx, s, "GetPolicyVersion", &api.GetPolicyVersionInput{PolicyArn: id[0], VersionId: opt.Value(out.Policy.DefaultVersionId)})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[managedProperties](out.Policy)
	p.ManagedPolicyName, p.PolicyDocument = out.Policy.PolicyName, decoded(opt.Value(version.PolicyVersion.Document))
	var marker *string
	for {
		who, err := ask[api.ListEntitiesForPolicyOutput](ctx, s, "ListEntitiesForPolicy", &api.ListEntitiesForPolicyInput{PolicyArn: id[0], Marker: marker})
		if err != nil {
			return nil, service.Resource{}, err
		}
		for _, r := range who.PolicyRoles {
			p.Roles = append(p.Roles, opt.Value(r.RoleName))
		}
		for _, u := range who.PolicyUsers {
			p.Users = append(p.Users, opt.Value(u.UserName))
		}
		for _, g := range who.PolicyGroups {
			p.Groups = append(p.Groups, opt.Value(g.GroupName))
		}
		if marker = who.Marker; marker == nil {
			break
		}
	}
	r, err := s.managedResource(ctx, id[0])
	return p, r, err
}

func (s *IAM) listManagedResources(ctx context.Context, _ *managedProperties, next string) (service.Page, error) {
	out, err := ask[api.ListPoliciesOutput](ctx, s, "ListPolicies", &api.ListPoliciesInput{Scope: "Local", Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Policies, out.Marker, func(p *api.Policy) service.Identifier { return service.Identifier{opt.Value(p.Arn)} }), nil
}

// rereadKeyResource reads an access key, whose user only its stack knows.
func (s *IAM) rereadKeyResource(ctx context.Context, c service.ResourceCall, recorded *accessKeyProperties) (*accessKeyProperties, error) {
	keys, err := gather(func(marker *string) ([]api.AccessKeyMetadata, *string, error) {
		out, err := ask[api.ListAccessKeysOutput](ctx, s, "ListAccessKeys", &api.ListAccessKeysInput{UserName: &recorded.UserName, Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.AccessKeyMetadata, out.Marker, nil
	})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k api.AccessKeyMetadata) bool { return opt.Value(k.AccessKeyId) == c.PhysicalID })
	if i < 0 {
		return nil, service.ErrGone
	}
	return &accessKeyProperties{UserName: recorded.UserName, Serial: recorded.Serial, Status: &keys[i].Status}, nil
}

func (s *IAM) readProfileResource(ctx context.Context, id service.Identifier) (*profileProperties, service.Resource, error) {
	out, err := ask[api.GetInstanceProfileOutput](ctx, s, "GetInstanceProfile", &api.GetInstanceProfileInput{InstanceProfileName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := &profileProperties{InstanceProfileName: &id[0], Path: &out.InstanceProfile.Path}
	for _, r := range out.InstanceProfile.Roles {
		p.Roles = append(p.Roles, r.RoleName)
	}
	return p, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Arn": out.InstanceProfile.Arn}}, nil
}

func (s *IAM) listProfileResources(ctx context.Context, _ *profileProperties, next string) (service.Page, error) {
	out, err := ask[api.ListInstanceProfilesOutput](ctx, s, "ListInstanceProfiles", &api.ListInstanceProfilesInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.InstanceProfiles, out.Marker, func(p *api.InstanceProfile) service.Identifier { return service.Identifier{p.InstanceProfileName} }), nil
}
