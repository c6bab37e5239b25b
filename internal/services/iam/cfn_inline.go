package iam

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// rolePolicyProperties are the properties of AWS::IAM::RolePolicy.
type rolePolicyProperties struct {
	PolicyName     string `cfn:"PolicyName,required,createOnly"`
	RoleName       string `cfn:"RoleName,required,createOnly"`
	PolicyDocument any    `cfn:"PolicyDocument"`
}

// userPolicyProperties are the properties of AWS::IAM::UserPolicy.
type userPolicyProperties struct {
	PolicyName     string `cfn:"PolicyName,required,createOnly"`
	UserName       string `cfn:"UserName,required,createOnly"`
	PolicyDocument any    `cfn:"PolicyDocument"`
}

// groupPolicyProperties are the properties of AWS::IAM::GroupPolicy.
type groupPolicyProperties struct {
	PolicyName     string `cfn:"PolicyName,required,createOnly"`
	GroupName      string `cfn:"GroupName,required,createOnly"`
	PolicyDocument any    `cfn:"PolicyDocument"`
}

// inlinePolicy is one inline policy of one principal, of whatever kind.
type inlinePolicy struct {
	policy, name string
	doc          any
}

// inlineType returns the resource type of one inline policy of a principal, whose name is the property holder. plain and typed turn its properties into an inlinePolicy and back.
func inlineType[P any](s *IAM, k kind, typ, holder string, plain func(*P) inlinePolicy, typed func(inlinePolicy) *P) service.ResourceType {
	put := func(ctx context.Context, p *P) (service.Resource, error) {
		i := plain(p)
		doc, err := document(i.doc)
		if err != nil {
			return service.Resource{}, err
		}
		return service.Resource{PhysicalID: i.policy + "|" + i.name}, s.callPut(ctx, k, i.name, i.policy, doc)
	}
	return service.NewResourceType(typ, service.ResourceSpec[P]{
		Create: func(ctx context.Context, _ service.ResourceCall, p *P) (service.Resource, error) { return put(ctx, p) },
		Update: func(ctx context.Context, _ service.ResourceCall, _, p *P) (service.Resource, error) {
			return put(ctx, p)
		},
		Delete: func(ctx context.Context, _ service.ResourceCall, p *P) error {
			i := plain(p)
			return gone(s.callDelete(ctx, k, i.name, i.policy))
		},
		Identifier: []string{"PolicyName", holder}, Missing: []string{missing},
		Read: func(ctx context.Context, id service.Identifier) (*P, service.Resource, error) {
			doc, err := s.inlineDocument(ctx, k, id[1], id[0])
			return typed(inlinePolicy{id[0], id[1], doc}), service.Resource{PhysicalID: id.String()}, err
		},
	})
}

func (s *IAM) rolePolicyType() service.ResourceType {
	return inlineType(s, role, "AWS::IAM::RolePolicy", "RoleName",
		func(p *rolePolicyProperties) inlinePolicy {
			return inlinePolicy{p.PolicyName, p.RoleName, p.PolicyDocument}
		},
		func(i inlinePolicy) *rolePolicyProperties { return &rolePolicyProperties{i.policy, i.name, i.doc} })
}

func (s *IAM) userPolicyType() service.ResourceType {
	return inlineType(s, user, "AWS::IAM::UserPolicy", "UserName",
		func(p *userPolicyProperties) inlinePolicy {
			return inlinePolicy{p.PolicyName, p.UserName, p.PolicyDocument}
		},
		func(i inlinePolicy) *userPolicyProperties { return &userPolicyProperties{i.policy, i.name, i.doc} })
}

func (s *IAM) groupPolicyType() service.ResourceType {
	return inlineType(s, group, "AWS::IAM::GroupPolicy", "GroupName",
		func(p *groupPolicyProperties) inlinePolicy {
			return inlinePolicy{p.PolicyName, p.GroupName, p.PolicyDocument}
		},
		func(i inlinePolicy) *groupPolicyProperties { return &groupPolicyProperties{i.policy, i.name, i.doc} })
}

// additionProperties are the properties of AWS::IAM::UserToGroupAddition.
type additionProperties struct {
	GroupName string   `cfn:"GroupName,required"`
	Users     []string `cfn:"Users,required,unordered"`
}

func (s *IAM) additionType() service.ResourceType {
	return service.NewResourceType("AWS::IAM::UserToGroupAddition", service.ResourceSpec[additionProperties]{
		Attributes: []string{"Id"},
		Create: func(ctx context.Context, c service.ResourceCall, p *additionProperties) (service.Resource, error) {
			return s.addToGroup(ctx, c, &additionProperties{}, p)
		},
		Update: s.addToGroup,
		Delete: func(ctx context.Context, _ service.ResourceCall, p *additionProperties) error {
			return s.leaveGroup(ctx, p, p.Users)
		},
		Identifier: []string{"Id"}, Reread: s.rereadAddition, Missing: []string{missing},
	})
}

