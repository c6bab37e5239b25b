package ssm

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readResource(ctx context.Context, id service.Identifier) (*parameterProperties, service.Resource, error) {
	name := id[0]
	out, err := call[api.GetParameterOutput](ctx, s, "GetParameter", &api.GetParameterInput{Name: name})
	if err != nil {
		return nil, service.Resource{}, err
	}
	about, err := call[api.DescribeParametersOutput](ctx, s, "DescribeParameters", &api.DescribeParametersInput{ParameterFilters: []api.ParameterStringFilter{{Key: "Name", Values: []string{name}}}})
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := call[api.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: name})
	if err != nil {
		return nil, service.Resource{}, err
	}
	sources := []any{map[string]any{"Tags": tags.TagList}, out.Parameter}
	if len(about.Parameters) > 0 {
		sources = append(sources, about.Parameters[0])
	}
	p := reshape.To[parameterProperties](sources...)
	p.Policies = nil // can only be written
	return p, p.resource(name), nil
}

func (s *Service) listResources(ctx context.Context, _ *parameterProperties, next string) (service.Page, error) {
	out, err := call[api.DescribeParametersOutput](ctx, s, "DescribeParameters", &api.DescribeParametersInput{NextToken: service.NextToken(next), MaxResults: new(int32(50))})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Parameters, out.NextToken, func(p *api.ParameterMetadata) service.Identifier { return service.Identifier{opt.Value(p.Name)} }), nil
}
