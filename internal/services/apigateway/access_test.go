package apigateway

import (
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

func TestActionsAreTheMethodsOfTheModel(t *testing.T) {
	schema, err := aws.API.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range schema.Operations {
		if got := methodOf(o.Name); got != o.Method {
			t.Errorf("%s needs apigateway:%s, and is a %s", o.Name, got, o.Method)
		}
	}
}

func TestResourcesAreThePathsOfTheCalls(t *testing.T) {
	h := newHarness(t)
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"GetRestApis", &aws.GetRestApisInput{}, "/restapis"},
		{"PutIntegrationResponse", &aws.PutIntegrationResponseInput{RestApiId: "a", ResourceId: "r", HttpMethod: "GET", StatusCode: "200"}, "/restapis/a/resources/r/methods/GET/integration/responses/200"},
		{"ImportApiKeys", &aws.ImportApiKeysInput{}, "/apikeys"},
		{"TagResource", &aws.TagResourceInput{ResourceArn: "arn:aws:apigateway:eu-west-1::/restapis/a"}, "/tags/arn:aws:apigateway:eu-west-1::%2Frestapis%2Fa"},
	} {
		a, ok := h.service.Access[c.operation]
		if !ok {
			if c.operation != "ImportApiKeys" {
				t.Errorf("%s has no rule", c.operation)
			}
			continue
		}
		targets, err := a.Targets(h.ctx, c.in)
		if err != nil {
			t.Fatal(err)
		}
		if want := "arn:aws:apigateway:us-east-1::" + c.want; targets[0].ARN != want {
			t.Errorf("%s works on %s, want %s", c.operation, targets[0].ARN, want)
		}
	}
}