// addToGroup brings the users of a group from old to p. What an addition does not name is not its business.
func (s *IAM) addToGroup(ctx context.Context, c service.ResourceCall, old, p *additionProperties) (service.Resource, error) {
	id := c.PhysicalID
	if id == "" {
		id = c.NameSeed
	}
	r := service.Resource{PhysicalID: id, Attributes: map[string]any{"Id": id}}
	for _, u := range p.Users {
		if err := s.call(ctx, "AddUserToGroup", &api.AddUserToGroupInput{GroupName: p.GroupName, UserName: u}); err != nil {
			return r, err
		}
	}
	out := slices.DeleteFunc(slices.Clone(old.Users), func(u string) bool { return old.GroupName == p.GroupName && slices.Contains(p.Users, u) })
	return r, s.leaveGroup(ctx, old, out)
}

func (s *IAM) leaveGroup(ctx context.Context, p *additionProperties, users []string) error {
	for _, u := range users {
		if err := gone(s.call(ctx, "RemoveUserFromGroup", &api.RemoveUserFromGroupInput{GroupName: p.GroupName, UserName: u})); err != nil {
			return err
		}
	}
	return nil
}

// rereadAddition reads which of the recorded users the group has.
func (s *IAM) rereadAddition(ctx context.Context, _ service.ResourceCall, recorded *additionProperties) (*additionProperties, error) {
	members, err := gather(func(marker *string) ([]api.User, *string, error) {
		out, err := ask[api.GetGroupOutput](ctx, s, "GetGroup", &api.GetGroupInput{GroupName: recorded.GroupName, Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.Users, out.Marker, nil
	})
	if err != nil {
		return nil, err
	}
	p := &additionProperties{GroupName: recorded.GroupName}
	for _, u := range recorded.Users {
		if slices.ContainsFunc(members, func(m api.User) bool { return m.UserName == u }) {
			p.Users = append(p.Users, u)
		}
	}
	return p, nil
}

// linkedProperties are the properties of AWS::IAM::ServiceLinkedRole.
type linkedProperties struct {
	AWSServiceName string  `cfn:"AWSServiceName,required,createOnly,writeOnly"`
	CustomSuffix   *string `cfn:"CustomSuffix,createOnly,writeOnly"`
	Description    *string `cfn:"Description"`
}

func (s *IAM) linkedType() service.ResourceType {
	return service.NewResourceType("AWS::IAM::ServiceLinkedRole", service.ResourceSpec[linkedProperties]{
		Attributes: []string{"RoleName"}, Create: s.createLinkedResource, Identifier: []string{"RoleName"}, Missing: []string{missing}, List: s.listLinkedResources,
		Update: func(ctx context.Context, c service.ResourceCall, _, p *linkedProperties) (service.Resource, error) {
			return linkedResource(c.PhysicalID), s.call(ctx, "UpdateRoleDescription", &api.UpdateRoleDescriptionInput{RoleName: c.PhysicalID, Description: opt.Value(p.Description)})
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *linkedProperties) error {
			return gone(s.call(ctx, "DeleteServiceLinkedRole", &api.DeleteServiceLinkedRoleInput{RoleName: c.PhysicalID}))
		},
		Read: func(ctx context.Context, id service.Identifier) (*linkedProperties, service.Resource, error) {
			out, err := ask[api.GetRoleOutput](ctx, s, "GetRole", &api.GetRoleInput{RoleName: id[0]})
			if err != nil {
				return nil, service.Resource{}, err
			}
			return &linkedProperties{Description: out.Role.Description}, linkedResource(id[0]), nil
		},
	})
}

func linkedResource(name string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"RoleName": name}}
}

func (s *IAM) createLinkedResource(ctx context.Context, c service.ResourceCall, p *linkedProperties) (service.Resource, error) {
	in := &api.CreateServiceLinkedRoleInput{AWSServiceName: p.AWSServiceName, CustomSuffix: p.CustomSuffix, Description: p.Description}
	out, err := ask[api.CreateServiceLinkedRoleOutput](ctx, s, "CreateServiceLinkedRole", in)
	if c.Retry && service.Code(err) == "EntityAlreadyExists" {
		name, _ := linkedName(p.AWSServiceName, p.CustomSuffix)
		return linkedResource(name), nil
	}
	if err != nil {
		return service.Resource{}, err
	}
	return linkedResource(out.Role.RoleName), nil
}

func (s *IAM) listLinkedResources(ctx context.Context, _ *linkedProperties, next string) (service.Page, error) {
	out, err := ask[api.ListRolesOutput](ctx, s, "ListRoles", &api.ListRolesInput{PathPrefix: new("/aws-service-role/"), Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Roles, out.Marker, func(r *api.Role) service.Identifier { return service.Identifier{r.RoleName} }), nil
}
