package apigateway

import (
	"context"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
)

type integrationResponseProperties struct {
	ContentHandling    *string           `cfn:"ContentHandling"`
	ResponseParameters map[string]string `cfn:"ResponseParameters"`
	ResponseTemplates  map[string]string `cfn:"ResponseTemplates"`
	SelectionPattern   *string           `cfn:"SelectionPattern"`
	StatusCode         string            `cfn:"StatusCode,required"`
}

type tlsProperties struct {
	InsecureSkipVerification *bool `cfn:"InsecureSkipVerification"`
}

type integrationProperties struct {
	CacheKeyParameters    []string                        `cfn:"CacheKeyParameters,unordered"`
	CacheNamespace        *string                         `cfn:"CacheNamespace"`
	ConnectionId          *string                         `cfn:"ConnectionId"`
	ConnectionType        *string                         `cfn:"ConnectionType"`
	ContentHandling       *string                         `cfn:"ContentHandling"`
	Credentials           *string                         `cfn:"Credentials"`
	IntegrationHttpMethod *string                         `cfn:"IntegrationHttpMethod"`
	IntegrationResponses  []integrationResponseProperties `cfn:"IntegrationResponses,unordered"`
	IntegrationTarget     *string                         `cfn:"IntegrationTarget"`
	PassthroughBehavior   *string                         `cfn:"PassthroughBehavior"`
	RequestParameters     map[string]string               `cfn:"RequestParameters"`
	RequestTemplates      map[string]string               `cfn:"RequestTemplates"`
	ResponseTransferMode  *string                         `cfn:"ResponseTransferMode"`
	TimeoutInMillis       *int32                          `cfn:"TimeoutInMillis"`
	TlsConfig             *tlsProperties                  `cfn:"TlsConfig"`
	Type                  string                          `cfn:"Type,required"`
	Uri                   *string                         `cfn:"Uri"`
}

type methodResponseProperties struct {
	ResponseModels     map[string]string `cfn:"ResponseModels"`
	ResponseParameters map[string]bool   `cfn:"ResponseParameters"`
	StatusCode         string            `cfn:"StatusCode,required"`
}

// methodProperties are those of AWS::ApiGateway::Method.
type methodProperties struct {
	ApiKeyRequired      *bool                      `cfn:"ApiKeyRequired"`
	AuthorizationScopes []string                   `cfn:"AuthorizationScopes,unordered"`
	AuthorizationType   *string                    `cfn:"AuthorizationType"`
	AuthorizerId        *string                    `cfn:"AuthorizerId"`
	HttpMethod          string                     `cfn:"HttpMethod,required,createOnly"`
	Integration         *integrationProperties     `cfn:"Integration"`
	MethodResponses     []methodResponseProperties `cfn:"MethodResponses,unordered"`
	OperationName       *string                    `cfn:"OperationName"`
	RequestModels       map[string]string          `cfn:"RequestModels"`
	RequestParameters   map[string]bool            `cfn:"RequestParameters"`
	RequestValidatorId  *string                    `cfn:"RequestValidatorId"`
	ResourceId          string                     `cfn:"ResourceId,required,createOnly"`
	RestApiId           string                     `cfn:"RestApiId,required,createOnly"`
}

func (g *Gateway) createMethodResource(ctx context.Context, c service.ResourceCall, p *methodProperties) (service.Resource, error) {
	if c.Retry {
		if err := g.deleteMethodResource(ctx, c, p); err != nil {
			return service.Resource{}, err
		}
	}
	auth := text(p.AuthorizationType)
	if auth == "" {
		auth = authNone
	}
	_, err := call[aws.PutMethodOutput](ctx, g, "PutMethod", &aws.PutMethodInput{
		RestApiId: p.RestApiId, ResourceId: p.ResourceId, HttpMethod: p.HttpMethod, AuthorizationType: auth, AuthorizerId: p.AuthorizerId, ApiKeyRequired: p.ApiKeyRequired,
		OperationName: p.OperationName, RequestParameters: p.RequestParameters, RequestModels: p.RequestModels, RequestValidatorId: p.RequestValidatorId, AuthorizationScopes: p.AuthorizationScopes,
	})
	if err != nil {
		return service.Resource{}, err
	}
	for _, r := range p.MethodResponses {
		in := &aws.PutMethodResponseInput{
			RestApiId: p.RestApiId, ResourceId: p.ResourceId, HttpMethod: p.HttpMethod, StatusCode: r.StatusCode, ResponseModels: r.ResponseModels, ResponseParameters: r.ResponseParameters,
		}
		if _, err := call[aws.PutMethodResponseOutput](ctx, g, "PutMethodResponse", in); err != nil {
			return service.Resource{}, err
		}
	}
	if p.Integration != nil {
		if err := g.integrate(ctx, p, p.Integration); err != nil {
			return service.Resource{}, err
		}
	}
	return service.Resource{PhysicalID: p.RestApiId + "|" + p.ResourceId + "|" + p.HttpMethod}, nil
}

// integrate makes the integration of a method with its responses.
func (g *Gateway) integrate(ctx context.Context, p *methodProperties, i *integrationProperties) error {
	in := &aws.PutIntegrationInput{
		RestApiId: p.RestApiId, ResourceId: p.ResourceId, HttpMethod: p.HttpMethod, Type: i.Type, IntegrationHttpMethod: i.IntegrationHttpMethod, Uri: i.Uri,
		ConnectionType: text(i.ConnectionType), ConnectionId: i.ConnectionId, Credentials: i.Credentials, RequestParameters: i.RequestParameters, RequestTemplates: i.RequestTemplates,
		PassthroughBehavior: i.PassthroughBehavior, CacheNamespace: i.CacheNamespace, CacheKeyParameters: i.CacheKeyParameters, ContentHandling: text(i.ContentHandling),
		TimeoutInMillis: i.TimeoutInMillis, ResponseTransferMode: text(i.ResponseTransferMode), IntegrationTarget: i.IntegrationTarget,
	}
	if i.TlsConfig != nil {
		in.TlsConfig = &aws.TlsConfig{InsecureSkipVerification: i.TlsConfig.InsecureSkipVerification}
	}
	if _, err := call[aws.PutIntegrationOutput](ctx, g, "PutIntegration", in); err != nil {
		return err
	}
	for _, r := range i.IntegrationResponses {
		in := &aws.PutIntegrationResponseInput{
			RestApiId: p.RestApiId, ResourceId: p.ResourceId, HttpMethod: p.HttpMethod, StatusCode: r.StatusCode, SelectionPattern: r.SelectionPattern,
			ResponseParameters: r.ResponseParameters, ResponseTemplates: r.ResponseTemplates, ContentHandling: text(r.ContentHandling),
		}
		if _, err := call[aws.PutIntegrationResponseOutput](ctx, g, "PutIntegrationResponse", in); err != nil {
			return err
		}
	}
	return nil
}

// updateMethodResource makes the method anew: what is served does not change before the next deployment.
func (g *Gateway) updateMethodResource(ctx context.Context, c service.ResourceCall, _, p *methodProperties) (service.Resource, error) {
	if err := g.deleteMethodResource(ctx, c, p); err != nil {
		return service.Resource{}, err
	}
	return g.createMethodResource(ctx, c, p)
}

func (g *Gateway) deleteMethodResource(ctx context.Context, _ service.ResourceCall, p *methodProperties) error {
	return drop[aws.DeleteMethodOutput](ctx, g, "DeleteMethod", &aws.DeleteMethodInput{RestApiId: p.RestApiId, ResourceId: p.ResourceId, HttpMethod: p.HttpMethod})
}
