package apigatewayv2

import (
	"encoding/base64"
	"net/http"
	"slices"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
)

// What other implementations of HTTP APIs got wrong, by the name of the project and the number of its issue. The whole list, with the tests that stand elsewhere, is
// test/arch/testdata/regressions.txt.
func TestRegressions(t *testing.T) {
	from := newIssuer(t)
	s := newSite(t, from)
	token := from.token(t, map[string]any{"iss": issuerURL, "aud": "app", "exp": s.clock.Now().Add(time.Hour).Unix()})
	z := s.authorizer(&api.CreateAuthorizerInput{
		Name: "jwt", AuthorizerType: authorizerJWT, IdentitySource: []string{"$request.querystring.token"}, JwtConfiguration: &api.JWTConfiguration{Issuer: ptr(issuerURL), Audience: []string{"app"}},
	})
	s.route(&api.CreateRouteInput{RouteKey: "GET /me", AuthorizationType: authJWT, AuthorizerId: &z}, proxy("me", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: defaultRoute}, proxy("rest", "2.0"))

	t.Run("serverless-offline 1311 tokens come in the query", func(t *testing.T) {
		if status, _, body := s.get("/me?token=" + token); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
		if status, _, _ := s.get("/me", "Authorization", "Bearer "+token); status != http.StatusUnauthorized {
			t.Errorf("a token where the authorizer does not look: %d", status)
		}
	})
	t.Run("serverless-offline 1175 the default route has events of format 2.0", func(t *testing.T) {
		s.get("/any/thing?a=1")
		e, _ := s.event("rest")
		about, _ := e["requestContext"].(map[string]any)
		if e["version"] != "2.0" || e["routeKey"] != defaultRoute || e["rawPath"] != "/any/thing" || about["routeKey"] != defaultRoute || e["pathParameters"] != nil {
			t.Errorf("%v", e)
		}
	})
	t.Run("ministack 749 cookies go both ways", func(t *testing.T) {
		s.answer("rest", `{"statusCode":200,"cookies":["a=1; Path=/","b=2"],"body":""}`)
		_, header, _ := s.get("/", "Cookie", "x=1; y=2")
		e, _ := s.event("rest")
		if got, _ := e["cookies"].([]any); len(got) != 2 || got[0] != "x=1" || got[1] != "y=2" {
			t.Errorf("cookies of the event: %v", e["cookies"])
		}
		if got := header.Values("Set-Cookie"); !slices.Equal(got, []string{"a=1; Path=/", "b=2"}) {
			t.Errorf("cookies of the answer: %q", got)
		}
	})
	t.Run("ministack 767 bodies are bytes", func(t *testing.T) {
		raw := "\x00\xff\x89PNG"
		s.answer("rest", `{"statusCode":200,"headers":{"content-type":"image/png"},"isBase64Encoded":true,"body":"`+base64.StdEncoding.EncodeToString([]byte(raw))+`"}`)
		resp, body := s.do(t, http.MethodPost, "/_aws/execute-api/"+s.id+"/png", raw, "Content-Type", "image/png")
		e, _ := s.event("rest")
		if e["isBase64Encoded"] != true || e["body"] != base64.StdEncoding.EncodeToString([]byte(raw)) || body != raw || resp.Header.Get("Content-Type") != "image/png" {
			t.Errorf("%v answered with %q", e, body)
		}
	})
}
