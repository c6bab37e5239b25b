package apigateway

import (
	"context"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

// The routing modes by what the two APIs call them.
var routingModes = map[string]string{
	aws.RoutingModeBasePathMappingOnly: domain.MappingOnly, aws.RoutingModeRoutingRuleOnly: domain.RuleOnly, aws.RoutingModeRoutingRuleThenBasePathMapping: domain.RuleFirst,
}

func domainScope(ctx context.Context) domain.Scope { return domain.Scope(scopeOf(ctx)) }

func domainView(s domain.Scope, n *domain.Name) *aws.DomainName {
	out := &aws.DomainName{
		DomainName: ptr(n.Domain), DomainNameArn: ptr(n.ARN(s)), DomainNameStatus: aws.DomainNameStatusAvailable, SecurityPolicy: n.SecurityPolicy, EndpointAccessMode: n.AccessMode, Tags: n.Tags,
		EndpointConfiguration: &aws.EndpointConfiguration{Types: []string{n.Endpoint}, IpAddressType: n.AddressType}, OwnershipVerificationCertificateArn: optional(n.Certificate.Ownership),
		Policy: optional(n.Policy), ManagementPolicy: optional(n.ManagementPolicy),
	}
	for mode, kept := range routingModes {
		if kept == n.RoutingMode {
			out.RoutingMode = mode
		}
	}
	switch n.Endpoint {
	case domain.Regional:
		out.RegionalDomainName, out.RegionalHostedZoneId = ptr(n.Target(s.Region)), ptr(n.HostedZone())
		out.RegionalCertificateArn, out.RegionalCertificateName = optional(n.Certificate.ARN), optional(n.Certificate.Name)
	case domain.Private:
		out.DomainNameId, out.CertificateUploadDate = ptr(n.ID), ptr(n.Certificate.Uploaded)
		out.CertificateArn, out.CertificateName = optional(n.Certificate.ARN), optional(n.Certificate.Name)
	default:
		out.DistributionDomainName, out.DistributionHostedZoneId = ptr(n.Target(s.Region)), ptr(n.HostedZone())
		out.CertificateArn, out.CertificateName = optional(n.Certificate.ARN), optional(n.Certificate.Name)
		out.CertificateUploadDate = ptr(n.Certificate.Uploaded)
	}
	if m := n.MutualTLS; m != nil {
		out.MutualTlsAuthentication = &aws.MutualTlsAuthentication{TruststoreUri: ptr(m.URI), TruststoreVersion: optional(m.Version), TruststoreWarnings: m.Warnings}
	}
	return out
}

// setEndpoint puts the endpoint configuration of a name into its record.
func setEndpoint(n *domain.Name, e *aws.EndpointConfiguration) error {
	n.Endpoint = domain.Edge
	if e == nil {
		return nil
	}
	if len(e.Types) != 1 {
		return badRequest("Cannot create a domain name with %d Endpoint Types: give one.", len(e.Types))
	}
	if len(e.VpcEndpointIds) > 0 {
		return badRequest("VPCEndpoints can only be specified with PRIVATE apis: a VPC endpoint reaches a private custom domain name by a domain name access association.")
	}
	n.Endpoint, n.AddressType = e.Types[0], e.IpAddressType
	return nil
}

// uploadedCertificate refuses the members that upload a certificate with its key: a name takes the certificate of ACM by its ARN.
func uploadedCertificate(in *aws.CreateDomainNameInput) error {
	for _, m := range []struct {
		name  string
		given *string
	}{
		{"certificateBody", in.CertificateBody}, {"certificatePrivateKey", in.CertificatePrivateKey}, {"certificateChain", in.CertificateChain},
	} {
		if m.given != nil {
			return unsupported("CreateDomainName", m.name)
		}
	}
	return nil
}

func (g *Gateway) createDomainName(ctx context.Context, in *aws.CreateDomainNameInput) (*aws.CreateDomainNameOutput, error) {
	if in.DomainName == "" {
		return nil, badRequest("No Domain Name specified")
	}
	if err := uploadedCertificate(in); err != nil {
		return nil, err
	}
	n := domain.Name{
		Domain: in.DomainName, SecurityPolicy: in.SecurityPolicy, AccessMode: in.EndpointAccessMode, RoutingMode: routingModes[in.RoutingMode], Policy: text(in.Policy), Tags: in.Tags,
	}
	err := setEndpoint(&n, in.EndpointConfiguration)
	if err == nil && n.Endpoint == domain.Private {
		n.ID, err = g.idFor(ctx, 10)
	}
	if err != nil {
		return nil, err
	}
	arn, name := in.CertificateArn, in.CertificateName
	if n.Endpoint == domain.Regional {
		arn, name = in.RegionalCertificateArn, in.RegionalCertificateName
	}
	if text(arn) == "" {
		return nil, badRequest("A certificate is needed: give certificateArn for an edge-optimized or private domain name and regionalCertificateArn for a regional one.")
	}
	if err := domain.CheckCertificate(domainScope(ctx), n.Endpoint, *arn); err != nil {
		return nil, err
	}
	n.Certificate = domain.Certificate{ARN: text(arn), Name: text(name), Uploaded: g.deps.Clock.Now().UTC(), Ownership: text(in.OwnershipVerificationCertificateArn)}
	if m := in.MutualTlsAuthentication; m != nil && text(m.TruststoreUri) != "" {
		n.MutualTLS = &domain.MutualTLS{URI: *m.TruststoreUri, Version: text(m.TruststoreVersion)}
	}
	if err := g.options.Domains.Create(ctx, domainScope(ctx), &n); err != nil {
		return nil, err
	}
	return domainView(domainScope(ctx), &n), nil
}

func (g *Gateway) getDomainName(ctx context.Context, in *aws.GetDomainNameInput) (*aws.GetDomainNameOutput, error) {
	n, err := g.options.Domains.Get(ctx, domainScope(ctx), domain.Ref(in.DomainName, text(in.DomainNameId)))
	if err != nil {
		return nil, err
	}
	return domainView(domainScope(ctx), &n), nil
}

func (g *Gateway) getDomainNames(ctx context.Context, in *aws.GetDomainNamesInput) (*aws.GetDomainNamesOutput, error) {
	out := &aws.GetDomainNamesOutput{Items: []aws.DomainName{}}
	if in.ResourceOwner == aws.ResourceOwnerOtherAccounts {
		return out, nil // names are not shared
	}
	var err error
	out.Position, err = g.options.Domains.Names(ctx, domainScope(ctx), in.Position, limitOf(in.Limit), func(n *domain.Name) bool {
		out.Items = append(out.Items, *domainView(domainScope(ctx), n))
		return true
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var domainPatches = patch.Table[domain.Name]{Wording: patch.Terse, Paths: []patch.Path[domain.Name]{
	{Pattern: "/certificateArn", Ops: "replace", Apply: patch.Plain(func(n *domain.Name) *string { return &n.Certificate.ARN })},
	{Pattern: "/certificateName", Ops: "replace", Apply: patch.Plain(func(n *domain.Name) *string { return &n.Certificate.Name })},
	{Pattern: "/regionalCertificateArn", Ops: "replace", Apply: patch.Plain(func(n *domain.Name) *string { return &n.Certificate.ARN })},
	{Pattern: "/regionalCertificateName", Ops: "replace", Apply: patch.Plain(func(n *domain.Name) *string { return &n.Certificate.Name })},
	{Pattern: "/ownershipVerificationCertificateArn", Ops: "replace,remove", Apply: patch.Plain(func(n *domain.Name) *string { return &n.Certificate.Ownership })},
	{Pattern: "/securityPolicy", Ops: "replace", Apply: patch.Plain(func(n *domain.Name) *string { return &n.SecurityPolicy })},
	{Pattern: "/endpointAccessMode", Ops: "replace", Apply: patch.Plain(func(n *domain.Name) *string { return &n.AccessMode })},
	{Pattern: "/policy", Ops: "replace,remove", Apply: patch.Plain(func(n *domain.Name) *string { return &n.Policy })},
	{Pattern: "/managementPolicy", Ops: "replace,remove", Apply: patch.Plain(func(n *domain.Name) *string { return &n.ManagementPolicy })},
	{Pattern: "/routingMode", Ops: "replace", Apply: func(n *domain.Name, e patch.Edit) error {
		mode, ok := routingModes[e.Text()]
		if !ok {
			return badRequest("Invalid routing mode %q: it is one of %s.", e.Text(), strings.Join(sortedKeys(routingModes), ", "))
		}
		n.RoutingMode = mode
		return nil
	}},
	{Pattern: "/endpointConfiguration/types/{}", Ops: "replace", Apply: func(n *domain.Name, e patch.Edit) error {
		return setEndpoint(n, &aws.EndpointConfiguration{Types: []string{e.Text()}, IpAddressType: n.AddressType})
	}},
	{Pattern: "/endpointConfiguration/ipAddressType", Ops: "replace", Apply: patch.Plain(func(n *domain.Name) *string { return &n.AddressType })},
	{Pattern: "/mutualTlsAuthentication/truststoreUri", Ops: "replace,remove", Apply: func(n *domain.Name, e patch.Edit) error {
		if n.MutualTLS = nil; e.Op == "replace" && e.Text() != "" {
			n.MutualTLS = &domain.MutualTLS{URI: e.Text()}
		}
		return nil
	}},
	{Pattern: "/mutualTlsAuthentication/truststoreVersion", Ops: "replace,remove", Apply: func(n *domain.Name, e patch.Edit) error {
		if n.MutualTLS == nil {
			return badRequest("The domain name has no trust store whose version could be set.")
		}
		n.MutualTLS = &domain.MutualTLS{URI: n.MutualTLS.URI, Version: e.Text()}
		return nil
	}},
}}

// changeDomain applies the edits of an update to a name.
func changeDomain(s domain.Scope, n *domain.Name, edits []aws.PatchOperation) error {
	before := n.Certificate.ARN
	if err := domainPatches.Apply(n, edits); err != nil || n.Certificate.ARN == before {
		return err
	}
	return domain.CheckCertificate(s, n.Endpoint, n.Certificate.ARN)
}

func (g *Gateway) updateDomainName(ctx context.Context, in *aws.UpdateDomainNameInput) (*aws.UpdateDomainNameOutput, error) {
	s := domainScope(ctx)
	n, err := g.options.Domains.Change(ctx, s, domain.Ref(in.DomainName, text(in.DomainNameId)), func(n *domain.Name) error { return changeDomain(s, n, in.PatchOperations) })
	if err != nil {
		return nil, err
	}
	return domainView(domainScope(ctx), &n), nil
}

func (g *Gateway) deleteDomainName(ctx context.Context, in *aws.DeleteDomainNameInput) (*aws.DeleteDomainNameOutput, error) {
	return &aws.DeleteDomainNameOutput{}, g.options.Domains.Delete(ctx, domainScope(ctx), domain.Ref(in.DomainName, text(in.DomainNameId)))
}

// noBasePath is how the mapping of a whole name is called.
const noBasePath = "(none)"

func mappingView(m *domain.Mapping) *aws.BasePathMapping {
	out := &aws.BasePathMapping{BasePath: ptr(noBasePath), RestApiId: ptr(m.API), Stage: optional(m.Stage)}
	if m.Path != "" {
		out.BasePath = ptr(m.Path)
	}
	return out
}

// mappingPath returns the path of a mapping.
func mappingPath(basePath string) string {
	if basePath == noBasePath {
		return ""
	}
	return strings.Trim(basePath, "/")
}

func (g *Gateway) createMapping(ctx context.Context, in *aws.CreateBasePathMappingInput) (*aws.CreateBasePathMappingOutput, error) {
	m := domain.Mapping{Path: mappingPath(text(in.BasePath)), API: in.RestApiId, Stage: text(in.Stage)}
	err := g.options.Domains.PutMapping(ctx, domainScope(ctx), domain.Ref(in.DomainName, text(in.DomainNameId)), &m)
	if service.Code(err) == "ConflictException" {
		err = conflict("Base path already exists for this domain name")
	}
	if err != nil {
		return nil, err
	}
	return mappingView(&m), nil
}

func (g *Gateway) findMapping(ctx context.Context, name, basePath string) (domain.Mapping, error) {
	path := mappingPath(basePath)
	m, err := g.options.Domains.Mapping(ctx, domainScope(ctx), name, func(m *domain.Mapping) bool { return m.Path == path })
	if isNotFound(err) && strings.Contains(err.Error(), "mapping") {
		err = notFound("Invalid base path mapping identifier specified")
	}
	return m, err
}

func (g *Gateway) getMapping(ctx context.Context, in *aws.GetBasePathMappingInput) (*aws.GetBasePathMappingOutput, error) {
	m, err := g.findMapping(ctx, domain.Ref(in.DomainName, text(in.DomainNameId)), in.BasePath)
	if err != nil {
		return nil, err
	}
	return mappingView(&m), nil
}

func (g *Gateway) getMappings(ctx context.Context, in *aws.GetBasePathMappingsInput) (*aws.GetBasePathMappingsOutput, error) {
	all, err := g.options.Domains.Mappings(ctx, domainScope(ctx), domain.Ref(in.DomainName, text(in.DomainNameId)))
	if err != nil {
		return nil, err
	}
	items, next, err := page(all, func(m *domain.Mapping) string { return m.Path }, in.Position, in.Limit)
	out := &aws.GetBasePathMappingsOutput{Items: make([]aws.BasePathMapping, len(items)), Position: next}
	for i := range items {
		out.Items[i] = *mappingView(&items[i])
	}
	return out, err
}

var mappingPatches = patch.Table[domain.Mapping]{Wording: patch.Listed, Paths: []patch.Path[domain.Mapping]{
	{Pattern: "/basePath", Ops: "replace", Apply: func(m *domain.Mapping, e patch.Edit) error { m.Path = mappingPath(e.Text()); return nil }},
	{Pattern: "/restapiId", Ops: "replace", Apply: patch.Plain(func(m *domain.Mapping) *string { return &m.API })},
	{Pattern: "/stage", Ops: "replace,remove", Apply: patch.Plain(func(m *domain.Mapping) *string { return &m.Stage })},
}}

func (g *Gateway) updateMapping(ctx context.Context, in *aws.UpdateBasePathMappingInput) (*aws.UpdateBasePathMappingOutput, error) {
	m, err := g.findMapping(ctx, domain.Ref(in.DomainName, text(in.DomainNameId)), in.BasePath)
	if err != nil {
		return nil, err
	}
	if err := mappingPatches.Apply(&m, in.PatchOperations); err != nil {
		return nil, err
	}
	if err := g.options.Domains.PutMapping(ctx, domainScope(ctx), domain.Ref(in.DomainName, text(in.DomainNameId)), &m); err != nil {
		return nil, err
	}
	return mappingView(&m), nil
}

func (g *Gateway) deleteMapping(ctx context.Context, in *aws.DeleteBasePathMappingInput) (*aws.DeleteBasePathMappingOutput, error) {
	m, err := g.findMapping(ctx, domain.Ref(in.DomainName, text(in.DomainNameId)), in.BasePath)
	if err == nil {
		err = g.options.Domains.DeleteMapping(ctx, domainScope(ctx), domain.Ref(in.DomainName, text(in.DomainNameId)), m.ID)
	}
	return &aws.DeleteBasePathMappingOutput{}, err
}
