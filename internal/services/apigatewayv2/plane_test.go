package apigatewayv2

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/domain"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

const functionARN = "arn:aws:lambda:us-east-1:000000000000:function:f"

// functions answers invocations with what a test sets.
type functions struct {
	answer string
	err    error
	failed string
	event  []byte
	from   port.Source
}

func (f *functions) Invoke(_ context.Context, from port.Source, _ string, payload []byte) (port.Invocation, error) {
	f.event, f.from = payload, from
	return port.Invocation{Payload: []byte(f.answer), Error: f.failed}, f.err
}
func (f *functions) CheckInvoke(context.Context, port.Source, string) error { return nil }
func (f *functions) EnqueueAsync(context.Context, store.Txn, port.Source, string, []byte) error {
	return nil
}

type bench struct {
	*functions

	gateway *Gateway
	clock   *clock.Fake
	ctx     context.Context
	addr    string
}

// newBench makes a gateway without a listener.
func newBench(t testing.TB) *bench {
	t.Helper()
	f := &functions{answer: `{"statusCode":200,"body":"ok"}`}
	b := newBenchWith(t, f)
	b.functions = f
	return b
}

func newBenchWith(t testing.TB, f port.Functions) *bench {
	t.Helper()
	b := &bench{clock: clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))}
	b.ctx = service.WithRequest(t.Context(), &service.Request{ID: "r", Account: "000000000000", Region: "us-east-1"})
	deps := service.Deps{
		Store: mem.New(), Door: &allowing{}, Clock: b.clock, Random: rand.Reader,
		Log: slog.New(slog.DiscardHandler), BaseURL: "http://127.0.0.1:4566",
	}
	b.gateway = newGateway(deps, options(f, domain.New(deps, domain.Options{})))
	return b
}

// options are what a gateway shares with others, with functions of a test.
func options(f port.Functions, d *domain.Domains) Options {
	return Options{Functions: &backend.Functions{Direct: f}, Rates: throttle.New(tokenbucket.Limit{Rate: 10_000, Burst: 5_000}), Reach: &reach.Policy{Private: true}, Domains: d, APIs: pets{}}
}

// run starts a gateway behind a real listener.
func run(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.listen(t)
	return b
}

// runWith is run with functions of the test's own.
func runWith(t *testing.T, f port.Functions) *bench {
	t.Helper()
	b := newBenchWith(t, f)
	b.listen(t)
	return b
}

// listen starts the gateway and a listener.
func (b *bench) listen(t testing.TB) {
	t.Helper()
	if err := b.gateway.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = l.Addr().String()
	p := &plane{gateway: b.gateway}
	b.gateway.options.Domains.Register(planeName, p)
	s, err := front.Serve(l, front.Options{
		Routes: b.gateway.routes(p),
		API:    http.NotFoundHandler(), Health: http.NotFoundHandler(), Loopback: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(s.Shutdown(context.Background()), b.gateway.close(context.Background())) })
}

// samBody is a definition as the SAM transform writes it.
func samBody(paths ...string) string {
	var items []string
	for _, p := range paths {
		method, path, _ := strings.Cut(p, " ")
		items = append(items, `"`+path+`":{"`+method+`":{"x-amazon-apigateway-integration":{"type":"aws_proxy","httpMethod":"POST","payloadFormatVersion":"2.0",`+
			`"uri":"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/`+functionARN+`/invocations"},"responses":{}}}`)
	}
	return `{"openapi":"3.0.1","info":{"title":"app","version":"1.0"},"paths":{` + strings.Join(items, ",") + `},"tags":[{"name":"httpapi:createdBy","x-amazon-apigateway-tag-value":"SAM"}]}`
}

