package apigateway

import (
	"context"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
)

// linkProperties are those of AWS::ApiGateway::VpcLink.
type linkProperties struct {
	Description *string               `cfn:"Description"`
	Name        string                `cfn:"Name,required"`
	Tags        []service.TagProperty `cfn:"Tags"`
	TargetArns  []string              `cfn:"TargetArns,required,createOnly"`
}

func (g *Gateway) createLinkResource(ctx context.Context, c service.ResourceCall, p *linkProperties) (service.Resource, error) {
	out, err := call[aws.CreateVpcLinkOutput](service.WithCreateToken(ctx, c.Token), g, "CreateVpcLink", &aws.CreateVpcLinkInput{Name: p.Name, Description: p.Description, TargetArns: p.TargetArns, Tags: c.AllTags(p.Tags)})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(out.Id, "VpcLinkId"), nil
}

func (g *Gateway) updateLinkResource(ctx context.Context, c service.ResourceCall, old, p *linkProperties) (service.Resource, error) {
	var e edits
	e.set("/name", &old.Name, &p.Name)
	e.set("/description", old.Description, p.Description)
	if _, err := call[aws.UpdateVpcLinkOutput](ctx, g, "UpdateVpcLink", &aws.UpdateVpcLinkInput{VpcLinkId: c.PhysicalID, PatchOperations: e}); err != nil {
		return service.Resource{}, err
	}
	return withID(&c.PhysicalID, "VpcLinkId"), g.retag(ctx, c, "vpclinks/"+c.PhysicalID, old.Tags, p.Tags)
}

func (g *Gateway) deleteLinkResource(ctx context.Context, c service.ResourceCall, _ *linkProperties) error {
	return drop[aws.DeleteVpcLinkOutput](ctx, g, "DeleteVpcLink", &aws.DeleteVpcLinkInput{VpcLinkId: c.PhysicalID})
}

// certificateProperties are those of AWS::ApiGateway::ClientCertificate.
type certificateProperties struct {
	Description *string               `cfn:"Description"`
	Tags        []service.TagProperty `cfn:"Tags"`
}

func (g *Gateway) createCertificateResource(ctx context.Context, c service.ResourceCall, p *certificateProperties) (service.Resource, error) {
	in := &aws.GenerateClientCertificateInput{Description: p.Description, Tags: c.AllTags(p.Tags)}
	out, err := call[aws.GenerateClientCertificateOutput](service.WithCreateToken(ctx, c.Token), g, "GenerateClientCertificate", in)
	if err != nil {
		return service.Resource{}, err
	}
	return withID(out.ClientCertificateId, "ClientCertificateId"), nil
}

func (g *Gateway) updateCertificateResource(ctx context.Context, c service.ResourceCall, old, p *certificateProperties) (service.Resource, error) {
	var e edits
	e.set("/description", old.Description, p.Description)
	in := &aws.UpdateClientCertificateInput{ClientCertificateId: c.PhysicalID, PatchOperations: e}
	if _, err := call[aws.UpdateClientCertificateOutput](ctx, g, "UpdateClientCertificate", in); err != nil {
		return service.Resource{}, err
	}
	return withID(&c.PhysicalID, "ClientCertificateId"), g.retag(ctx, c, "clientcertificates/"+c.PhysicalID, old.Tags, p.Tags)
}

func (g *Gateway) deleteCertificateResource(ctx context.Context, c service.ResourceCall, _ *certificateProperties) error {
	return drop[aws.DeleteClientCertificateOutput](ctx, g, "DeleteClientCertificate", &aws.DeleteClientCertificateInput{ClientCertificateId: c.PhysicalID})
}

// accountProperties are those of AWS::ApiGateway::Account, of which there is one in a region.
type accountProperties struct {
	CloudWatchRoleArn *string `cfn:"CloudWatchRoleArn"`
}

func (g *Gateway) createAccountResource(ctx context.Context, c service.ResourceCall, p *accountProperties) (service.Resource, error) {
	c.PhysicalID = c.Name(128, nil)
	return g.updateAccountResource(ctx, c, &accountProperties{}, p)
}

