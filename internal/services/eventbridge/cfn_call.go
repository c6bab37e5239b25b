package eventbridge

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// connectionProperties are the properties of AWS::Events::Connection.
type connectionProperties struct {
	Name              *string       `cfn:"Name,createOnly"`
	AuthorizationType *string       `cfn:"AuthorizationType"`
	AuthParameters    *authProperty `cfn:"AuthParameters"`
	Description       *string       `cfn:"Description"`
	KmsKeyIdentifier  *string       `cfn:"KmsKeyIdentifier"`
}

type authProperty struct {
	APIKey *struct {
		Name  string `cfn:"ApiKeyName,required"`
		Value string `cfn:"ApiKeyValue,required,writeOnly"`
	} `cfn:"ApiKeyAuthParameters"`
	Basic *struct {
		Username string `cfn:"Username,required"`
		Password string `cfn:"Password,required,writeOnly"`
	} `cfn:"BasicAuthParameters"`
	OAuth *struct {
		Endpoint string `cfn:"AuthorizationEndpoint,required"`
		Client   struct {
			ID     string `cfn:"ClientID,required"`
			Secret string `cfn:"ClientSecret,required,writeOnly"`
		} `cfn:"ClientParameters,required"`
		Method string                  `cfn:"HttpMethod,required"`
		HTTP   *connectionHTTPProperty `cfn:"OAuthHttpParameters,writeOnly"`
	} `cfn:"OAuthParameters"`
	HTTP *connectionHTTPProperty `cfn:"InvocationHttpParameters,writeOnly"`
}

type connectionHTTPProperty struct {
	Header []parameterProperty `cfn:"HeaderParameters"`
	Query  []parameterProperty `cfn:"QueryStringParameters"`
	Body   []parameterProperty `cfn:"BodyParameters"`
}

type parameterProperty struct {
	Key    string `cfn:"Key,required"`
	Value  string `cfn:"Value,required"`
	Secret *bool  `cfn:"IsValueSecret"`
}

func (p *connectionHTTPProperty) parameters() *api.ConnectionHttpParameters {
	if p == nil {
		return nil
	}
	out := &api.ConnectionHttpParameters{}
	for _, x := range p.Header {
		out.HeaderParameters = append(out.HeaderParameters, api.ConnectionHeaderParameter{Key: &x.Key, Value: &x.Value, IsValueSecret: x.Secret})
	}
	for _, x := range p.Query {
		out.QueryStringParameters = append(out.QueryStringParameters, api.ConnectionQueryStringParameter{Key: &x.Key, Value: &x.Value, IsValueSecret: x.Secret})
	}
	for _, x := range p.Body {
		out.BodyParameters = append(out.BodyParameters, api.ConnectionBodyParameter{Key: &x.Key, Value: &x.Value, IsValueSecret: x.Secret})
	}
	return out
}

func (p *authProperty) parameters() *api.CreateConnectionAuthRequestParameters {
	if p == nil {
		return nil
	}
	out := &api.CreateConnectionAuthRequestParameters{InvocationHttpParameters: p.HTTP.parameters()}
	if k := p.APIKey; k != nil {
		out.ApiKeyAuthParameters = &api.CreateConnectionApiKeyAuthRequestParameters{ApiKeyName: k.Name, ApiKeyValue: k.Value}
	}
	if b := p.Basic; b != nil {
		out.BasicAuthParameters = &api.CreateConnectionBasicAuthRequestParameters{Username: b.Username, Password: b.Password}
	}
	if o := p.OAuth; o != nil {
		out.OAuthParameters = &api.CreateConnectionOAuthRequestParameters{
			ClientParameters:      &api.CreateConnectionOAuthClientRequestParameters{ClientID: o.Client.ID, ClientSecret: o.Client.Secret},
			AuthorizationEndpoint: o.Endpoint, HttpMethod: o.Method, OAuthHttpParameters: o.HTTP.parameters(),
		}
	}
	return out
}

