package lambda

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// reply is what a request to a function URL got.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request to a function URL at the address of the fixture.
func ask(t testing.TB, method, url, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{got.StatusCode, got.Header, string(raw)}
}

// url makes a URL for a function, with the permissions that it needs, and returns its address and its id.
func (f *fixture) url(t testing.TB, in *api.CreateFunctionUrlConfigInput) (at, id string) {
	t.Helper()
	out, err := f.createFunctionUrlConfig(f.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	id = strings.Trim(strings.TrimPrefix(out.FunctionUrl, f.deps.BaseURL+urlPath), "/")
	return "http://" + f.listen(t) + urlPath + id, id
}

// open allows everybody everything from now on.
func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.public = true
}

const echo = `
import json
def handler(event, context):
    if event['rawPath'] == '/raise':
        raise Exception('no')
    if event['rawPath'] == '/plain':
        return {'seen': event.get('body')}
    return {'statusCode': 201, 'headers': {'X-Own': 'yes', 'Access-Control-Allow-Origin': 'https://evil'}, 'cookies': ['a=1', 'b=2'], 'body': json.dumps(event)}
`

func TestFunctionURLCarriesRequestAndAnswer(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", echo, nil)
	at, id := f.url(t, &api.CreateFunctionUrlConfigInput{FunctionName: "f", AuthType: "NONE"})
	f.door.open()

	got := ask(t, http.MethodPost, at+"/a%20b/c?x=1&x=2&y=%C3%A9", "hello", "Cookie", "one=1; two=2", "Connection", "keep-alive", "X-Twice", "v", "Content-Type", "text/plain")
	if got.status != 201 || got.header.Get("X-Own") != "yes" || got.header.Get("Connection") != "keep-alive" || len(got.header["Set-Cookie"]) != 2 || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("answer %d %v", got.status, got.header)
	}
	var e struct {
		Version, RouteKey, RawPath, RawQueryString, Body string
		Cookies                                          []string
		Headers, QueryStringParameters                   map[string]string
		IsBase64Encoded                                  bool
		RequestContext                                   struct {
			AccountID, APIID, DomainPrefix, Stage, RequestID string
			HTTP                                             struct{ Method, Path, SourceIP string }
		}
	}
	if err := json.Unmarshal([]byte(got.body), &e); err != nil {
		t.Fatalf("%s: %v", got.body, err)
	}
	if e.Version != "2.0" || e.RouteKey != "$default" || e.RawPath != "/a%20b/c" || e.RequestContext.HTTP.Path != "/a b/c" || e.RawQueryString != "x=1&x=2&y=%C3%A9" || e.Body != "hello" || e.IsBase64Encoded {
		t.Errorf("event %+v", e)
	}
	if strings.Join(e.Cookies, "|") != "one=1|two=2" || e.Headers["x-twice"] != "v" || e.Headers["connection"] != "" || e.QueryStringParameters["x"] != "1,2" || e.QueryStringParameters["y"] != "é" {
		t.Errorf("event %+v", e)
	}
	if h := e.Headers; !strings.HasPrefix(h["x-amzn-trace-id"], "Root=1-") || h["x-amzn-tls-version"] != "" {
		t.Errorf("headers %v", h)
	}
	if c := e.RequestContext; c.AccountID != "anonymous" || c.APIID != id || c.DomainPrefix != id || c.Stage != "$default" || c.HTTP.Method != http.MethodPost || c.HTTP.SourceIP != "127.0.0.1" || c.RequestID == "" {
		t.Errorf("context %+v", c)
	}
	got = ask(t, http.MethodPost, at+"/b", "", traceHeader, "Root=1-0-1;Sampled=1")
	if !regexp.MustCompile(`"x-amzn-trace-id": "Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-0-1;Sampled=1"`).MatchString(got.body) || !strings.HasPrefix(got.header.Get(traceHeader), "Root=1-0-1;Sampled=1;Lineage=") {
		t.Errorf("with a trace of the caller's: %s", got.body)
	}
	if got := ask(t, http.MethodGet, at+"/plain", ""); got.status != 200 || got.body != `{"seen":null}` || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("without a status: %+v", got)
	}
	if got := ask(t, http.MethodGet, at+"//plain", "", "Connection", "keep-alive"); got.status != 200 || got.body != `{"seen":null}` {
		t.Errorf("with two slashes: %+v", got)
	}
	if got := ask(t, http.MethodGet, at+"/raise", ""); got.status != 502 || got.body != "Internal Server Error" {
		t.Errorf("function that fails: %+v", got)
	}
	root, _, _ := strings.Cut(at, urlPath)
	if got := ask(t, http.MethodGet, root+"/plain", "", "Host", id+".lambda-url.us-east-1.on.aws"); got.status != 200 {
		t.Errorf("by host: %+v", got)
	}
	if got := ask(t, http.MethodGet, root+"/plain", "", "Host", id+".lambda-url.eu-west-1.on.aws"); got.status != 403 {
		t.Errorf("by the host of another region: %+v", got)
	}
	if got := ask(t, http.MethodGet, root+urlPath+"nothing/", ""); got.status != 403 {
		t.Errorf("a URL that does not exist: %+v", got)
	}
	if _, err := f.deleteFunctionUrlConfig(f.ctx, &api.DeleteFunctionUrlConfigInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, http.MethodGet, at, ""); got.status != 403 {
		t.Errorf("after its deletion: %+v", got)
	}
}