func (g *Gateway) updateAccountResource(ctx context.Context, c service.ResourceCall, old, p *accountProperties) (service.Resource, error) {
	var e edits
	e.set("/cloudwatchRoleArn", old.CloudWatchRoleArn, p.CloudWatchRoleArn)
	if len(e) > 0 {
		if _, err := call[aws.UpdateAccountOutput](ctx, g, "UpdateAccount", &aws.UpdateAccountInput{PatchOperations: e}); err != nil {
			return service.Resource{}, err
		}
	}
	return withID(&c.PhysicalID, "Id"), nil
}

// deleteAccountResource leaves the settings as they are, as on AWS: other stacks may rely on them.
func (g *Gateway) deleteAccountResource(context.Context, service.ResourceCall, *accountProperties) error {
	return nil
}

type mutualProperties struct {
	TruststoreUri     *string `cfn:"TruststoreUri"`
	TruststoreVersion *string `cfn:"TruststoreVersion"`
}

// domainProperties are those of AWS::ApiGateway::DomainName.
type domainProperties struct {
	CertificateArn                      *string               `cfn:"CertificateArn"`
	DomainName                          string                `cfn:"DomainName,required,createOnly"`
	EndpointAccessMode                  *string               `cfn:"EndpointAccessMode"`
	EndpointConfiguration               *endpointProperties   `cfn:"EndpointConfiguration"`
	MutualTlsAuthentication             *mutualProperties     `cfn:"MutualTlsAuthentication"`
	OwnershipVerificationCertificateArn *string               `cfn:"OwnershipVerificationCertificateArn"`
	RegionalCertificateArn              *string               `cfn:"RegionalCertificateArn"`
	RoutingMode                         *string               `cfn:"RoutingMode"`
	SecurityPolicy                      *string               `cfn:"SecurityPolicy"`
	Tags                                []service.TagProperty `cfn:"Tags"`
}

func domainResource(n *aws.DomainName) service.Resource {
	return service.Resource{PhysicalID: *n.DomainName, Attributes: map[string]any{
		"DistributionDomainName": text(n.DistributionDomainName), "DistributionHostedZoneId": text(n.DistributionHostedZoneId), "DomainNameArn": text(n.DomainNameArn),
		"RegionalDomainName": text(n.RegionalDomainName), "RegionalHostedZoneId": text(n.RegionalHostedZoneId),
	}}
}

func (g *Gateway) createDomainResource(ctx context.Context, c service.ResourceCall, p *domainProperties) (service.Resource, error) {
	in := &aws.CreateDomainNameInput{
		DomainName: p.DomainName, CertificateArn: p.CertificateArn, RegionalCertificateArn: p.RegionalCertificateArn, EndpointConfiguration: p.EndpointConfiguration.configuration(),
		SecurityPolicy: text(p.SecurityPolicy), EndpointAccessMode: text(p.EndpointAccessMode), OwnershipVerificationCertificateArn: p.OwnershipVerificationCertificateArn, RoutingMode: text(p.RoutingMode), Tags: c.AllTags(p.Tags),
	}
	if m := p.MutualTlsAuthentication; m != nil {
		in.MutualTlsAuthentication = &aws.MutualTlsAuthenticationInput{TruststoreUri: m.TruststoreUri, TruststoreVersion: m.TruststoreVersion}
	}
	out, err := call[aws.CreateDomainNameOutput](ctx, g, "CreateDomainName", in)
	if c.Retry && service.Code(err) == "ConflictException" {
		out, err = call[aws.GetDomainNameOutput](ctx, g, "GetDomainName", &aws.GetDomainNameInput{DomainName: p.DomainName})
	}
	if err != nil {
		return service.Resource{}, err
	}
	return domainResource(out), nil
}

