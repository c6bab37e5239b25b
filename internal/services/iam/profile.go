package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// profile is the record of an instance profile.
type profile struct {
	Account, Name, Path, ID string
	Created                 time.Time
	// Role is the name of its role, or empty.
	Role string
	Tags []api.Tag `json:",omitempty"`
}

func (p *profile) arn() string {
	return "arn:aws:iam::" + p.Account + ":instance-profile" + p.Path + p.Name
}

// api returns the API's form with the role.
func (p *profile) api(r store.Reader) (api.InstanceProfile, error) {
	out := api.InstanceProfile{Path: p.Path, InstanceProfileName: p.Name, InstanceProfileId: p.ID, Arn: p.arn(), CreateDate: p.Created, Tags: p.Tags}
	if p.Role == "" {
		return out, nil
	}
	e, err := find(r, p.Account, role, p.Role)
	if err != nil {
		return out, err
	}
	out.Roles = []api.Role{e.role()}
	return out, nil
}

func findProfile(r store.Reader, account, name string) (*profile, error) {
	p, ok, err := record.Get[profile](r, profileKey(account, name))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fail("NoSuchEntity", 404, "Instance Profile %s cannot be found.", name)
	}
	return &p, nil
}

func (s *IAM) createInstanceProfile(ctx context.Context, in *api.CreateInstanceProfileInput) (*api.CreateInstanceProfileOutput, error) {
	path, err := pathOf(in.Path)
	if err != nil {
		return nil, err
	}
	p := profile{Account: account(ctx), Name: in.InstanceProfileName, Path: path, Created: s.now()}
	if p.Tags, err = merge(nil, in.Tags); err != nil {
		return nil, err
	}
	if p.ID, err = token.NewID(token.PrefixProfile, s.deps.Random); err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	out := &api.CreateInstanceProfileOutput{}
	return out, s.update(ctx, func(tx store.Txn) error {
		has, err := record.Has(tx, profileKey(p.Account, p.Name))
		if err != nil {
			return err
		}
		if has {
			return fail("EntityAlreadyExists", 409, "Instance Profile %s already exists.", p.Name)
		}
		v, err := p.api(tx)
		out.InstanceProfile = &v
		if err != nil {
			return err
		}
		return record.Set(tx, profileKey(p.Account, p.Name), p)
	})
}

func (s *IAM) changeProfile(ctx context.Context, name string, fn func(tx store.Txn, p *profile) error) error {
	return s.update(ctx, func(tx store.Txn) error {
		p, err := findProfile(tx, account(ctx), name)
		if err != nil {
			return err
		}
		if err := fn(tx, p); err != nil {
			return err
		}
		return record.Set(tx, profileKey(p.Account, p.Name), p)
	})
}

func (s *IAM) getInstanceProfile(ctx context.Context, in *api.GetInstanceProfileInput) (*api.GetInstanceProfileOutput, error) {
	out := &api.GetInstanceProfileOutput{}
	return out, s.deps.Store.View(ctx, func(r store.Reader) error {
		p, err := findProfile(r, account(ctx), in.InstanceProfileName)
		if err != nil {
			return err
		}
		v, err := p.api(r)
		out.InstanceProfile = &v
		return err
	})
}

func (s *IAM) deleteInstanceProfile(ctx context.Context, in *api.DeleteInstanceProfileInput) (*api.DeleteInstanceProfileOutput, error) {
	return &api.DeleteInstanceProfileOutput{}, s.update(ctx, func(tx store.Txn) error {
		p, err := findProfile(tx, account(ctx), in.InstanceProfileName)
		if err != nil {
			return err
		}
		if p.Role != "" {
			return conflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		tx.Delete(profileKey(p.Account, p.Name))
		return nil
	})
}

func (s *IAM) addRoleToInstanceProfile(ctx context.Context, in *api.AddRoleToInstanceProfileInput) (*api.AddRoleToInstanceProfileOutput, error) {
	return &api.AddRoleToInstanceProfileOutput{}, s.changeProfile(ctx, in.InstanceProfileName, func(tx store.Txn, p *profile) error {
		e, err := find(tx, p.Account, role, in.RoleName)
		if err != nil {
			return err
		}
		if p.Role != "" {
			return limit("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		p.Role = e.Name
		return nil
	})
}

func (s *IAM) removeRoleFromInstanceProfile(ctx context.Context, in *api.RemoveRoleFromInstanceProfileInput) (*api.RemoveRoleFromInstanceProfileOutput, error) {
	return &api.RemoveRoleFromInstanceProfileOutput{}, s.changeProfile(ctx, in.InstanceProfileName, func(_ store.Txn, p *profile) error {
		if !strings.EqualFold(p.Role, in.RoleName) {
			return noSuch("role", in.RoleName)
		}
		p.Role = ""
		return nil
	})
}

// profiles returns a page of instance profiles that keep reports.
func (s *IAM) profiles(ctx context.Context, marker *string, size *int32, keep func(p *profile) bool) (out []api.InstanceProfile, more *bool, next *string, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		out = nil
		items, err := record.List[profile](r, all(account(ctx), "profile").Span())
		if err != nil {
			return err
		}
		items = slices.DeleteFunc(items, func(p profile) bool { return !keep(&p) })
		if items, more, next, err = page(items, marker, size, func(p *profile) string { return p.Name }); err != nil {
			return err
		}
		for i := range items {
			v, err := items[i].api(r)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	return out, more, next, err
}

func (s *IAM) listInstanceProfiles(ctx context.Context, in *api.ListInstanceProfilesInput) (*api.ListInstanceProfilesOutput, error) {
	out := &api.ListInstanceProfilesOutput{}
	var err error
	out.InstanceProfiles, out.IsTruncated, out.Marker, err = s.profiles(ctx, in.Marker, in.MaxItems, func(p *profile) bool {
		return in.PathPrefix == nil || strings.HasPrefix(p.Path, *in.PathPrefix)
	})
	return out, err
}

func (s *IAM) listInstanceProfilesForRole(ctx context.Context, in *api.ListInstanceProfilesForRoleInput) (*api.ListInstanceProfilesForRoleOutput, error) {
	if _, err := s.get(ctx, role, in.RoleName); err != nil {
		return nil, err
	}
	out := &api.ListInstanceProfilesForRoleOutput{}
	var err error
	out.InstanceProfiles, out.IsTruncated, out.Marker, err = s.profiles(ctx, in.Marker, in.MaxItems, func(p *profile) bool {
		return strings.EqualFold(p.Role, in.RoleName)
	})
	return out, err
}
