package ssm

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// parameterProperties are the properties of AWS::SSM::Parameter, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html.
type parameterProperties struct {
	Name           *string           `cfn:"Name,createOnly"`
	Type           string            `cfn:"Type,required"`
	Value          string            `cfn:"Value,required"`
	Description    *string           `cfn:"Description,writeOnly"`
	AllowedPattern *string           `cfn:"AllowedPattern,writeOnly"`
	DataType       *string           `cfn:"DataType"`
	Tier           *string           `cfn:"Tier,writeOnly"`
	Policies       *string           `cfn:"Policies,writeOnly"`
	Tags           map[string]string `cfn:"Tags"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{service.NewResourceType("AWS::SSM::Parameter", service.ResourceSpec[parameterProperties]{
		Attributes: []string{"Type", "Value"},
		Create:     s.createResource, Update: s.updateResource, Delete: s.deleteResource,
		Identifier: []string{"Name"}, Read: s.readResource, List: s.listResources, Missing: []string{"ParameterNotFound"},
	})}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "ssm", operation, in)
}

func (p *parameterProperties) input(name string) *api.PutParameterInput {
	return &api.PutParameterInput{
		Name: name, Type: p.Type, Value: p.Value, Description: p.Description, AllowedPattern: p.AllowedPattern, DataType: p.DataType, Tier: opt.Value(p.Tier), Policies: p.Policies,
	}
}

func (p *parameterProperties) resource(name string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Type": p.Type, "Value": p.Value}}
}

func (p *parameterProperties) own() (tags []service.TagProperty) {
	for k, v := range p.Tags {
		tags = append(tags, service.TagProperty{Key: k, Value: v})
	}
	return tags
}

func (s *Service) retag(ctx context.Context, name string, old, tags map[string]string) error {
	return service.Retag(old, tags, func(keys []string) error {
		_, err := call[api.RemoveTagsFromResourceOutput](ctx, s, "RemoveTagsFromResource", &api.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: name, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.AddTagsToResourceOutput](ctx, s, "AddTagsToResource", &api.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: name, Tags: tagList(tags)})
		return err
	})
}

func (p *parameterProperties) check() error {
	if p.Type == api.ParameterTypeSecureString {
		return invalid("CloudFormation does not make parameters of type SecureString. Put the parameter with PutParameter.")
	}
	return nil
}

func (s *Service) createResource(ctx context.Context, c service.ResourceCall, p *parameterProperties) (service.Resource, error) {
	name := c.Name(maxName, func(n string) string { return "CFN-" + strings.TrimPrefix(n, c.StackName+"-") })
	if p.Name != nil {
		name = *p.Name
	}
	if err := p.check(); err != nil {
		return service.Resource{}, err
	}
	in := p.input(name)
	tags := c.UserTags(p.own())
	if c.Retry {
		in.Overwrite = ptr(true)
	} else {
		in.Tags = tagList(tags)
	}
	if _, err := call[api.PutParameterOutput](ctx, s, "PutParameter", in); err != nil {
		if service.Code(err) == "ParameterAlreadyExists" {
			err = refused("AlreadyExists", "%s already exists.", name)
		}
		return service.Resource{}, err
	}
	if c.Retry {
		return p.resource(name), s.retag(ctx, name, nil, tags)
	}
	return p.resource(name), nil
}

func (s *Service) updateResource(ctx context.Context, c service.ResourceCall, old, p *parameterProperties) (service.Resource, error) {
	if err := p.check(); err != nil {
		return service.Resource{}, err
	}
	in := p.input(c.PhysicalID)
	in.Overwrite = ptr(true)
	if p.Description == nil && old.Description != nil {
		in.Description = ptr("")
	}
	if old.Type != p.Type {
		if _, err := call[api.DeleteParameterOutput](ctx, s, "DeleteParameter", &api.DeleteParameterInput{Name: c.PhysicalID}); err != nil && service.Code(err) != "ParameterNotFound" {
			return service.Resource{}, err
		}
	}
	if _, err := call[api.PutParameterOutput](ctx, s, "PutParameter", in); err != nil {
		return service.Resource{}, err
	}
	return p.resource(c.PhysicalID), s.retag(ctx, c.PhysicalID, c.UserTags(old.own()), c.UserTags(p.own()))
}

func (s *Service) deleteResource(ctx context.Context, c service.ResourceCall, _ *parameterProperties) error {
	_, err := call[api.DeleteParameterOutput](ctx, s, "DeleteParameter", &api.DeleteParameterInput{Name: c.PhysicalID})
	if service.Code(err) == "ParameterNotFound" {
		return nil
	}
	return err
}
