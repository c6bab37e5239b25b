package apigateway

import (
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
)

// TestWhatIsNeededTellsSo holds what a stack's deletion relies on: a refusal because of something else is known as one, though its code is that of a bad request.
func TestWhatIsNeededTellsSo(t *testing.T) {
	h := newHarness(t)
	made, err := h.createRestAPI(h.ctx, &aws.CreateRestApiInput{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	root, err := h.getResources(h.ctx, &aws.GetResourcesInput{RestApiId: *made.Id})
	if err != nil {
		t.Fatal(err)
	}
	method := &aws.PutMethodInput{RestApiId: *made.Id, ResourceId: *root.Items[0].Id, HttpMethod: "GET", AuthorizationType: "NONE"}
	if _, err := h.putMethod(h.ctx, method); err != nil {
		t.Fatal(err)
	}
	if _, err := h.putIntegration(h.ctx, &aws.PutIntegrationInput{RestApiId: *made.Id, ResourceId: method.ResourceId, HttpMethod: "GET", Type: "MOCK"}); err != nil {
		t.Fatal(err)
	}
	certificate, err := h.generateCertificate(h.ctx, &aws.GenerateClientCertificateInput{})
	if err != nil {
		t.Fatal(err)
	}
	deployment, err := h.createDeployment(h.ctx, &aws.CreateDeploymentInput{RestApiId: *made.Id})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.createStage(h.ctx, &aws.CreateStageInput{RestApiId: *made.Id, StageName: "s", DeploymentId: *deployment.Id}); err != nil {
		t.Fatal(err)
	}
	patch := []aws.PatchOperation{{Op: "replace", Path: ptr("/clientCertificateId"), Value: certificate.ClientCertificateId}}
	if _, err := h.updateStage(h.ctx, &aws.UpdateStageInput{RestApiId: *made.Id, StageName: "s", PatchOperations: patch}); err != nil {
		t.Fatal(err)
	}
	plan, err := h.createPlan(h.ctx, &aws.CreateUsagePlanInput{Name: "p", ApiStages: []aws.ApiStage{{ApiId: made.Id, Stage: ptr("s")}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, drop := range map[string]func() error{
		"deployment": func() error {
			_, err := h.deleteDeployment(h.ctx, &aws.DeleteDeploymentInput{RestApiId: *made.Id, DeploymentId: *deployment.Id})
			return err
		},
		"certificate": func() error {
			_, err := h.deleteCertificate(h.ctx, &aws.DeleteClientCertificateInput{ClientCertificateId: *certificate.ClientCertificateId})
			return err
		},
		"plan": func() error {
			_, err := h.deletePlan(h.ctx, &aws.DeleteUsagePlanInput{UsagePlanId: *plan.Id})
			return err
		},
	} {
		if err := drop(); !service.IsInUse(err) || service.Code(err) != "BadRequestException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
