package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/auth/sigv4"
)

// functions are those of bench/platform/app whose names are fixed: one in Go, with AWS's client, and one in Python, with the bundled one.
var functions = []string{"bench-entry", "bench-python"}

// gates are the APIs under load.
type gates struct {
	platform *lab.Platform
	host     string
	api      string // of the REST API
	httpAPI  string // the path of the HTTP API
}

// openGates makes the REST API: a Lambda proxy, a function behind templates, a backend, and a cached method.
func openGates(ctx context.Context, p *lab.Platform, backend string) (*gates, error) {
	stacks, err := p.Stacks(ctx, "app")
	if err != nil {
		return nil, err
	}
	host, path, err := address(stacks[0].OutputMap()["ApiURL"])
	if err != nil {
		return nil, err
	}
	g := &gates{platform: p, host: host, httpAPI: path}
	var made struct{ ID string }
	doc, err := json.Marshal(document(backend))
	if err != nil {
		return nil, err
	}
	if err := g.call(ctx, "apigateway", http.MethodPost, "/restapis?mode=import", string(doc), &made); err != nil {
		return nil, err
	}
	g.api = made.ID
	permission := fmt.Sprintf(`{"StatementId":"bench","Action":"lambda:InvokeFunction","Principal":"apigateway.amazonaws.com","SourceArn":"arn:aws:execute-api:us-east-1:000000000000:%s/*"}`, g.api)
	for _, name := range functions {
		if err := g.call(ctx, "lambda", http.MethodPost, "/2015-03-31/functions/"+name+"/policy", permission, nil); err != nil {
			return nil, err
		}
	}
	if err := g.call(ctx, "apigateway", http.MethodPost, "/restapis/"+g.api+"/deployments", `{"stageName":"prod"}`, nil); err != nil {
		return nil, err
	}
	return g, g.call(ctx, "apigateway", http.MethodPatch, "/restapis/"+g.api+"/stages/prod", `{"patchOperations":[
		{"op":"replace","path":"/cacheClusterEnabled","value":"true"}, {"op":"replace","path":"/cacheClusterSize","value":"0.5"},
		{"op":"replace","path":"/~1cached/GET/caching/enabled","value":"true"}, {"op":"replace","path":"/~1cached/GET/throttling/rateLimit","value":"1000000"}, {"op":"replace","path":"/~1cached/GET/throttling/burstLimit","value":"1000000"},
		{"op":"replace","path":"/*/*/throttling/rateLimit","value":"1000000"}, {"op":"replace","path":"/*/*/throttling/burstLimit","value":"1000000"},
		{"op":"replace","path":"/accessLogSettings/destinationArn","value":"arn:aws:logs:us-east-1:000000000000:log-group:bench"},
		{"op":"replace","path":"/accessLogSettings/format","value":"$context.requestId $context.identity.sourceIp $context.httpMethod $context.path $context.status $context.responseLatency"}]}`, nil)
}

// rest is a method of the REST API.
func (g *gates) rest(method, path string) *lab.Target {
	t := &lab.Target{Addr: g.host, Host: g.host, Path: "/_aws/execute-api/" + g.api + "/prod" + path, PID: g.platform.PID(), Method: method}
	if method == http.MethodPost {
		t.Body = `{"name":"ann"}`
	}
	return t
}

// http is a route of the HTTP API.
func (g *gates) http(path string) *lab.Target {
	return &lab.Target{Addr: g.host, Host: g.host, Path: g.httpAPI + path, PID: g.platform.PID()}
}

// invoke is a direct invocation of the function, signed once.
func (g *gates) invoke(ctx context.Context) (*lab.Target, error) {
	const body = `{"name":"ann"}`
	path := "/2015-03-31/functions/bench-entry/invocations"
	r, err := g.signed(ctx, "lambda", http.MethodPost, path, body)
	if err != nil {
		return nil, err
	}
	var header strings.Builder
	for name, values := range r.Header {
		if name != "Content-Type" {
			header.WriteString(name + ": " + values[0] + "\r\n")
		}
	}
	return &lab.Target{Addr: g.host, Host: g.host, Path: path, PID: g.platform.PID(), Method: http.MethodPost, Body: body, Header: header.String()}, nil
}

// signed returns a signed request.
func (g *gates) signed(ctx context.Context, service, method, path, body string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, g.platform.Endpoint+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	signer := sigv4.Signer{AccessKeyID: g.platform.AccessKeyID, Secret: g.platform.Secret, Region: g.platform.Region, Service: service}
	return r, signer.SignHTTP(r, sigv4.Hash([]byte(body)), time.Now())
}

// call makes a signed call and reads its answer into out, unless that is nil.
func (g *gates) call(ctx context.Context, service, method, path, body string, out any) error {
	r, err := g.signed(ctx, service, method, path, body)
	if err != nil {
		return err
	}
	answer, err := g.platform.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// template is a mapping template of about 5 KB.
func template() string {
	var b strings.Builder
	b.WriteString("{")
	for i := range 100 {
		fmt.Fprintf(&b, "\n  \"member%03d\": \"$input.path('$.name') text\",", i)
	}
	b.WriteString("\n  \"id\": \"$context.requestId\"\n}")
	return b.String()
}

// document is the OpenAPI document of the REST API.
func document(backend string) map[string]any {
	const key = "x-amazon-apigateway-integration"
	uri := func(function string) string {
		return "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:" + function + "/invocations"
	}
	responses := map[string]any{"200": map[string]any{"description": "ok"}}
	method := func(integration map[string]any) map[string]any {
		return map[string]any{"responses": responses, key: integration}
	}
	good := func(template string) map[string]any {
		return map[string]any{"default": map[string]any{"statusCode": "200", "responseTemplates": map[string]any{"application/json": template}}}
	}
	mapped := func(function string) map[string]any {
		return map[string]any{"post": method(map[string]any{
			"type": "aws", "httpMethod": "POST", "uri": uri(function), "requestTemplates": map[string]any{"application/json": template()}, "responses": good(template()),
		})}
	}
	return map[string]any{
		"swagger": "2.0", "info": map[string]any{"title": "bench", "version": "1"},
		"paths": map[string]any{
			"/fn":          map[string]any{"post": method(map[string]any{"type": "aws_proxy", "httpMethod": "POST", "uri": uri("bench-entry")})},
			"/python":      map[string]any{"post": method(map[string]any{"type": "aws_proxy", "httpMethod": "POST", "uri": uri("bench-python")})},
			"/template":    mapped("bench-python"),
			"/template-go": mapped("bench-entry"),
			"/backend":     map[string]any{"post": method(map[string]any{"type": "http_proxy", "httpMethod": "POST", "uri": "http://" + backend + "/answer"})},
			"/cached": map[string]any{"get": method(map[string]any{
				"type": "mock", "requestTemplates": map[string]any{"application/json": `{"statusCode":200}`}, "responses": good(`{"ok":true}`),
			})},
		},
	}
}
