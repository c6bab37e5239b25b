package apigatewayv2

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
)

// domainProperties are the properties of AWS::ApiGatewayV2::DomainName.
type domainProperties struct {
	DomainName               string `cfn:"DomainName,required,createOnly"`
	DomainNameConfigurations []domainConfiguration
	MutualTlsAuthentication  *api.MutualTlsAuthenticationInput
	RoutingMode              *string
	Tags                     map[string]string
}

type domainConfiguration struct {
	CertificateArn                      *string
	CertificateName                     *string
	EndpointType                        *string
	IpAddressType                       *string
	OwnershipVerificationCertificateArn *string
	SecurityPolicy                      *string
}

func (p *domainProperties) configurations() []api.DomainNameConfiguration {
	out := make([]api.DomainNameConfiguration, len(p.DomainNameConfigurations))
	for i, c := range p.DomainNameConfigurations {
		out[i] = api.DomainNameConfiguration{
			CertificateArn: c.CertificateArn, CertificateName: c.CertificateName, EndpointType: value(c.EndpointType), IpAddressType: value(c.IpAddressType),
			OwnershipVerificationCertificateArn: c.OwnershipVerificationCertificateArn, SecurityPolicy: value(c.SecurityPolicy),
		}
	}
	return out
}

// domainResource is a custom domain name with its attributes.
func domainResource(name string, arn *string, configurations []api.DomainNameConfiguration) service.Resource {
	r := service.Resource{PhysicalID: name, Attributes: map[string]any{"DomainNameArn": value(arn)}}
	if len(configurations) > 0 {
		r.Attributes["RegionalDomainName"], r.Attributes["RegionalHostedZoneId"] = value(configurations[0].ApiGatewayDomainName), value(configurations[0].HostedZoneId)
	}
	return r
}

