package apigatewayv2

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
)

const issuerURL = "https://issuer.example"

// issuer makes tokens, and answers for its keys.
type issuer struct{ key jose.JSONWebKey }

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{jose.JSONWebKey{Key: k, KeyID: "k1", Algorithm: string(jose.RS256), Use: "sig"}}
}

// RoundTrip implements [http.RoundTripper].
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	var doc any = map[string]string{"issuer": issuerURL, "jwks_uri": issuerURL + "/keys"}
	if r.URL.Path == "/keys" {
		doc = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.Public()}}
	}
	b, err := json.Marshal(doc)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(b)))}, err
}

func (i *issuer) token(t testing.TB, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: i.key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokensOpenRoutes(t *testing.T) {
	from := newIssuer(t)
	s := newSite(t, from)
	z := s.authorizer(&api.CreateAuthorizerInput{
		Name: "jwt", AuthorizerType: authorizerJWT, IdentitySource: []string{"$request.header.Authorization"}, JwtConfiguration: &api.JWTConfiguration{Issuer: ptr(issuerURL), Audience: []string{"app"}},
	})
	s.route(&api.CreateRouteInput{RouteKey: "GET /open", AuthorizationType: authJWT, AuthorizerId: &z}, proxy("two", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /scoped", AuthorizationType: authJWT, AuthorizerId: &z, AuthorizationScopes: []string{"write", "admin"}}, proxy("one", "1.0"))
	now := s.clock.Now()
	claims := func(changes map[string]any) map[string]any {
		c := map[string]any{"iss": issuerURL, "aud": "app", "sub": "alice", "scope": "read write", "exp": now.Add(time.Hour).Unix(), "groups": []string{"a", "b"}, "admin": true}
		maps.Copy(c, changes)
		return c
	}
	good := from.token(t, claims(nil))
	for name, tc := range map[string]struct {
		path, token, challenge string
		status                 int
	}{
		"a good token":        {"/open", "Bearer " + good, "", 200},
		"without its scheme":  {"/open", good, "", 200},
		"a scope of several":  {"/scoped", "Bearer " + good, "", 200},
		"no token":            {"/open", "", "Bearer", 401},
		"nonsense":            {"/open", "Bearer nonsense", `Bearer scope="" error="invalid_token" error_description="token contains an invalid number of segments or is not a JSON Web Token"`, 401},
		"an expired token":    {"/open", from.token(t, claims(map[string]any{"exp": now.Unix()})), `Bearer scope="" error="invalid_token" error_description="the token has expired"`, 401},
		"another audience":    {"/open", from.token(t, claims(map[string]any{"aud": "other"})), `Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience"`, 401},
		"none of the scopes":  {"/scoped", from.token(t, claims(map[string]any{"scope": "read"})), `Bearer scope="write admin" error="insufficient_scope" error_description="the token has none of the scopes of the route"`, 403},
		"another one's token": {"/open", newIssuer(t).token(t, claims(nil)), `Bearer scope="" error="invalid_token" error_description="the signature of the token is not valid"`, 401},
	} {
		var headers []string
		if tc.token != "" {
			headers = []string{"Authorization", tc.token}
		}
		status, header, body := s.get(tc.path, headers...)
		if status != tc.status || header.Get("WWW-Authenticate") != tc.challenge || header.Get("Apigw-Requestid") == "" {
			t.Errorf("%s: %d %s %v", name, status, body, header)
		}
		if status != 200 && body != `{"message":"`+http.StatusText(status)+`"}` {
			t.Errorf("%s: %s", name, body)
		}
	}
	shown := map[string]any{"iss": issuerURL, "aud": "app", "sub": "alice", "scope": "read write", "exp": "1795611600", "groups": "[a b]", "admin": "true"}
	two, _ := s.event("two")
	if diff := cmp.Diff(map[string]any{"jwt": map[string]any{"claims": shown, "scopes": nil}}, two["requestContext"].(map[string]any)["authorizer"]); diff != "" {
		t.Errorf("format 2.0 (-want +got):\n%s", diff)
	}
	one, _ := s.event("one")
	if diff := cmp.Diff(map[string]any{"claims": shown, "scopes": []any{"read", "write"}}, one["requestContext"].(map[string]any)["authorizer"]); diff != "" {
		t.Errorf("format 1.0 (-want +got):\n%s", diff)
	}
}

func TestSimpleAnswersAreKeptForTheirTime(t *testing.T) {
	s := newSite(t, nil)
	z := s.authorizer(&api.CreateAuthorizerInput{
		Name: "ask", AuthorizerType: authorizerRequest, IdentitySource: []string{"$request.header.X-User", "$request.querystring.q"}, AuthorizerPayloadFormatVersion: ptr("2.0"), EnableSimpleResponses: ptr(true),
		AuthorizerResultTtlInSeconds: ptr(int32(60)),
	})
	s.route(&api.CreateRouteInput{RouteKey: "GET /a/{id}", AuthorizationType: authCustom, AuthorizerId: &z}, proxy("f", "2.0"))
	s.answer("ask", `{"isAuthorized":true,"context":{"level":7,"name":"ann","list":[1]}}`)
	if status, _, body := s.get("/a/1?q=x"); status != 401 || body != `{"message":"Unauthorized"}` {
		t.Errorf("without an identity source: %d %s", status, body)
	}
	for range 2 {
		if status, _, body := s.get("/a/1?q=x", "X-User", "u"); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	asked, times := s.event("ask")
	if times != 1 {
		t.Errorf("the authorizer was asked %d times", times)
	}
	arn := "arn:aws:execute-api:us-east-1:000000000000:" + s.id + "/$default/GET/a/1"
	if asked["type"] != "REQUEST" || asked["version"] != "2.0" || asked["routeArn"] != arn || asked["routeKey"] != "GET /a/{id}" || !cmp.Equal(asked["identitySource"], []any{"u", "x"}) ||
		!cmp.Equal(asked["pathParameters"], map[string]any{"id": "1"}) || asked["body"] != nil {
		t.Errorf("the authorizer got %v", asked)
	}
	if want := "arn:aws:execute-api:us-east-1:000000000000:" + s.id + "/authorizers/" + z; s.source("ask") != want {
		t.Errorf("invoked as %s, want %s", s.source("ask"), want)
	}
	got, _ := s.event("f")
	if diff := cmp.Diff(map[string]any{"lambda": map[string]any{"level": 7., "name": "ann", "list": []any{1.}}}, got["requestContext"].(map[string]any)["authorizer"]); diff != "" {
		t.Error(diff)
	}
	s.answer("ask", `{"isAuthorized":false}`)
	if status, _, _ := s.get("/a/1?q=x", "X-User", "u"); status != 200 {
		t.Errorf("the kept answer gave %d", status)
	}
	s.clock.Advance(61 * time.Second)
	if status, _, body := s.get("/a/1?q=x", "X-User", "u"); status != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("after its time: %d %s", status, body)
	}
	s.answer("ask", `{"isAuthorized":true}`)
	if _, err := s.gateway.resetAuthorizersCache(s.ctx, &api.ResetAuthorizersCacheInput{ApiId: s.id, StageName: defaultStage}); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := s.get("/a/1?q=x", "X-User", "u"); status != 200 {
		t.Errorf("after the reset: %d", status)
	}
}

func TestKeptPoliciesAreAskedForEveryRequest(t *testing.T) {
	s := newSite(t, nil)
	z := s.authorizer(&api.CreateAuthorizerInput{Name: "ask", AuthorizerType: authorizerRequest, IdentitySource: []string{"$request.header.X-User"}, AuthorizerPayloadFormatVersion: ptr("1.0")})
	for _, key := range []string{"GET /a", "GET /b"} {
		s.route(&api.CreateRouteInput{RouteKey: key, AuthorizationType: authCustom, AuthorizerId: &z}, proxy("f", "1.0"))
	}
	arn := "arn:aws:execute-api:us-east-1:000000000000:" + s.id + "/$default/GET/a"
	s.answer("ask", `{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"`+arn+`"}]},"context":{"identitySource":"x","n":1}}`)
	for path, want := range map[string]int{"/a": 200, "/b": 403} {
		if status, _, body := s.get(path, "X-User", "u"); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	asked, _ := s.event("ask")
	if asked["version"] != "1.0" || asked["identitySource"] != "u" || asked["authorizationToken"] != "u" || !strings.HasPrefix(asked["methodArn"].(string), "arn:aws:execute-api:us-east-1:000000000000:"+s.id+"/$default/GET/") {
		t.Errorf("the authorizer got %v", asked)
	}
	got, _ := s.event("f")
	if diff := cmp.Diff(map[string]any{"principalId": "ann", "integrationLatency": 0., "identitySource": "x", "n": 1.}, got["requestContext"].(map[string]any)["authorizer"]); diff != "" {
		t.Error(diff)
	}
}

func TestAuthorizersThatMisbehaveAreAnswers(t *testing.T) {
	s := newSite(t, nil)
	for name, simple := range map[string]bool{"simple": true, "policy": false} {
		z := s.authorizer(&api.CreateAuthorizerInput{Name: name, AuthorizerType: authorizerRequest, AuthorizerPayloadFormatVersion: ptr("2.0"), EnableSimpleResponses: ptr(simple)})
		s.route(&api.CreateRouteInput{RouteKey: "GET /" + name, AuthorizationType: authCustom, AuthorizerId: &z}, proxy("f", "2.0"))
	}
	for _, tc := range []struct {
		name, answer string
		status       int
	}{
		{"simple", `{"isAuthorized":"yes"}`, 500},
		{"simple", `{}`, 500},
		{"simple", `null`, 500},
		{"simple", `[1`, 500},
		{"simple", `{"isAuthorized":true,"context":"x"}`, 500},
		{"policy", `{"isAuthorized":true}`, 500},
		{"policy", `{"principalId":"a","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:us-east-1:000000000000:other/*"}]}}`, 403},
		{"policy", `denied`, 500},
	} {
		s.answer(tc.name, tc.answer)
		status, _, body := s.get("/" + tc.name)
		want := map[int]string{403: "Forbidden", 500: "Internal Server Error"}[tc.status]
		if status != tc.status || body != `{"message":"`+want+`"}` {
			t.Errorf("%s %s: %d %s", tc.name, tc.answer, status, body)
		}
	}
}

func TestSignedRequestsOpenRoutes(t *testing.T) {
	s := newSite(t, nil)
	door := s.gateway.deps.Door.(*allowing)
	s.gateway.options.Caller = func(r *http.Request, _ []byte) (service.Principal, error) {
		if r.Header.Get("Authorization") == "" {
			return service.Principal{}, nil
		}
		return service.Principal{Kind: service.User, Account: "000000000000", ARN: "arn:aws:iam::000000000000:user/ann", UserID: "AIDA", AccessKeyID: "AKIA"}, nil
	}
	s.route(&api.CreateRouteInput{RouteKey: "GET /two", AuthorizationType: authIAM}, proxy("two", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /one", AuthorizationType: authIAM}, proxy("one", "1.0"))
	if status, _, body := s.get("/two"); status != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("not signed: %d %s", status, body)
	}
	for _, path := range []string{"/one", "/two"} {
		if status, _, body := s.get(path, "Authorization", "signed"); status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if want := "arn:aws:execute-api:us-east-1:000000000000:" + s.id + "/$default/GET/two"; door.target.ARN != want || door.target.Action != "execute-api:Invoke" {
		t.Errorf("asked about %+v", door.target)
	}
	two, _ := s.event("two")
	if diff := cmp.Diff(map[string]any{"iam": map[string]any{
		"accessKey": "AKIA", "accountId": "000000000000", "callerId": "AIDA", "cognitoIdentity": nil, "principalOrgId": nil, "userArn": "arn:aws:iam::000000000000:user/ann", "userId": "AIDA",
	}}, two["requestContext"].(map[string]any)["authorizer"]); diff != "" {
		t.Error(diff)
	}
	one, _ := s.event("one")
	if got := one["requestContext"].(map[string]any)["identity"].(map[string]any); got["userArn"] != "arn:aws:iam::000000000000:user/ann" || got["accessKey"] != "AKIA" {
		t.Errorf("identity %v", got)
	}
	door.denied = true
	if status, _, _ := s.get("/two", "Authorization", "signed"); status != 403 {
		t.Errorf("without the permission: %d", status)
	}
}
