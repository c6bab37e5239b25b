package apigateway

import (
	"context"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

type endpointV2Properties struct {
	IpAddressType *string  `cfn:"IpAddressType"`
	Types         []string `cfn:"Types"`
}

// domainV2Properties are those of AWS::ApiGateway::DomainNameV2, a private custom domain name, which Ref shows by its ARN.
type domainV2Properties struct {
	CertificateArn        *string               `cfn:"CertificateArn"`
	DomainName            *string               `cfn:"DomainName,createOnly"`
	EndpointAccessMode    *string               `cfn:"EndpointAccessMode"`
	EndpointConfiguration *endpointV2Properties `cfn:"EndpointConfiguration,createOnly"`
	Policy                any                   `cfn:"Policy"`
	RoutingMode           *string               `cfn:"RoutingMode"`
	SecurityPolicy        *string               `cfn:"SecurityPolicy,createOnly"`
	Tags                  []service.TagProperty `cfn:"Tags"`
}

func (g *Gateway) domainV2Type() service.ResourceType {
	return service.NewResourceType("AWS::ApiGateway::DomainNameV2", service.ResourceSpec[domainV2Properties]{
		Attributes: []string{"DomainNameArn", "DomainNameId"}, Create: g.createDomainV2Resource, Update: g.updateDomainV2Resource, Delete: g.deleteDomainV2Resource,
		Identifier: []string{"DomainNameArn"}, Read: g.readDomainV2Resource, Missing: []string{codeMissing},
		List: pages(g, "GetDomainNames", func(_ *domainV2Properties, next *string) any {
			return &aws.GetDomainNamesInput{Position: next, Limit: pageLimit()}
		}, privateNames, func(_ *domainV2Properties, v *aws.DomainName) service.Identifier {
			return service.Identifier{text(v.DomainNameArn)}
		}),
	})
}

// privateNames are the private ones of a page of names.
func privateNames(o *aws.GetDomainNamesOutput) (names []aws.DomainName, next *string) {
	for i := range o.Items {
		if o.Items[i].DomainNameId != nil {
			names = append(names, o.Items[i])
		}
	}
	return names, o.Position
}

func domainV2Resource(n *aws.DomainName) service.Resource {
	return service.Resource{PhysicalID: text(n.DomainNameArn), Attributes: map[string]any{"DomainNameArn": text(n.DomainNameArn), "DomainNameId": text(n.DomainNameId)}}
}

// nameOf returns the name in the ARN of a custom domain name, or of what is below it, and the id of a private one; after is what follows.
func nameOf(arn string) (name string, id *string, after string) {
	_, ref, after, ok := domain.ParseARN(domain.Scope{}, arn)
	name, suffix, private := strings.Cut(ref, "+")
	if private {
		id = &suffix
	}
	if !ok {
		name = arn // which is the name of nothing
	}
	return name, id, after
}

func (g *Gateway) createDomainV2Resource(ctx context.Context, c service.ResourceCall, p *domainV2Properties) (service.Resource, error) {
	policy, err := service.Document(p.Policy)
	if err != nil {
		return service.Resource{}, err
	}
	in := &aws.CreateDomainNameInput{
		DomainName: text(p.DomainName), CertificateArn: p.CertificateArn, SecurityPolicy: text(p.SecurityPolicy), EndpointAccessMode: text(p.EndpointAccessMode),
		RoutingMode: text(p.RoutingMode), Policy: optional(policy), Tags: c.AllTags(p.Tags),
	}
	if e := p.EndpointConfiguration; e != nil {
		in.EndpointConfiguration = &aws.EndpointConfiguration{Types: e.Types, IpAddressType: text(e.IpAddressType)}
	}
	if e := in.EndpointConfiguration; e == nil || len(e.Types) != 1 || e.Types[0] != domain.Private {
		return service.Resource{}, badRequest("AWS::ApiGateway::DomainNameV2 is a private custom domain name: give EndpointConfiguration with the Types [PRIVATE], or use AWS::ApiGateway::DomainName.")
	}
	out, err := call[aws.CreateDomainNameOutput](service.WithCreateToken(ctx, c.Token), g, "CreateDomainName", in)
	if err != nil {
		return service.Resource{}, err
	}
	return domainV2Resource(out), nil
}

func (g *Gateway) updateDomainV2Resource(ctx context.Context, c service.ResourceCall, old, p *domainV2Properties) (service.Resource, error) {
	was, err := service.Document(old.Policy)
	if err != nil {
		return service.Resource{}, err
	}
	policy, err := service.Document(p.Policy)
	if err != nil {
		return service.Resource{}, err
	}
	var e edits
	e.set("/certificateArn", old.CertificateArn, p.CertificateArn)
	e.set("/policy", &was, &policy)
	if p.RoutingMode != nil {
		e.set("/routingMode", old.RoutingMode, p.RoutingMode)
	}
	if p.EndpointAccessMode != nil {
		e.set("/endpointAccessMode", old.EndpointAccessMode, p.EndpointAccessMode)
	}
	name, id, _ := nameOf(c.PhysicalID)
	out, err := call[aws.UpdateDomainNameOutput](ctx, g, "UpdateDomainName", &aws.UpdateDomainNameInput{DomainName: name, DomainNameId: id, PatchOperations: e})
	if err != nil {
		return service.Resource{}, err
	}
	return domainV2Resource(out), g.retagARN(ctx, c, c.PhysicalID, old.Tags, p.Tags)
}

func (g *Gateway) deleteDomainV2Resource(ctx context.Context, c service.ResourceCall, _ *domainV2Properties) error {
	name, id, _ := nameOf(c.PhysicalID)
	return drop[aws.DeleteDomainNameOutput](ctx, g, "DeleteDomainName", &aws.DeleteDomainNameInput{DomainName: name, DomainNameId: id})
}

func (g *Gateway) readDomainV2Resource(ctx context.Context, id service.Identifier) (*domainV2Properties, service.Resource, error) {
	name, of, _ := nameOf(id[0])
	n, err := call[aws.GetDomainNameOutput](ctx, g, "GetDomainName", &aws.GetDomainNameInput{DomainName: name, DomainNameId: of})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[domainV2Properties](n), domainV2Resource(n), nil
}

// mappingV2Properties are those of AWS::ApiGateway::BasePathMappingV2, which Ref shows by its ARN.
type mappingV2Properties struct {
	BasePath      *string `cfn:"BasePath,createOnly"`
	DomainNameArn string  `cfn:"DomainNameArn,required,createOnly"`
	RestApiId     string  `cfn:"RestApiId,required"`
	Stage         *string `cfn:"Stage"`
}

func (g *Gateway) mappingV2Type() service.ResourceType {
	return service.NewResourceType("AWS::ApiGateway::BasePathMappingV2", service.ResourceSpec[mappingV2Properties]{
		Attributes: []string{"BasePathMappingArn"}, Create: g.createMappingV2Resource, Update: g.updateMappingV2Resource, Delete: g.deleteMappingV2Resource,
		Identifier: []string{"BasePathMappingArn"}, Read: g.readMappingV2Resource, Missing: []string{codeMissing},
		List: pages(g, "GetBasePathMappings", func(p *mappingV2Properties, next *string) any {
			name, id, _ := nameOf(p.DomainNameArn)
			return &aws.GetBasePathMappingsInput{DomainName: name, DomainNameId: id, Position: next, Limit: pageLimit()}
		}, func(o *aws.GetBasePathMappingsOutput) ([]aws.BasePathMapping, *string) { return o.Items, o.Position }, func(p *mappingV2Properties, v *aws.BasePathMapping) service.Identifier {
			return service.Identifier{mappingARN(p.DomainNameArn, v.BasePath)}
		}), ListBy: []string{"DomainNameArn"},
	})
}

// mappings is what is between the ARN of a name and a base path in the ARN of a mapping.
const mappings = "/basepathmappings/"

func mappingARN(domainARN string, basePath *string) string {
	if text(basePath) == "" {
		return domainARN + mappings + noBasePath
	}
	return domainARN + mappings + *basePath
}

func mappingV2Resource(arn string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"BasePathMappingArn": arn}}
}

