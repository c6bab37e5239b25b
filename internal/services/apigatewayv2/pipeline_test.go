package apigatewayv2

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/trace"
)

const roleARN = "arn:aws:iam::000000000000:role/caller"

// toService is a first-class integration with a service.
func toService(subtype string, parameters map[string]string) *api.CreateIntegrationInput {
	return &api.CreateIntegrationInput{IntegrationType: kindAWSProxy, IntegrationSubtype: &subtype, PayloadFormatVersion: ptr("1.0"), CredentialsArn: ptr(roleARN), RequestParameters: parameters}
}

func TestServicesAreCalledWithTheRole(t *testing.T) {
	s := newSite(t, nil)
	const queue = "http://127.0.0.1:4566/000000000000/q"
	for key, i := range map[string]*api.CreateIntegrationInput{
		"POST /kinesis": toService("Kinesis-PutRecord", map[string]string{"StreamName": "$request.body.stream", "Data": "$request.body.payload", "PartitionKey": "$request.body.key", "ExplicitHashKey": "$request.body.hash"}),
		"POST /events":  toService("EventBridge-PutEvents", map[string]string{"Detail": "$request.body", "DetailType": "t", "Source": "app", "Resources": `["arn:a"]`, "Time": "2026-11-25T12:00:00Z", "Region": "eu-west-1"}),
		"POST /send": toService("SQS-SendMessage", map[string]string{
			"QueueUrl": queue, "MessageBody": "$request.body.text", "MessageAttributes": `{"who": {"DataType": "String", "StringValue": "${request.header.X-Who}"}}`,
		}),
		"POST /receive": toService("SQS-ReceiveMessage", map[string]string{"QueueUrl": queue, "AttributeNames": "All", "MaxNumberOfMessages": "2"}),
		"POST /purge":   toService("SQS-PurgeQueue", map[string]string{"QueueUrl": queue}),
	} {
		s.route(&api.CreateRouteInput{RouteKey: key}, i)
	}
	const record = `"payload":"J0hlbGxvLCBXb3JsZCEnCg==","key":"p1"`
	for _, tc := range []struct {
		path, body string
		status     int
		call       string
	}{
		{"/kinesis", `{` + record + `,"stream":"s","hash":"1"}`, 200, `kinesis PutRecord us-east-1 application/x-amz-json-1.1 {"Data":"J0hlbGxvLCBXb3JsZCEnCg==","ExplicitHashKey":"1","PartitionKey":"p1","StreamName":"s"}`},
		// As AWS answers: what a parameter refers to must be there and not be empty, and a call that the service refuses is the gateway's failure.
		{"/kinesis", `{` + record + `,"hash":"1"}`, 400, ""},
		{"/kinesis", `{` + record + `,"stream":"s"}`, 400, ""},
		{"/kinesis", `{` + record + `,"stream":"","hash":"1"}`, 400, ""},
		{"/kinesis", `no json`, 400, ""},
		{"/kinesis", `{` + record + `,"stream":"doesntexist","hash":"1"}`, 500, `kinesis PutRecord us-east-1 application/x-amz-json-1.1 {"Data":"J0hlbGxvLCBXb3JsZCEnCg==","ExplicitHashKey":"1","PartitionKey":"p1","StreamName":"doesntexist"}`},
		{"/events", `{"a":1}`, 200, `events PutEvents eu-west-1 application/x-amz-json-1.1 {"Entries":[{"Detail":"{\"a\":1}","DetailType":"t","Resources":["arn:a"],"Source":"app","Time":1795608000}]}`},
		{"/send", `{"text":"hi & bye"}`, 200, `sqs SendMessage us-east-1 application/x-www-form-urlencoded MessageAttribute.1.Name=who&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=ann&MessageBody=hi+%26+bye&QueueUrl=http%3A%2F%2F127.0.0.1%3A4566%2F000000000000%2Fq`},
		{"/receive", `{}`, 200, `sqs ReceiveMessage us-east-1 application/x-www-form-urlencoded AttributeName.1=All&MaxNumberOfMessages=2&QueueUrl=http%3A%2F%2F127.0.0.1%3A4566%2F000000000000%2Fq`},
		{"/purge", `{}`, 200, `sqs PurgeQueue us-east-1 application/x-www-form-urlencoded QueueUrl=http%3A%2F%2F127.0.0.1%3A4566%2F000000000000%2Fq`},
	} {
		s.calls = nil
		status, header, body := s.post(tc.path, tc.body, "X-Who", "ann")
		if status != tc.status {
			t.Errorf("%s %s: %d %s", tc.path, tc.body, status, body)
		}
		got := strings.Join(s.calls, "\n")
		call, as, _ := strings.Cut(got, " as ")
		if call != tc.call || tc.call != "" && !strings.HasPrefix(as, roleARN+"/") {
			t.Errorf("%s %s called\n%s\nwant\n%s", tc.path, tc.body, got, tc.call)
		}
		if status == 200 && (body != `{"SequenceNumber":"1","ShardId":"s"}` || header.Get("Content-Type") != "application/x-amz-json-1.1" || len(header["X-Amzn-Requestid"]) != 1) {
			t.Errorf("%s: %s %v", tc.path, body, header)
		}
	}
	for _, later := range laterSubtypes {
		i := toService(later, nil)
		i.ApiId = s.id
		if _, err := s.gateway.createIntegration(s.ctx, i); err == nil || !strings.Contains(err.Error(), later) {
			t.Errorf("%s: %v", later, err)
		}
	}
}

