package apigatewayv2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/lib/members"
)

// domainScope is the scope of a call for custom domain names.
func domainScope(ctx context.Context) domain.Scope {
	s := scopeOf(ctx)
	return domain.Scope{Account: s.account, Region: s.region}
}

// domainView returns the public form of a name. The outputs of all calls about names have the same members.
func domainView(s domain.Scope, n *domain.Name) *api.DomainName {
	out := &api.DomainName{
		ApiMappingSelectionExpression: ptr("$request.basepath"), DomainName: n.Domain, DomainNameArn: ptr(n.ARN(s)), RoutingMode: n.RoutingMode, Tags: n.Tags,
		DomainNameConfigurations: []api.DomainNameConfiguration{{
			ApiGatewayDomainName: ptr(n.Target(s.Region)), CertificateArn: optional(n.Certificate.ARN), CertificateName: optional(n.Certificate.Name),
			CertificateUploadDate: ptr(n.Certificate.Uploaded), DomainNameStatus: "AVAILABLE", EndpointType: n.Endpoint, HostedZoneId: ptr(n.HostedZone()),
			IpAddressType: n.AddressType, SecurityPolicy: n.SecurityPolicy, OwnershipVerificationCertificateArn: optional(n.Certificate.Ownership),
		}},
	}
	if m := n.MutualTLS; m != nil {
		out.MutualTlsAuthentication = &api.MutualTlsAuthentication{TruststoreUri: ptr(m.URI), TruststoreVersion: optional(m.Version), TruststoreWarnings: m.Warnings}
	}
	return out
}

// configure puts the configuration of a name into its record.
func (g *Gateway) configure(s domain.Scope, n *domain.Name, configurations []api.DomainNameConfiguration) error {
	if len(configurations) != 1 {
		return badRequest("Exactly one domain name configuration has to be provided.")
	}
	c := configurations[0]
	if c.EndpointType != "" {
		n.Endpoint = c.EndpointType
	}
	if n.Endpoint == "" {
		n.Endpoint = domain.Regional
	}
	if n.Endpoint != domain.Regional {
		return badRequest("Endpoint type %s is not supported: custom domain names of this API are REGIONAL.", n.Endpoint)
	}
	if c.SecurityPolicy != "" && c.SecurityPolicy != "TLS_1_2" {
		return badRequest("Security policy %s is not supported for regional custom domain names of HTTP and WebSocket APIs: give TLS_1_2.", c.SecurityPolicy)
	}
	n.SecurityPolicy = "TLS_1_2"
	if c.IpAddressType != "" {
		n.AddressType = c.IpAddressType
	}
	if c.CertificateArn != nil {
		if err := domain.CheckCertificate(s, n.Endpoint, *c.CertificateArn); err != nil {
			return err
		}
		n.Certificate.ARN, n.Certificate.Uploaded = *c.CertificateArn, g.deps.Clock.Now().UTC()
	}
	if c.CertificateName != nil {
		n.Certificate.Name = *c.CertificateName
	}
	if c.OwnershipVerificationCertificateArn != nil {
		n.Certificate.Ownership = *c.OwnershipVerificationCertificateArn
	}
	if n.Certificate.ARN == "" {
		return badRequest("CertificateArn is required in the domain name configuration.")
	}
	return nil
}

func mutualTLS(in *api.MutualTlsAuthenticationInput) *domain.MutualTLS {
	if in == nil || value(in.TruststoreUri) == "" {
		return nil
	}
	return &domain.MutualTLS{URI: *in.TruststoreUri, Version: value(in.TruststoreVersion)}
}

func (g *Gateway) createDomainName(ctx context.Context, in *api.CreateDomainNameInput) (*api.CreateDomainNameOutput, error) {
	n := domain.Name{Domain: in.DomainName, RoutingMode: in.RoutingMode, Tags: in.Tags, MutualTLS: mutualTLS(in.MutualTlsAuthentication)}
	if err := g.configure(domainScope(ctx), &n, in.DomainNameConfigurations); err != nil {
		return nil, err
	}
	if err := g.options.Domains.Create(ctx, domainScope(ctx), &n); err != nil {
		return nil, err
	}
	out := &api.CreateDomainNameOutput{}
	members.Copy(out, domainView(domainScope(ctx), &n))
	return out, nil
}

func (g *Gateway) getDomainName(ctx context.Context, in *api.GetDomainNameInput) (*api.GetDomainNameOutput, error) {
	n, err := g.options.Domains.Get(ctx, domainScope(ctx), domain.Ref(in.DomainName, ""))
	out := &api.GetDomainNameOutput{}
	members.Copy(out, domainView(domainScope(ctx), &n))
	return out, err
}

