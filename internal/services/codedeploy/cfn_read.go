package codedeploy

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readApplicationResource(ctx context.Context, id service.Identifier) (*applicationProperties, service.Resource, error) {
	r := service.Resource{PhysicalID: id[0]}
	out, err := call[api.GetApplicationOutput](ctx, s, "GetApplication", &api.GetApplicationInput{ApplicationName: id[0]})
	if err != nil {
		return nil, r, err
	}
	p := reshape.To[applicationProperties](out.Application)
	p.Tags, err = s.tagsOn(ctx, placeOf(ctx).applicationARN(id[0]))
	return p, r, err
}

func (s *Service) listApplicationResources(ctx context.Context, _ *applicationProperties, next string) (service.Page, error) {
	out, err := call[api.ListApplicationsOutput](ctx, s, "ListApplications", &api.ListApplicationsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Applications, out.NextToken, func(name *string) service.Identifier { return service.Identifier{*name} }), nil
}

func (s *Service) readConfigResource(ctx context.Context, id service.Identifier) (*configProperties, service.Resource, error) {
	out, err := call[api.GetDeploymentConfigOutput](ctx, s, "GetDeploymentConfig", &api.GetDeploymentConfigInput{DeploymentConfigName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[configProperties](out.DeploymentConfigInfo), service.Resource{PhysicalID: id[0]}, nil
}

func (s *Service) listConfigResources(ctx context.Context, _ *configProperties, next string) (service.Page, error) {
	out, err := call[api.ListDeploymentConfigsOutput](ctx, s, "ListDeploymentConfigs", &api.ListDeploymentConfigsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.DeploymentConfigsList, out.NextToken, func(name *string) service.Identifier { return service.Identifier{*name} }), nil
}

func (s *Service) readGroupResource(ctx context.Context, id service.Identifier) (*groupProperties, service.Resource, error) {
	r := service.Resource{PhysicalID: id[1]}
	out, err := call[api.GetDeploymentGroupOutput](ctx, s, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: id[0], DeploymentGroupName: id[1]})
	if err != nil {
		return nil, r, err
	}
	p := reshape.To[groupProperties](out.DeploymentGroupInfo)
	p.Tags, err = s.tagsOn(ctx, placeOf(ctx).groupARN(id[0], id[1]))
	return p, r, err
}

func (s *Service) listGroupResources(ctx context.Context, p *groupProperties, next string) (service.Page, error) {
	out, err := call[api.ListDeploymentGroupsOutput](ctx, s, "ListDeploymentGroups", &api.ListDeploymentGroupsInput{ApplicationName: p.ApplicationName, NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.DeploymentGroups, out.NextToken, func(name *string) service.Identifier { return service.Identifier{p.ApplicationName, *name} }), nil
}
