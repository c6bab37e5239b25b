package plane

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"lambent.dev/lambent/internal/auth/oidc"
	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const functionURI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:111122223333:function:f/invocations"

// proxied is a method with a Lambda proxy integration.
func proxied(changes ...func(m *aws.Method)) aws.Method {
	m := aws.Method{AuthorizationType: ptr("NONE"), MethodIntegration: &aws.Integration{Type: "AWS_PROXY", HttpMethod: ptr("POST"), Uri: ptr(functionURI)}}
	for _, fn := range changes {
		fn(&m)
	}
	return m
}

// oneMethod is a tree with GET /a.
func oneMethod(m aws.Method) *shape {
	return &shape{Paths: map[string]map[string]aws.Method{"/a": {"GET": m}}}
}

func (f *fixture) body(text string) string {
	f.t.Helper()
	b, err := io.ReadAll(f.send(text).Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

func (f *fixture) set(fn func(tx store.Txn) error) {
	f.t.Helper()
	if err := f.store.Update(f.t.Context(), fn); err != nil {
		f.t.Fatal(err)
	}
}

func TestQuotaHoldsOverRestarts(t *testing.T) {
	f := newFixture(t)
	f.answer("f", `{"statusCode":200,"body":"ok"}`)
	f.deploy("api1", oneMethod(proxied(func(m *aws.Method) { m.ApiKeyRequired = ptr(true) })).tree(), aws.Stage{})
	s := scope()
	f.set(func(tx store.Txn) error {
		plan := api.UsagePlan{UsagePlan: aws.UsagePlan{Id: ptr("p"), ApiStages: []aws.ApiStage{{ApiId: ptr("api1"), Stage: ptr("prod")}}, Quota: &aws.QuotaSettings{Limit: ptr(int32(450)), Period: "DAY"}}}
		for _, err := range []error{
			record.Set(tx, s.APIKey("k"), api.APIKey{ID: "k", Value: "secret", Enabled: true}), record.Set(tx, s.Value("secret"), "k"), record.Set(tx, s.Plan("p"), plan),
			record.Set(tx, s.KeyPlan("k", "p"), api.PlanKey{Plan: "p", Key: "k"}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	const request = "GET /prod/a HTTP/1.1\nx-api-key: secret\n"
	for range 10 {
		if got := f.body(request); got != "ok" {
			t.Fatalf("got %s", got)
		}
	}
	used := func() api.UsageDay {
		var u api.UsageDay
		f.set(func(tx store.Txn) (err error) {
			u, _, err = record.Get[api.UsageDay](tx, s.UsageDay("p", "k", start))
			return err
		})
		return u
	}
	// A lease is four requests: three leases are taken, and nothing of that is forgotten.
	if u := used(); u.Used != 12 || u.Left != 438 {
		t.Errorf("usage %+v", u)
	}
	if err := f.plane.quotas.giveBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if u := used(); u.Used != 10 || u.Left != 440 {
		t.Errorf("usage after an orderly end %+v", u)
	}
	f.set(func(tx store.Txn) error {
		return record.Set(tx, s.Quota("p", "k"), api.Quota{Period: "2026-11-30", Left: 1})
	})
	if got := f.body(request); got != "ok" {
		t.Errorf("got %s", got)
	}
	if got := f.body(request); got != `{"message":"Limit Exceeded"}` {
		t.Errorf("got %s", got)
	}
	f.clock.Advance(24 * time.Hour)
	if got := f.body(request); got != "ok" {
		t.Errorf("the next day: %s", got)
	}
	if got := f.body("GET /prod/a HTTP/1.1\nx-api-key: other\n"); got != `{"message":"Forbidden"}` {
		t.Errorf("got %s", got)
	}
}

func TestMissingPermissionIsExplainedAndHidden(t *testing.T) {
	f := newFixture(t)
	f.answer("f", `{"statusCode":200}`)
	f.denied["f"] = true
	st := aws.Stage{MethodSettings: map[string]aws.MethodSetting{"*/*": {LoggingLevel: ptr("ERROR")}}, AccessLogSettings: &aws.AccessLogSettings{
		DestinationArn: ptr("arn:aws:logs:eu-west-1:111122223333:log-group:access"), Format: ptr(`{"status":$context.status,"why":"$context.integrationErrorMessage"}`),
	}}
	f.deploy("api1", oneMethod(proxied()).tree(), st)
	if got := f.body("GET /prod/a HTTP/1.1\n"); got != `{"message": "Internal server error"}` {
		t.Errorf("the client sees %s", got)
	}
	const command = "aws lambda add-permission --function-name arn:aws:lambda:eu-west-1:111122223333:function:f --statement-id apigateway-invoke --action lambda:InvokeFunction " +
		"--principal apigateway.amazonaws.com --source-arn 'arn:aws:execute-api:eu-west-1:111122223333:api1/*'"
	lines := f.logged()
	if len(lines) != 2 {
		t.Fatalf("logs: %q", lines)
	}
	for _, line := range lines {
		if !strings.Contains(line, command) {
			t.Errorf("the command is not in %s", line)
		}
	}
	var access struct{ Status int }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[0], "access ")), &access); err != nil || access.Status != 500 {
		t.Errorf("access log %s: %v", lines[0], err)
	}
}

func TestCanaryGetsItsPartOfTheRequests(t *testing.T) {
	f := newFixture(t)
	f.answer("f", `{"statusCode":200,"body":"ok"}`)
	s := scope()
	for _, percent := range []float64{0, 100} {
		f.deploy("api1", oneMethod(proxied()).tree(), aws.Stage{
			Variables: map[string]string{"v": "old", "w": "same"}, CanarySettings: &aws.CanarySettings{PercentTraffic: &percent, DeploymentId: ptr("dep2"), StageVariableOverrides: map[string]string{"v": "new"}},
		})
		second := oneMethod(proxied())
		second.Paths["/b"] = map[string]aws.Method{"GET": proxied()}
		stored, hash, err := second.tree().Encode()
		if err != nil {
			t.Fatal(err)
		}
		f.set(func(tx store.Txn) error {
			tx.Set(s.Tree("api1", hash), stored)
			return record.Set(tx, s.Deployment("api1", "dep2"), api.Deployment{ID: "dep2", Tree: hash})
		})
		got := f.send("GET /prod/b HTTP/1.1\n").StatusCode
		if want := map[float64]int{0: 403, 100: 200}[percent]; got != want {
			t.Errorf("%v %%: status %d, want %d", percent, got, want)
		}
	}
	checkMembers(t, f.payload("f"), `{"stageVariables":{"v":"new","w":"same"},"requestContext":{"deploymentId":"dep2"}}`)
}

func TestTokensOfAUserPoolAdmit(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: "k", Algorithm: string(jose.ES256)}
	f := newFixture(t)
	f.plane.tokens = authorizer.NewTokens(oidc.New(oidc.Options{Clock: f.clock, Local: func(_ context.Context, issuer string) ([]byte, bool, error) {
		doc, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
		return doc, issuer == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", err
	}}), f.clock)
	f.answer("f", `{"statusCode":200,"body":"ok"}`)
	sh := oneMethod(proxied(func(m *aws.Method) {
		m.AuthorizationType, m.AuthorizerId, m.AuthorizationScopes = ptr("COGNITO_USER_POOLS"), ptr("pool"), []string{"read"}
	}))
	sh.Authorizers = map[string]*aws.Authorizer{"pool": {
		Id: ptr("pool"), Type: "COGNITO_USER_POOLS", IdentitySource: ptr("method.request.header.Authorization"), ProviderARNs: []string{"arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_abc"},
	}}
	f.deploy("api1", sh.tree(), aws.Stage{})
	token := func(scope string, expires time.Duration) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", "sub": "alice", "exp": start.Add(expires).Unix(), "scope": scope, "cognito:groups": []string{"a", "b"},
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for text, want := range map[string]string{
		"Bearer " + token("read", time.Hour): "ok", token("read", time.Hour): "ok", token("write", time.Hour): `{"message":"Unauthorized"}`,
		token("read", -time.Second): `{"message":"The incoming token has expired"}`, "nonsense": `{"message":"Unauthorized"}`,
	} {
		if got := f.body("GET /prod/a HTTP/1.1\nAuthorization: " + text + "\n"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	checkMembers(t, f.payload("f"), `{"requestContext":{"authorizer":{"claims":{"sub":"alice","cognito:groups":"[a b]","scope":"read"}}}}`)
}

func TestIntegrationTimeout(t *testing.T) {
	f := newFixture(t)
	f.answer("f", "hang")
	f.deploy("api1", oneMethod(proxied(func(m *aws.Method) { m.MethodIntegration.TimeoutInMillis = ptr(int32(50)) })).tree(), aws.Stage{})
	answer := f.send("GET /prod/a HTTP/1.1\n")
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusGatewayTimeout || string(b) != `{"message": "Endpoint request timed out"}` {
		t.Errorf("%d %s, %v", answer.StatusCode, b, err)
	}
}

func TestStageServesItsDeploymentAndNotTheWorkingTree(t *testing.T) {
	f := newFixture(t)
	f.answer("f", `{"statusCode":200,"body":"ok"}`)
	f.deploy("api1", oneMethod(proxied()).tree(), aws.Stage{})
	working := oneMethod(proxied())
	working.Paths["/new"] = map[string]aws.Method{"GET": proxied()}
	stored, _, err := working.tree().Encode()
	if err != nil {
		t.Fatal(err)
	}
	f.set(func(tx store.Txn) error { tx.Set(scope().Working("api1"), stored); return nil })
	if got := f.send("GET /prod/new HTTP/1.1\n").StatusCode; got != 403 {
		t.Errorf("status %d before the deployment", got)
	}
	f.deploy("api1", working.tree(), aws.Stage{})
	if got := f.send("GET /prod/new HTTP/1.1\n").StatusCode; got != 200 {
		t.Errorf("status %d after the deployment", got)
	}
}

func TestRequestIsTraced(t *testing.T) {
	f := newFixture(t)
	f.answer("f", `{"statusCode":200,"body":"ok"}`)
	f.deploy("api1", oneMethod(proxied()).tree(), aws.Stage{})
	answer := f.send("GET /prod/a HTTP/1.1\nX-Lambent-Trace: 1\n")
	id := answer.Header.Get("X-Lambent-Trace-Id")
	if id == "" || !strings.HasPrefix(answer.Header.Get("Server-Timing"), "route;dur=") {
		t.Errorf("headers %v", answer.Header)
	}
	w := httptest.NewRecorder()
	f.plane.o.Traces.ServeID(w, id)
	for _, want := range []string{`"name":"route"`, `"name":"authorizer"`, `"output":"open to everybody"`, `"name":"integration"`, `"name":"response"`, `"status":200`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not in %s", want, w.Body)
		}
	}
}

func TestMethodIsRehearsed(t *testing.T) {
	f := newFixture(t)
	f.answer("f", `{"statusCode":201,"headers":{"X-A":"1"},"body":"ok"}`)
	f.answer("auth", `{"principalId":"u1","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"*","Effect":"Allow","Resource":"*"}]},"context":{"k":"v"}}`)
	sh := oneMethod(proxied())
	sh.Authorizers = map[string]*aws.Authorizer{"a": {Id: ptr("a"), Type: "TOKEN", AuthorizerUri: ptr(strings.Replace(functionURI, ":f/", ":auth/", 1)), IdentitySource: ptr("method.request.header.Authorization")}}
	target := &Rehearsal{Scope: scope(), API: api.RestAPI{ID: "api1"}, Tree: sh.tree()}
	out, err := f.plane.TestMethod(t.Context(), target, &aws.TestInvokeMethodInput{
		ResourceId: "r-a", HttpMethod: "GET", PathWithQueryString: ptr("/a?q=1"), Headers: map[string]string{"X-H": "h"}, StageVariables: map[string]string{"v": "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Status != 201 || *out.Body != "ok" || out.Headers["X-A"] != "1" {
		t.Errorf("got %d %s %v", *out.Status, *out.Body, out.Headers)
	}
	for _, want := range []string{"Execution log for request ", "Mon Nov 30 12:00:00 UTC 2026 : HTTP Method: GET, Resource Path: /a", "Method request headers: {X-H=h}", "Successfully completed execution", "Method completed with status: 201"} {
		if !strings.Contains(*out.Log, want) {
			t.Errorf("%q is not in\n%s", want, *out.Log)
		}
	}
	checkMembers(t, f.payload("f"), `{"queryStringParameters":{"q":"1"},"stageVariables":{"v":"1"},"requestContext":{"stage":"test-invoke-stage"}}`)
	for token, want := range map[string]int32{"t": 0, "": 401} {
		got, err := f.plane.TestAuthorizer(t.Context(), target, &aws.TestInvokeAuthorizerInput{AuthorizerId: "a", Headers: map[string]string{"Authorization": token}})
		if err != nil || *got.ClientStatus != want || strings.Contains(*got.Log, "Successfully completed") != (want == 0) || want == 0 && (*got.PrincipalId != "u1" || got.Authorization["k"][0] != "v") {
			t.Errorf("%q: %+v, %v", token, got, err)
		}
	}
}

func FuzzRequestsNeverPanic(f *testing.F) {
	for _, seed := range [][3]string{{"/a/b", "x=1&y=%zz;", "X-A: b"}, {"//%2F/\x00", "&&=&a", "tEsT:\r\n x"}, {"/pets/{id}", "a=b=c", ""}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	var n node
	for _, path := range []string{"/", "/a", "/a/{id}", "/a/{id}/b", "/a/{rest+}", "/{x}/c", "/{proxy+}"} {
		n.insert(path, &resource{path: path, methods: map[string]*method{"GET": {}}})
	}
	f.Fuzz(func(t *testing.T, path, query, header string) {
		if r, params := n.find("/"+strings.TrimLeft(path, "/"), "GET"); r != nil && strings.Count(r.path, "{") != len(params) {
			t.Errorf("%q: %s has %d parameters", path, r.path, len(params))
		}
		name, value, _ := strings.Cut(header, ":")
		x := &exchange{
			stage: &stage{Served: api.Served{Scope: scope()}}, http: httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), tree: &tree{}, resource: &resource{path: "/"},
			fields: fields{{name, value}, {name, path}}, query: parseQuery(query), params: pairs{{"p", path}}, body: []byte(header), shown: path, full: path, now: start,
			variables: map[string]string{name: value},
		}
		if event := x.event(nil); !json.Valid(event) {
			t.Errorf("not JSON: %s", event)
		}
		_, _ = x.parseProxy([]byte(header))
		_, _ = parseSource(query)
		parseURI(path).fill(x.params, x.variables)
		parseText(header).fill(x)
	})
}
