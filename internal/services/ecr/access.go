package ecr

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ecr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html).
func (s *Service) access() map[string]service.Access {
	return map[string]service.Access{
		"BatchDeleteImage": on(s, "BatchDeleteImage", func(in *api.BatchDeleteImageInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"BatchGetImage":    on(s, "BatchGetImage", func(in *api.BatchGetImageInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"CreateRepository": on(s, "CreateRepository", func(in *api.CreateRepositoryInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"DeleteLifecyclePolicy": on(s, "DeleteLifecyclePolicy", func(in *api.DeleteLifecyclePolicyInput) (*string, string) {
			return in.RegistryId, in.RepositoryName
		}),
		"DeleteRepository": on(s, "DeleteRepository", func(in *api.DeleteRepositoryInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"DeleteRepositoryPolicy": on(s, "DeleteRepositoryPolicy", func(in *api.DeleteRepositoryPolicyInput) (*string, string) {
			return in.RegistryId, in.RepositoryName
		}),
		"DescribeImages":      on(s, "DescribeImages", func(in *api.DescribeImagesInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"GetLifecyclePolicy":  on(s, "GetLifecyclePolicy", func(in *api.GetLifecyclePolicyInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"GetRepositoryPolicy": on(s, "GetRepositoryPolicy", func(in *api.GetRepositoryPolicyInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"ListImages":          on(s, "ListImages", func(in *api.ListImagesInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"PutImageScanningConfiguration": on(s, "PutImageScanningConfiguration", func(in *api.PutImageScanningConfigurationInput) (*string, string) {
			return in.RegistryId, in.RepositoryName
		}),
		"PutImageTagMutability": on(s, "PutImageTagMutability", func(in *api.PutImageTagMutabilityInput) (*string, string) {
			return in.RegistryId, in.RepositoryName
		}),
		"PutLifecyclePolicy":   on(s, "PutLifecyclePolicy", func(in *api.PutLifecyclePolicyInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"SetRepositoryPolicy":  on(s, "SetRepositoryPolicy", func(in *api.SetRepositoryPolicyInput) (*string, string) { return in.RegistryId, in.RepositoryName }),
		"DescribeRepositories": service.OnAll("ecr:DescribeRepositories", s.described),
		"ListTagsForResource":  onARN(s, "ListTagsForResource", func(in *api.ListTagsForResourceInput) string { return in.ResourceArn }),
		"TagResource":          onARN(s, "TagResource", func(in *api.TagResourceInput) string { return in.ResourceArn }),
		"UntagResource":        onARN(s, "UntagResource", func(in *api.UntagResourceInput) string { return in.ResourceArn }),
	}
}

// on asks for permission on the repository that a call names.
func on[In any](s *Service, action string, name func(in In) (registryID *string, repository string)) service.Access {
	return service.OnAll("ecr:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		id, repository := name(in)
		return s.targets(ctx, registry(ctx, id), repository)
	})
}

// onARN is on for calls that name a repository by its ARN.
func onARN[In any](s *Service, action string, resource func(in In) string) service.Access {
	return service.OnAll("ecr:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		p, name, err := parseARN(resource(in))
		if err != nil {
			return nil, err
		}
		return s.targets(ctx, p, name)
	})
}

func (s *Service) described(ctx context.Context, in *api.DescribeRepositoriesInput) ([]service.Target, error) {
	p := registry(ctx, in.RegistryId)
	if len(in.RepositoryNames) == 0 {
		return []service.Target{{ARN: p.arn("*"), Owner: p.account}}, nil
	}
	return s.targets(ctx, p, in.RepositoryNames...)
}

// targets returns repositories to ask permission for, with their policies.
func (s *Service) targets(ctx context.Context, p place, names ...string) ([]service.Target, error) {
	var out []service.Target
	err := s.deps.Store.View(ctx, func(rd store.Reader) error {
		for _, name := range names {
			r, _, err := record.Get[repositoryRecord](rd, p.repository(name))
			if err != nil {
				return err
			}
			out = append(out, service.Target{ARN: p.arn(name), Policy: r.Policy, Owner: p.account, Condition: resourceTags(r.Tags)})
		}
		return nil
	})
	return out, storeError(err)
}

// resourceTags are the condition keys of a repository's tags.
func resourceTags(tags map[string]string) map[string][]string {
	out := make(map[string][]string, len(tags))
	for k, v := range tags {
		out["aws:ResourceTag/"+k] = []string{v}
	}
	return out
}