func (g *Gateway) updateDomainResource(ctx context.Context, c service.ResourceCall, old, p *domainProperties) (service.Resource, error) {
	var e edits
	e.set("/certificateArn", old.CertificateArn, p.CertificateArn)
	e.set("/regionalCertificateArn", old.RegionalCertificateArn, p.RegionalCertificateArn)
	e.set("/ownershipVerificationCertificateArn", old.OwnershipVerificationCertificateArn, p.OwnershipVerificationCertificateArn)
	if p.SecurityPolicy != nil {
		e.set("/securityPolicy", old.SecurityPolicy, p.SecurityPolicy)
	}
	if p.RoutingMode != nil {
		e.set("/routingMode", old.RoutingMode, p.RoutingMode)
	}
	if p.EndpointAccessMode != nil {
		e.set("/endpointAccessMode", old.EndpointAccessMode, p.EndpointAccessMode)
	}
	if was, now := old.EndpointConfiguration, p.EndpointConfiguration; now != nil && len(now.Types) == 1 && (was == nil || len(was.Types) != 1 || was.Types[0] != now.Types[0]) {
		e.add("replace", "/endpointConfiguration/types/0", ptr(now.Types[0]))
	}
	was, now := old.MutualTlsAuthentication, p.MutualTlsAuthentication
	if was == nil {
		was = &mutualProperties{}
	}
	if now == nil {
		now = &mutualProperties{}
	}
	e.set("/mutualTlsAuthentication/truststoreUri", was.TruststoreUri, now.TruststoreUri)
	e.set("/mutualTlsAuthentication/truststoreVersion", was.TruststoreVersion, now.TruststoreVersion)
	out, err := call[aws.UpdateDomainNameOutput](ctx, g, "UpdateDomainName", &aws.UpdateDomainNameInput{DomainName: c.PhysicalID, PatchOperations: e})
	if err != nil {
		return service.Resource{}, err
	}
	return domainResource(out), g.retag(ctx, c, "domainnames/"+c.PhysicalID, old.Tags, p.Tags)
}

func (g *Gateway) deleteDomainResource(ctx context.Context, c service.ResourceCall, _ *domainProperties) error {
	return drop[aws.DeleteDomainNameOutput](ctx, g, "DeleteDomainName", &aws.DeleteDomainNameInput{DomainName: c.PhysicalID})
}

// mappingProperties are those of AWS::ApiGateway::BasePathMapping.
type mappingProperties struct {
	BasePath   *string `cfn:"BasePath,createOnly"`
	DomainName string  `cfn:"DomainName,required,createOnly"`
	RestApiId  *string `cfn:"RestApiId"`
	Stage      *string `cfn:"Stage"`
}

func (p *mappingProperties) path() string {
	if text(p.BasePath) == "" {
		return noBasePath
	}
	return *p.BasePath
}

func (g *Gateway) createMappingResource(ctx context.Context, c service.ResourceCall, p *mappingProperties) (service.Resource, error) {
	in := &aws.CreateBasePathMappingInput{DomainName: p.DomainName, BasePath: p.BasePath, RestApiId: text(p.RestApiId), Stage: p.Stage}
	_, err := call[aws.CreateBasePathMappingOutput](ctx, g, "CreateBasePathMapping", in)
	if c.Retry && service.Code(err) == "ConflictException" {
		err = nil
	}
	return service.Resource{PhysicalID: p.DomainName + "|" + p.path()}, err
}

func (g *Gateway) updateMappingResource(ctx context.Context, c service.ResourceCall, old, p *mappingProperties) (service.Resource, error) {
	var e edits
	e.set("/restapiId", old.RestApiId, p.RestApiId)
	e.set("/stage", old.Stage, p.Stage)
	in := &aws.UpdateBasePathMappingInput{DomainName: p.DomainName, BasePath: p.path(), PatchOperations: e}
	_, err := call[aws.UpdateBasePathMappingOutput](ctx, g, "UpdateBasePathMapping", in)
	return service.Resource{PhysicalID: c.PhysicalID}, err
}

func (g *Gateway) deleteMappingResource(ctx context.Context, _ service.ResourceCall, p *mappingProperties) error {
	return drop[aws.DeleteBasePathMappingOutput](ctx, g, "DeleteBasePathMapping", &aws.DeleteBasePathMappingInput{DomainName: p.DomainName, BasePath: p.path()})
}
