package apigatewayv2

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
)

// seen is what a backend saw of a request.
type seen struct {
	Method, Target, Host, Body string
	Header                     http.Header
}

// newEcho starts a backend that answers with what it sees, and as its path says.
func newEcho(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-From", "backend")
		w.Header().Set("Access-Control-Allow-Origin", "https://backend.example")
		w.Header().Set("Keep-Alive", "timeout=5")
		switch {
		case strings.HasPrefix(r.URL.Path, "/redirect"):
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/created"):
			w.WriteHeader(http.StatusCreated)
		case strings.HasPrefix(r.URL.Path, "/large"):
			_, _ = w.Write(make([]byte, 10<<20+1))
			return
		case strings.HasPrefix(r.URL.Path, "/hang"):
			<-r.Context().Done()
			return
		case strings.HasPrefix(r.URL.Path, "/abort"):
			panic(http.ErrAbortHandler)
		}
		b, _ := json.Marshal(seen{r.Method, r.RequestURI, r.Host, string(body), r.Header})
		_, _ = w.Write(b)
	}))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	return s.URL
}

// toBackend is an integration with an HTTP backend.
func toBackend(uri string) *api.CreateIntegrationInput {
	return &api.CreateIntegrationInput{IntegrationType: kindHTTPProxy, IntegrationMethod: ptr("ANY"), IntegrationUri: &uri, PayloadFormatVersion: ptr("1.0")}
}

