package sam

import (
	"regexp"
	"slices"
	"strings"
)

var (
	badBasePath   = regexp.MustCompile(`[^0-9a-zA-Z/\-_]+`)
	basePathMarks = regexp.MustCompile(`[\-_/]+`)
)

// domainV2 makes the custom domain name of an HTTP or WebSocket API with its mappings and DNS records. The mark is the key of the tag that it gets.
func (t *transform) domainV2(s *source, mark string) (domain *resource, mappings, records []*resource, err error) {
	given := s.properties.dict("Domain")
	if given == nil {
		return nil, nil, nil, nil
	}
	if given.get("DomainName") == nil || given.get("CertificateArn") == nil {
		return nil, nil, nil, invalid(s.id, "Custom Domains only works if both DomainName and CertificateArn are provided.")
	}
	id := "ApiGatewayDomainNameV2" + logicalID("", given.get("DomainName"))
	given.set("ApiDomainName", id)
	if given.get("EndpointConfiguration") == nil {
		given.set("EndpointConfiguration", "REGIONAL")
	}
	if !is(given.get("EndpointConfiguration"), "REGIONAL") {
		return nil, nil, nil, invalid(s.id, "EndpointConfiguration for Custom Domains must be one of %s.", texts("REGIONAL"))
	}
	configuration := dictOf("CertificateArn", given.get("CertificateArn"), "EndpointType", given.get("EndpointConfiguration"))
	for _, k := range []string{"OwnershipVerificationCertificateArn", "SecurityPolicy"} {
		if v := given.get(k); truthy(v) {
			configuration.set(k, v)
		}
	}
	p := dictOf("DomainName", given.get("DomainName"), "Tags", dictOf(mark, "SAM"), "DomainNameConfigurations", []any{configuration})
	if v := given.get("MutualTlsAuthentication"); truthy(v) {
		tls, ok := v.(*dict)
		if !ok {
			return nil, nil, nil, invalid(s.id, "MutualTlsAuthentication must be a map with at least one of the following fields %s.", texts("TruststoreUri", "TruststoreVersion"))
		}
		if unknownTLS(tls) {
			var unknown []string
			for k := range tls.all() {
				if k != "TruststoreUri" && k != "TruststoreVersion" {
					unknown = append(unknown, k)
				}
			}
			slices.Sort(unknown)
			return nil, nil, nil, invalid(strings.Join(unknown, ","), "Available MutualTlsAuthentication fields are %s.", texts("TruststoreUri", "TruststoreVersion"))
		}
		p.set("MutualTlsAuthentication", trustStore(tls))
	}
	if mappings, err = s.mappingsV2(id, basePaths(given)); err != nil {
		return nil, nil, nil, err
	}
	if v := given.get("Route53"); v != nil {
		zone, err := inResource(s.id, "Domain.Route53").dict(v)
		if err != nil {
			return nil, nil, nil, err
		}
		if zone.get("HostedZoneId") == nil && zone.get("HostedZoneName") == nil {
			return nil, nil, nil, noZone(s.id)
		}
		alias := dictOf("EvaluateTargetHealth", zone.get("EvaluateTargetHealth"), "HostedZoneId", getAtt(id, "RegionalHostedZoneId"), "DNSName", getAtt(id, "RegionalDomainName"))
		records = []*resource{t.addRecords(s, zone, recordSets(given, zone, alias))}
	}
	return s.beside("AWS::ApiGatewayV2::DomainName", id, p), mappings, records, nil
}

func (s *source) mappingsV2(domain string, paths any) ([]*resource, error) {
	mapping := func(id string) *resource {
		return s.beside("AWS::ApiGatewayV2::ApiMapping", id, dictOf("DomainName", ref(domain), "ApiId", ref(s.id), "Stage", ref(s.id+".Stage")))
	}
	if paths == nil {
		return []*resource{mapping(s.id + "ApiMapping")}, nil
	}
	var out []*resource
	for _, e := range asList(paths) {
		path, ok := text(e)
		switch {
		case !ok:
			return nil, invalid(s.id, "Basepath must be a string.")
		case badBasePath.MatchString(path):
			return nil, invalid(s.id, "Invalid Basepath name provided.")
		}
		m := mapping(s.id + basePathMarks.ReplaceAllString(path, "") + "ApiMapping")
		m.set("ApiMappingKey", strings.Trim(path, "/"))
		out = append(out, m)
	}
	return out, nil
}