// update returns the parameters of a call that changes a connection to p.
func (p *authProperty) update() *api.UpdateConnectionAuthRequestParameters {
	all := p.parameters()
	if all == nil {
		return nil
	}
	out := &api.UpdateConnectionAuthRequestParameters{InvocationHttpParameters: all.InvocationHttpParameters}
	if out.InvocationHttpParameters == nil {
		out.InvocationHttpParameters = &api.ConnectionHttpParameters{}
	}
	if k := all.ApiKeyAuthParameters; k != nil {
		out.ApiKeyAuthParameters = &api.UpdateConnectionApiKeyAuthRequestParameters{ApiKeyName: &k.ApiKeyName, ApiKeyValue: &k.ApiKeyValue}
	}
	if b := all.BasicAuthParameters; b != nil {
		out.BasicAuthParameters = &api.UpdateConnectionBasicAuthRequestParameters{Username: &b.Username, Password: &b.Password}
	}
	if o := all.OAuthParameters; o != nil {
		out.OAuthParameters = &api.UpdateConnectionOAuthRequestParameters{
			ClientParameters:      &api.UpdateConnectionOAuthClientRequestParameters{ClientID: &o.ClientParameters.ClientID, ClientSecret: &o.ClientParameters.ClientSecret},
			AuthorizationEndpoint: &o.AuthorizationEndpoint, HttpMethod: o.HttpMethod, OAuthHttpParameters: o.OAuthHttpParameters,
		}
	}
	return out
}

// destinationProperties are the properties of AWS::Events::ApiDestination.
type destinationProperties struct {
	Name                         *string `cfn:"Name,createOnly"`
	ConnectionArn                string  `cfn:"ConnectionArn,required"`
	Description                  *string `cfn:"Description"`
	HTTPMethod                   string  `cfn:"HttpMethod,required"`
	InvocationEndpoint           string  `cfn:"InvocationEndpoint,required"`
	InvocationRateLimitPerSecond *int32  `cfn:"InvocationRateLimitPerSecond"`
}

// callResources are the resource types of calls over HTTP.
func (s *Service) callResources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::Events::Connection", service.ResourceSpec[connectionProperties]{
			Attributes: []string{"Arn", "ArnForPolicy", "SecretArn"},
			Create:     s.createConnectionResource, Update: s.updateConnectionResource, Delete: s.deleteConnectionResource,
			Identifier: []string{"Name"}, Read: s.readConnectionResource, Missing: []string{codeNotFound},
			List: pages(s, "ListConnections", func(_ *connectionProperties, next *string) any { return &api.ListConnectionsInput{NextToken: next} },
				func(o *api.ListConnectionsOutput) ([]api.Connection, *string) { return o.Connections, o.NextToken }, func(_ *connectionProperties, v *api.Connection) service.Identifier {
					return service.Identifier{opt.Value(v.Name)}
				}),
		}),
		service.NewResourceType("AWS::Events::ApiDestination", service.ResourceSpec[destinationProperties]{
			Attributes: []string{"Arn", "ArnForPolicy"},
			Create:     s.createDestinationResource, Update: s.updateDestinationResource, Delete: s.deleteDestinationResource,
			Identifier: []string{"Name"}, Read: s.readDestinationResource, Missing: []string{codeNotFound},
			List: pages(s, "ListApiDestinations", func(_ *destinationProperties, next *string) any {
				return &api.ListApiDestinationsInput{NextToken: next}
			},
				func(o *api.ListApiDestinationsOutput) ([]api.ApiDestination, *string) {
					return o.ApiDestinations, o.NextToken
				}, func(_ *destinationProperties, v *api.ApiDestination) service.Identifier {
					return service.Identifier{opt.Value(v.Name)}
				}),
		}),
	}
}

