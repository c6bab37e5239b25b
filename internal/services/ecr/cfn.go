package ecr

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ecr"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// repositoryProperties are the properties of AWS::ECR::Repository
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html).
type repositoryProperties struct {
	RepositoryName             *string               `cfn:"RepositoryName,createOnly"`
	EmptyOnDelete              *bool                 `cfn:"EmptyOnDelete,writeOnly"`
	EncryptionConfiguration    *encryptionProperties `cfn:"EncryptionConfiguration,createOnly"`
	ImageScanningConfiguration *scanningProperties   `cfn:"ImageScanningConfiguration"`
	ImageTagMutability         *string               `cfn:"ImageTagMutability"`
	Exclusions                 []exclusionProperties `cfn:"ImageTagMutabilityExclusionFilters"`
	LifecyclePolicy            *lifecycleProperties  `cfn:"LifecyclePolicy"`
	RepositoryPolicyText       any                   `cfn:"RepositoryPolicyText"`
	Tags                       []service.TagProperty `cfn:"Tags"`
}

type encryptionProperties struct {
	EncryptionType string  `cfn:"EncryptionType,required"`
	KmsKey         *string `cfn:"KmsKey"`
}

type scanningProperties struct {
	ScanOnPush *bool `cfn:"ScanOnPush"`
}

type exclusionProperties struct {
	Type  string `cfn:"ImageTagMutabilityExclusionFilterType,required"`
	Value string `cfn:"ImageTagMutabilityExclusionFilterValue,required"`
}

type lifecycleProperties struct {
	LifecyclePolicyText *string `cfn:"LifecyclePolicyText"`
	RegistryID          *string `cfn:"RegistryId"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::ECR::Repository", service.ResourceSpec[repositoryProperties]{
			Attributes: []string{"Arn", "RepositoryUri"},
			Create:     s.createResource, Update: s.updateResource, Delete: s.deleteResource,
			Identifier: []string{"RepositoryName"}, Read: s.readResource, Missing: []string{codeNoRepo},
			List: service.Pages(s.deps.Door, "ecr", "DescribeRepositories", func(_ *repositoryProperties, next *string) any {
				return &api.DescribeRepositoriesInput{NextToken: next}
			},
				func(o *api.DescribeRepositoriesOutput) ([]api.Repository, *string) {
					return o.Repositories, o.NextToken
				},
				func(_ *repositoryProperties, v *api.Repository) service.Identifier {
					return service.Identifier{opt.Value(v.RepositoryName)}
				}),
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "ecr", operation, in)
}

func resource(ctx context.Context, name string) service.Resource {
	p := placeOf(ctx)
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": p.arn(name), "RepositoryUri": p.uri(name)}}
}

func (p *repositoryProperties) exclusions() []api.ImageTagMutabilityExclusionFilter {
	var out []api.ImageTagMutabilityExclusionFilter
	for _, e := range p.Exclusions {
		out = append(out, api.ImageTagMutabilityExclusionFilter{FilterType: e.Type, Filter: e.Value})
	}
	return out
}

func (p *repositoryProperties) scanning() *api.ImageScanningConfiguration {
	c := &api.ImageScanningConfiguration{ScanOnPush: new(false)}
	if p.ImageScanningConfiguration != nil && p.ImageScanningConfiguration.ScanOnPush != nil {
		c.ScanOnPush = p.ImageScanningConfiguration.ScanOnPush
	}
	return c
}

func (p *repositoryProperties) lifecycle() string {
	if p.LifecyclePolicy == nil {
		return ""
	}
	return opt.Value(p.LifecyclePolicy.LifecyclePolicyText)
}

func (s *Service) createResource(ctx context.Context, c service.ResourceCall, p *repositoryProperties) (service.Resource, error) {
	name := c.Name(256, strings.ToLower)
	if p.RepositoryName != nil {
		name = *p.RepositoryName
	}
	in := &api.CreateRepositoryInput{
		RepositoryName: name, ImageTagMutability: opt.Value(p.ImageTagMutability), ImageTagMutabilityExclusionFilters: p.exclusions(), ImageScanningConfiguration: p.scanning(),
	}
	for k, v := range c.AllTags(p.Tags) {
		in.Tags = append(in.Tags, api.Tag{Key: k, Value: v})
	}
	if e := p.EncryptionConfiguration; e != nil {
		in.EncryptionConfiguration = &api.EncryptionConfiguration{EncryptionType: e.EncryptionType, KmsKey: e.KmsKey}
	}
	if _, err := call[api.CreateRepositoryOutput](ctx, s, "CreateRepository", in); err != nil && (!c.Retry || service.Code(err) != codeExists) {
		return service.Resource{}, err
	}
	return resource(ctx, name), s.setPolicies(ctx, name, p)
}

func (s *Service) updateResource(ctx context.Context, c service.ResourceCall, old, p *repositoryProperties) (service.Resource, error) {
	name := c.PhysicalID
	if _, err := call[api.PutImageTagMutabilityOutput](ctx, s, "PutImageTagMutability", &api.PutImageTagMutabilityInput{
		RepositoryName: name, ImageTagMutability: or(p.ImageTagMutability, mutable), ImageTagMutabilityExclusionFilters: p.exclusions(),
	}); err != nil {
		return service.Resource{}, err
	}
	if _, err := call[api.PutImageScanningConfigurationOutput](ctx, s, "PutImageScanningConfiguration", &api.PutImageScanningConfigurationInput{
		RepositoryName: name, ImageScanningConfiguration: p.scanning(),
	}); err != nil {
		return service.Resource{}, err
	}
	arn := placeOf(ctx).arn(name)
	err := service.Retag(c.AllTags(old.Tags), c.AllTags(p.Tags), func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{ResourceArn: arn, Tags: tagList(tags)})
		return err
	})
	if err != nil {
		return service.Resource{}, err
	}
	return resource(ctx, name), s.setPolicies(ctx, name, p)
}

func or(s *string, otherwise string) string {
	if s == nil {
		return otherwise
	}
	return *s
}

// setPolicies gives a repository the policies of its template, or none.
func (s *Service) setPolicies(ctx context.Context, name string, p *repositoryProperties) error {
	policy, err := service.Document(p.RepositoryPolicyText)
	if err != nil {
		return err
	}
	if policy == "" {
		_, err = call[api.DeleteRepositoryPolicyOutput](ctx, s, "DeleteRepositoryPolicy", &api.DeleteRepositoryPolicyInput{RepositoryName: name})
		err = service.Unless(err, codeNoPolicy)
	} else {
		_, err = call[api.SetRepositoryPolicyOutput](ctx, s, "SetRepositoryPolicy", &api.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: policy})
	}
	if err != nil {
		return err
	}
	if text := p.lifecycle(); text != "" {
		_, err = call[api.PutLifecyclePolicyOutput](ctx, s, "PutLifecyclePolicy", &api.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: text})
		return err
	}
	_, err = call[api.DeleteLifecyclePolicyOutput](ctx, s, "DeleteLifecyclePolicy", &api.DeleteLifecyclePolicyInput{RepositoryName: name})
	return service.Unless(err, codeNoLifecycle)
}

func (s *Service) deleteResource(ctx context.Context, c service.ResourceCall, p *repositoryProperties) error {
	_, err := call[api.DeleteRepositoryOutput](ctx, s, "DeleteRepository", &api.DeleteRepositoryInput{RepositoryName: c.PhysicalID, Force: p.EmptyOnDelete})
	return service.Unless(err, codeNoRepo)
}
