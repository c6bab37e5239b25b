package apigateway

import (
	"context"
	"strings"
	"unicode"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
)

// modelProperties are those of AWS::ApiGateway::Model.
type modelProperties struct {
	ContentType *string `cfn:"ContentType,createOnly"`
	Description *string `cfn:"Description"`
	Name        *string `cfn:"Name,createOnly"`
	RestApiId   string  `cfn:"RestApiId,required,createOnly"`
	Schema      any     `cfn:"Schema"`
}

// alphanumeric drops what the name of a model may not have.
func alphanumeric(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return -1
	}, s)
}

func (g *Gateway) createModelResource(ctx context.Context, c service.ResourceCall, p *modelProperties) (service.Resource, error) {
	schema, err := service.Document(p.Schema)
	if err != nil {
		return service.Resource{}, err
	}
	name := text(p.Name)
	if name == "" {
		name = c.Name(128, alphanumeric)
	}
	contentType := text(p.ContentType)
	if contentType == "" {
		contentType = "application/json"
	}
	in := &aws.CreateModelInput{RestApiId: p.RestApiId, Name: name, Description: p.Description, Schema: &schema, ContentType: contentType}
	_, err = call[aws.CreateModelOutput](ctx, g, "CreateModel", in)
	if c.Retry && service.Code(err) == "ConflictException" {
		err = nil
	}
	return service.Resource{PhysicalID: name}, err
}

func (g *Gateway) updateModelResource(ctx context.Context, c service.ResourceCall, old, p *modelProperties) (service.Resource, error) {
	was, err := service.Document(old.Schema)
	if err != nil {
		return service.Resource{}, err
	}
	schema, err := service.Document(p.Schema)
	if err != nil {
		return service.Resource{}, err
	}
	var e edits
	e.set("/schema", &was, &schema)
	e.set("/description", old.Description, p.Description)
	_, err = call[aws.UpdateModelOutput](ctx, g, "UpdateModel", &aws.UpdateModelInput{RestApiId: p.RestApiId, ModelName: c.PhysicalID, PatchOperations: e})
	return service.Resource{PhysicalID: c.PhysicalID}, err
}

func (g *Gateway) deleteModelResource(ctx context.Context, c service.ResourceCall, p *modelProperties) error {
	return drop[aws.DeleteModelOutput](ctx, g, "DeleteModel", &aws.DeleteModelInput{RestApiId: p.RestApiId, ModelName: c.PhysicalID})
}

// validatorProperties are those of AWS::ApiGateway::RequestValidator.
type validatorProperties struct {
	Name                      *string `cfn:"Name,createOnly"`
	RestApiId                 string  `cfn:"RestApiId,required,createOnly"`
	ValidateRequestBody       *bool   `cfn:"ValidateRequestBody"`
	ValidateRequestParameters *bool   `cfn:"ValidateRequestParameters"`
}

