package secretsmanager

import (
	"context"
	"encoding/json"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// described returns what is known of a secret; one that waits for its deletion is gone.
func (s *Service) described(ctx context.Context, id string) (*api.DescribeSecretOutput, error) {
	d, err := call[api.DescribeSecretOutput](ctx, s, "DescribeSecret", &api.DescribeSecretInput{SecretId: id})
	if err == nil && d.DeletedDate != nil {
		err = service.ErrGone
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (s *Service) readResource(ctx context.Context, id service.Identifier) (*secretProperties, service.Resource, error) {
	d, err := s.described(ctx, id[0])
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[secretProperties](d)
	for _, r := range d.ReplicationStatus {
		p.ReplicaRegions = append(p.ReplicaRegions, replicaProperties{Region: opt.Value(r.Region), KmsKeyID: r.KmsKeyId})
	}
	return p, resourceOf(*d.ARN), nil
}

// getPolicy returns the policy of a secret, or "".
func (s *Service) getPolicy(ctx context.Context, id string) (string, error) {
	out, err := call[api.GetResourcePolicyOutput](ctx, s, "GetResourcePolicy", &api.GetResourcePolicyInput{SecretId: id})
	if err != nil {
		return "", err
	}
	return opt.Value(out.ResourcePolicy), nil
}

func (s *Service) readRotation(ctx context.Context, id service.Identifier) (*rotationProperties, service.Resource, error) {
	d, err := s.described(ctx, id[0])
	if err == nil && !opt.Value(d.RotationEnabled) {
		err = service.ErrGone
	}
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[rotationProperties](d)
	p.SecretID = id[0]
	return p, service.Resource{PhysicalID: *d.ARN}, nil
}

// rereadRotation reads the rotation of a secret, which a stack names by its name or its ARN.
func (s *Service) rereadRotation(ctx context.Context, c service.ResourceCall, recorded *rotationProperties) (*rotationProperties, error) {
	p, _, err := s.readRotation(ctx, service.Identifier{c.PhysicalID})
	if err != nil {
		return nil, err
	}
	p.SecretID = recorded.SecretID
	return p, nil
}

// readAttachment reads which database a secret is for. Its value says so, and nothing else does.
func (s *Service) readAttachment(ctx context.Context, id service.Identifier) (*targetProperties, service.Resource, error) {
	now, err := call[api.GetSecretValueOutput](ctx, s, "GetSecretValue", &api.GetSecretValueInput{SecretId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	var members struct {
		Instance string `json:"dbInstanceIdentifier"`
		Cluster  string `json:"dbClusterIdentifier"`
	}
	p := &targetProperties{SecretID: id[0]}
	switch err := json.Unmarshal([]byte(opt.Value(now.SecretString)), &members); {
	case err == nil && members.Instance != "":
		p.TargetType, p.TargetID = targetInstance, members.Instance
	case err == nil && members.Cluster != "":
		p.TargetType, p.TargetID = targetCluster, members.Cluster
	default:
		return nil, service.Resource{}, service.ErrGone
	}
	return p, service.Resource{PhysicalID: *now.ARN}, nil
}

// rereadAttachment reads an attachment of a secret, which a stack names by its name or its ARN.
func (s *Service) rereadAttachment(ctx context.Context, c service.ResourceCall, recorded *targetProperties) (*targetProperties, error) {
	p, _, err := s.readAttachment(ctx, service.Identifier{c.PhysicalID})
	if err != nil {
		return nil, err
	}
	p.SecretID = recorded.SecretID
	return p, nil
}
