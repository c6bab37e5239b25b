package kinesis

import (
	"context"

	"lambent.dev/lambent/internal/auth/iam"
	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
)

// maxPolicy is the greatest size of a resource policy, in bytes
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutResourcePolicy.html).
const maxPolicy = 20 << 10

func (s *Service) putResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	if len(in.Policy) > maxPolicy {
		return nil, invalid("The policy has %d bytes; at most %d are allowed.", len(in.Policy), maxPolicy)
	}
	if _, err := iam.Parse(in.Policy, iam.ResourceBased); err != nil {
		return nil, invalid("The policy is malformed: %v", err)
	}
	return &api.PutResourcePolicyOutput{}, s.changeResource(ctx, in.ResourceARN, in.StreamId, func(a attached) error {
		*a.policy = in.Policy
		return nil
	})
}

// getResourcePolicy answers with an empty document where there is no policy, as AWS does.
func (s *Service) getResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	_, policy, err := s.viewResource(ctx, in.ResourceARN, in.StreamId)
	if err != nil {
		return nil, err
	}
	if policy == "" {
		policy = "{}"
	}
	return &api.GetResourcePolicyOutput{Policy: policy}, nil
}

func (s *Service) deleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	return &api.DeleteResourcePolicyOutput{}, s.changeResource(ctx, in.ResourceARN, in.StreamId, func(a attached) error {
		if *a.policy == "" {
			return service.Errorf(codeNotFound, "No resource policy found for resource ARN %s", a.arn)
		}
		*a.policy = ""
		return nil
	})
}
