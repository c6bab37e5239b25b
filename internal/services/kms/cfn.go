package kms

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// sharedProperties are those of keys and of their replicas.
type sharedProperties struct {
	Description         *string               `cfn:"Description"`
	Enabled             *bool                 `cfn:"Enabled"`
	KeyPolicy           any                   `cfn:"KeyPolicy"`
	PendingWindowInDays *int32                `cfn:"PendingWindowInDays,writeOnly"`
	Tags                []service.TagProperty `cfn:"Tags"`
}

// keyProperties are the properties of AWS::KMS::Key, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html.
type keyProperties struct {
	sharedProperties
	BypassPolicyLockoutSafetyCheck *bool   `cfn:"BypassPolicyLockoutSafetyCheck,writeOnly"`
	EnableKeyRotation              *bool   `cfn:"EnableKeyRotation"`
	KeySpec                        *string `cfn:"KeySpec"`
	KeyUsage                       *string `cfn:"KeyUsage"`
	MultiRegion                    *bool   `cfn:"MultiRegion"`
	Origin                         *string `cfn:"Origin"`
	RotationPeriodInDays           *int32  `cfn:"RotationPeriodInDays,writeOnly"`
}

// replicaProperties are the properties of AWS::KMS::ReplicaKey.
type replicaProperties struct {
	sharedProperties
	PrimaryKeyArn string `cfn:"PrimaryKeyArn,required,createOnly"`
}

