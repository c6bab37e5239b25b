package iam

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
)

func (s *IAM) tag(ctx context.Context, k kind, name string, tags []api.Tag) error {
	return s.change(ctx, k, name, func(_ store.Txn, e *entity) (err error) {
		e.Tags, err = merge(e.Tags, tags)
		return err
	})
}

func (s *IAM) untag(ctx context.Context, k kind, name string, keys []string) error {
	return s.change(ctx, k, name, func(_ store.Txn, e *entity) error {
		e.Tags = without(e.Tags, keys)
		return nil
	})
}

func (s *IAM) tagRole(ctx context.Context, in *api.TagRoleInput) (*api.TagRoleOutput, error) {
	return &api.TagRoleOutput{}, s.tag(ctx, role, in.RoleName, in.Tags)
}

func (s *IAM) untagRole(ctx context.Context, in *api.UntagRoleInput) (*api.UntagRoleOutput, error) {
	return &api.UntagRoleOutput{}, s.untag(ctx, role, in.RoleName, in.TagKeys)
}

func (s *IAM) listRoleTags(ctx context.Context, in *api.ListRoleTagsInput) (*api.ListRoleTagsOutput, error) {
	e, err := s.get(ctx, role, in.RoleName)
	if err != nil {
		return nil, err
	}
	return &api.ListRoleTagsOutput{Tags: e.Tags, IsTruncated: ptr(false)}, nil
}

func (s *IAM) tagUser(ctx context.Context, in *api.TagUserInput) (*api.TagUserOutput, error) {
	return &api.TagUserOutput{}, s.tag(ctx, user, in.UserName, in.Tags)
}

func (s *IAM) untagUser(ctx context.Context, in *api.UntagUserInput) (*api.UntagUserOutput, error) {
	return &api.UntagUserOutput{}, s.untag(ctx, user, in.UserName, in.TagKeys)
}

func (s *IAM) listUserTags(ctx context.Context, in *api.ListUserTagsInput) (*api.ListUserTagsOutput, error) {
	e, err := s.get(ctx, user, in.UserName)
	if err != nil {
		return nil, err
	}
	return &api.ListUserTagsOutput{Tags: e.Tags, IsTruncated: ptr(false)}, nil
}

func (s *IAM) tagPolicy(ctx context.Context, in *api.TagPolicyInput) (*api.TagPolicyOutput, error) {
	return &api.TagPolicyOutput{}, s.changePolicy(ctx, in.PolicyArn, func(_ store.Txn, p *managed) (err error) {
		p.Tags, err = merge(p.Tags, in.Tags)
		return err
	})
}

func (s *IAM) untagPolicy(ctx context.Context, in *api.UntagPolicyInput) (*api.UntagPolicyOutput, error) {
	return &api.UntagPolicyOutput{}, s.changePolicy(ctx, in.PolicyArn, func(_ store.Txn, p *managed) error {
		p.Tags = without(p.Tags, in.TagKeys)
		return nil
	})
}

func (s *IAM) listPolicyTags(ctx context.Context, in *api.ListPolicyTagsInput) (*api.ListPolicyTagsOutput, error) {
	p, _, err := s.view(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &api.ListPolicyTagsOutput{Tags: p.Tags, IsTruncated: ptr(false)}, nil
}

func (s *IAM) tagInstanceProfile(ctx context.Context, in *api.TagInstanceProfileInput) (*api.TagInstanceProfileOutput, error) {
	return &api.TagInstanceProfileOutput{}, s.changeProfile(ctx, in.InstanceProfileName, func(_ store.Txn, p *profile) (err error) {
		p.Tags, err = merge(p.Tags, in.Tags)
		return err
	})
}

func (s *IAM) untagInstanceProfile(ctx context.Context, in *api.UntagInstanceProfileInput) (*api.UntagInstanceProfileOutput, error) {
	return &api.UntagInstanceProfileOutput{}, s.changeProfile(ctx, in.InstanceProfileName, func(_ store.Txn, p *profile) error {
		p.Tags = without(p.Tags, in.TagKeys)
		return nil
	})
}
