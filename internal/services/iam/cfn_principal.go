package iam

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
)

func (s *IAM) createRoleResource(ctx context.Context, c service.ResourceCall, p *roleProperties) (service.Resource, error) {
	name := nameOr(p.RoleName, c, 64)
	trust, err := document(p.AssumeRolePolicyDocument)
	if err != nil {
		return service.Resource{}, err
	}
	err = s.call(ctx, "CreateRole", &api.CreateRoleInput{
		RoleName: name, Path: p.Path, AssumeRolePolicyDocument: trust, Description: p.Description,
		MaxSessionDuration: p.MaxSessionDuration, PermissionsBoundary: p.PermissionsBoundary, Tags: tagsOf(c, p.Tags),
	})
	if err != nil && !s.madeBefore(ctx, err, c, role, name) {
		return service.Resource{}, err
	}
	if err := s.apply(ctx, grants{}, grants{role, name, p.ManagedPolicyArns, p.Policies}); err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return s.roleResource(ctx, name)
}

// madeBefore reports whether an "already exists" is about what an earlier try of this very step
// made: the tags of the stack and the logical id say so.
func (s *IAM) madeBefore(ctx context.Context, err error, c service.ResourceCall, k kind, name string) bool {
	if service.Code(err) != "EntityAlreadyExists" {
		return false
	}
	if k == group {
		return name == c.Name(128, nil) // A group has no tags; its generated name is the stack's own.
	}
	e, err := s.get(ctx, k, name)
	if err != nil {
		return false
	}
	for key, value := range c.Tags {
		if !slices.Contains(e.Tags, api.Tag{Key: key, Value: value}) {
			return false
		}
	}
	return len(c.Tags) > 0
}

func (s *IAM) roleResource(ctx context.Context, name string) (service.Resource, error) {
	out, err := service.Call[api.GetRoleOutput](ctx, s.deps.Door, "iam", "GetRole", &api.GetRoleInput{RoleName: name})
	if err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": out.Role.Arn, "RoleId": out.Role.RoleId}}, nil
}

func (s *IAM) updateRoleResource(ctx context.Context, c service.ResourceCall, old, p *roleProperties) (service.Resource, error) {
	name := c.PhysicalID
	trust, err := document(p.AssumeRolePolicyDocument)
	if err != nil {
		return service.Resource{}, err
	}
	if err := s.call(ctx, "UpdateAssumeRolePolicy", &api.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: trust}); err != nil {
		return service.Resource{}, err
	}
	in := &api.UpdateRoleInput{RoleName: name, Description: p.Description, MaxSessionDuration: p.MaxSessionDuration}
	if in.Description == nil {
		in.Description = ptr("")
	}
	if in.MaxSessionDuration == nil {
		in.MaxSessionDuration = ptr(int32(defaultSession))
	}
	if err := s.call(ctx, "UpdateRole", in); err != nil {
		return service.Resource{}, err
	}
	if err := s.boundaryUpdate(ctx, role, name, old.PermissionsBoundary, p.PermissionsBoundary); err != nil {
		return service.Resource{}, err
	}
	if err := s.tagUpdate(ctx, role, name, tagsOf(c, old.Tags), tagsOf(c, p.Tags)); err != nil {
		return service.Resource{}, err
	}
	if err := s.apply(ctx, grants{role, name, old.ManagedPolicyArns, old.Policies}, grants{role, name, p.ManagedPolicyArns, p.Policies}); err != nil {
		return service.Resource{}, err
	}
	return s.roleResource(ctx, name)
}

func (s *IAM) boundaryUpdate(ctx context.Context, k kind, name string, old, now *string) error {
	switch {
	case now != nil && k == role:
		return s.call(ctx, "PutRolePermissionsBoundary", &api.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: *now})
	case now != nil:
		return s.call(ctx, "PutUserPermissionsBoundary", &api.PutUserPermissionsBoundaryInput{UserName: name, PermissionsBoundary: *now})
	case old != nil && k == role:
		return gone(s.call(ctx, "DeleteRolePermissionsBoundary", &api.DeleteRolePermissionsBoundaryInput{RoleName: name}))
	case old != nil:
		return gone(s.call(ctx, "DeleteUserPermissionsBoundary", &api.DeleteUserPermissionsBoundaryInput{UserName: name}))
	}
	return nil
}

// dropped returns the keys of old tags that now has not.
func dropped(old, now []api.Tag) (keys []string) {
	for _, t := range old {
		if !slices.ContainsFunc(now, func(n api.Tag) bool { return n.Key == t.Key }) {
			keys = append(keys, t.Key)
		}
	}
	return keys
}