func (g *Gateway) getDomainNames(ctx context.Context, in *api.GetDomainNamesInput) (*api.GetDomainNamesOutput, error) {
	limit, err := paging{results: in.MaxResults}.limit()
	if err != nil {
		return nil, err
	}
	out := &api.GetDomainNamesOutput{Items: []api.DomainName{}}
	out.NextToken, err = g.options.Domains.Names(ctx, domainScope(ctx), in.NextToken, limit, func(n *domain.Name) bool {
		if n.Endpoint == domain.Private { // this API has no word for it
			return false
		}
		out.Items = append(out.Items, *domainView(domainScope(ctx), n))
		return true
	})
	return out, err
}

func (g *Gateway) updateDomainName(ctx context.Context, in *api.UpdateDomainNameInput) (*api.UpdateDomainNameOutput, error) {
	n, err := g.options.Domains.Change(ctx, domainScope(ctx), domain.Ref(in.DomainName, ""), func(n *domain.Name) error {
		if in.RoutingMode != "" {
			n.RoutingMode = in.RoutingMode
		}
		if in.MutualTlsAuthentication != nil {
			n.MutualTLS = mutualTLS(in.MutualTlsAuthentication)
		}
		if in.DomainNameConfigurations == nil {
			return nil
		}
		return g.configure(domainScope(ctx), n, in.DomainNameConfigurations)
	})
	out := &api.UpdateDomainNameOutput{}
	members.Copy(out, domainView(domainScope(ctx), &n))
	return out, err
}

func (g *Gateway) deleteDomainName(ctx context.Context, in *api.DeleteDomainNameInput) (*api.DeleteDomainNameOutput, error) {
	return &api.DeleteDomainNameOutput{}, g.options.Domains.Delete(ctx, domainScope(ctx), domain.Ref(in.DomainName, ""))
}

func mappingView(m *domain.Mapping) *api.ApiMapping {
	return &api.ApiMapping{ApiId: m.API, ApiMappingId: ptr(m.ID), ApiMappingKey: ptr(m.Path), Stage: m.Stage}
}

func (g *Gateway) createAPIMapping(ctx context.Context, in *api.CreateApiMappingInput) (*api.CreateApiMappingOutput, error) {
	m := domain.Mapping{Path: value(in.ApiMappingKey), API: in.ApiId, Stage: in.Stage}
	err := g.options.Domains.PutMapping(ctx, domainScope(ctx), domain.Ref(in.DomainName, ""), &m)
	out := &api.CreateApiMappingOutput{}
	members.Copy(out, mappingView(&m))
	return out, err
}

// mapping returns a mapping of a name by its id.
func (g *Gateway) mapping(ctx context.Context, name, id string) (domain.Mapping, error) {
	return g.options.Domains.Mapping(ctx, domainScope(ctx), name, func(m *domain.Mapping) bool { return m.ID == id })
}

func (g *Gateway) getAPIMapping(ctx context.Context, in *api.GetApiMappingInput) (*api.GetApiMappingOutput, error) {
	m, err := g.mapping(ctx, domain.Ref(in.DomainName, ""), in.ApiMappingId)
	out := &api.GetApiMappingOutput{}
	members.Copy(out, mappingView(&m))
	return out, err
}

func (g *Gateway) getAPIMappings(ctx context.Context, in *api.GetApiMappingsInput) (*api.GetApiMappingsOutput, error) {
	all, err := g.options.Domains.Mappings(ctx, domainScope(ctx), domain.Ref(in.DomainName, ""))
	if err != nil {
		return nil, err
	}
	out := &api.GetApiMappingsOutput{}
	out.Items, out.NextToken, err = items(all, paging{in.MaxResults, in.NextToken}, func(m *domain.Mapping) string { return m.ID },
		func(m *domain.Mapping) api.ApiMapping { return *mappingView(m) })
	return out, err
}

func (g *Gateway) updateAPIMapping(ctx context.Context, in *api.UpdateApiMappingInput) (*api.UpdateApiMappingOutput, error) {
	m, err := g.mapping(ctx, domain.Ref(in.DomainName, ""), in.ApiMappingId)
	if err != nil {
		return nil, err
	}
	m.API = in.ApiId
	if in.Stage != nil {
		m.Stage = *in.Stage
	}
	if in.ApiMappingKey != nil {
		m.Path = *in.ApiMappingKey
	}
	err = g.options.Domains.PutMapping(ctx, domainScope(ctx), domain.Ref(in.DomainName, ""), &m)
	out := &api.UpdateApiMappingOutput{}
	members.Copy(out, mappingView(&m))
	return out, err
}

func (g *Gateway) deleteAPIMapping(ctx context.Context, in *api.DeleteApiMappingInput) (*api.DeleteApiMappingOutput, error) {
	return &api.DeleteApiMappingOutput{}, g.options.Domains.DeleteMapping(ctx, domainScope(ctx), domain.Ref(in.DomainName, ""), in.ApiMappingId)
}
