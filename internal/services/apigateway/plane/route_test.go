package plane

import (
	"net/http"
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

func TestMethodIsFoundBesideAResourceWithoutIt(t *testing.T) {
	f := newFixture(t)
	f.answer("f", `{"statusCode":200,"body":"ok"}`)
	s := &shape{Paths: map[string]map[string]aws.Method{
		"/test": {"POST": proxied()}, "/test/any": {"ANY": proxied()}, "/{proxy+}": {"OPTIONS": proxied()},
	}}
	f.deploy("api1", s.tree(), aws.Stage{})
	for request, resource := range map[string]string{
		"OPTIONS /prod/test HTTP/1.1\n": "/{proxy+}", "POST /prod/test HTTP/1.1\n": "/test", "OPTIONS /prod/test/any HTTP/1.1\n": "/test/any", "GET //prod/test/any HTTP/1.1\n": "/test/any",
	} {
		if got := f.send(request); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", request, got.StatusCode)
		}
		checkMembers(t, f.payload("f"), `{"resource":"`+resource+`"}`)
	}
	if got := f.send("DELETE /prod/test HTTP/1.1\n"); got.StatusCode != http.StatusForbidden {
		t.Errorf("a method that nothing has: %d", got.StatusCode)
	}
}
