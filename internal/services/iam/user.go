package iam

import (
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func (s *IAM) createUser(ctx context.Context, in *api.CreateUserInput) (*api.CreateUserOutput, error) {
	e := &entity{Kind: user, Name: in.UserName}
	if in.PermissionsBoundary != nil {
		e.Boundary = *in.PermissionsBoundary
	}
	if err := s.create(ctx, e, in.Path, in.Tags); err != nil {
		return nil, err
	}
	return &api.CreateUserOutput{User: ptr(e.user())}, nil
}

func (e *entity) user() api.User {
	return api.User{Path: e.Path, UserName: e.Name, UserId: e.ID, Arn: e.arn(), CreateDate: e.Created, PermissionsBoundary: boundaryOf(e.Boundary), Tags: e.Tags}
}

// callerName returns the user that an operation without a name is about: the caller.
func callerName(ctx context.Context, name *string) (string, error) {
	if name != nil {
		return *name, nil
	}
	p := service.RequestFrom(ctx).Principal
	if p.Kind != service.User {
		return "", fail("ValidationError", 400, "Must specify userName when calling with non-User credentials")
	}
	return p.ARN[strings.LastIndexByte(p.ARN, '/')+1:], nil
}

func (s *IAM) getUser(ctx context.Context, in *api.GetUserInput) (*api.GetUserOutput, error) {
	p := service.RequestFrom(ctx).Principal
	if in.UserName == nil && p.Kind == service.Root {
		return &api.GetUserOutput{User: &api.User{Path: "/", UserName: "root", UserId: p.Account, Arn: p.ARN, CreateDate: s.now()}}, nil
	}
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	e, err := s.get(ctx, user, name)
	if err != nil {
		return nil, err
	}
	return &api.GetUserOutput{User: ptr(e.user())}, nil
}

func (s *IAM) listUsers(ctx context.Context, in *api.ListUsersInput) (*api.ListUsersOutput, error) {
	items, err := s.list(ctx, user, in.PathPrefix)
	if err != nil {
		return nil, err
	}
	out := &api.ListUsersOutput{}
	items, out.IsTruncated, out.Marker, err = page(items, in.Marker, in.MaxItems, entityName)
	out.Users = mapped(items, func(e *entity) api.User {
		u := e.user()
		u.Tags, u.PermissionsBoundary = nil, nil // Not part of a listing.
		return u
	})
	return out, err
}

func (s *IAM) updateUser(ctx context.Context, in *api.UpdateUserInput) (*api.UpdateUserOutput, error) {
	return &api.UpdateUserOutput{}, s.update(ctx, func(tx store.Txn) error {
		e, err := find(tx, account(ctx), user, in.UserName)
		if err != nil {
			return err
		}
		devices, err := devicesOf(tx, e.Account, e.Name)
		if err != nil {
			return err
		}
		if err := rename(tx, e, in.NewUserName, in.NewPath); err != nil {
			return err
		}
		for _, id := range e.Keys {
			if err := changeKey(tx, id, func(k *accessKey) { k.User = e.Name }); err != nil {
				return err
			}
		}
		for i := range devices {
			devices[i].User = e.Name
			if err := putDevice(tx, &devices[i]); err != nil {
				return err
			}
		}
		return put(tx, e)
	})
}

// rename gives an entity a new name or path; the caller writes it.
func rename(tx store.Txn, e *entity, name, path *string) error {
	if path != nil {
		p, err := pathOf(path)
		if err != nil {
			return err
		}
		e.Path = p
	}
	if name == nil || *name == e.Name {
		return nil
	}
	if !strings.EqualFold(*name, e.Name) {
		has, err := record.Has(tx, entityKey(e.Account, e.Kind, *name))
		if err != nil {
			return err
		}
		if has {
			return exists(e.Kind.title(), *name)
		}
	}
	tx.Delete(entityKey(e.Account, e.Kind, e.Name))
	e.Name = *name
	return nil
}

func (s *IAM) deleteUser(ctx context.Context, in *api.DeleteUserInput) (*api.DeleteUserOutput, error) {
	return &api.DeleteUserOutput{}, s.update(ctx, func(tx store.Txn) error {
		e, err := find(tx, account(ctx), user, in.UserName)
		if err != nil {
			return err
		}
		if err := bare(e); err != nil {
			return err
		}
		if len(e.Keys) > 0 {
			return conflict("Cannot delete entity, must delete access keys first.")
		}
		if len(e.Groups) > 0 {
			return conflict("Cannot delete entity, must remove users from group first.")
		}
		devices, err := devicesOf(tx, e.Account, e.Name)
		if err != nil {
			return err
		}
		if len(devices) > 0 {
			return conflict("Cannot delete entity, must delete MFA device first.")
		}
		return remove(tx, e)
	})
}

func (s *IAM) createGroup(ctx context.Context, in *api.CreateGroupInput) (*api.CreateGroupOutput, error) {
	e := &entity{Kind: group, Name: in.GroupName}
	if err := s.create(ctx, e, in.Path, nil); err != nil {
		return nil, err
	}
	return &api.CreateGroupOutput{Group: ptr(e.group())}, nil
}

func (e *entity) group() api.Group {
	return api.Group{Path: e.Path, GroupName: e.Name, GroupId: e.ID, Arn: e.arn(), CreateDate: e.Created}
}

func (s *IAM) getGroup(ctx context.Context, in *api.GetGroupInput) (*api.GetGroupOutput, error) {
	e, err := s.get(ctx, group, in.GroupName)
	if err != nil {
		return nil, err
	}
	users, err := s.list(ctx, user, nil)
	if err != nil {
		return nil, err
	}
	users = slices.DeleteFunc(users, func(u entity) bool { return !has(u.Groups, e.Name) })
	out := &api.GetGroupOutput{Group: ptr(e.group())}
	users, out.IsTruncated, out.Marker, err = page(users, in.Marker, in.MaxItems, entityName)
	out.Users = mapped(users, (*entity).user)
	return out, err
}

// has reports whether a list of names holds one, without regard to case.
func has(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

func (s *IAM) listGroups(ctx context.Context, in *api.ListGroupsInput) (*api.ListGroupsOutput, error) {
	items, err := s.list(ctx, group, in.PathPrefix)
	if err != nil {
		return nil, err
	}
	out := &api.ListGroupsOutput{}
	items, out.IsTruncated, out.Marker, err = page(items, in.Marker, in.MaxItems, entityName)
	out.Groups = mapped(items, (*entity).group)
	return out, err
}

func (s *IAM) listGroupsForUser(ctx context.Context, in *api.ListGroupsForUserInput) (*api.ListGroupsForUserOutput, error) {
	e, err := s.get(ctx, user, in.UserName)
	if err != nil {
		return nil, err
	}
	items, err := s.list(ctx, group, nil)
	if err != nil {
		return nil, err
	}
	items = slices.DeleteFunc(items, func(g entity) bool { return !has(e.Groups, g.Name) })
	out := &api.ListGroupsForUserOutput{}
	items, out.IsTruncated, out.Marker, err = page(items, in.Marker, in.MaxItems, entityName)
	out.Groups = mapped(items, (*entity).group)
	return out, err
}

func (s *IAM) updateGroup(ctx context.Context, in *api.UpdateGroupInput) (*api.UpdateGroupOutput, error) {
	return &api.UpdateGroupOutput{}, s.update(ctx, func(tx store.Txn) error {
		e, err := find(tx, account(ctx), group, in.GroupName)
		if err != nil {
			return err
		}
		old := e.Name
		if err := rename(tx, e, in.NewGroupName, in.NewPath); err != nil {
			return err
		}
		if err := eachMember(tx, e.Account, old, func(u *entity, i int) { u.Groups[i] = e.Name }); err != nil {
			return err
		}
		return put(tx, e)
	})
}

// eachMember changes and writes every user of a group; i is where the group is in its list.
func eachMember(tx store.Txn, account, name string, fn func(u *entity, i int)) error {
	users, err := record.List[entity](tx, all(account, string(user)).Span())
	if err != nil {
		return err
	}
	for j := range users {
		u := &users[j]
		i := slices.IndexFunc(u.Groups, func(g string) bool { return strings.EqualFold(g, name) })
		if i < 0 {
			continue
		}
		fn(u, i)
		if err := put(tx, u); err != nil {
			return err
		}
	}
	return nil
}

func (s *IAM) deleteGroup(ctx context.Context, in *api.DeleteGroupInput) (*api.DeleteGroupOutput, error) {
	return &api.DeleteGroupOutput{}, s.update(ctx, func(tx store.Txn) error {
		e, err := find(tx, account(ctx), group, in.GroupName)
		if err != nil {
			return err
		}
		if err := bare(e); err != nil {
			return err
		}
		members := 0
		if err := eachMember(tx, e.Account, e.Name, func(*entity, int) { members++ }); err != nil {
			return err
		}
		if members > 0 {
			return conflict("Cannot delete entity, must remove users from group first.")
		}
		return remove(tx, e)
	})
}

func (s *IAM) addUserToGroup(ctx context.Context, in *api.AddUserToGroupInput) (*api.AddUserToGroupOutput, error) {
	return &api.AddUserToGroupOutput{}, s.change(ctx, user, in.UserName, func(tx store.Txn, e *entity) error {
		g, err := find(tx, e.Account, group, in.GroupName)
		if err != nil {
			return err
		}
		if !has(e.Groups, g.Name) {
			e.Groups = append(e.Groups, g.Name)
		}
		if len(e.Groups) > groupQuota {
			return limit("Cannot exceed quota for GroupsPerUser: %d", groupQuota)
		}
		return nil
	})
}

func (s *IAM) removeUserFromGroup(ctx context.Context, in *api.RemoveUserFromGroupInput) (*api.RemoveUserFromGroupOutput, error) {
	return &api.RemoveUserFromGroupOutput{}, s.change(ctx, user, in.UserName, func(tx store.Txn, e *entity) error {
		if _, err := find(tx, e.Account, group, in.GroupName); err != nil {
			return err
		}
		e.Groups = slices.DeleteFunc(e.Groups, func(g string) bool { return strings.EqualFold(g, in.GroupName) })
		return nil
	})
}
