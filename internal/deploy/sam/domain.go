package sam

import (
	"strings"
	gounicode "unicode"
)

// edgeZone is the DNS zone of all CloudFront distributions, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/quickref-route53.html.
const edgeZone = "Z2FDTNDATAQYW2"

// domain makes the custom domain name of a REST API with its mappings and DNS records.
func (a *restAPI) domain() ([]*resource, error) {
	v := a.get("Domain")
	if v == nil {
		return nil, nil
	}
	given, err := inResource(a.id, "Domain").dict(v)
	if err != nil {
		return nil, err
	}
	for _, k := range []string{"DomainName", "CertificateArn"} {
		if err := inResource(a.id, "Domain."+k).present(given.get(k)); err != nil {
			return nil, err
		}
	}
	d := &restDomain{a, given, "ApiGatewayDomainName" + logicalID("", given.get("DomainName"))}
	if is(given.get("EndpointConfiguration"), "PRIVATE") {
		return d.private()
	}
	return d.public()
}

// restDomain is the custom domain name of a REST API.
type restDomain struct {
	*restAPI
	given *dict
	id    string
}

func (d *restDomain) public() ([]*resource, error) {
	given := d.given
	given.set("ApiDomainName", d.id)
	if given.get("EndpointConfiguration") == nil {
		given.set("EndpointConfiguration", "REGIONAL")
	}
	endpoint := given.get("EndpointConfiguration")
	if !is(endpoint, "EDGE", "REGIONAL", "PRIVATE") {
		return nil, invalid(d.restAPI.id, "EndpointConfiguration for Custom Domains must be one of %s.", texts("EDGE", "REGIONAL", "PRIVATE"))
	}
	p := dictOf("DomainName", given.get("DomainName"))
	if is(endpoint, "REGIONAL") {
		p.set("RegionalCertificateArn", given.get("CertificateArn"))
	} else {
		p.set("CertificateArn", given.get("CertificateArn"))
	}
	d.endpoint(p)
	if v := given.get("MutualTlsAuthentication"); truthy(v) {
		tls, err := inResource(d.restAPI.id, "Domain.MutualTlsAuthentication").dict(v)
		if err != nil {
			return nil, err
		}
		if unknownTLS(tls) {
			return nil, invalid(d.restAPI.id, "Available Domain.MutualTlsAuthentication fields are %s.", texts("TruststoreUri", "TruststoreVersion"))
		}
		p.set("MutualTlsAuthentication", trustStore(tls))
	}
	d.optional(p, "SecurityPolicy", "EndpointAccessMode", "Policy", "OwnershipVerificationCertificateArn")
	p.remove("Policy")
	domain := d.beside("AWS::ApiGateway::DomainName", d.id, p)
	mappings, err := d.mappings("AWS::ApiGateway::BasePathMapping", "DomainName")
	if err != nil {
		return nil, err
	}
	records, err := d.records(d.id)
	return append(append([]*resource{domain}, mappings...), records...), err
}

// private is a domain name that only networks with access to it reach.
func (d *restDomain) private() ([]*resource, error) {
	given := d.given
	d.id = "ApiGatewayDomainNameV2" + logicalID("", given.get("DomainName"))
	p := dictOf("DomainName", given.get("DomainName"), "CertificateArn", given.get("CertificateArn"))
	d.endpoint(p)
	d.optional(p, "SecurityPolicy", "EndpointAccessMode", "Policy")
	domain := d.beside("AWS::ApiGateway::DomainNameV2", d.id, p)
	mappings, err := d.mappings("AWS::ApiGateway::BasePathMappingV2", "DomainNameArn")
	if err != nil {
		return nil, err
	}
	made := append([]*resource{domain}, mappings...)
	var access *resource
	if v := given.get("AccessAssociation"); v != nil {
		a, err := inResource(d.restAPI.id, "Domain.AccessAssociation").dict(v)
		if err != nil {
			return nil, err
		}
		endpoint := a.get("VpcEndpointId")
		access = d.beside("AWS::ApiGateway::DomainNameAccessAssociation", logicalID("DomainNameAccessAssociation", []any{endpoint, d.id}),
			dictOf("DomainNameArn", ref(d.id), "AccessAssociationSourceType", "VPCE", "AccessAssociationSource", endpoint))
	}
	records, err := d.records(given.get("DomainName"))
	if made = append(made, records...); access != nil {
		made = append(made, access)
	}
	return made, err
}

func (d *restDomain) endpoint(p *dict) {
	configuration := dictOf("Types", []any{d.given.get("EndpointConfiguration")})
	if v := d.given.get("IpAddressType"); truthy(v) {
		configuration.set("IpAddressType", v)
	}
	p.set("EndpointConfiguration", configuration)
}

func (d *restDomain) optional(p *dict, names ...string) {
	for _, k := range names {
		if v := d.given.get(k); truthy(v) {
			p.set(k, v)
		}
	}
}

