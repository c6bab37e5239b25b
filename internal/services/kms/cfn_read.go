package kms

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// readShared reads what keys and replicas have in common. A key that waits for its deletion is gone.
func (s *Service) readShared(ctx context.Context, id string) (sharedProperties, *api.KeyMetadata, error) {
	out, err := call[api.DescribeKeyOutput](ctx, s, "DescribeKey", &api.DescribeKeyInput{KeyId: id})
	if err != nil {
		return sharedProperties{}, nil, err
	}
	m := out.KeyMetadata
	if m.DeletionDate != nil || m.KeyState == api.KeyStatePendingReplicaDeletion {
		return sharedProperties{}, nil, service.ErrGone
	}
	policy, err := call[api.GetKeyPolicyOutput](ctx, s, "GetKeyPolicy", &api.GetKeyPolicyInput{KeyId: id})
	if err != nil {
		return sharedProperties{}, nil, err
	}
	p := sharedProperties{Description: m.Description, Enabled: m.Enabled, KeyPolicy: reshape.Document(opt.Value(policy.Policy))}
	var marker *string
	for {
		tags, err := call[api.ListResourceTagsOutput](ctx, s, "ListResourceTags", &api.ListResourceTagsInput{KeyId: id, Marker: marker})
		if err != nil {
			return p, nil, err
		}
		for _, t := range tags.Tags {
			p.Tags = append(p.Tags, service.TagProperty{Key: t.TagKey, Value: t.TagValue})
		}
		if marker = tags.NextMarker; marker == nil {
			return p, m, nil
		}
	}
}

func (s *Service) readKeyResource(ctx context.Context, id service.Identifier) (*keyProperties, service.Resource, error) {
	shared, m, err := s.readShared(ctx, id[0])
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := &keyProperties{sharedProperties: shared, KeySpec: &m.KeySpec, KeyUsage: &m.KeyUsage, MultiRegion: m.MultiRegion, Origin: &m.Origin}
	if m.KeySpec == api.KeySpecSymmetricDefault {
		rotation, err := call[api.GetKeyRotationStatusOutput](ctx, s, "GetKeyRotationStatus", &api.GetKeyRotationStatusInput{KeyId: id[0]})
		if err != nil {
			return nil, service.Resource{}, err
		}
		p.EnableKeyRotation = rotation.KeyRotationEnabled
	}
	return p, keyResource(m), nil
}

func (s *Service) readReplicaResource(ctx context.Context, id service.Identifier) (*replicaProperties, service.Resource, error) {
	shared, m, err := s.readShared(ctx, id[0])
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := &replicaProperties{sharedProperties: shared}
	if c := m.MultiRegionConfiguration; c != nil && c.PrimaryKey != nil {
		p.PrimaryKeyArn = opt.Value(c.PrimaryKey.Arn)
	}
	return p, keyResource(m), nil
}

func (s *Service) listKeyResources(ctx context.Context, next string) (service.Page, error) {
	out, err := call[api.ListKeysOutput](ctx, s, "ListKeys", &api.ListKeysInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Keys, out.NextMarker, func(k *api.KeyListEntry) service.Identifier { return service.Identifier{opt.Value(k.KeyId)} }), nil
}

func (s *Service) readAliasResource(ctx context.Context, id service.Identifier) (*aliasProperties, service.Resource, error) {
	next := ""
	for {
		out, err := call[api.ListAliasesOutput](ctx, s, "ListAliases", &api.ListAliasesInput{Marker: service.NextToken(next)})
		if err != nil {
			return nil, service.Resource{}, err
		}
		for _, a := range out.Aliases {
			if opt.Value(a.AliasName) == id[0] {
				return &aliasProperties{AliasName: id[0], TargetKeyID: opt.Value(a.TargetKeyId)}, service.Resource{PhysicalID: id[0]}, nil
			}
		}
		if next = opt.Value(out.NextMarker); next == "" {
			return nil, service.Resource{}, service.ErrGone
		}
	}
}

func (s *Service) listAliasResources(ctx context.Context, _ *aliasProperties, next string) (service.Page, error) {
	out, err := call[api.ListAliasesOutput](ctx, s, "ListAliases", &api.ListAliasesInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Aliases, out.NextMarker, func(a *api.AliasListEntry) service.Identifier { return service.Identifier{opt.Value(a.AliasName)} }), nil
}
