package server

import (
	"context"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigatewayv2"
	"lambent.dev/lambent/internal/services/cloudformation"
	"lambent.dev/lambent/internal/services/dynamodb"
	"lambent.dev/lambent/internal/services/iam"
	"lambent.dev/lambent/internal/services/logs"
	"lambent.dev/lambent/internal/services/s3"
	"lambent.dev/lambent/internal/services/sts"
)

// build builds the services, in the order in which they need each other.
func (p *parts) build(ctx context.Context, s *Server) ([]service.Service, error) {
	objects := &late{}
	iamService, directory, err := iam.New(p.deps, p.keys.Ring)
	if err != nil {
		return nil, err
	}
	p.identities = auth.NewCache(directory)
	directory.OnChange(p.identities.Forget)
	stsService, roles := sts.New(p.deps, p.keys.Ring, directory)
	logService, _ := logs.New(p.deps)
	var services []service.Service
	types := func() (all []service.ResourceType) {
		for i := range services {
			all = append(all, services[i].Resources...)
		}
		return all
	}
	buckets := s3.New(p.deps, nil)
	objects.Objects = buckets
	services = []service.Service{iamService, stsService, logService, buckets.Service(), dynamodb.New(p.deps), apigatewayv2.New(p.deps, nil), cloudformation.New(p.deps, cloudformation.Options{Types: types, Objects: objects, Roles: roles})}
	return services, nil
}