func (b *bench) deploy(t *testing.T, body string, cors *api.Cors) string {
	t.Helper()
	out, err := b.gateway.importAPI(b.ctx, &api.ImportApiInput{Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if cors != nil {
		if _, err := b.gateway.updateAPI(b.ctx, &api.UpdateApiInput{ApiId: *out.ApiId, CorsConfiguration: cors}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.gateway.createStage(b.ctx, &api.CreateStageInput{ApiId: *out.ApiId, StageName: "$default", AutoDeploy: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	return *out.ApiId
}

func (b *bench) do(t testing.TB, method, target, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+b.addr+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(got)
}

func TestEventOfPayloadFormatTwo(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("post /boards/{id}/pictures"), nil)
	resp, _ := b.do(t, "POST", "/_aws/execute-api/"+id+"/boards/a%20b/pictures?x=1&x=2&y=a+b", `{"n":"ü"}`,
		"Content-Type", "application/json", "Cookie", "s=1; t=2", "User-Agent", "test", "X-Two", "v", "X-Amzn-Trace-Id", "Root=1-2-3")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	var got map[string]any
	if err := json.Unmarshal(b.event, &got); err != nil {
		t.Fatalf("event %s: %v", b.event, err)
	}
	host := b.addr
	prefix, _, _ := strings.Cut(host, ".")
	want := map[string]any{
		"version": "2.0", "routeKey": "POST /boards/{id}/pictures", "rawPath": "/boards/a b/pictures", "rawQueryString": "x=1&x=2&y=a+b",
		"cookies": []any{"s=1", "t=2"},
		"headers": map[string]any{
			"x-amzn-trace-id": "Root=1-2-3", "accept-encoding": "gzip", "content-length": "10", "content-type": "application/json", "host": host, "user-agent": "test", "x-two": "v",
			"x-forwarded-for": "127.0.0.1", "x-forwarded-port": host[strings.LastIndexByte(host, ':')+1:], "x-forwarded-proto": "http",
		},
		"queryStringParameters": map[string]any{"x": "1,2", "y": "a b"},
		"requestContext": map[string]any{
			"accountId": "000000000000", "apiId": id, "domainName": host, "domainPrefix": prefix,
			"http":      map[string]any{"method": "POST", "path": "/boards/a b/pictures", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"},
			"requestId": resp.Header.Get("Apigw-Requestid"), "routeKey": "POST /boards/{id}/pictures", "stage": "$default",
			"time": "25/Nov/2026:12:00:00 +0000", "timeEpoch": float64(1795608000000),
		},
		"pathParameters": map[string]any{"id": "a b"},
		"body":           `{"n":"ü"}`, "isBase64Encoded": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if want := "arn:aws:execute-api:us-east-1:000000000000:" + id + "/$default/POST/boards/{id}/pictures"; b.from.ARN != want {
		t.Errorf("source %s, want %s", b.from.ARN, want)
	}
}

func TestMostSpecificRouteWins(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("get /a/{x}", "get /a/b", "x-amazon-apigateway-any-method /a/{p+}", "x-amazon-apigateway-any-method /$default", "get /{y}/b"), nil)
	for target, want := range map[string]string{
		"GET /a/b": "GET /a/b", "GET /a/c": "GET /a/{x}", "PUT /a/c": "ANY /a/{p+}", "GET /a/c/d": "ANY /a/{p+}", "GET /z/b": "GET /{y}/b", "GET //a/b": "GET /a/b",
		"GET /": "$default", "GET /a/": "ANY /a/{p+}", "PATCH /q": "$default",
	} {
		method, path, _ := strings.Cut(target, " ")
		if resp, body := b.do(t, method, "/_aws/execute-api/"+id+path, ""); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d %s", target, resp.StatusCode, body)
			continue
		}
		var e struct{ RouteKey string }
		if err := json.Unmarshal(b.event, &e); err != nil || e.RouteKey != want {
			t.Errorf("%s went to %q (%v), want %q", target, e.RouteKey, err, want)
		}
	}
}

func TestAnswersOfFunctions(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("get /"), nil)
	for _, c := range []struct {
		answer      string
		status      int
		body        string
		contentType string
	}{
		{`{"statusCode":201,"headers":{"x-a":1,"content-type":"text/html"},"cookies":["a=1"],"body":"<p>"}`, 201, "<p>", "text/html"},
		{`{"statusCode":"202","body":"aGk=","isBase64Encoded":true}`, 202, "hi", "text/plain;charset=UTF-8"},
		{`{"hello":"world"}`, 200, `{"hello":"world"}`, "application/json"},
		{`"text"`, 200, "text", "application/json"},
	} {
		b.answer = c.answer
		resp, body := b.do(t, "GET", "/_aws/execute-api/"+id+"/", "")
		if resp.StatusCode != c.status || body != c.body || resp.Header.Get("Content-Type") != c.contentType {
			t.Errorf("answer %s: %d %q %q, want %d %q %q", c.answer, resp.StatusCode, resp.Header.Get("Content-Type"), body, c.status, c.contentType, c.body)
		}
	}
}

func TestFailuresBecomeTheGatewaysAnswers(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("get /"), nil)
	for _, c := range []struct {
		name, failed string
		err          error
		status       int
	}{
		{"function error", "Unhandled", nil, 500},
		{"denied", "", service.Errorf("AccessDeniedException", "no"), 500},
		{"throttled", "", service.Errorf("TooManyRequestsException", "busy"), 503},
		{"timeout", "", context.DeadlineExceeded, 503},
	} {
		b.failed, b.err = c.failed, c.err
		if resp, _ := b.do(t, "GET", "/_aws/execute-api/"+id, ""); resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.name, resp.StatusCode, c.status)
		}
	}
	if resp, body := b.do(t, "GET", "/_aws/execute-api/none/x", ""); resp.StatusCode != http.StatusNotFound || body != `{"message":"Not Found"}` {
		t.Errorf("unknown API: %d %s", resp.StatusCode, body)
	}
	if resp, _ := b.do(t, "POST", "/_aws/execute-api/"+id+"/", strings.Repeat("x", maxRequestBody+1)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("unknown method: %d, want 404 before the body is read", resp.StatusCode)
	}
}

func TestGatewayAnswersCORS(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("get /"), &api.Cors{AllowOrigins: []string{"https://app.example"}, AllowMethods: []string{"GET"}, AllowHeaders: []string{"authorization"}})
	resp, _ := b.do(t, "OPTIONS", "/_aws/execute-api/"+id+"/", "", "Origin", "https://app.example", "Access-Control-Request-Method", "GET")
	if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || resp.Header.Get("Access-Control-Allow-Methods") != "GET" {
		t.Errorf("preflight: %d %v", resp.StatusCode, resp.Header)
	}
	resp, _ = b.do(t, "OPTIONS", "/_aws/execute-api/"+id+"/", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET")
	if resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of a foreign origin was allowed: %v", resp.Header)
	}
	b.answer = `{"statusCode":200,"headers":{"access-control-allow-origin":"*"},"body":"x"}`
	resp, _ = b.do(t, "GET", "/_aws/execute-api/"+id+"/", "", "Origin", "https://app.example")
	if got := resp.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != "https://app.example" {
		t.Errorf("answer allows %v, want the gateway's own header alone", got)
	}
}