func (g *Gateway) createDomainResource(ctx context.Context, c service.ResourceCall, p *domainProperties) (service.Resource, error) {
	out, err := call[api.CreateDomainNameOutput](ctx, g, "CreateDomainName", &api.CreateDomainNameInput{
		DomainName: p.DomainName, DomainNameConfigurations: p.configurations(), MutualTlsAuthentication: p.MutualTlsAuthentication, RoutingMode: value(p.RoutingMode), Tags: tagsOf(c, p.Tags),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return domainResource(*out.DomainName, out.DomainNameArn, out.DomainNameConfigurations), nil
}

func (g *Gateway) updateDomainResource(ctx context.Context, c service.ResourceCall, old, p *domainProperties) (service.Resource, error) {
	in := &api.UpdateDomainNameInput{DomainName: c.PhysicalID, DomainNameConfigurations: p.configurations(), MutualTlsAuthentication: p.MutualTlsAuthentication, RoutingMode: value(p.RoutingMode)}
	if in.MutualTlsAuthentication == nil && old.MutualTlsAuthentication != nil {
		in.MutualTlsAuthentication = &api.MutualTlsAuthenticationInput{TruststoreUri: ptr("")} // an empty one takes it away
	}
	out, err := call[api.UpdateDomainNameOutput](ctx, g, "UpdateDomainName", in)
	if err != nil {
		return service.Resource{}, err
	}
	return domainResource(*out.DomainName, out.DomainNameArn, out.DomainNameConfigurations), g.tag(ctx, "/domainnames/"+c.PhysicalID, c, p.Tags)
}

func (g *Gateway) deleteDomainResource(ctx context.Context, c service.ResourceCall, _ *domainProperties) error {
	return drop[api.DeleteDomainNameOutput](ctx, g, "DeleteDomainName", &api.DeleteDomainNameInput{DomainName: c.PhysicalID})
}

// mappingProperties are the properties of AWS::ApiGatewayV2::ApiMapping.
type mappingProperties struct {
	ApiId         string `cfn:"ApiId,required"`
	ApiMappingKey *string
	DomainName    string `cfn:"DomainName,required,createOnly"`
	Stage         string `cfn:"Stage,required"`
}

func (g *Gateway) createMappingResource(ctx context.Context, _ service.ResourceCall, p *mappingProperties) (service.Resource, error) {
	out, err := call[api.CreateApiMappingOutput](ctx, g, "CreateApiMapping", &api.CreateApiMappingInput{ApiId: p.ApiId, ApiMappingKey: p.ApiMappingKey, DomainName: p.DomainName, Stage: p.Stage})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.ApiMappingId, "ApiMappingId"), nil
}

func (g *Gateway) updateMappingResource(ctx context.Context, c service.ResourceCall, _, p *mappingProperties) (service.Resource, error) {
	_, err := call[api.UpdateApiMappingOutput](ctx, g, "UpdateApiMapping", &api.UpdateApiMappingInput{
		ApiId: p.ApiId, ApiMappingId: c.PhysicalID, ApiMappingKey: orDefault(p.ApiMappingKey, ""), DomainName: p.DomainName, Stage: &p.Stage,
	})
	return withID(c.PhysicalID, "ApiMappingId"), err
}

func (g *Gateway) deleteMappingResource(ctx context.Context, c service.ResourceCall, p *mappingProperties) error {
	return drop[api.DeleteApiMappingOutput](ctx, g, "DeleteApiMapping", &api.DeleteApiMappingInput{ApiMappingId: c.PhysicalID, DomainName: p.DomainName})
}

// ruleProperties are the properties of AWS::ApiGatewayV2::RoutingRule.
type ruleProperties struct {
	Actions       []api.RoutingRuleAction    `cfn:"Actions,required"`
	Conditions    []api.RoutingRuleCondition `cfn:"Conditions,required"`
	DomainNameArn string                     `cfn:"DomainNameArn,required,createOnly"`
	Priority      int32                      `cfn:"Priority,required"`
}

// domain is the name in the ARN of a custom domain name, and the id of a private one.
func (p *ruleProperties) domain() (name string, id *string) {
	name, after, private := strings.Cut(p.DomainNameArn[strings.LastIndexByte(p.DomainNameArn, '/')+1:], "+")
	if private {
		id = &after
	}
	return name, id
}

// ruleResource is a routing rule, which Ref shows by its ARN.
func ruleResource(arn, id *string) service.Resource {
	return service.Resource{PhysicalID: value(arn), Attributes: map[string]any{"RoutingRuleArn": value(arn), "RoutingRuleId": value(id)}}
}

// ruleID is the id in the ARN of a routing rule.
func ruleID(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func (g *Gateway) createRuleResource(ctx context.Context, _ service.ResourceCall, p *ruleProperties) (service.Resource, error) {
	name, id := p.domain()
	out, err := call[api.CreateRoutingRuleOutput](ctx, g, "CreateRoutingRule", &api.CreateRoutingRuleInput{Actions: p.Actions, Conditions: p.Conditions, DomainName: name, DomainNameId: id, Priority: p.Priority})
	if err != nil {
		return service.Resource{}, err
	}
	return ruleResource(out.RoutingRuleArn, out.RoutingRuleId), nil
}

func (g *Gateway) updateRuleResource(ctx context.Context, c service.ResourceCall, _, p *ruleProperties) (service.Resource, error) {
	name, id := p.domain()
	out, err := call[api.PutRoutingRuleOutput](ctx, g, "PutRoutingRule", &api.PutRoutingRuleInput{
		Actions: p.Actions, Conditions: p.Conditions, DomainName: name, DomainNameId: id, Priority: p.Priority, RoutingRuleId: ruleID(c.PhysicalID),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return ruleResource(out.RoutingRuleArn, out.RoutingRuleId), nil
}

func (g *Gateway) deleteRuleResource(ctx context.Context, c service.ResourceCall, p *ruleProperties) error {
	name, id := p.domain()
	return drop[api.DeleteRoutingRuleOutput](ctx, g, "DeleteRoutingRule", &api.DeleteRoutingRuleInput{DomainName: name, DomainNameId: id, RoutingRuleId: ruleID(c.PhysicalID)})
}

// linkProperties are the properties of AWS::ApiGatewayV2::VpcLink.
type linkProperties struct {
	Name             string   `cfn:"Name,required"`
	SecurityGroupIds []string `cfn:"SecurityGroupIds,createOnly"`
	SubnetIds        []string `cfn:"SubnetIds,required,createOnly"`
	Tags             map[string]string
}

func (g *Gateway) createLinkResource(ctx context.Context, c service.ResourceCall, p *linkProperties) (service.Resource, error) {
	out, err := call[api.CreateVpcLinkOutput](ctx, g, "CreateVpcLink", &api.CreateVpcLinkInput{Name: p.Name, SecurityGroupIds: p.SecurityGroupIds, SubnetIds: p.SubnetIds, Tags: tagsOf(c, p.Tags)})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.VpcLinkId, "VpcLinkId"), nil
}

func (g *Gateway) updateLinkResource(ctx context.Context, c service.ResourceCall, _, p *linkProperties) (service.Resource, error) {
	if _, err := call[api.UpdateVpcLinkOutput](ctx, g, "UpdateVpcLink", &api.UpdateVpcLinkInput{Name: &p.Name, VpcLinkId: c.PhysicalID}); err != nil {
		return service.Resource{}, err
	}
	return withID(c.PhysicalID, "VpcLinkId"), g.tag(ctx, "/vpclinks/"+c.PhysicalID, c, p.Tags)
}

func (g *Gateway) deleteLinkResource(ctx context.Context, c service.ResourceCall, _ *linkProperties) error {
	return drop[api.DeleteVpcLinkOutput](ctx, g, "DeleteVpcLink", &api.DeleteVpcLinkInput{VpcLinkId: c.PhysicalID})
}