func (s *Service) createConnectionResource(ctx context.Context, c service.ResourceCall, p *connectionProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.Name != nil {
		name = *p.Name
	}
	_, err := call[api.CreateConnectionOutput](ctx, s, "CreateConnection", &api.CreateConnectionInput{
		Name: name, AuthorizationType: opt.Value(p.AuthorizationType), AuthParameters: p.AuthParameters.parameters(), Description: p.Description, KmsKeyIdentifier: p.KmsKeyIdentifier,
	})
	if err != nil && (!c.Retry || service.Code(err) != codeExists) {
		return service.Resource{}, err
	}
	return s.connectionResource(ctx, name)
}

func (s *Service) connectionResource(ctx context.Context, name string) (service.Resource, error) {
	got, err := call[api.DescribeConnectionOutput](ctx, s, "DescribeConnection", &api.DescribeConnectionInput{Name: name})
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{
		"Arn": *got.ConnectionArn, "ArnForPolicy": placeOf(ctx).arn("connection/" + name), "SecretArn": opt.Value(got.SecretArn),
	}}, nil
}

func (s *Service) updateConnectionResource(ctx context.Context, c service.ResourceCall, _, p *connectionProperties) (service.Resource, error) {
	_, err := call[api.UpdateConnectionOutput](ctx, s, "UpdateConnection", &api.UpdateConnectionInput{
		Name: c.PhysicalID, AuthorizationType: opt.Value(p.AuthorizationType), AuthParameters: p.AuthParameters.update(), Description: new(opt.Value(p.Description)), KmsKeyIdentifier: p.KmsKeyIdentifier,
	})
	if err != nil {
		return service.Resource{}, err
	}
	return s.connectionResource(ctx, c.PhysicalID)
}

func (s *Service) deleteConnectionResource(ctx context.Context, c service.ResourceCall, _ *connectionProperties) error {
	_, err := call[api.DeleteConnectionOutput](ctx, s, "DeleteConnection", &api.DeleteConnectionInput{Name: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}

func (s *Service) createDestinationResource(ctx context.Context, c service.ResourceCall, p *destinationProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.Name != nil {
		name = *p.Name
	}
	_, err := call[api.CreateApiDestinationOutput](ctx, s, "CreateApiDestination", &api.CreateApiDestinationInput{
		Name: name, Description: p.Description, ConnectionArn: p.ConnectionArn, InvocationEndpoint: p.InvocationEndpoint, HttpMethod: p.HTTPMethod,
		InvocationRateLimitPerSecond: p.InvocationRateLimitPerSecond,
	})
	if err != nil && (!c.Retry || service.Code(err) != codeExists) {
		return service.Resource{}, err
	}
	return s.destinationResource(ctx, name)
}

func (s *Service) destinationResource(ctx context.Context, name string) (service.Resource, error) {
	got, err := call[api.DescribeApiDestinationOutput](ctx, s, "DescribeApiDestination", &api.DescribeApiDestinationInput{Name: name})
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": *got.ApiDestinationArn, "ArnForPolicy": placeOf(ctx).arn("api-destination/" + name)}}, nil
}

func (s *Service) updateDestinationResource(ctx context.Context, c service.ResourceCall, _, p *destinationProperties) (service.Resource, error) {
	in := &api.UpdateApiDestinationInput{
		Name: c.PhysicalID, Description: new(opt.Value(p.Description)), ConnectionArn: &p.ConnectionArn, InvocationEndpoint: &p.InvocationEndpoint, HttpMethod: p.HTTPMethod,
		InvocationRateLimitPerSecond: new(int32(defaultRate)),
	}
	if p.InvocationRateLimitPerSecond != nil {
		in.InvocationRateLimitPerSecond = p.InvocationRateLimitPerSecond
	}
	if _, err := call[api.UpdateApiDestinationOutput](ctx, s, "UpdateApiDestination", in); err != nil {
		return service.Resource{}, err
	}
	return s.destinationResource(ctx, c.PhysicalID)
}

func (s *Service) deleteDestinationResource(ctx context.Context, c service.ResourceCall, _ *destinationProperties) error {
	_, err := call[api.DeleteApiDestinationOutput](ctx, s, "DeleteApiDestination", &api.DeleteApiDestinationInput{Name: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}