func (g *Gateway) createMappingV2Resource(ctx context.Context, c service.ResourceCall, p *mappingV2Properties) (service.Resource, error) {
	name, id, _ := nameOf(p.DomainNameArn)
	in := &aws.CreateBasePathMappingInput{DomainName: name, DomainNameId: id, BasePath: p.BasePath, RestApiId: p.RestApiId, Stage: p.Stage}
	_, err := call[aws.CreateBasePathMappingOutput](ctx, g, "CreateBasePathMapping", in)
	if c.Retry && service.Code(err) == "ConflictException" {
		err = nil
	}
	return mappingV2Resource(mappingARN(p.DomainNameArn, p.BasePath)), err
}

func (g *Gateway) updateMappingV2Resource(ctx context.Context, c service.ResourceCall, old, p *mappingV2Properties) (service.Resource, error) {
	var e edits
	e.set("/restapiId", &old.RestApiId, &p.RestApiId)
	e.set("/stage", old.Stage, p.Stage)
	name, id, path := nameOf(c.PhysicalID)
	in := &aws.UpdateBasePathMappingInput{DomainName: name, DomainNameId: id, BasePath: strings.TrimPrefix("/"+path, mappings), PatchOperations: e}
	_, err := call[aws.UpdateBasePathMappingOutput](ctx, g, "UpdateBasePathMapping", in)
	return mappingV2Resource(c.PhysicalID), err
}

func (g *Gateway) deleteMappingV2Resource(ctx context.Context, c service.ResourceCall, _ *mappingV2Properties) error {
	name, id, path := nameOf(c.PhysicalID)
	in := &aws.DeleteBasePathMappingInput{DomainName: name, DomainNameId: id, BasePath: strings.TrimPrefix("/"+path, mappings)}
	return drop[aws.DeleteBasePathMappingOutput](ctx, g, "DeleteBasePathMapping", in)
}