func (g *Gateway) createValidatorResource(ctx context.Context, c service.ResourceCall, p *validatorProperties) (service.Resource, error) {
	name := p.Name
	if name == nil {
		name = ptr(c.Name(128, nil))
	}
	in := &aws.CreateRequestValidatorInput{RestApiId: p.RestApiId, Name: name, ValidateRequestBody: p.ValidateRequestBody, ValidateRequestParameters: p.ValidateRequestParameters}
	out, err := call[aws.CreateRequestValidatorOutput](service.WithCreateToken(ctx, c.Token), g, "CreateRequestValidator", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(out.Id, "RequestValidatorId"), nil
}

func (g *Gateway) updateValidatorResource(ctx context.Context, c service.ResourceCall, old, p *validatorProperties) (service.Resource, error) {
	var e edits
	e.set("/validateRequestBody", boolText(old.ValidateRequestBody), boolText(p.ValidateRequestBody))
	e.set("/validateRequestParameters", boolText(old.ValidateRequestParameters), boolText(p.ValidateRequestParameters))
	in := &aws.UpdateRequestValidatorInput{RestApiId: p.RestApiId, RequestValidatorId: c.PhysicalID, PatchOperations: e}
	_, err := call[aws.UpdateRequestValidatorOutput](ctx, g, "UpdateRequestValidator", in)
	return withID(&c.PhysicalID, "RequestValidatorId"), err
}

func (g *Gateway) deleteValidatorResource(ctx context.Context, c service.ResourceCall, p *validatorProperties) error {
	return drop[aws.DeleteRequestValidatorOutput](ctx, g, "DeleteRequestValidator", &aws.DeleteRequestValidatorInput{RestApiId: p.RestApiId, RequestValidatorId: c.PhysicalID})
}

// authorizerProperties are those of AWS::ApiGateway::Authorizer.
type authorizerProperties struct {
	AuthType                     *string  `cfn:"AuthType"`
	AuthorizerCredentials        *string  `cfn:"AuthorizerCredentials"`
	AuthorizerResultTtlInSeconds *int32   `cfn:"AuthorizerResultTtlInSeconds"`
	AuthorizerUri                *string  `cfn:"AuthorizerUri"`
	IdentitySource               *string  `cfn:"IdentitySource"`
	IdentityValidationExpression *string  `cfn:"IdentityValidationExpression"`
	Name                         string   `cfn:"Name,required"`
	ProviderARNs                 []string `cfn:"ProviderARNs,unordered"`
	RestApiId                    string   `cfn:"RestApiId,required,createOnly"`
	Type                         string   `cfn:"Type,required"`
}

func (g *Gateway) createAuthorizerResource(ctx context.Context, c service.ResourceCall, p *authorizerProperties) (service.Resource, error) {
	out, err := call[aws.CreateAuthorizerOutput](service.WithCreateToken(ctx, c.Token), g, "CreateAuthorizer", &aws.CreateAuthorizerInput{
		RestApiId: p.RestApiId, Name: p.Name, Type: p.Type, ProviderARNs: p.ProviderARNs, AuthType: p.AuthType, AuthorizerUri: p.AuthorizerUri, AuthorizerCredentials: p.AuthorizerCredentials,
		IdentitySource: p.IdentitySource, IdentityValidationExpression: p.IdentityValidationExpression, AuthorizerResultTtlInSeconds: p.AuthorizerResultTtlInSeconds,
	})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(out.Id, "AuthorizerId"), nil
}

func (g *Gateway) updateAuthorizerResource(ctx context.Context, c service.ResourceCall, old, p *authorizerProperties) (service.Resource, error) {
	var e edits
	e.set("/name", &old.Name, &p.Name)
	e.set("/type", &old.Type, &p.Type)
	e.set("/authType", old.AuthType, p.AuthType)
	e.set("/authorizerUri", old.AuthorizerUri, p.AuthorizerUri)
	e.set("/authorizerCredentials", old.AuthorizerCredentials, p.AuthorizerCredentials)
	e.set("/identitySource", old.IdentitySource, p.IdentitySource)
	e.set("/identityValidationExpression", old.IdentityValidationExpression, p.IdentityValidationExpression)
	if ttl := p.AuthorizerResultTtlInSeconds; ttl == nil && old.AuthorizerResultTtlInSeconds != nil {
		e.set("/authorizerResultTtlInSeconds", intText(old.AuthorizerResultTtlInSeconds), ptr("300"))
	} else {
		e.set("/authorizerResultTtlInSeconds", intText(old.AuthorizerResultTtlInSeconds), intText(ttl))
	}
	e.list("/providerARNs", old.ProviderARNs, p.ProviderARNs)
	_, err := call[aws.UpdateAuthorizerOutput](ctx, g, "UpdateAuthorizer", &aws.UpdateAuthorizerInput{RestApiId: p.RestApiId, AuthorizerId: c.PhysicalID, PatchOperations: e})
	return withID(&c.PhysicalID, "AuthorizerId"), err
}

func (g *Gateway) deleteAuthorizerResource(ctx context.Context, c service.ResourceCall, p *authorizerProperties) error {
	return drop[aws.DeleteAuthorizerOutput](ctx, g, "DeleteAuthorizer", &aws.DeleteAuthorizerInput{RestApiId: p.RestApiId, AuthorizerId: c.PhysicalID})
}

// gatewayResponseProperties are those of AWS::ApiGateway::GatewayResponse.
type gatewayResponseProperties struct {
	ResponseParameters map[string]string `cfn:"ResponseParameters"`
	ResponseTemplates  map[string]string `cfn:"ResponseTemplates"`
	ResponseType       string            `cfn:"ResponseType,required,createOnly"`
	RestApiId          string            `cfn:"RestApiId,required,createOnly"`
	StatusCode         *string           `cfn:"StatusCode"`
}

func (g *Gateway) createGatewayResponseResource(ctx context.Context, _ service.ResourceCall, p *gatewayResponseProperties) (service.Resource, error) {
	_, err := call[aws.PutGatewayResponseOutput](ctx, g, "PutGatewayResponse", &aws.PutGatewayResponseInput{
		RestApiId: p.RestApiId, ResponseType: p.ResponseType, StatusCode: p.StatusCode, ResponseParameters: p.ResponseParameters, ResponseTemplates: p.ResponseTemplates,
	})
	return withID(ptr(p.RestApiId+"/"+p.ResponseType), "Id"), err
}

func (g *Gateway) updateGatewayResponseResource(ctx context.Context, c service.ResourceCall, _, p *gatewayResponseProperties) (service.Resource, error) {
	return g.createGatewayResponseResource(ctx, c, p)
}

func (g *Gateway) deleteGatewayResponseResource(ctx context.Context, _ service.ResourceCall, p *gatewayResponseProperties) error {
	return drop[aws.DeleteGatewayResponseOutput](ctx, g, "DeleteGatewayResponse", &aws.DeleteGatewayResponseInput{RestApiId: p.RestApiId, ResponseType: p.ResponseType})
}

type locationProperties struct {
	Method     *string `cfn:"Method"`
	Name       *string `cfn:"Name"`
	Path       *string `cfn:"Path"`
	StatusCode *string `cfn:"StatusCode"`
	Type       string  `cfn:"Type,required"`
}

// partProperties are those of AWS::ApiGateway::DocumentationPart.
type partProperties struct {
	Location   locationProperties `cfn:"Location,required,createOnly"`
	Properties any                `cfn:"Properties,required"`
	RestApiId  string             `cfn:"RestApiId,required,createOnly"`
}

func (g *Gateway) createPartResource(ctx context.Context, c service.ResourceCall, p *partProperties) (service.Resource, error) {
	properties, err := service.Document(p.Properties)
	if err != nil {
		return service.Resource{}, err
	}
	l := p.Location
	out, err := call[aws.CreateDocumentationPartOutput](service.WithCreateToken(ctx, c.Token), g, "CreateDocumentationPart", &aws.CreateDocumentationPartInput{
		RestApiId: p.RestApiId, Properties: properties, Location: &aws.DocumentationPartLocation{Type: l.Type, Path: l.Path, Method: l.Method, StatusCode: l.StatusCode, Name: l.Name},
	})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(out.Id, "DocumentationPartId"), nil
}

func (g *Gateway) updatePartResource(ctx context.Context, c service.ResourceCall, _, p *partProperties) (service.Resource, error) {
	properties, err := service.Document(p.Properties)
	if err != nil {
		return service.Resource{}, err
	}
	e := edits{}
	e.add("replace", "/properties", &properties)
	in := &aws.UpdateDocumentationPartInput{RestApiId: p.RestApiId, DocumentationPartId: c.PhysicalID, PatchOperations: e}
	_, err = call[aws.UpdateDocumentationPartOutput](ctx, g, "UpdateDocumentationPart", in)
	return withID(&c.PhysicalID, "DocumentationPartId"), err
}

func (g *Gateway) deletePartResource(ctx context.Context, c service.ResourceCall, p *partProperties) error {
	return drop[aws.DeleteDocumentationPartOutput](ctx, g, "DeleteDocumentationPart", &aws.DeleteDocumentationPartInput{RestApiId: p.RestApiId, DocumentationPartId: c.PhysicalID})
}

// versionProperties are those of AWS::ApiGateway::DocumentationVersion.
type versionProperties struct {
	Description          *string `cfn:"Description"`
	DocumentationVersion string  `cfn:"DocumentationVersion,required,createOnly"`
	RestApiId            string  `cfn:"RestApiId,required,createOnly"`
}

func (g *Gateway) createVersionResource(ctx context.Context, c service.ResourceCall, p *versionProperties) (service.Resource, error) {
	in := &aws.CreateDocumentationVersionInput{RestApiId: p.RestApiId, DocumentationVersion: p.DocumentationVersion, Description: p.Description}
	_, err := call[aws.CreateDocumentationVersionOutput](ctx, g, "CreateDocumentationVersion", in)
	if c.Retry && service.Code(err) == "ConflictException" {
		err = nil
	}
	return service.Resource{PhysicalID: p.DocumentationVersion}, err
}

func (g *Gateway) updateVersionResource(ctx context.Context, c service.ResourceCall, old, p *versionProperties) (service.Resource, error) {
	var e edits
	e.set("/description", old.Description, p.Description)
	in := &aws.UpdateDocumentationVersionInput{RestApiId: p.RestApiId, DocumentationVersion: c.PhysicalID, PatchOperations: e}
	_, err := call[aws.UpdateDocumentationVersionOutput](ctx, g, "UpdateDocumentationVersion", in)
	return service.Resource{PhysicalID: c.PhysicalID}, err
}

func (g *Gateway) deleteVersionResource(ctx context.Context, c service.ResourceCall, p *versionProperties) error {
	return drop[aws.DeleteDocumentationVersionOutput](ctx, g, "DeleteDocumentationVersion", &aws.DeleteDocumentationVersionInput{RestApiId: p.RestApiId, DocumentationVersion: c.PhysicalID})
}
