package apigateway

import (
	"strings"
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
)

func TestUploadedCertificateIsRefusedByName(t *testing.T) {
	pem := "PEM"
	for member, in := range map[string]*aws.CreateDomainNameInput{
		"certificateBody":       {DomainName: "api.example.com", CertificateBody: &pem},
		"certificatePrivateKey": {DomainName: "api.example.com", CertificatePrivateKey: &pem},
		"certificateChain":      {DomainName: "api.example.com", CertificateChain: &pem},
	} {
		_, err := (&Gateway{}).createDomainName(t.Context(), in)
		if err == nil || !strings.Contains(err.Error(), member) {
			t.Errorf("%s: got %v, want a refusal that names the member", member, err)
		}
	}
}

const certificate = "arn:aws:acm:us-east-1:000000000000:certificate/x"

func TestCertificatesOfDomainNamesAreOfACMAndTheirRegion(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct {
		endpoint, arn string
		ok            bool
	}{
		{"REGIONAL", certificate, true},
		{"EDGE", certificate, true},
		{"PRIVATE", certificate, true},
		{"REGIONAL", "arn:aws:acm:eu-west-1:000000000000:certificate/x", false},
		{"EDGE", "arn:aws:acm:eu-west-1:000000000000:certificate/x", false},
		{"REGIONAL", "certificate", false},
		{"EDGE", "arn:aws:iam::000000000000:server-certificate/x", false},
		{"PRIVATE", "", false},
		{"REGIONAL", "", false},
	} {
		in := &aws.CreateDomainNameInput{DomainName: strings.ToLower(c.endpoint) + ".example.com", CertificateArn: &c.arn, EndpointConfiguration: &aws.EndpointConfiguration{Types: []string{c.endpoint}}}
		if c.endpoint == "REGIONAL" {
			in.CertificateArn, in.RegionalCertificateArn = nil, &c.arn
		}
		if _, err := h.createDomainName(h.ctx, in); (err == nil) != c.ok || !c.ok && service.Code(err) != "BadRequestException" {
			t.Errorf("%s with %q: %v", c.endpoint, c.arn, err)
		}
	}
	path, other := "/regionalCertificateArn", "arn:aws:acm:eu-west-1:000000000000:certificate/x"
	if _, err := h.updateDomainName(h.ctx, &aws.UpdateDomainNameInput{DomainName: "regional.example.com", PatchOperations: []aws.PatchOperation{{Op: "replace", Path: &path, Value: &other}}}); err == nil {
		t.Error("a certificate of another region was taken by an update")
	}
}

// TestPrivateDomainNameIsFoundByItsID goes through the calls that take domainNameId.
func TestPrivateDomainNameIsFoundByItsID(t *testing.T) {
	h := newHarness(t)
	in := &aws.CreateDomainNameInput{
		DomainName: "Private.example.com", CertificateArn: ptr(certificate), EndpointConfiguration: &aws.EndpointConfiguration{Types: []string{"PRIVATE"}}, Tags: map[string]string{"a": "b"},
	}
	n, err := h.createDomainName(h.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.createDomainName(h.ctx, in)
	if err != nil || text(again.DomainNameId) == text(n.DomainNameId) {
		t.Fatalf("the second name of the same text: %v, %v", again, err)
	}
	id := n.DomainNameId
	if want := "arn:aws:apigateway:us-east-1:000000000000:/domainnames/private.example.com+" + *id; *n.DomainNameArn != want || n.EndpointConfiguration.IpAddressType != "dualstack" || n.RegionalDomainName != nil {
		t.Errorf("made %+v, want the ARN %s", n, want)
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}`
	n, err = h.updateDomainName(h.ctx, &aws.UpdateDomainNameInput{DomainName: *n.DomainName, DomainNameId: id, PatchOperations: []aws.PatchOperation{
		{Op: "replace", Path: ptr("/policy"), Value: &policy}, {Op: "replace", Path: ptr("/managementPolicy"), Value: ptr(strings.NewReplacer("execute-api:Invoke", "apigateway:CreateAccessAssociation", "execute-api:/*", "*").Replace(policy))},
	}})
	if err != nil || !strings.Contains(text(n.Policy), "arn:aws:execute-api:us-east-1:000000000000:/domainnames/private.example.com+"+*id) || n.ManagementPolicy == nil {
		t.Errorf("after the update: %+v, %v", n, err)
	}
	if _, err := h.getDomainName(h.ctx, &aws.GetDomainNameInput{DomainName: *n.DomainName}); !isNotFound(err) {
		t.Errorf("without its id: %v", err)
	}
	if _, err := h.getMappings(h.ctx, &aws.GetBasePathMappingsInput{DomainName: *n.DomainName, DomainNameId: id}); err != nil {
		t.Error(err)
	}
	a, err := h.createAssociation(h.ctx, &aws.CreateDomainNameAccessAssociationInput{DomainNameArn: *n.DomainNameArn, AccessAssociationSource: "vpce-0abc", AccessAssociationSourceType: "VPCE"})
	if err != nil {
		t.Fatal(err)
	}
	for _, arn := range []string{*n.DomainNameArn, *a.DomainNameAccessAssociationArn} {
		if _, err := h.tagResource(h.ctx, &aws.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"c": "d"}}); err != nil {
			t.Error(err)
		}
		if tags, err := h.getTags(h.ctx, &aws.GetTagsInput{ResourceArn: arn}); err != nil || tags.Tags["c"] != "d" {
			t.Errorf("%s: %v, %v", arn, tags, err)
		}
	}
	if _, err := h.deleteDomainName(h.ctx, &aws.DeleteDomainNameInput{DomainName: *n.DomainName, DomainNameId: id}); err != nil {
		t.Error(err)
	}
	if left, err := h.getDomainNames(h.ctx, &aws.GetDomainNamesInput{}); err != nil || len(left.Items) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	if left, err := h.getAssociations(h.ctx, &aws.GetDomainNameAccessAssociationsInput{}); err != nil || len(left.Items) != 0 {
		t.Errorf("associations left %v, %v", left, err)
	}
}

// TestPermissionsOfPrivateDomainNamesAreForTheirARN holds what the door asks for.
func TestPermissionsOfPrivateDomainNamesAreForTheirARN(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"GetDomainName", &aws.GetDomainNameInput{DomainName: "a.example.com"}, "arn:aws:apigateway:us-east-1::/domainnames/a.example.com"},
		{"GetDomainName", &aws.GetDomainNameInput{DomainName: "a.example.com", DomainNameId: ptr("x1")}, "arn:aws:apigateway:us-east-1:000000000000:/domainnames/a.example.com+x1"},
		{
			"GetBasePathMapping", &aws.GetBasePathMappingInput{DomainName: "a.example.com", DomainNameId: ptr("x1"), BasePath: "v1"},
			"arn:aws:apigateway:us-east-1:000000000000:/domainnames/a.example.com+x1/basepathmappings/v1",
		},
	} {
		if targets, err := h.service.Access[c.operation].Targets(h.ctx, c.in); err != nil || targets[0].ARN != c.want {
			t.Errorf("%s: %v, %v, want %s", c.operation, targets, err, c.want)
		}
	}
}
