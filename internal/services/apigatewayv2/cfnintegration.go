package apigatewayv2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/service"
)

// integrationProperties are the properties of AWS::ApiGatewayV2::Integration.
type integrationProperties struct {
	ApiId                       string `cfn:"ApiId,required,createOnly"`
	ConnectionId                *string
	ConnectionType              *string
	ContentHandlingStrategy     *string
	CredentialsArn              *string
	Description                 *string
	IntegrationMethod           *string
	IntegrationSubtype          *string
	IntegrationType             string `cfn:"IntegrationType,required"`
	IntegrationUri              *string
	PassthroughBehavior         *string
	PayloadFormatVersion        *string
	RequestParameters           map[string]string
	RequestTemplates            map[string]string
	ResponseParameters          map[string]responseParameters
	TemplateSelectionExpression *string
	TimeoutInMillis             *int32
	TlsConfig                   *api.TlsConfigInput
}

// responseParameters are the changes to answers of one status, as templates write them: a list of what is changed and to what.
type responseParameters struct {
	ResponseParameters []responseParameter `cfn:"ResponseParameters,unordered"`
}

type responseParameter struct {
	Destination string `cfn:"Destination,required"`
	Source      string `cfn:"Source,required"`
}

// responses are the response parameters as calls have them. Statuses and changes that only old has are taken away.
func (p *integrationProperties) responses(old *integrationProperties) map[string]map[string]string {
	if p.ResponseParameters == nil && (old == nil || old.ResponseParameters == nil) {
		return nil
	}
	out := make(map[string]map[string]string, len(p.ResponseParameters))
	if old != nil {
		for status, changes := range old.ResponseParameters {
			out[status] = map[string]string{}
			for _, c := range changes.ResponseParameters {
				out[status][c.Destination] = ""
			}
		}
	}
	for status, changes := range p.ResponseParameters {
		if out[status] == nil {
			out[status] = map[string]string{}
		}
		for _, c := range changes.ResponseParameters {
			out[status][c.Destination] = c.Source
		}
	}
	return out
}

func (g *Gateway) createIntegrationResource(ctx context.Context, _ service.ResourceCall, p *integrationProperties) (service.Resource, error) {
	in := &api.CreateIntegrationInput{}
	members.Copy(in, p)
	in.ResponseParameters = p.responses(nil)
	out, err := call[api.CreateIntegrationOutput](ctx, g, "CreateIntegration", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.IntegrationId, "IntegrationId"), nil
}

func (g *Gateway) updateIntegrationResource(ctx context.Context, c service.ResourceCall, old, p *integrationProperties) (service.Resource, error) {
	in := &api.UpdateIntegrationInput{}
	members.Copy(in, p)
	in.IntegrationId = c.PhysicalID
	in.RequestParameters, in.RequestTemplates = cleared(old.RequestParameters, p.RequestParameters), cleared(old.RequestTemplates, p.RequestTemplates)
	in.ResponseParameters = p.responses(old)
	_, err := call[api.UpdateIntegrationOutput](ctx, g, "UpdateIntegration", in)
	return withID(c.PhysicalID, "IntegrationId"), err
}

func (g *Gateway) deleteIntegrationResource(ctx context.Context, c service.ResourceCall, p *integrationProperties) error {
	return drop[api.DeleteIntegrationOutput](ctx, g, "DeleteIntegration", &api.DeleteIntegrationInput{ApiId: p.ApiId, IntegrationId: c.PhysicalID})
}

// integrationResponseProperties are the properties of AWS::ApiGatewayV2::IntegrationResponse.
type integrationResponseProperties struct {
	ApiId                       string `cfn:"ApiId,required,createOnly"`
	ContentHandlingStrategy     *string
	IntegrationId               string `cfn:"IntegrationId,required,createOnly"`
	IntegrationResponseKey      string `cfn:"IntegrationResponseKey,required"`
	ResponseParameters          map[string]string
	ResponseTemplates           map[string]string
	TemplateSelectionExpression *string
}

func (g *Gateway) createIntegrationResponseResource(ctx context.Context, _ service.ResourceCall, p *integrationResponseProperties) (service.Resource, error) {
	in := &api.CreateIntegrationResponseInput{}
	members.Copy(in, p)
	out, err := call[api.CreateIntegrationResponseOutput](ctx, g, "CreateIntegrationResponse", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.IntegrationResponseId, "IntegrationResponseId"), nil
}

func (g *Gateway) updateIntegrationResponseResource(ctx context.Context, c service.ResourceCall, old, p *integrationResponseProperties) (service.Resource, error) {
	in := &api.UpdateIntegrationResponseInput{}
	members.Copy(in, p)
	in.IntegrationResponseId = c.PhysicalID
	in.ResponseTemplates = cleared(old.ResponseTemplates, p.ResponseTemplates)
	_, err := call[api.UpdateIntegrationResponseOutput](ctx, g, "UpdateIntegrationResponse", in)
	return withID(c.PhysicalID, "IntegrationResponseId"), err
}

func (g *Gateway) deleteIntegrationResponseResource(ctx context.Context, c service.ResourceCall, p *integrationResponseProperties) error {
	return drop[api.DeleteIntegrationResponseOutput](ctx, g, "DeleteIntegrationResponse", &api.DeleteIntegrationResponseInput{
		ApiId: p.ApiId, IntegrationId: p.IntegrationId, IntegrationResponseId: c.PhysicalID,
	})
}
