package apigatewayv2

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// managedProperties are the properties of AWS::ApiGatewayV2::ApiGatewayManagedOverrides: what the integration, the route and the stage that quick create made have other
// than it gave them (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigatewayv2-apigatewaymanagedoverrides.html).
type managedProperties struct {
	ApiId       string `cfn:"ApiId,required,createOnly"`
	Integration *integrationOverrides
	Route       *routeOverrides
	Stage       *stageOverrides
}

type integrationOverrides struct {
	Description          *string
	IntegrationMethod    *string
	PayloadFormatVersion *string
	TimeoutInMillis      *int32
}

type routeOverrides struct {
	AuthorizationScopes []string
	AuthorizationType   *string
	AuthorizerId        *string
	OperationName       *string
	Target              *string
}

type stageOverrides struct {
	AccessLogSettings    *api.AccessLogSettings
	AutoDeploy           *bool
	DefaultRouteSettings *api.RouteSettings
	Description          *string
	RouteSettings        map[string]api.RouteSettings
	StageVariables       map[string]string
}

// managed are the resources that quick create made for an API.
type managed struct {
	integration *api.Integration
	route       *api.Route
	stage       *api.Stage
}

// findManaged reads what quick create made for an API. What is not there is nil.
func (g *Gateway) findManaged(ctx context.Context, id string) (m managed, err error) {
	if m.integration, err = firstManaged(
		func(next *string) (*api.GetIntegrationsOutput, error) {
			return call[api.GetIntegrationsOutput](ctx, g, "GetIntegrations", &api.GetIntegrationsInput{ApiId: id, NextToken: next})
		},
		func(o *api.GetIntegrationsOutput) ([]api.Integration, *string) { return o.Items, o.NextToken },
		func(i *api.Integration) *bool { return i.ApiGatewayManaged }); err != nil {
		return m, err
	}
	if m.route, err = firstManaged(
		func(next *string) (*api.GetRoutesOutput, error) {
			return call[api.GetRoutesOutput](ctx, g, "GetRoutes", &api.GetRoutesInput{ApiId: id, NextToken: next})
		},
		func(o *api.GetRoutesOutput) ([]api.Route, *string) { return o.Items, o.NextToken },
		func(r *api.Route) *bool { return r.ApiGatewayManaged }); err != nil {
		return m, err
	}
	m.stage, err = firstManaged(
		func(next *string) (*api.GetStagesOutput, error) {
			return call[api.GetStagesOutput](ctx, g, "GetStages", &api.GetStagesInput{ApiId: id, NextToken: next})
		},
		func(o *api.GetStagesOutput) ([]api.Stage, *string) { return o.Items, o.NextToken },
		func(s *api.Stage) *bool { return s.ApiGatewayManaged })
	return m, err
}

// firstManaged returns the first managed item of the pages of a list, or nil.
func firstManaged[Out, T any](page func(next *string) (*Out, error), items func(*Out) ([]T, *string), is func(*T) *bool) (*T, error) {
	for next := (*string)(nil); ; {
		out, err := page(next)
		if err != nil {
			return nil, err
		}
		list, token := items(out)
		if i := slices.IndexFunc(list, func(v T) bool { return value(is(&v)) }); i >= 0 {
			return &list[i], nil
		}
		if next = token; next == nil {
			return nil, nil
		}
	}
}

// override puts p in the place of old on what quick create made; what only old has goes back to what quick create gives.
func (g *Gateway) override(ctx context.Context, old, p *managedProperties) error {
	m, err := g.findManaged(ctx, p.ApiId)
	if err != nil {
		return err
	}
	if m.integration == nil || m.route == nil || m.stage == nil {
		return badRequest("The API %s has no integration, route and stage that API Gateway manages: overrides are for an API that is made with a Target (quick create).", p.ApiId)
	}
	if p.Integration != nil || old.Integration != nil {
		if err := g.overrideIntegration(ctx, p.ApiId, m.integration, p.Integration); err != nil {
			return err
		}
	}
	if p.Route != nil || old.Route != nil {
		if err := g.overrideRoute(ctx, p.ApiId, &m, p.Route); err != nil {
			return err
		}
	}
	if p.Stage != nil || old.Stage != nil {
		return g.overrideStage(ctx, p.ApiId, m.stage, old.Stage, p.Stage)
	}
	return nil
}

func (g *Gateway) overrideIntegration(ctx context.Context, id string, i *api.Integration, o *integrationOverrides) error {
	version, method := quickDefaults(value(i.IntegrationUri))
	in := &api.UpdateIntegrationInput{
		ApiId: id, IntegrationId: value(i.IntegrationId), Description: ptr(""), IntegrationMethod: &method, PayloadFormatVersion: &version, TimeoutInMillis: ptr(int32(defaultTimeoutMS)),
	}
	if o != nil {
		members.Copy(in, o)
	}
	_, err := call[api.UpdateIntegrationOutput](ctx, g, "UpdateIntegration", in)
	return err
}

func (g *Gateway) overrideRoute(ctx context.Context, id string, m *managed, o *routeOverrides) error {
	in := &api.UpdateRouteInput{
		ApiId: id, RouteId: value(m.route.RouteId), AuthorizationType: authNone, AuthorizationScopes: []string{}, OperationName: ptr(""), Target: ptr("integrations/" + value(m.integration.IntegrationId)),
	}
	if o != nil {
		members.Copy(in, o)
	}
	_, err := call[api.UpdateRouteOutput](ctx, g, "UpdateRoute", in)
	return err
}

func (g *Gateway) overrideStage(ctx context.Context, id string, st *api.Stage, before, o *stageOverrides) error {
	old, p := &stageProperties{ApiId: id, StageName: st.StageName}, &stageProperties{ApiId: id, StageName: st.StageName, AutoDeploy: ptr(true), Description: ptr("")}
	if before != nil {
		members.Copy(old, before)
	}
	if o != nil {
		members.Copy(p, o)
	}
	return g.changeStageResource(ctx, old, p)
}

func managedResource(id string) service.Resource {
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"Id": id}}
}

func (g *Gateway) createManagedResource(ctx context.Context, _ service.ResourceCall, p *managedProperties) (service.Resource, error) {
	return managedResource(p.ApiId), g.override(ctx, &managedProperties{}, p)
}

func (g *Gateway) updateManagedResource(ctx context.Context, _ service.ResourceCall, old, p *managedProperties) (service.Resource, error) {
	return managedResource(p.ApiId), g.override(ctx, old, p)
}

// deleteManagedResource gives what quick create made the properties that it had.
func (g *Gateway) deleteManagedResource(ctx context.Context, _ service.ResourceCall, p *managedProperties) error {
	err := g.override(ctx, p, &managedProperties{ApiId: p.ApiId})
	if service.Code(err) == codeMissing {
		return nil
	}
	return err
}

func (g *Gateway) readManagedResource(ctx context.Context, id service.Identifier) (*managedProperties, service.Resource, error) {
	m, err := g.findManaged(ctx, id[0])
	if err != nil {
		return nil, service.Resource{}, err
	}
	if m.integration == nil || m.route == nil || m.stage == nil {
		return nil, service.Resource{}, service.ErrGone
	}
	p := &managedProperties{
		ApiId: id[0], Integration: reshape.To[integrationOverrides](m.integration), Route: reshape.To[routeOverrides](m.route), Stage: reshape.To[stageOverrides](m.stage),
	}
	return p, managedResource(id[0]), nil
}
