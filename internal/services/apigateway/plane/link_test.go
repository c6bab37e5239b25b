package plane

import (
	"net/http"
	"net/http/httptest"
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

func TestPrivateIntegrationNeedsItsLink(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(echo))
	defer backend.Close()
	f := newFixture(t)
	f.deploy("api1", oneMethod(aws.Method{AuthorizationType: ptr("NONE"), MethodIntegration: &aws.Integration{
		Type: "HTTP_PROXY", HttpMethod: ptr("GET"), Uri: ptr(backend.URL), ConnectionType: aws.ConnectionTypeVpcLink, ConnectionId: ptr("${stageVariables.link}"),
	}}).tree(), aws.Stage{Variables: map[string]string{"link": "abc123"}})
	if got := f.send("GET /prod/a HTTP/1.1\n"); got.StatusCode != http.StatusInternalServerError {
		t.Errorf("without the link: %d", got.StatusCode)
	}
	s := scope()
	f.set(func(tx store.Txn) error {
		return record.Set(tx, s.Link("abc123"), api.VPCLink{VpcLink: aws.VpcLink{Id: ptr("abc123")}})
	})
	if got := f.send("GET /prod/a HTTP/1.1\n"); got.StatusCode != http.StatusOK {
		t.Errorf("with the link: %d", got.StatusCode)
	}
}