func TestAStageServesItsDeploymentUntilTheNext(t *testing.T) {
	b := run(t)
	out, err := b.gateway.importAPI(b.ctx, &api.ImportApiInput{Body: samBody("get /old")})
	if err != nil {
		t.Fatal(err)
	}
	id := *out.ApiId
	if _, err := b.gateway.createStage(b.ctx, &api.CreateStageInput{ApiId: id, StageName: "prod"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.gateway.createDeployment(b.ctx, &api.CreateDeploymentInput{ApiId: id, StageName: ptr("prod")}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.gateway.reimportAPI(b.ctx, &api.ReimportApiInput{ApiId: id, Body: samBody("get /new")}); err != nil {
		t.Fatal(err)
	}
	status := func(path string) int {
		resp, _ := b.do(t, "GET", "/_aws/execute-api/"+id+"/prod"+path, "")
		return resp.StatusCode
	}
	if o, n := status("/old"), status("/new"); o != 200 || n != 404 {
		t.Errorf("before the second deployment: old %d, new %d", o, n)
	}
	if _, err := b.gateway.createDeployment(b.ctx, &api.CreateDeploymentInput{ApiId: id, StageName: ptr("prod")}); err != nil {
		t.Fatal(err)
	}
	if o, n := status("/old"), status("/new"); o != 404 || n != 200 {
		t.Errorf("after the second deployment: old %d, new %d", o, n)
	}
}

func TestAnAPIAnswersUnderItsDomainNameAlone(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("get /pets/{id}"), nil)
	if _, err := b.gateway.createDomainName(b.ctx, &api.CreateDomainNameInput{
		DomainName: "api.example.com", DomainNameConfigurations: []api.DomainNameConfiguration{{CertificateArn: ptr("arn:aws:acm:us-east-1:000000000000:certificate/c")}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.gateway.createAPIMapping(b.ctx, &api.CreateApiMappingInput{DomainName: "api.example.com", ApiId: id, Stage: "$default", ApiMappingKey: ptr("v1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.gateway.updateAPI(b.ctx, &api.UpdateApiInput{ApiId: id, DisableExecuteApiEndpoint: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	if resp, body := b.do(t, "GET", "/v1/pets/7", "", "Host", "api.example.com"); resp.StatusCode != http.StatusOK {
		t.Errorf("by the domain name: %d %s", resp.StatusCode, body)
	}
	if resp, body := b.do(t, "GET", "/_aws/domains/api.example.com/v1/pets/7", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("by path: %d %s", resp.StatusCode, body)
	}
	if resp, _ := b.do(t, "GET", "/_aws/execute-api/"+id+"/pets/7", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("by its own endpoint: %d", resp.StatusCode)
	}
}

func TestAStageIsFoundAfterItsPathWasAskedForInVain(t *testing.T) {
	b := run(t)
	id := b.deploy(t, samBody("get /prod"), nil)
	path := "/_aws/execute-api/" + id + "/prod/prod"
	for range 2 { // the second answer comes from memory
		if resp, _ := b.do(t, "GET", path, ""); resp.StatusCode != http.StatusNotFound {
			t.Fatalf("without the stage: %d", resp.StatusCode)
		}
	}
	if _, err := b.gateway.createStage(b.ctx, &api.CreateStageInput{ApiId: id, StageName: "prod", AutoDeploy: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	if resp, body := b.do(t, "GET", path, ""); resp.StatusCode != http.StatusOK {
		t.Errorf("with the stage: %d %s", resp.StatusCode, body)
	}
}

func FuzzImport(f *testing.F) {
	f.Add(samBody("get /a/{b+}"))
	f.Add("openapi: 3.0.1\npaths:\n  /a:\n    get: {}\n")
	b := newBench(f)
	f.Fuzz(func(_ *testing.T, body string) {
		if m, err := b.gateway.importDocument(importing{body: &body}); err == nil {
			compile(&m.api.Config, nil)
		}
	})
}