func TestRoutesAreThrottled(t *testing.T) {
	s := newSite(t, nil)
	for _, key := range []string{"GET /slow", "GET /fast"} {
		s.route(&api.CreateRouteInput{RouteKey: key}, proxy("f", "2.0"))
	}
	if _, err := s.gateway.updateStage(s.ctx, &api.UpdateStageInput{
		ApiId: s.id, StageName: defaultStage, DefaultRouteSettings: &api.RouteSettings{ThrottlingRateLimit: ptr(1.), ThrottlingBurstLimit: ptr(int32(3)), DetailedMetricsEnabled: ptr(true)},
		RouteSettings: map[string]api.RouteSettings{"GET /slow": {ThrottlingRateLimit: ptr(1.), ThrottlingBurstLimit: ptr(int32(1))}},
	}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		path   string
		status int
	}{{"/slow", 200}, {"/slow", 429}, {"/fast", 200}, {"/fast", 200}, {"/fast", 429}} {
		if status, _, body := s.get(want.path); status != want.status || status == 429 && body != `{"message":"Too Many Requests"}` {
			t.Errorf("request %d to %s: %d %s", i, want.path, status, body)
		}
	}
}

func TestDenialsCarryCORSHeaders(t *testing.T) {
	s := newSite(t, newIssuer(t))
	if _, err := s.gateway.updateAPI(s.ctx, &api.UpdateApiInput{ApiId: s.id, CorsConfiguration: &api.Cors{
		AllowOrigins: []string{"https://app.example"}, AllowMethods: []string{"*"}, AllowHeaders: []string{"authorization"}, ExposeHeaders: []string{"x-a"},
	}}); err != nil {
		t.Fatal(err)
	}
	z := s.authorizer(&api.CreateAuthorizerInput{
		Name: "jwt", AuthorizerType: authorizerJWT, IdentitySource: []string{"$request.header.Authorization"}, JwtConfiguration: &api.JWTConfiguration{Issuer: ptr(issuerURL), Audience: []string{"app"}},
	})
	s.route(&api.CreateRouteInput{RouteKey: "ANY /closed", AuthorizationType: authJWT, AuthorizerId: &z}, proxy("f", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /broken"}, proxy("denied", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /backend"}, toBackend(newEcho(t)+"/x"))
	s.answer("denied", "denied")
	for path, want := range map[string]int{"/closed": 401, "/broken": 500, "/none": 404, "/backend": 200} {
		status, header, _ := s.get(path, "Origin", "https://app.example")
		if status != want || !slices.Equal(header.Values("Access-Control-Allow-Origin"), []string{"https://app.example"}) || header.Get("Access-Control-Expose-Headers") != "x-a" {
			t.Errorf("%s: %d %v", path, status, header)
		}
	}
	resp, _ := s.do(t, http.MethodOptions, "/_aws/execute-api/"+s.id+"/closed", "", "Origin", "https://app.example", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization")
	if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Headers") != "authorization" || resp.Header.Get("Apigw-Requestid") == "" {
		t.Errorf("preflight of a closed route: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestAccessLogsHaveEveryVariable(t *testing.T) {
	s := newSite(t, nil)
	z := s.authorizer(&api.CreateAuthorizerInput{Name: "ask", AuthorizerType: authorizerRequest, AuthorizerPayloadFormatVersion: ptr("2.0"), EnableSimpleResponses: ptr(true)})
	s.answer("ask", `{"isAuthorized":true,"context":{"team":"red"}}`)
	s.route(&api.CreateRouteInput{RouteKey: "POST /items/{id}", AuthorizationType: authCustom, AuthorizerId: &z}, proxy("f", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /denied"}, proxy("denied", "2.0"))
	s.answer("denied", "denied")
	s.answer("f", `{"statusCode":201,"body":"f"}`)
	names := []string{
		"accountId", "apiId", "authorizer.team", "dataProcessed", "domainName", "domainPrefix", "error.message", "error.messageString", "error.responseType", "extendedRequestId", "httpMethod",
		"identity.sourceIp", "identity.userAgent", "integration.integrationStatus", "integration.latency", "integration.status", "integrationErrorMessage", "integrationStatus", "path", "protocol", "requestId",
		"requestTime", "requestTimeEpoch", "responseLatency", "responseLength", "routeKey", "stage", "status",
	}
	format := make([]string, len(names))
	for i, n := range names {
		format[i] = n + "=$context." + n
	}
	if _, err := s.gateway.updateStage(s.ctx, &api.UpdateStageInput{
		ApiId: s.id, StageName: defaultStage,
		AccessLogSettings: &api.AccessLogSettings{DestinationArn: ptr("arn:aws:logs:us-east-1:000000000000:log-group:/apis"), Format: ptr(strings.Join(format, "|"))},
	}); err != nil {
		t.Fatal(err)
	}
	_, header, _ := s.post("/items/7", `{}`, "User-Agent", "ua")
	id, prefix := header.Get("Apigw-Requestid"), s.addr[:strings.IndexByte(s.addr, '.')]
	want := "/apis accountId=000000000000|apiId=" + s.id + "|authorizer.team=red|dataProcessed=3|domainName=" + s.addr + "|domainPrefix=" + prefix + "|error.message=-|error.messageString=-|error.responseType=-|extendedRequestId=" + id +
		"|httpMethod=POST|identity.sourceIp=127.0.0.1|identity.userAgent=ua|integration.integrationStatus=200|integration.latency=0|integration.status=201|integrationErrorMessage=-|integrationStatus=200|path=/items/7|protocol=HTTP/1.1|requestId=" + id +
		"|requestTime=25/Nov/2026:12:00:00 +0000|requestTimeEpoch=1795608000000|responseLatency=0|responseLength=1|routeKey=POST /items/{id}|stage=$default|status=201"
	if len(s.lines) != 1 || s.lines[0] != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(s.lines, "\n"), want)
	}
	s.lines = nil
	s.get("/denied")
	for _, part := range []string{
		"status=500", "error.message=Internal Server Error", `error.messageString="Internal Server Error"`, "routeKey=GET /denied", "integrationStatus=-",
		"integrationErrorMessage=apigateway.amazonaws.com may not invoke arn:aws:lambda:us-east-1:000000000000:function:denied", "aws lambda add-permission --function-name arn:aws:lambda:us-east-1:000000000000:function:denied",
		"--source-arn 'arn:aws:execute-api:us-east-1:000000000000:" + s.id + "/*'",
	} {
		if len(s.lines) != 1 || !strings.Contains(s.lines[0], part) {
			t.Errorf("the line has no %s: %q", part, s.lines)
		}
	}
}

func TestMissingPermissionsAreExplained(t *testing.T) {
	s := newSite(t, nil)
	var log bytes.Buffer
	s.gateway.deps.Log = slog.New(slog.NewJSONHandler(&log, nil))
	z := s.authorizer(&api.CreateAuthorizerInput{Name: "ask", AuthorizerType: authorizerRequest, AuthorizerPayloadFormatVersion: ptr("2.0")})
	s.route(&api.CreateRouteInput{RouteKey: "GET /asked", AuthorizationType: authCustom, AuthorizerId: &z}, proxy("f", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /f"}, proxy("f", "2.0"))
	s.answer("ask", "denied")
	s.answer("f", "denied")
	for path, source := range map[string]string{"/asked": "/authorizers/" + z, "/f": "/*"} {
		log.Reset()
		if status, _, body := s.get(path); status != 500 || body != `{"message":"Internal Server Error"}` {
			t.Errorf("%s: %d %s", path, status, body)
		}
		var line struct{ Fix string }
		if err := json.Unmarshal(log.Bytes(), &line); err != nil || !strings.Contains(line.Fix, "lambda:InvokeFunction") || !strings.HasSuffix(line.Fix, "--source-arn 'arn:aws:execute-api:us-east-1:000000000000:"+s.id+source+"'") {
			t.Errorf("%s: %s", path, log.String())
		}
	}
}

func TestTracesShowTheWayOfARequest(t *testing.T) {
	s := newSite(t, nil)
	z := s.authorizer(&api.CreateAuthorizerInput{Name: "ask", AuthorizerType: authorizerRequest, AuthorizerPayloadFormatVersion: ptr("2.0"), EnableSimpleResponses: ptr(true)})
	s.answer("ask", `{"isAuthorized":true,"context":{"team":"red"}}`)
	i := proxy("f", "2.0")
	i.RequestParameters = map[string]string{"append:header.X-A": "1"}
	s.route(&api.CreateRouteInput{RouteKey: "GET /a", AuthorizationType: authCustom, AuthorizerId: &z}, i)
	_, header, _ := s.get("/a", "X-Lambent-Trace", "1")
	id := header.Get("Apigw-Requestid")
	if header.Get("X-Lambent-Trace-Id") != id || !strings.Contains(header.Get("Server-Timing"), "authorizer;dur=") {
		t.Errorf("header %v", header)
	}
	w := httptest.NewRecorder()
	s.gateway.options.Traces.ServeID(w, id)
	var d trace.Document
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range d.Entries {
		names = append(names, e.Name)
	}
	if want := []string{"route", "authorizer", "integration request", "integration", "response"}; !slices.Equal(names, want) {
		t.Errorf("steps %v, want %v", names, want)
	}
	if d.Status != 200 || d.Entries[0].Output != "GET /a" || !strings.Contains(d.Entries[1].Output, `{"team":"red"}`) || !strings.Contains(d.Entries[3].Input, `"version":"2.0"`) || !strings.HasSuffix(d.Entries[4].Output, "f") {
		t.Errorf("trace %+v", d)
	}
	if _, header, _ := s.get("/a"); header.Get("X-Lambent-Trace-Id") != "" {
		t.Error("nobody asked for a trace")
	}
	if status, header, _ := s.get("/none"); status != 404 || s.gateway.options.Traces.Find(header.Get("Apigw-Requestid")) == nil {
		t.Errorf("a request without a route has no trace: %d", status)
	}
}
