package apigatewayv2

import (
	"net/http"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
)

// deployments returns the stage $default of an API and all deployments.
func (b *bench) deployments(t *testing.T, id string) (*api.GetStageOutput, []api.Deployment) {
	t.Helper()
	st, err := b.gateway.getStage(b.ctx, &api.GetStageInput{ApiId: id, StageName: defaultStage})
	if err != nil {
		t.Fatal(err)
	}
	list, err := b.gateway.getDeployments(b.ctx, &api.GetDeploymentsInput{ApiId: id})
	if err != nil {
		t.Fatal(err)
	}
	return st, list.Items
}

func TestStageWithAutoDeployMakesItsDeployments(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("get /one"), nil)
	st, list := b.deployments(t, id)
	if len(list) != 1 || !value(list[0].AutoDeployed) || value(list[0].DeploymentId) != value(st.DeploymentId) || value(list[0].Description) != autoDescription {
		t.Fatalf("the stage has the deployment %q of %+v, want one that it made", value(st.DeploymentId), list)
	}
	if want := "Successfully deployed stage with deployment ID '" + *st.DeploymentId + "'"; value(st.LastDeploymentStatusMessage) != want {
		t.Errorf("the stage says %q, want %q", value(st.LastDeploymentStatusMessage), want)
	}
	if _, err := b.gateway.createRoute(b.ctx, &api.CreateRouteInput{ApiId: id, RouteKey: "GET /two"}); err != nil {
		t.Fatal(err)
	}
	after, list := b.deployments(t, id)
	if len(list) != 1 || *after.DeploymentId == *st.DeploymentId || *list[0].DeploymentId != *after.DeploymentId {
		t.Errorf("after a change the stage has %q of %+v, want a new one alone", *after.DeploymentId, list)
	}
	if _, err := b.gateway.updateStage(b.ctx, &api.UpdateStageInput{ApiId: id, StageName: defaultStage, DeploymentId: after.DeploymentId}); err == nil {
		t.Error("a stage with auto-deploy took a deployment")
	}
	if _, err := b.gateway.deleteDeployment(b.ctx, &api.DeleteDeploymentInput{ApiId: id, DeploymentId: *after.DeploymentId}); err == nil {
		t.Error("the deployment of a stage could be deleted")
	}
}

func TestStageWithoutAutoDeployKeepsWhatItDeployedLast(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("get /one"), nil)
	before, _ := b.deployments(t, id)
	if _, err := b.gateway.updateStage(b.ctx, &api.UpdateStageInput{ApiId: id, StageName: defaultStage, AutoDeploy: ptr(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.gateway.createRoute(b.ctx, &api.CreateRouteInput{ApiId: id, RouteKey: "GET /two"}); err != nil {
		t.Fatal(err)
	}
	if st, list := b.deployments(t, id); len(list) != 1 || *st.DeploymentId != *before.DeploymentId {
		t.Errorf("the stage has %q of %+v, want %q", *st.DeploymentId, list, *before.DeploymentId)
	}
	if resp, body := b.do(t, "GET", "/_aws/execute-api/"+id+"/one", ""); resp.StatusCode == http.StatusNotFound {
		t.Errorf("the route of before answers %d %s", resp.StatusCode, body)
	}
	if resp, _ := b.do(t, "GET", "/_aws/execute-api/"+id+"/two", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a route that was not deployed answers %d", resp.StatusCode)
	}
	if _, err := b.gateway.updateStage(b.ctx, &api.UpdateStageInput{ApiId: id, StageName: defaultStage, AutoDeploy: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	if st, _ := b.deployments(t, id); *st.DeploymentId == *before.DeploymentId {
		t.Error("a stage whose auto-deploy is switched on did not deploy")
	}
	if _, err := b.gateway.deleteStage(b.ctx, &api.DeleteStageInput{ApiId: id, StageName: defaultStage}); err != nil {
		t.Fatal(err)
	}
	list, err := b.gateway.getDeployments(b.ctx, &api.GetDeploymentsInput{ApiId: id})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Items {
		if *d.DeploymentId != *before.DeploymentId {
			t.Errorf("the deployment of a stage that is gone is left: %+v", d)
		}
	}
}
