package schemas

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readRegistryResource(ctx context.Context, id service.Identifier) (*registryProperties, service.Resource, error) {
	n, ok := parseARN(id[0])
	if !ok {
		return nil, service.Resource{}, service.ErrGone
	}
	d, err := call[api.DescribeRegistryOutput](ctx, s, "DescribeRegistry", &api.DescribeRegistryInput{RegistryName: n.registry})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[registryProperties](d), registryResource(ctx, n.registry), nil
}

func (s *Service) readSchemaResource(ctx context.Context, id service.Identifier) (*schemaProperties, service.Resource, error) {
	n, ok := parseARN(id[0])
	if !ok {
		return nil, service.Resource{}, service.ErrGone
	}
	d, err := call[api.DescribeSchemaOutput](ctx, s, "DescribeSchema", &api.DescribeSchemaInput{RegistryName: n.registry, SchemaName: n.schema})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[schemaProperties](d)
	p.RegistryName = n.registry
	r, err := s.schemaResource(ctx, n.registry, n.schema)
	return p, r, err
}

func (s *Service) readDiscovererResource(ctx context.Context, id service.Identifier) (*discovererProperties, service.Resource, error) {
	n, ok := parseARN(id[0])
	if !ok {
		return nil, service.Resource{}, service.ErrGone
	}
	d, err := call[api.DescribeDiscovererOutput](ctx, s, "DescribeDiscoverer", &api.DescribeDiscovererInput{DiscovererId: n.discoverer})
	if err != nil {
		return nil, service.Resource{}, err
	}
	r, err := s.discovererResource(ctx, n.discoverer)
	return reshape.To[discovererProperties](d), r, err
}

// getPolicy returns the policy of a registry, or "".
func (s *Service) getPolicy(ctx context.Context, registry string) (string, error) {
	out, err := call[api.GetResourcePolicyOutput](ctx, s, "GetResourcePolicy", &api.GetResourcePolicyInput{RegistryName: &registry})
	if err != nil {
		return "", err
	}
	return opt.Value(out.Policy), nil
}
