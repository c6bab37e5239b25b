package apigatewayv2

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
)

func TestEventOfPayloadFormatOne(t *testing.T) {
	s := newSite(t, nil)
	s.stage(&api.CreateStageInput{StageName: "dev", StageVariables: map[string]string{"v": "1"}})
	s.route(&api.CreateRouteInput{RouteKey: "ANY /handler/{proxy+}"}, proxy("f", "1.0"))
	s.post("/dev/handler/a%20b/c?x=1&x=2&y=a+b", `{"n":1}`, "accept-encoding", "identity", "User-Agent", "test", "x-two", "v", "X-Amzn-Trace-Id", "Root=1-2-3")
	got, _ := s.event("f")
	about := got["requestContext"].(map[string]any)
	id := about["requestId"]
	port := s.addr[strings.LastIndexByte(s.addr, ':')+1:]
	prefix, _, _ := strings.Cut(s.addr, ".")
	headers := map[string]any{
		"Accept-Encoding": "identity", "Content-Length": "7", "Content-Type": "application/json", "Host": s.addr, "User-Agent": "test", "X-Amzn-Trace-Id": "Root=1-2-3", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Port": port, "X-Forwarded-Proto": "http",
		"X-Two": "v",
	}
	multi := map[string]any{}
	for name, v := range headers {
		multi[name] = []any{v}
	}
	want := map[string]any{
		"version": "1.0", "resource": "/handler/{proxy+}", "path": "/dev/handler/a b/c", "httpMethod": "POST", "headers": headers, "multiValueHeaders": multi,
		"queryStringParameters": map[string]any{"x": "2", "y": "a b"}, "multiValueQueryStringParameters": map[string]any{"x": []any{"1", "2"}, "y": []any{"a b"}},
		"requestContext": map[string]any{
			"accountId": "000000000000", "apiId": s.id, "authorizer": map[string]any{"claims": nil, "scopes": nil}, "domainName": s.addr, "domainPrefix": prefix, "extendedRequestId": id, "httpMethod": "POST",
			"identity": map[string]any{
				"accessKey": nil, "accountId": nil, "caller": nil, "cognitoAmr": nil, "cognitoAuthenticationProvider": nil, "cognitoAuthenticationType": nil, "cognitoIdentityId": nil,
				"cognitoIdentityPoolId": nil, "principalOrgId": nil, "sourceIp": "127.0.0.1", "user": nil, "userAgent": "test", "userArn": nil,
			},
			"path": "/dev/handler/a b/c", "protocol": "HTTP/1.1", "requestId": id, "requestTime": "25/Nov/2026:12:00:00 +0000", "requestTimeEpoch": float64(1795608000000),
			"resourceId": "ANY /handler/{proxy+}", "resourcePath": "/handler/{proxy+}", "stage": "dev",
		},
		"pathParameters": map[string]any{"proxy": "a b/c"}, "stageVariables": map[string]any{"v": "1"}, "body": `{"n":1}`, "isBase64Encoded": false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	s.get("/handler/")
	got, _ = s.event("f")
	for _, name := range []string{"queryStringParameters", "multiValueQueryStringParameters", "stageVariables", "body"} {
		if v, there := got[name]; v != nil || !there {
			t.Errorf("%s is %v", name, v)
		}
	}
	if !cmp.Equal(got["pathParameters"], map[string]any{"proxy": ""}) || got["path"] != "/handler/" {
		t.Errorf("parameters %v of %v", got["pathParameters"], got["path"])
	}
}

func TestAnswersOfPayloadFormatOne(t *testing.T) {
	s := newSite(t, nil)
	s.route(&api.CreateRouteInput{RouteKey: "GET /"}, proxy("f", "1.0"))
	for _, tc := range []struct {
		answer      string
		status      int
		body        string
		contentType string
	}{
		{`{"statusCode":201,"headers":{"x-a":1,"content-type":"text/html"},"body":"<p>"}`, 201, "<p>", "text/html"},
		{`{"statusCode":"202","body":"aGk=","isBase64Encoded":true}`, 202, "hi", "text/plain;charset=UTF-8"},
		{`{"statusCode":200,"extra":1,"headers":null}`, 200, "", "text/plain;charset=UTF-8"},
		{`{"hello":"world"}`, 500, "", ""},
		{`"text"`, 500, "", ""},
		{`[]`, 500, "", ""},
		{`null`, 500, "", ""},
		{``, 500, "", ""},
		{`{"statusCode":99}`, 500, "", ""},
		{`{"statusCode":600}`, 500, "", ""},
		{`{"statusCode":200,"body":{"a":1}}`, 500, "", ""},
		{`{"statusCode":200,"body":"%","isBase64Encoded":true}`, 500, "", ""},
		{`{"statusCode":200,"headers":{"a\nb":"c"}}`, 500, "", ""},
		{`{"statusCode":200,"headers":{"a":"c\r\nSet-Cookie: x=1"}}`, 500, "", ""},
		{`{"statusCode":200,"headers":{"a":{}}}`, 500, "", ""},
		{`{"statusCode":200,"multiValueHeaders":{"a":"b"}}`, 500, "", ""},
	} {
		if tc.status == 500 {
			tc.body, tc.contentType = `{"message":"Internal Server Error"}`, "application/json"
		}
		s.answer("f", tc.answer)
		status, header, body := s.get("/")
		if status != tc.status || body != tc.body || header.Get("Content-Type") != tc.contentType {
			t.Errorf("answer %s: %d %q %q", tc.answer, status, header.Get("Content-Type"), body)
		}
	}
	s.answer("f", `{"statusCode":200,"headers":{"set-cookie":"c=3","x-a":"1"},"multiValueHeaders":{"Set-Cookie":["a=1","b=2"],"X-A":["1"]}}`)
	_, header, _ := s.get("/")
	if !cmp.Equal(header.Values("Set-Cookie"), []string{"a=1", "b=2", "c=3"}) || !cmp.Equal(header.Values("X-A"), []string{"1"}) {
		t.Errorf("header %v", header)
	}
}

func FuzzAnswersOfFunctions(f *testing.F) {
	f.Add([]byte(`{"statusCode":201,"headers":{"x-a":1},"multiValueHeaders":{"a":["b"]},"body":"<p>"}`), true)
	f.Add([]byte(`{"statusCode":200,"cookies":["a=b"]}`), false)
	f.Fuzz(func(t *testing.T, payload []byte, one bool) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		x := &exchange{table: &table{}, request: r, route: &compiled{integration: &compiledIntegration{one: one}}}
		out, err := x.readAnswer(payload, http.Header{})
		if err == nil && (out.status < 100 || out.status > 599) {
			t.Errorf("status %d", out.status)
		}
		if err == nil && one && !json.Valid(payload) {
			t.Error("what is no JSON was read")
		}
	})
}
