package eventbridge

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// endpointProperties are the properties of AWS::Events::Endpoint
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-endpoint.html).
type endpointProperties struct {
	Name        *string `cfn:"Name,createOnly"`
	Description *string `cfn:"Description"`
	Buses       []struct {
		Arn string `cfn:"EventBusArn,required"`
	} `cfn:"EventBuses,required"`
	Replication *struct {
		State string `cfn:"State,required"`
	} `cfn:"ReplicationConfig"`
	RoleArn *string `cfn:"RoleArn"`
	Routing struct {
		Failover struct {
			Primary struct {
				HealthCheck string `cfn:"HealthCheck,required"`
			} `cfn:"Primary,required"`
			Secondary struct {
				Route string `cfn:"Route,required"`
			} `cfn:"Secondary,required"`
		} `cfn:"FailoverConfig,required"`
	} `cfn:"RoutingConfig,required"`
}

func (s *Service) endpointType() service.ResourceType {
	return service.NewResourceType("AWS::Events::Endpoint", service.ResourceSpec[endpointProperties]{
		Attributes: []string{"Arn", "EndpointId", "EndpointUrl", "State"},
		Create:     s.createEndpointResource, Update: s.updateEndpointResource, Delete: s.deleteEndpointResource,
		Identifier: []string{"Name"}, Read: s.readEndpointResource, Missing: []string{codeNotFound},
		List: pages(s, "ListEndpoints", func(_ *endpointProperties, next *string) any { return &api.ListEndpointsInput{NextToken: next} },
			func(o *api.ListEndpointsOutput) ([]api.Endpoint, *string) { return o.Endpoints, o.NextToken }, func(_ *endpointProperties, v *api.Endpoint) service.Identifier {
				return service.Identifier{opt.Value(v.Name)}
			}),
	})
}

// buses, replication and routing return the properties as calls have them. Replication is on unless it is told otherwise.
func (p *endpointProperties) buses() (out []api.EndpointEventBus) {
	for _, b := range p.Buses {
		out = append(out, api.EndpointEventBus{EventBusArn: b.Arn})
	}
	return out
}

func (p *endpointProperties) replication() *api.ReplicationConfig {
	if p.Replication == nil {
		return &api.ReplicationConfig{State: api.ReplicationStateEnabled}
	}
	return &api.ReplicationConfig{State: p.Replication.State}
}

func (p *endpointProperties) routing() *api.RoutingConfig {
	return &api.RoutingConfig{FailoverConfig: &api.FailoverConfig{
		Primary: &api.Primary{HealthCheck: p.Routing.Failover.Primary.HealthCheck}, Secondary: &api.Secondary{Route: p.Routing.Failover.Secondary.Route},
	}}
}

func (s *Service) createEndpointResource(ctx context.Context, c service.ResourceCall, p *endpointProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.Name != nil {
		name = *p.Name
	}
	_, err := call[api.CreateEndpointOutput](ctx, s, "CreateEndpoint", &api.CreateEndpointInput{
		Name: name, Description: p.Description, EventBuses: p.buses(), ReplicationConfig: p.replication(), RoleArn: p.RoleArn, RoutingConfig: p.routing(),
	})
	if err != nil && (!c.Retry || service.Code(err) != codeExists) {
		return service.Resource{}, err
	}
	return s.endpointResource(ctx, name)
}

func (s *Service) endpointResource(ctx context.Context, name string) (service.Resource, error) {
	got, err := call[api.DescribeEndpointOutput](ctx, s, "DescribeEndpoint", &api.DescribeEndpointInput{Name: name})
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{
		"Arn": opt.Value(got.Arn), "EndpointId": opt.Value(got.EndpointId), "EndpointUrl": opt.Value(got.EndpointUrl), "State": got.State,
	}}, nil
}

func (s *Service) updateEndpointResource(ctx context.Context, c service.ResourceCall, _, p *endpointProperties) (service.Resource, error) {
	if _, err := call[api.UpdateEndpointOutput](ctx, s, "UpdateEndpoint", &api.UpdateEndpointInput{
		Name: c.PhysicalID, Description: new(opt.Value(p.Description)), EventBuses: p.buses(), ReplicationConfig: p.replication(), RoleArn: p.RoleArn, RoutingConfig: p.routing(),
	}); err != nil {
		return service.Resource{}, err
	}
	return s.endpointResource(ctx, c.PhysicalID)
}

func (s *Service) deleteEndpointResource(ctx context.Context, c service.ResourceCall, _ *endpointProperties) error {
	_, err := call[api.DeleteEndpointOutput](ctx, s, "DeleteEndpoint", &api.DeleteEndpointInput{Name: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}