func TestFunctionURLNeedsBothPermissions(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", echo, nil)
	at, _ := f.url(t, &api.CreateFunctionUrlConfigInput{FunctionName: "f", AuthType: "NONE"})
	if got := ask(t, http.MethodGet, at+"/plain", ""); got.status != 403 || !strings.Contains(got.body, `"Message":"Forbidden`) {
		t.Errorf("without permissions: %+v", got)
	}
	f.door.open()
	if got := ask(t, http.MethodGet, at+"/plain", ""); got.status != 200 {
		t.Fatalf("with permissions: %+v", got)
	}
	want := []string{"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
	f.door.mu.Lock()
	asked := f.door.asked[len(f.door.asked)-2:]
	f.door.mu.Unlock()
	for i, target := range asked {
		if target.Action != want[i] || target.Condition["lambda:FunctionUrlAuthType"][0] != "NONE" || target.Condition["lambda:InvokedViaFunctionUrl"][0] != "true" {
			t.Errorf("asked for %+v", target)
		}
	}
}

func TestSignedFunctionURLKnowsItsCaller(t *testing.T) {
	caller := service.Principal{}
	var failure error
	f := newFixture(t, func(o *Options) {
		o.Caller = func(*http.Request, []byte) (service.Principal, error) { return caller, failure }
	})
	f.python(t, "f", echo, nil)
	at, _ := f.url(t, &api.CreateFunctionUrlConfigInput{FunctionName: "f", AuthType: "AWS_IAM"})
	f.door.open()
	if got := ask(t, http.MethodGet, at, ""); got.status != 403 {
		t.Errorf("unsigned: %+v", got)
	}
	failure = service.Errorf("SignatureDoesNotMatch", "no").WithStatus(403)
	if got := ask(t, http.MethodGet, at, ""); got.status != 403 {
		t.Errorf("badly signed: %+v", got)
	}
	failure = errors.New("the directory is gone")
	if got := ask(t, http.MethodGet, at, ""); got.status != 500 {
		t.Errorf("without a directory: %+v", got)
	}
	failure, caller = nil, service.Principal{Kind: service.User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/u", UserID: "AIDA", AccessKeyID: "AKIA"}
	got := ask(t, http.MethodGet, at, "")
	if want := `\"authorizer\": {\"iam\": {\"accessKey\": \"AKIA\", \"accountId\": \"111122223333\", \"callerId\": \"AIDA\"`; got.status != 201 || !strings.Contains(mustQuote(t, got.body), want) {
		t.Errorf("signed: %+v", got)
	}
}

func mustQuote(t testing.TB, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFunctionURLAnswersPreflights(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", echo, nil)
	at, _ := f.url(t, &api.CreateFunctionUrlConfigInput{FunctionName: "f", AuthType: "NONE", Cors: &api.Cors{AllowOrigins: []string{"https://good"}, AllowMethods: []string{"PUT"}, MaxAge: ptr(int32(5))}})
	got := ask(t, http.MethodOptions, at, "", "Origin", "https://good", "Access-Control-Request-Method", "PUT")
	if got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "https://good" || got.header.Get("Access-Control-Allow-Methods") != "PUT" || got.header.Get("Access-Control-Max-Age") != "5" {
		t.Errorf("preflight: %+v", got)
	}
	if got := ask(t, http.MethodOptions, at, "", "Origin", "https://evil", "Access-Control-Request-Method", "PUT"); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another origin: %+v", got)
	}
	f.door.open()
	if got := ask(t, http.MethodPut, at, "", "Origin", "https://good"); got.status != 201 || got.header.Get("Access-Control-Allow-Origin") != "https://good" {
		t.Errorf("request: %+v", got)
	}
	if got := ask(t, http.MethodPut, at, ""); got.status != 201 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("the function's own CORS headers must not pass: %+v", got)
	}
}

func TestStreamingFunctionURLPassesBytes(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(e, c): return {'statusCode': 404}\n", nil)
	at, _ := f.url(t, &api.CreateFunctionUrlConfigInput{FunctionName: "f", AuthType: "NONE", InvokeMode: "RESPONSE_STREAM"})
	f.door.open()
	if got := ask(t, http.MethodGet, at, ""); got.status != 200 || got.body != `{"statusCode": 404}` || got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("answer %+v", got)
	}
}

func TestFunctionURLOfAnAliasRunsItsVersion(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(e, c): return c.invoked_function_arn + ' ' + c.function_version\n", nil)
	if _, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.createAlias(f.ctx, &api.CreateAliasInput{FunctionName: "f", Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	at, _ := f.url(t, &api.CreateFunctionUrlConfigInput{FunctionName: "f", Qualifier: ptr("live"), AuthType: "NONE"})
	f.door.open()
	if got := ask(t, http.MethodGet, at, ""); got.body != "arn:aws:lambda:us-east-1:000000000000:function:f:live 1" {
		t.Errorf("answer %+v", got)
	}
	if _, err := f.deleteAlias(f.ctx, &api.DeleteAliasInput{FunctionName: "f", Name: "live"}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, http.MethodGet, at, ""); got.status != 403 {
		t.Errorf("after the alias: %+v", got)
	}
}

func TestEventOfAURLTellsOfItsTLS(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://id.lambda-url.us-east-1.on.aws/", nil)
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}
	event := string((&exchange{r: r}).event("Root=1-0-1;Parent=2"))
	for _, want := range []string{`"x-amzn-tls-version":"TLSv1.3"`, `"x-amzn-tls-cipher-suite":"TLS_AES_128_GCM_SHA256"`, `"x-amzn-trace-id":"Root=1-0-1"`} {
		if !strings.Contains(event, want) {
			t.Errorf("event %s has no %s", event, want)
		}
	}
}
