package apigateway

import (
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"

	"lambent.dev/lambent/internal/service"
)

// TestRepeatedCreateOfADeployMakesOneThing repeats creating calls with the token of a step, as a deploy does that a crash cut short.
func TestRepeatedCreateOfADeployMakesOneThing(t *testing.T) {
	h := newHarness(t)
	made, err := h.createRestAPI(h.ctx, &aws.CreateRestApiInput{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	one, other := service.WithCreateToken(h.ctx, "one"), service.WithCreateToken(h.ctx, "other")
	first, err := h.createKey(one, &aws.CreateApiKeyInput{Name: ptr("k")})
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.createKey(one, &aws.CreateApiKeyInput{Name: ptr("k")})
	if err != nil || *again.Id != *first.Id || *again.Value != *first.Value {
		t.Errorf("key %v, then %v: %v", first, again, err)
	}
	if third, err := h.createKey(other, &aws.CreateApiKeyInput{Name: ptr("k")}); err != nil || *third.Id == *first.Id {
		t.Errorf("key of another step %v: %v", third, err)
	}
	for range 2 {
		if _, err := h.createPlan(one, &aws.CreateUsagePlanInput{Name: "p"}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.createLink(one, &aws.CreateVpcLinkInput{Name: "l", TargetArns: []string{"arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/a/b"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.generateCertificate(one, &aws.GenerateClientCertificateInput{}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.createValidator(one, &aws.CreateRequestValidatorInput{RestApiId: *made.Id, Name: ptr("v")}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.createPart(one, &aws.CreateDocumentationPartInput{RestApiId: *made.Id, Location: &aws.DocumentationPartLocation{Type: "API"}, Properties: `{"a":1}`}); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := h.getKeys(h.ctx, &aws.GetApiKeysInput{})
	if err != nil || len(keys.Items) != 2 {
		t.Errorf("%d keys, %v", len(keys.Items), err)
	}
	plans, err := h.getPlans(h.ctx, &aws.GetUsagePlansInput{})
	if err != nil || len(plans.Items) != 1 {
		t.Errorf("%d plans, %v", len(plans.Items), err)
	}
	links, err := h.getLinks(h.ctx, &aws.GetVpcLinksInput{})
	if err != nil || len(links.Items) != 1 {
		t.Errorf("%d links, %v", len(links.Items), err)
	}
	certificates, err := h.getCertificates(h.ctx, &aws.GetClientCertificatesInput{})
	if err != nil || len(certificates.Items) != 1 {
		t.Errorf("%d certificates, %v", len(certificates.Items), err)
	}
	validators, err := h.getValidators(h.ctx, &aws.GetRequestValidatorsInput{RestApiId: *made.Id})
	if err != nil || len(validators.Items) != 1 {
		t.Errorf("%d validators, %v", len(validators.Items), err)
	}
	parts, err := h.getParts(h.ctx, &aws.GetDocumentationPartsInput{RestApiId: *made.Id})
	if err != nil || len(parts.Items) != 1 {
		t.Errorf("%d documentation parts, %v", len(parts.Items), err)
	}
}
