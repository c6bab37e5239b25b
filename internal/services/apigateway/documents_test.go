package apigateway

import (
	"encoding/json"
	"strings"
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
)

func TestStagesAreDescribedWithTheDocumentationOfNow(t *testing.T) {
	h := newHarness(t)
	made, err := h.createRestAPI(h.ctx, &aws.CreateRestApiInput{Name: "pets", EndpointConfiguration: &aws.EndpointConfiguration{Types: []string{"PRIVATE"}}})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.Id
	if _, err := h.putMethod(h.ctx, &aws.PutMethodInput{RestApiId: id, ResourceId: *made.RootResourceId, HttpMethod: "GET", AuthorizationType: "NONE"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.putIntegration(h.ctx, &aws.PutIntegrationInput{RestApiId: id, ResourceId: *made.RootResourceId, HttpMethod: "GET", Type: "MOCK"}); err != nil {
		t.Fatal(err)
	}
	documents := NewDocuments(h.store)
	if _, err := documents.DescribeREST(h.ctx, "000000000000", "us-east-1", id, "prod"); service.Code(err) != "NotFoundException" {
		t.Errorf("a stage that is not there: %v", err)
	}
	if _, err := h.createDeployment(h.ctx, &aws.CreateDeploymentInput{RestApiId: id, StageName: ptr("prod")}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.createPart(h.ctx, &aws.CreateDocumentationPartInput{RestApiId: id, Location: &aws.DocumentationPartLocation{Type: "METHOD"}, Properties: `{"summary": "Hello"}`}); err != nil {
		t.Fatal(err)
	}
	got, err := documents.DescribeREST(h.ctx, "000000000000", "us-east-1", id, "prod")
	if err != nil {
		t.Fatal(err)
	}
	if !got.Private || !json.Valid(got.Document) || !strings.Contains(string(got.Document), `"summary": "Hello"`) || !strings.Contains(string(got.Document), `"get"`) {
		t.Errorf("private %v, %s", got.Private, got.Document)
	}
}