func (g *Gateway) readMappingV2Resource(ctx context.Context, id service.Identifier) (*mappingV2Properties, service.Resource, error) {
	name, of, path := nameOf(id[0])
	m, err := call[aws.GetBasePathMappingOutput](ctx, g, "GetBasePathMapping", &aws.GetBasePathMappingInput{DomainName: name, DomainNameId: of, BasePath: strings.TrimPrefix("/"+path, mappings)})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[mappingV2Properties](m)
	p.DomainNameArn, _, _ = strings.Cut(id[0], mappings)
	if text(p.BasePath) == noBasePath {
		p.BasePath = nil
	}
	return p, mappingV2Resource(id[0]), nil
}

// associationProperties are those of AWS::ApiGateway::DomainNameAccessAssociation, which Ref shows by its ARN. All of them make another one.
type associationProperties struct {
	AccessAssociationSource     string                `cfn:"AccessAssociationSource,required,createOnly"`
	AccessAssociationSourceType string                `cfn:"AccessAssociationSourceType,required,createOnly"`
	DomainNameArn               string                `cfn:"DomainNameArn,required,createOnly"`
	Tags                        []service.TagProperty `cfn:"Tags,createOnly"`
}

func (g *Gateway) associationType() service.ResourceType {
	return service.NewResourceType("AWS::ApiGateway::DomainNameAccessAssociation", service.ResourceSpec[associationProperties]{
		Attributes: []string{"DomainNameAccessAssociationArn"}, Create: g.createAssociationResource, Delete: g.deleteAssociationResource,
		Identifier: []string{"DomainNameAccessAssociationArn"}, Read: g.readAssociationResource, Missing: []string{codeMissing},
		List: pages(g, "GetDomainNameAccessAssociations", func(_ *associationProperties, next *string) any {
			return &aws.GetDomainNameAccessAssociationsInput{Position: next, Limit: pageLimit()}
		}, func(o *aws.GetDomainNameAccessAssociationsOutput) ([]aws.DomainNameAccessAssociation, *string) {
			return o.Items, o.Position
		}, func(_ *associationProperties, v *aws.DomainNameAccessAssociation) service.Identifier {
			return service.Identifier{text(v.DomainNameAccessAssociationArn)}
		}),
	})
}

func associationResource(a *aws.DomainNameAccessAssociation) service.Resource {
	return withID(a.DomainNameAccessAssociationArn, "DomainNameAccessAssociationArn")
}

func (g *Gateway) createAssociationResource(ctx context.Context, c service.ResourceCall, p *associationProperties) (service.Resource, error) {
	out, err := call[aws.CreateDomainNameAccessAssociationOutput](ctx, g, "CreateDomainNameAccessAssociation", &aws.CreateDomainNameAccessAssociationInput{
		AccessAssociationSource: p.AccessAssociationSource, AccessAssociationSourceType: p.AccessAssociationSourceType, DomainNameArn: p.DomainNameArn, Tags: c.AllTags(p.Tags),
	})
	if c.Retry && service.Code(err) == "ConflictException" {
		out, err = g.findAssociation(ctx, func(a *aws.DomainNameAccessAssociation) bool {
			return text(a.AccessAssociationSource) == p.AccessAssociationSource && text(a.DomainNameArn) == p.DomainNameArn
		})
	}
	if err != nil {
		return service.Resource{}, err
	}
	return associationResource(out), nil
}

func (g *Gateway) deleteAssociationResource(ctx context.Context, c service.ResourceCall, _ *associationProperties) error {
	return drop[aws.DeleteDomainNameAccessAssociationOutput](ctx, g, "DeleteDomainNameAccessAssociation", &aws.DeleteDomainNameAccessAssociationInput{DomainNameAccessAssociationArn: c.PhysicalID})
}

// findAssociation returns the association of the account for which match is true: there is no call for one of them.
func (g *Gateway) findAssociation(ctx context.Context, match func(a *aws.DomainNameAccessAssociation) bool) (*aws.DomainNameAccessAssociation, error) {
	in := &aws.GetDomainNameAccessAssociationsInput{Limit: pageLimit()}
	for {
		out, err := call[aws.GetDomainNameAccessAssociationsOutput](ctx, g, "GetDomainNameAccessAssociations", in)
		if err != nil {
			return nil, err
		}
		for i := range out.Items {
			if match(&out.Items[i]) {
				return &out.Items[i], nil
			}
		}
		if in.Position = out.Position; in.Position == nil {
			return nil, notFound("Invalid domain name access association identifier specified")
		}
	}
}

func (g *Gateway) readAssociationResource(ctx context.Context, id service.Identifier) (*associationProperties, service.Resource, error) {
	a, err := g.findAssociation(ctx, func(a *aws.DomainNameAccessAssociation) bool { return text(a.DomainNameAccessAssociationArn) == id[0] })
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[associationProperties](a), associationResource(a), nil
}
