package plane

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
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

func TestBodiesThatAreTooLongAreRefused(t *testing.T) {
	f := newFixture(t)
	f.deploy("api1", oneMethod(proxied()).tree(), aws.Stage{})
	const want = `{"message": "Request Too Long"}`
	f.check("a length", f.send("GET /prod/a HTTP/1.1\nContent-Length: 10485761\n"), 413, want)
	f.check("a length beyond all", f.send("GET /prod/a HTTP/1.1\nContent-Length: 9223372036854775807\n"), 413, want)
	f.okay("bodies that are too long")
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

func TestClientsThatWriteNoMoreAreAnswered(t *testing.T) {
	f := newFixture(t)
	f.deploy("api1", oneMethod(proxied()).tree(), aws.Stage{})
	f.answer("f", `{"statusCode":200,"body":"late"}`)
	for name, c := range map[string]struct {
		request string
		status  int
		body    string
	}{
		"a whole request":        {"GET /prod/a HTTP/1.1\r\nHost: api1.execute-api.eu-west-1.localhost\r\n\r\n", 200, "late"},
		"a body that ends early": {"GET /prod/a HTTP/1.1\r\nHost: api1.execute-api.eu-west-1.localhost\r\nContent-Length: 9\r\n\r\nabc", 400, `{"message": "Bad Request"}`},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", f.url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.request); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.check(name, answer, c.status, c.body)
		_ = answer.Body.Close()
		_ = conn.Close()
	}
	f.okay("clients that are half gone")
}
