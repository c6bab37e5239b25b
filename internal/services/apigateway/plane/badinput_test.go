package plane

import (
	"io"
	"net/http"
	"strings"
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/test/badinput"
)

// okay checks that the plane still serves.
func (f *fixture) okay(after string) {
	f.t.Helper()
	f.answer("f", `{"statusCode":200,"body":"ok"}`)
	if got := f.body("GET /prod/a HTTP/1.1\n"); got != "ok" {
		f.t.Errorf("after %s: %s", after, got)
	}
}

// check compares the status and the body of an answer.
func (f *fixture) check(name string, answer *http.Response, status int, body string) {
	f.t.Helper()
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status || string(got) != body {
		f.t.Errorf("%s: %d %.200s, %v", name, answer.StatusCode, got, err)
	}
}

// TestBadInputIsAnsweredAsByAWS runs the column of REST APIs of the table in test/badinput.
func TestBadInputIsAnsweredAsByAWS(t *testing.T) {
	f := newFixture(t)
	s := &shape{Paths: map[string]map[string]aws.Method{
		"/f": {"ANY": proxied()}, "/f/{proxy+}": {"ANY": proxied()},
		"/auth": {"GET": proxied(func(m *aws.Method) { m.AuthorizationType, m.AuthorizerId = ptr("CUSTOM"), ptr("z") })},
	}}
	s.Authorizers = map[string]*aws.Authorizer{"z": {
		Id: ptr("z"), Type: "TOKEN", AuthorizerUri: ptr(strings.Replace(functionURI, ":function:f/", ":function:auth/", 1)), IdentitySource: ptr("method.request.header.Authorization"),
	}}
	f.deploy("api1", s.tree(), aws.Stage{})
	badinput.Run(t, badinput.Gate{
		Kind: badinput.REST, Addr: f.url, Host: "api1.execute-api.eu-west-1.localhost", Paths: map[string]string{"f": "/prod/f", "auth": "/prod/auth"},
		Answer: func(function, answer string) { f.answer(function, strings.TrimPrefix(answer, "!")) },
	})
}

func TestTemplatesThatBlowUpAreAnswered(t *testing.T) {
	f := newFixture(t)
	s := oneMethod(proxied())
	templates := map[string]string{
		"/loops":      `#foreach($i in [1..100000000])x#end`,
		"/doubles":    `#set($s = "ab")#foreach($i in [1..64])#set($s = "$s$s")#end`,
		"/is-in-self": `#set($m = {})#set($x = $m.put("m", $m))$m`,
		"/calls-self": `#define($d)$d#end$d`,
		"/bad-regex":  `$input.body.replaceAll("(", "x")`,
	}
	for path, template := range templates {
		s.Paths[path] = map[string]aws.Method{"GET": {AuthorizationType: ptr("NONE"), MethodIntegration: &aws.Integration{
			Type: "MOCK", RequestTemplates: map[string]string{"application/json": template}, IntegrationResponses: map[string]aws.IntegrationResponse{"200": {StatusCode: ptr("200")}},
		}, MethodResponses: map[string]aws.MethodResponse{"200": {StatusCode: ptr("200")}}}}
	}
	f.deploy("api1", s.tree(), aws.Stage{})
	for path := range templates {
		f.check(path, f.send("GET /prod"+path+" HTTP/1.1\n"), 500, `{"message": "Internal server error"}`)
	}
	f.okay("templates that blow up")
}