func TestBackendsGetTheRequest(t *testing.T) {
	echo := newEcho(t)
	s := newSite(t, nil)
	s.stage(&api.CreateStageInput{StageName: "dev", StageVariables: map[string]string{"host": strings.TrimPrefix(echo, "http://"), "base": "v2"}})
	s.route(&api.CreateRouteInput{RouteKey: "ANY /{proxy+}"}, toBackend(echo+"/base/{proxy}"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /vars/{id}"}, toBackend("http://${stageVariables.host}/${stageVariables.base}/{id}?own=1"))
	fixed := toBackend(echo + "/fixed")
	fixed.IntegrationMethod = ptr("PUT")
	s.route(&api.CreateRouteInput{RouteKey: "POST /fixed"}, fixed)
	for _, tc := range []struct{ method, path, target, as string }{
		{"GET", "/a/b?x=1&y=%20", "/base/a/b?x=1&y=%20", "GET"},
		{"DELETE", "/a%2Fb;c=d/%00//e", "/base/a%2Fb;c=d/%00//e", "DELETE"},
		{"PATCH", "/%C3%A9", "/base/%C3%A9", "PATCH"},
		{"GET", "/dev/vars/a%20b?z=2", "/v2/a%20b?own=1&z=2", "GET"},
		{"POST", "/fixed?q", "/fixed?q", "PUT"},
	} {
		resp, body := s.do(t, tc.method, "/_aws/execute-api/"+s.id+tc.path, "text", "X-Forwarded-For", "192.0.2.1", "Connection", "X-Hop", "X-Hop", "1", "X-Kept", "2", "Te", "trailers")
		var got seen
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%s: %d %s", tc.path, resp.StatusCode, body)
		}
		if got.Target != tc.target || got.Method != tc.as || got.Body != "text" || "http://"+got.Host != echo {
			t.Errorf("%s: the backend saw %+v", tc.path, got)
		}
		for _, name := range []string{"X-Hop", "Te", "X-Forwarded-For", "Connection"} {
			if v := got.Header.Get(name); v != "" {
				t.Errorf("%s: %s", name, v)
			}
		}
		forwarded := `for=192.0.2.1, for=127.0.0.1;host="` + s.addr + `";proto=http`
		if got.Header.Get("Forwarded") != forwarded || got.Header.Get("Via") != "HTTP/1.1 AmazonAPIGateway" || got.Header.Get("X-Kept") != "2" || !strings.HasPrefix(got.Header.Get("X-Amzn-Trace-Id"), "Root=1-") {
			t.Errorf("header %v", got.Header)
		}
		if resp.Header.Get("X-From") != "backend" || resp.Header.Get("Keep-Alive") != "" || resp.Header.Get("Apigw-Requestid") == "" {
			t.Errorf("answered with %v", resp.Header)
		}
	}
}

func TestBackendsThatFailAreAnswers(t *testing.T) {
	echo := newEcho(t)
	s := newSite(t, nil)
	slow := toBackend(echo + "/hang")
	slow.TimeoutInMillis = ptr(int32(50))
	for key, i := range map[string]*api.CreateIntegrationInput{
		"GET /hang": slow, "GET /abort": toBackend(echo + "/abort"), "GET /large": toBackend(echo + "/large"), "GET /nobody": toBackend("http://127.0.0.1:1/"),
		"GET /redirect": toBackend(echo + "/redirect"), "GET /scheme": toBackend("http://${stageVariables.none}/"),
	} {
		s.route(&api.CreateRouteInput{RouteKey: key}, i)
	}
	for path, want := range map[string]int{"/hang": 503, "/abort": 503, "/large": 500, "/nobody": 503, "/scheme": 500} {
		status, _, body := s.get(path)
		if status != want || body != `{"message":"`+map[int]string{500: "Internal Server Error", 503: "Service Unavailable"}[want]+`"}` {
			t.Errorf("%s: %d %.100s", path, status, body)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.addr+"/_aws/execute-api/"+s.id+"/redirect", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/elsewhere" {
		t.Errorf("a redirect came as %d %v", resp.StatusCode, resp.Header)
	}
}

func TestParametersAreMapped(t *testing.T) {
	echo := newEcho(t)
	s := newSite(t, nil)
	i := toBackend(echo + "/ignored/{id}")
	i.RequestParameters = map[string]string{
		"append:header.X-Kept": "$context.requestId", "overwrite:header.X-Old": "v-${request.header.X-New}-${request.path.id}", "remove:header.X-Gone": "", "append:querystring.foo": "bar",
		"overwrite:querystring.q": "$request.body.a.b", "remove:querystring.drop": "", "overwrite:path": "/created/${request.path.id}/${request.querystring.seg}", "append:header.X-None": "$request.header.nothing",
	}
	i.ResponseParameters = map[string]map[string]string{
		"201": {"overwrite:statuscode": "202", "append:header.X-Method": "$response.body.Method", "overwrite:header.X-From": "was-${response.header.x-from}", "remove:header.Content-Type": ""},
	}
	s.route(&api.CreateRouteInput{RouteKey: "POST /items/{id}"}, i)
	status, header, body := s.post("/items/a%2Fb?drop=1&q=0&seg=x%20y&foo=1", `{"a":{"b":7}}`, "X-Kept", "1", "X-Old", "o", "X-New", "n", "X-Gone", "g")
	var got seen
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%d %s", status, body)
	}
	if got.Target != "/created/a%2Fb/x%20y?q=7&seg=x+y&foo=1&foo=bar" {
		t.Errorf("target %s", got.Target)
	}
	if kept := got.Header.Values("X-Kept"); !cmp.Equal(kept, []string{"1", header.Get("Apigw-Requestid")}) {
		t.Errorf("X-Kept %v", kept)
	}
	if got.Header.Get("X-Old") != "v-n-a/b" || got.Header.Get("X-Gone") != "" || len(got.Header["X-None"]) != 0 {
		t.Errorf("header %v", got.Header)
	}
	if status != 202 || header.Get("X-Method") != "POST" || header.Get("X-From") != "was-backend" {
		t.Errorf("answered %d %v", status, header)
	}
	if status, _, body := s.post("/items/1?seg=1", `{}`, "X-New", "ok"); status != 202 {
		t.Errorf("a mapping without a value: %d %s", status, body)
	}
	for name, value := range map[string]string{"append:header.Authorization": "x", "overwrite:header.Content-Length": "1", "append:header.X-Amz-Date": "1", "append:path": "/x", "overwrite:querystring": "x", "overwrite:statuscode": "200"} {
		i := toBackend(echo)
		i.ApiId, i.RequestParameters = s.id, map[string]string{name: value}
		if _, err := s.gateway.createIntegration(s.ctx, i); err == nil {
			t.Errorf("the mapping %s is accepted", name)
		}
	}
}

func TestMappedHeadersCannotSplitTheRequest(t *testing.T) {
	s := newSite(t, nil)
	i := toBackend(newEcho(t))
	i.RequestParameters = map[string]string{"append:header.X-Q": "$request.querystring.q"}
	s.route(&api.CreateRouteInput{RouteKey: "GET /"}, i)
	if status, _, body := s.get("/?q=a%0d%0aX-Evil:%201"); status != 400 || body != `{"message":"Bad Request"}` {
		t.Errorf("%d %s", status, body)
	}
}

func TestFunctionsGetMappedParameters(t *testing.T) {
	s := newSite(t, nil)
	i := proxy("f", "2.0")
	i.RequestParameters = map[string]string{"overwrite:header.X-Tenant": "$request.path.tenant", "append:querystring.n": "1"}
	i.ResponseParameters = map[string]map[string]string{"200": {"append:header.X-Stage": "$context.stage"}}
	s.route(&api.CreateRouteInput{RouteKey: "GET /{tenant}/x"}, i)
	_, header, _ := s.get("/t1/x")
	got, _ := s.event("f")
	if got["headers"].(map[string]any)["x-tenant"] != "t1" || got["rawQueryString"] != "n=1" || header.Get("X-Stage") != defaultStage {
		t.Errorf("event %v, header %v", got, header)
	}
}

func TestPrivateBackendsAreVerifiedByTheirName(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	s := newSite(t, nil)
	link, err := s.gateway.createLink(s.ctx, &api.CreateVpcLinkInput{Name: "l", SubnetIds: []string{"subnet-1"}})
	if err != nil {
		t.Fatal(err)
	}
	i := toBackend(server.URL)
	i.ConnectionType, i.ConnectionId, i.TlsConfig = "VPC_LINK", link.VpcLinkId, &api.TlsConfigInput{ServerNameToVerify: ptr("example.com")}
	s.route(&api.CreateRouteInput{RouteKey: "GET /"}, i)
	if status, _, _ := s.get("/"); status != 503 {
		t.Errorf("a backend with an unknown certificate: %d", status)
	}
}

func TestPathsOfAllKindsReachFunctions(t *testing.T) {
	s := newSite(t, nil)
	s.route(&api.CreateRouteInput{RouteKey: "$default"}, proxy("f", "2.0"))
	// The paths of captured requests to AWS, and others. Those that AWS refuses have no path.
	for path, want := range map[string]string{
		"//a": "//a", "/a%2Fb": "/a/b", "/a;b=c": "/a;b=c", "/%00": "/\x00", "/a//b/": "/a//b/", "/a%20b": "/a b", "/a%3Fb": "/a", "/a%23b": "/a#b", "/%CE%BB": "/λ",
		"/a%252Fb": "/a/b", "/a%253Fb": "/a?b", "/a%2525b": "/a%b", "/a%25done": "", "/a%zz": "", "/%": "",
	} {
		c, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET /_aws/execute-api/"+s.id+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(c)
		status := "HTTP/1.1 200"
		if want == "" {
			status = "HTTP/1.1 400"
		}
		if err != nil || !strings.HasPrefix(string(answer), status) {
			t.Errorf("%s: %s %v", path, answer, err)
			continue
		}
		if want == "" {
			continue
		}
		if got, _ := s.event("f"); got["rawPath"] != want {
			t.Errorf("%s came as %q", path, got["rawPath"])
		}
	}
}

func TestBackendsThatAnswerTooMuchAreRefused(t *testing.T) {
	s := newSite(t, nil)
	s.route(&api.CreateRouteInput{RouteKey: "POST /b"}, toBackend(newEcho(t)+"/created"))
	if status, _, body := s.post("/b", strings.Repeat("x", 10<<20)); status != http.StatusInternalServerError { // the echo is longer
		t.Errorf("%d %.100s", status, body)
	}
}
