package server

import (
	"context"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/iam"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigatewayv2"
	"lambent.dev/lambent/internal/services/cloudformation"
	"lambent.dev/lambent/internal/services/dynamodb"
	"lambent.dev/lambent/internal/services/logs"
	"lambent.dev/lambent/internal/services/s3"
)

// build builds the services, in the order in which they need each other.
func (p *parts) build(ctx context.Context, s *Server) ([]service.Service, error) {
	objects := &late{}
	p.identities = auth.NewCache(nobody{})
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
	services = []service.Service{logService, buckets.Service(), dynamodb.New(p.deps), apigatewayv2.New(p.deps, nil), cloudformation.New(p.deps, cloudformation.Options{Types: types, Objects: objects})}
	return services, nil
}

type nobody struct{}

func (nobody) AccessKey(context.Context, string) (*auth.AccessKey, error) { return nil, nil }
func (nobody) Identity(context.Context, string) (*auth.Identity, error)   { return nil, nil }
func (nobody) ManagedPolicy(context.Context, string) (*iam.Document, error) {
	return nil, nil
}
