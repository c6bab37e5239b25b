package plane

import (
	"context"
	"net/http"
	"strings"
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// networks has two VPC endpoints.
type networks struct{ port.Networks }

func (networks) Endpoint(ctx context.Context, id, _ string) (vpc string, err error) {
	if s := scope(); service.RequestFrom(ctx).Account != s.Account || service.RequestFrom(ctx).Region != s.Region || id != "vpce-01" && id != "vpce-02" {
		return "", service.Errorf("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist", id)
	}
	return "vpc-0abc", nil
}

func TestPolicyOfAPrivateAPISeesTheEndpoint(t *testing.T) {
	f := newFixture(t)
	f.plane.o.Endpoints = &vpcendpoint.Endpoints{Networks: networks{}, Heard: true}
	f.answer("f", `{"statusCode":200,"body":"ok"}`)
	tree := oneMethod(proxied()).tree()
	tree.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"},
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-01"}}}]}`
	f.deploy("api1", tree, aws.Stage{})
	for endpoint, want := range map[string]int{"": http.StatusForbidden, "vpce-01": http.StatusOK, "vpce-02": http.StatusForbidden, "vpce-03": http.StatusForbidden} {
		if got := f.send("GET /prod/a HTTP/1.1\n" + vpcendpoint.Header + ": " + endpoint + "\n").StatusCode; got != want {
			t.Errorf("through %q: %d, want %d", endpoint, got, want)
		}
	}
	if event := f.payload("f"); !strings.Contains(event, `"vpcId":"vpc-0abc","vpceId":"vpce-01"`) {
		t.Errorf("the event does not tell the endpoint: %s", event)
	}
}