// aliasProperties are the properties of AWS::KMS::Alias.
type aliasProperties struct {
	AliasName   string `cfn:"AliasName,required,createOnly"`
	TargetKeyID string `cfn:"TargetKeyId,required"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::KMS::Key", service.ResourceSpec[keyProperties]{
			Attributes: []string{"Arn", "KeyId"}, Create: s.createKeyResource, Update: s.updateKeyResource,
			Identifier: []string{"KeyId"}, Read: s.readKeyResource, Missing: []string{codeNotFound},
			List: func(ctx context.Context, _ *keyProperties, next string) (service.Page, error) {
				return s.listKeyResources(ctx, next)
			},
			Delete: func(ctx context.Context, c service.ResourceCall, p *keyProperties) error {
				return s.deleteKeyResource(ctx, c, &p.sharedProperties)
			},
		}),
		service.NewResourceType("AWS::KMS::ReplicaKey", service.ResourceSpec[replicaProperties]{
			Attributes: []string{"Arn", "KeyId"}, Create: s.createReplicaResource, Update: s.updateReplicaResource,
			Identifier: []string{"KeyId"}, Read: s.readReplicaResource, Missing: []string{codeNotFound},
			List: func(ctx context.Context, _ *replicaProperties, next string) (service.Page, error) {
				return s.listKeyResources(ctx, next)
			},
			Delete: func(ctx context.Context, c service.ResourceCall, p *replicaProperties) error {
				return s.deleteKeyResource(ctx, c, &p.sharedProperties)
			},
		}),
		service.NewResourceType("AWS::KMS::Alias", service.ResourceSpec[aliasProperties]{
			Create: s.createAliasResource, Update: s.updateAliasResource, Delete: s.deleteAliasResource,
			Identifier: []string{"AliasName"}, Read: s.readAliasResource, List: s.listAliasResources, Missing: []string{codeNotFound},
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "kms", operation, in)
}

func do[Out any](ctx context.Context, s *Service, operation string, in any) error {
	_, err := call[Out](ctx, s, operation, in)
	return err
}

func policyText(p any) (*string, error) {
	text, err := service.Document(p)
	return opt.Of(text), err
}

func keyResource(m *api.KeyMetadata) service.Resource {
	return service.Resource{PhysicalID: m.KeyId, Attributes: map[string]any{"Arn": *m.Arn, "KeyId": m.KeyId}}
}

func (s *Service) resourceOf(ctx context.Context, id string) (service.Resource, error) {
	out, err := call[api.DescribeKeyOutput](ctx, s, "DescribeKey", &api.DescribeKeyInput{KeyId: id})
	if err != nil {
		return service.Resource{}, err
	}
	return keyResource(out.KeyMetadata), nil
}

func (s *Service) createKeyResource(ctx context.Context, c service.ResourceCall, p *keyProperties) (service.Resource, error) {
	policy, err := policyText(p.KeyPolicy)
	if err != nil {
		return service.Resource{}, err
	}
	out, err := call[api.CreateKeyOutput](service.WithCreateToken(ctx, c.Token), s, "CreateKey", &api.CreateKeyInput{
		Policy: policy, Description: p.Description, KeyUsage: opt.Value(p.KeyUsage), KeySpec: opt.Value(p.KeySpec), Origin: opt.Value(p.Origin),
		BypassPolicyLockoutSafetyCheck: p.BypassPolicyLockoutSafetyCheck, MultiRegion: p.MultiRegion, Tags: tagList(c.UserTags(p.Tags)),
	})
	if err != nil {
		return service.Resource{}, err
	}
	r := keyResource(out.KeyMetadata)
	if err := s.setRotation(ctx, r.PhysicalID, &keyProperties{}, p); err != nil {
		return r, err
	}
	return r, s.setEnabled(ctx, r.PhysicalID, nil, p.Enabled)
}

// setRotation brings the rotation of a key from old to p.
func (s *Service) setRotation(ctx context.Context, id string, old, p *keyProperties) error {
	was, is := opt.Value(old.EnableKeyRotation), opt.Value(p.EnableKeyRotation)
	switch {
	case is && (!was || opt.Value(old.RotationPeriodInDays) != opt.Value(p.RotationPeriodInDays)):
		return do[api.EnableKeyRotationOutput](ctx, s, "EnableKeyRotation", &api.EnableKeyRotationInput{KeyId: id, RotationPeriodInDays: p.RotationPeriodInDays})
	case was && !is:
		return do[api.DisableKeyRotationOutput](ctx, s, "DisableKeyRotation", &api.DisableKeyRotationInput{KeyId: id})
	}
	return nil
}

func (s *Service) setEnabled(ctx context.Context, id string, old, enabled *bool) error {
	was, is := old == nil || *old, enabled == nil || *enabled
	switch {
	case was && !is:
		return do[api.DisableKeyOutput](ctx, s, "DisableKey", &api.DisableKeyInput{KeyId: id})
	case !was && is:
		return do[api.EnableKeyOutput](ctx, s, "EnableKey", &api.EnableKeyInput{KeyId: id})
	}
	return nil
}

func (s *Service) updateKeyResource(ctx context.Context, c service.ResourceCall, old, p *keyProperties) (service.Resource, error) {
	fixed := func(k *keyProperties) []string {
		return []string{opt.Value(k.KeySpec), opt.Value(k.KeyUsage), opt.Value(k.Origin)}
	}
	if !slices.Equal(fixed(old), fixed(p)) || opt.Value(old.MultiRegion) != opt.Value(p.MultiRegion) {
		return service.Resource{}, invalid("The properties KeySpec, KeyUsage, Origin and MultiRegion of a key cannot be changed. Give the new key another logical id, so that the old one is not lost by mistake.")
	}
	// A disabled key takes no changes of its rotation: it is enabled before and disabled after them.
	if opt.Value(p.Enabled) || p.Enabled == nil {
		if err := s.setEnabled(ctx, c.PhysicalID, old.Enabled, p.Enabled); err != nil {
			return service.Resource{}, err
		}
	}
	if err := s.setRotation(ctx, c.PhysicalID, old, p); err != nil {
		return service.Resource{}, err
	}
	if err := s.updateShared(ctx, c, &old.sharedProperties, &p.sharedProperties, p.BypassPolicyLockoutSafetyCheck); err != nil {
		return service.Resource{}, err
	}
	return s.resourceOf(ctx, c.PhysicalID)
}

// updateShared brings what keys and replicas have in common from old to p.
func (s *Service) updateShared(ctx context.Context, c service.ResourceCall, old, p *sharedProperties, bypass *bool) error {
	id := c.PhysicalID
	if opt.Value(old.Description) != opt.Value(p.Description) {
		if err := do[api.UpdateKeyDescriptionOutput](ctx, s, "UpdateKeyDescription", &api.UpdateKeyDescriptionInput{KeyId: id, Description: opt.Value(p.Description)}); err != nil {
			return err
		}
	}
	before, err := policyText(old.KeyPolicy)
	if err != nil {
		return err
	}
	policy, err := policyText(p.KeyPolicy)
	if err != nil {
		return err
	}
	if opt.Value(before) != opt.Value(policy) {
		if policy == nil {
			policy = new(placeOf(ctx).defaultPolicy())
		}
		if err := do[api.PutKeyPolicyOutput](ctx, s, "PutKeyPolicy", &api.PutKeyPolicyInput{KeyId: id, Policy: *policy, BypassPolicyLockoutSafetyCheck: bypass}); err != nil {
			return err
		}
	}
	err = service.Retag(c.UserTags(old.Tags), c.UserTags(p.Tags), func(keys []string) error {
		return do[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{KeyId: id, TagKeys: keys})
	}, func(tags map[string]string) error {
		return do[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{KeyId: id, Tags: tagList(tags)})
	})
	if err != nil {
		return err
	}
	if p.Enabled != nil && !*p.Enabled {
		return s.setEnabled(ctx, id, old.Enabled, p.Enabled)
	}
	return nil
}

func (s *Service) deleteKeyResource(ctx context.Context, c service.ResourceCall, p *sharedProperties) error {
	err := do[api.ScheduleKeyDeletionOutput](ctx, s, "ScheduleKeyDeletion", &api.ScheduleKeyDeletionInput{KeyId: c.PhysicalID, PendingWindowInDays: p.PendingWindowInDays})
	return service.Unless(err, codeNotFound, codeState) // It is gone, or on its way.
}

func (s *Service) createReplicaResource(ctx context.Context, c service.ResourceCall, p *replicaProperties) (service.Resource, error) {
	primary, err := arn.Parse(p.PrimaryKeyArn)
	if err != nil {
		return service.Resource{}, invalid("PrimaryKeyArn must be the ARN of a multi-Region key: %s.", p.PrimaryKeyArn)
	}
	policy, err := policyText(p.KeyPolicy)
	if err != nil {
		return service.Resource{}, err
	}
	here := *service.RequestFrom(ctx)
	there := here
	there.Region = primary.Region
	_, id := primary.Split()
	err = do[api.ReplicateKeyOutput](service.WithRequest(ctx, &there), s, "ReplicateKey", &api.ReplicateKeyInput{
		KeyId: p.PrimaryKeyArn, ReplicaRegion: here.Region, Policy: policy, Description: p.Description, Tags: tagList(c.UserTags(p.Tags)),
	})
	if err != nil && (!c.Retry || service.Code(err) != codeExists) {
		return service.Resource{}, err
	}
	r, err := s.resourceOf(ctx, id)
	if err != nil {
		return r, err
	}
	return r, s.setEnabled(ctx, id, nil, p.Enabled)
}

func (s *Service) updateReplicaResource(ctx context.Context, c service.ResourceCall, old, p *replicaProperties) (service.Resource, error) {
	if opt.Value(p.Enabled) || p.Enabled == nil {
		if err := s.setEnabled(ctx, c.PhysicalID, old.Enabled, p.Enabled); err != nil {
			return service.Resource{}, err
		}
	}
	if err := s.updateShared(ctx, c, &old.sharedProperties, &p.sharedProperties, nil); err != nil {
		return service.Resource{}, err
	}
	return s.resourceOf(ctx, c.PhysicalID)
}

func (s *Service) createAliasResource(ctx context.Context, c service.ResourceCall, p *aliasProperties) (service.Resource, error) {
	err := do[api.CreateAliasOutput](ctx, s, "CreateAlias", &api.CreateAliasInput{AliasName: p.AliasName, TargetKeyId: p.TargetKeyID})
	if c.Retry && service.Code(err) == codeExists {
		err = do[api.UpdateAliasOutput](ctx, s, "UpdateAlias", &api.UpdateAliasInput{AliasName: p.AliasName, TargetKeyId: p.TargetKeyID})
	}
	return service.Resource{PhysicalID: p.AliasName}, err
}

func (s *Service) updateAliasResource(ctx context.Context, c service.ResourceCall, _, p *aliasProperties) (service.Resource, error) {
	return service.Resource{PhysicalID: c.PhysicalID}, do[api.UpdateAliasOutput](ctx, s, "UpdateAlias", &api.UpdateAliasInput{AliasName: c.PhysicalID, TargetKeyId: p.TargetKeyID})
}

func (s *Service) deleteAliasResource(ctx context.Context, c service.ResourceCall, _ *aliasProperties) error {
	err := do[api.DeleteAliasOutput](ctx, s, "DeleteAlias", &api.DeleteAliasInput{AliasName: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}