// mappings lead from paths of the domain name to the API; key is the property that names the domain.
func (d *restDomain) mappings(typ, key string) ([]*resource, error) {
	api := d.restAPI.id
	mapping := func(id string) *resource {
		return d.beside(typ, id, dictOf(key, ref(d.id), "RestApiId", ref(api), "Stage", ref(api+".Stage")))
	}
	paths := basePaths(d.given)
	if paths == nil {
		return []*resource{mapping(api + "BasePathMapping")}, nil
	}
	list, err := inResource(api, "Domain.BasePath").texts(paths)
	if err != nil {
		return nil, err
	}
	var out []*resource
	for _, e := range list {
		path, _ := text(e)
		plain := strings.Map(func(c rune) rune {
			if gounicode.IsLetter(c) || gounicode.IsNumber(c) {
				return c
			}
			return -1
		}, path)
		m := mapping(api + plain + "BasePathMapping")
		if !d.given.has("NormalizeBasePath") || truthy(d.given.get("NormalizeBasePath")) {
			path = plain
		}
		m.set("BasePath", path)
		out = append(out, m)
	}
	return out, nil
}

// basePaths are the paths of a domain name that lead to an API: nil is all of them.
func basePaths(domain *dict) any {
	switch v := domain.get("BasePath").(type) {
	case []any:
		if len(v) > 0 {
			return v
		}
	case string, unicode:
		if truthy(v) {
			return []any{v}
		}
	}
	return nil
}

func unknownTLS(tls *dict) bool {
	for k := range tls.all() {
		if k != "TruststoreUri" && k != "TruststoreVersion" {
			return true
		}
	}
	return false
}

func trustStore(tls *dict) *dict {
	out := newDict()
	for _, k := range []string{"TruststoreUri", "TruststoreVersion"} {
		if v := tls.get(k); truthy(v) {
			out.set(k, v)
		}
	}
	return out
}

// records makes the DNS records of a domain name; APIs whose names are in one zone share a group of them.
func (d *restDomain) records(domain any) ([]*resource, error) {
	v := d.given.get("Route53")
	if v == nil {
		return nil, nil
	}
	zone, err := inResource(d.restAPI.id, "Domain.Route53").dict(v)
	if err != nil {
		return nil, err
	}
	if zone.get("HostedZoneId") == nil && zone.get("HostedZoneName") == nil {
		return nil, noZone(d.restAPI.id)
	}
	if separate := zone.get("SeparateRecordSetGroup"); truthy(separate) {
		if err := inResource(d.restAPI.id, "Domain.Route53.SeparateRecordSetGroup").bool(separate); err != nil {
			return nil, err
		}
		p := newDict()
		for _, k := range []string{"HostedZoneId", "HostedZoneName"} {
			if v := zone.get(k); truthy(v) {
				p.set(k, v)
			}
		}
		p.set("RecordSets", recordSets(d.given, zone, d.alias(zone, domain)))
		return []*resource{d.beside("AWS::Route53::RecordSetGroup", logicalID("RecordSetGroup", []any{zoneOf(zone), d.given.get("DomainName")}), p)}, nil
	}
	return []*resource{d.addRecords(d.source, zone, recordSets(d.given, zone, d.alias(zone, domain)))}, nil
}

func zoneOf(zone *dict) any {
	if v := zone.get("HostedZoneId"); truthy(v) {
		return v
	}
	return zone.get("HostedZoneName")
}

func noZone(id string) error {
	return invalid(id, "HostedZoneId or HostedZoneName is required to enable Route53 support on Custom Domains.")
}

// addRecords adds records to the group of a zone, which the first of its APIs makes.
func (t *transform) addRecords(s *source, zone *dict, records []any) *resource {
	id := logicalID("RecordSetGroup", zoneOf(zone))
	group := t.recordSets[id]
	// AWS's transform does not let WebSocket APIs share: the records of the last one stay.
	if group == nil || s.typ == typeWebSocketAPI {
		p := newDict()
		for _, k := range []string{"HostedZoneId", "HostedZoneName"} {
			if zone.has(k) && (s.typ == typeAPI || p.len() == 0) {
				p.set(k, zone.get(k))
			}
		}
		group = s.beside("AWS::Route53::RecordSetGroup", id, p)
		t.recordSets[id] = group
	}
	group.set("RecordSets", append(append([]any{}, asList(group.get("RecordSets"))...), records...))
	return group
}

// recordSets are the records of a domain name for IPv4, and for IPv6 if it is wanted.
func recordSets(domain, zone, alias *dict) []any {
	var out []any
	for _, typ := range []string{"A", "AAAA"} {
		if typ == "AAAA" && zone.get("IpV6") != true {
			break
		}
		out = append(out, dictOf("Name", domain.get("DomainName"), "Type", typ, "AliasTarget", alias, "Region", zone.get("Region"), "SetIdentifier", zone.get("SetIdentifier")))
	}
	return out
}

// alias is what the records of the domain name stand for.
func (d *restDomain) alias(zone *dict, domain any) *dict {
	out := dictOf("EvaluateTargetHealth", zone.get("EvaluateTargetHealth"))
	att := func(attribute string) any { return dictOf("Fn::GetAtt", []any{domain, attribute}) }
	switch endpoint := d.given.get("EndpointConfiguration"); {
	case is(endpoint, "REGIONAL"):
		return out.with("HostedZoneId", att("RegionalHostedZoneId"), "DNSName", att("RegionalDomainName"))
	case is(endpoint, "EDGE"):
		if zone.get("DistributionDomainName") == nil {
			zone.set("DistributionDomainName", att("DistributionDomainName"))
		}
		return out.with("HostedZoneId", edgeZone, "DNSName", zone.get("DistributionDomainName"))
	}
	out.set("HostedZoneId", zone.get("VpcEndpointHostedZoneId"))
	out.set("DNSName", zone.get("VpcEndpointDomainName"))
	return out
}
