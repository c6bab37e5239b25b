package ecr

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ecr"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readResource(ctx context.Context, id service.Identifier) (*repositoryProperties, service.Resource, error) {
	out, err := call[api.DescribeRepositoriesOutput](ctx, s, "DescribeRepositories", &api.DescribeRepositoriesInput{RepositoryNames: id})
	if err != nil {
		return nil, service.Resource{}, err
	}
	r := out.Repositories[0]
	tags, err := call[api.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: opt.Value(r.RepositoryArn)})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[repositoryProperties](r, tags)
	for _, f := range r.ImageTagMutabilityExclusionFilters {
		p.Exclusions = append(p.Exclusions, exclusionProperties{Type: f.FilterType, Value: f.Filter})
	}
	policy, err := call[api.GetRepositoryPolicyOutput](ctx, s, "GetRepositoryPolicy", &api.GetRepositoryPolicyInput{RepositoryName: id[0]})
	if err == nil {
		p.RepositoryPolicyText = reshape.Document(opt.Value(policy.PolicyText))
	} else if service.Code(err) != codeNoPolicy {
		return nil, service.Resource{}, err
	}
	lifecycle, err := call[api.GetLifecyclePolicyOutput](ctx, s, "GetLifecyclePolicy", &api.GetLifecyclePolicyInput{RepositoryName: id[0]})
	if err == nil {
		p.LifecyclePolicy = &lifecycleProperties{LifecyclePolicyText: lifecycle.LifecyclePolicyText, RegistryID: lifecycle.RegistryId}
	} else if service.Code(err) != codeNoLifecycle {
		return nil, service.Resource{}, err
	}
	return p, resource(ctx, id[0]), nil
}