// retag brings the tags of a resource from old to now.
func retag(old, now []api.Tag, untag func(keys []string) error, tag func(tags []api.Tag) error) error {
	if drop := dropped(old, now); len(drop) > 0 {
		if err := untag(drop); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	return tag(now)
}

func (s *IAM) tagUpdate(ctx context.Context, k kind, name string, old, now []api.Tag) error {
	if k == role {
		return retag(old, now, func(keys []string) error {
			return s.call(ctx, "UntagRole", &api.UntagRoleInput{RoleName: name, TagKeys: keys})
		}, func(tags []api.Tag) error {
			return s.call(ctx, "TagRole", &api.TagRoleInput{RoleName: name, Tags: tags})
		})
	}
	return retag(old, now, func(keys []string) error {
		return s.call(ctx, "UntagUser", &api.UntagUserInput{UserName: name, TagKeys: keys})
	}, func(tags []api.Tag) error {
		return s.call(ctx, "TagUser", &api.TagUserInput{UserName: name, Tags: tags})
	})
}

func (s *IAM) deleteRoleResource(ctx context.Context, c service.ResourceCall, p *roleProperties) error {
	name := c.PhysicalID
	if err := gone(s.apply(ctx, grants{role, name, p.ManagedPolicyArns, p.Policies}, grants{kind: role, name: name})); err != nil {
		return err
	}
	return gone(s.call(ctx, "DeleteRole", &api.DeleteRoleInput{RoleName: name}))
}

func (s *IAM) createUserResource(ctx context.Context, c service.ResourceCall, p *userProperties) (service.Resource, error) {
	name := nameOr(p.UserName, c, 64)
	err := s.call(ctx, "CreateUser", &api.CreateUserInput{UserName: name, Path: p.Path, PermissionsBoundary: p.PermissionsBoundary, Tags: tagsOf(c, p.Tags)})
	if err != nil && !s.madeBefore(ctx, err, c, user, name) {
		return service.Resource{}, err
	}
	if err := s.apply(ctx, grants{}, grants{user, name, p.ManagedPolicyArns, p.Policies}); err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	if err := s.members(ctx, name, nil, p.Groups); err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return s.userResource(ctx, name)
}

// members brings a user's groups from old to now.
func (s *IAM) members(ctx context.Context, name string, old, now []string) error {
	for _, g := range now {
		if err := s.call(ctx, "AddUserToGroup", &api.AddUserToGroupInput{GroupName: g, UserName: name}); err != nil {
			return err
		}
	}
	for _, g := range old {
		if !slices.Contains(now, g) {
			if err := gone(s.call(ctx, "RemoveUserFromGroup", &api.RemoveUserFromGroupInput{GroupName: g, UserName: name})); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *IAM) userResource(ctx context.Context, name string) (service.Resource, error) {
	out, err := service.Call[api.GetUserOutput](ctx, s.deps.Door, "iam", "GetUser", &api.GetUserInput{UserName: &name})
	if err != nil {
		return service.Resource{PhysicalID: name}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": out.User.Arn}}, nil
}

func (s *IAM) updateUserResource(ctx context.Context, c service.ResourceCall, old, p *userProperties) (service.Resource, error) {
	name := c.PhysicalID
	if err := s.boundaryUpdate(ctx, user, name, old.PermissionsBoundary, p.PermissionsBoundary); err != nil {
		return service.Resource{}, err
	}
	if err := s.tagUpdate(ctx, user, name, tagsOf(c, old.Tags), tagsOf(c, p.Tags)); err != nil {
		return service.Resource{}, err
	}
	if err := s.apply(ctx, grants{user, name, old.ManagedPolicyArns, old.Policies}, grants{user, name, p.ManagedPolicyArns, p.Policies}); err != nil {
		return service.Resource{}, err
	}
	if err := s.members(ctx, name, old.Groups, p.Groups); err != nil {
		return service.Resource{}, err
	}
	return s.userResource(ctx, name)
}

func (s *IAM) deleteUserResource(ctx context.Context, c service.ResourceCall, p *userProperties) error {
	name := c.PhysicalID
	if err := gone(s.members(ctx, name, p.Groups, nil)); err != nil {
		return err
	}
	if err := gone(s.apply(ctx, grants{user, name, p.ManagedPolicyArns, p.Policies}, grants{kind: user, name: name})); err != nil {
		return err
	}
	return gone(s.call(ctx, "DeleteUser", &api.DeleteUserInput{UserName: name}))
}

func (s *IAM) createGroupResource(ctx context.Context, c service.ResourceCall, p *groupProperties) (service.Resource, error) {
	name := nameOr(p.GroupName, c, 128)
	err := s.call(ctx, "CreateGroup", &api.CreateGroupInput{GroupName: name, Path: p.Path})
	if err != nil && !s.madeBefore(ctx, err, c, group, name) {
		return service.Resource{}, err
	}
	return s.groupResource(ctx, grants{}, grants{group, name, p.ManagedPolicyArns, p.Policies})
}

func (s *IAM) groupResource(ctx context.Context, old, g grants) (service.Resource, error) {
	if err := s.apply(ctx, old, g); err != nil {
		return service.Resource{PhysicalID: g.name}, err
	}
	out, err := service.Call[api.GetGroupOutput](ctx, s.deps.Door, "iam", "GetGroup", &api.GetGroupInput{GroupName: g.name})
	if err != nil {
		return service.Resource{PhysicalID: g.name}, err
	}
	return service.Resource{PhysicalID: g.name, Attributes: map[string]any{"Arn": out.Group.Arn}}, nil
}

func (s *IAM) updateGroupResource(ctx context.Context, c service.ResourceCall, old, p *groupProperties) (service.Resource, error) {
	return s.groupResource(ctx, grants{group, c.PhysicalID, old.ManagedPolicyArns, old.Policies}, grants{group, c.PhysicalID, p.ManagedPolicyArns, p.Policies})
}

func (s *IAM) deleteGroupResource(ctx context.Context, c service.ResourceCall, p *groupProperties) error {
	name := c.PhysicalID
	if err := gone(s.apply(ctx, grants{group, name, p.ManagedPolicyArns, p.Policies}, grants{kind: group, name: name})); err != nil {
		return err
	}
	return gone(s.call(ctx, "DeleteGroup", &api.DeleteGroupInput{GroupName: name}))
}
