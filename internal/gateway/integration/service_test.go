package integration_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

func TestURIsOfServicesAreTakenApart(t *testing.T) {
	for uri, want := range map[string]integration.ServiceURI{
		"arn:aws:apigateway:eu-west-1:dynamodb:action/Query":              {Region: "eu-west-1", Service: "dynamodb", Action: "Query", Path: "/"},
		"arn:aws:apigateway:eu-west-1:sqs:action/SendMessage&QueueUrl=a":  {Region: "eu-west-1", Service: "sqs", Action: "SendMessage", Path: "/", Query: "QueueUrl=a"},
		"arn:aws:apigateway:eu-west-1:s3:path/bucket/a%2Fb?versionId=1":   {Region: "eu-west-1", Service: "s3", Path: "/bucket/a%2Fb", Query: "versionId=1"},
		"arn:aws:apigateway:eu-west-1:runtime.sagemaker:path//endpoints/": {Region: "eu-west-1", Service: "runtime.sagemaker", Path: "/endpoints/"},
	} {
		if got, ok := integration.ParseServiceURI(uri); !ok || got != want {
			t.Errorf("%s: %+v, %v", uri, got, ok)
		}
	}
	for _, uri := range []string{"", "https://example.com", "arn:aws:lambda:eu-west-1:1:function:f", "arn:aws:apigateway:eu-west-1:s3:file/a", "arn:aws:apigateway:eu-west-1:s3:action/", "arn:aws:apigateway:eu-west-1::path/a"} {
		if got, ok := integration.ParseServiceURI(uri); ok {
			t.Errorf("%s: accepted as %+v", uri, got)
		}
	}
}

type roles struct{ port.Roles }

func (roles) SessionForService(_ context.Context, svc, role, session string) (service.Principal, error) {
	if strings.Contains(role, "forbidden") {
		return service.Principal{}, service.Errorf("AccessDenied", "the role does not trust %s", svc).WithStatus(403)
	}
	return service.Principal{Kind: service.AssumedRole, ARN: role + "/" + session}, nil
}

// requests answers with what it was asked or with a document of XML, or breaks off.
type requests struct {
	breaks bool
	xml    string
}

func (q requests) ServeRequest(w http.ResponseWriter, r *http.Request, c *port.ServiceRequest) {
	body, _ := io.ReadAll(r.Body)
	if q.xml != "" {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, q.xml)
		return
	}
	w.Header().Set("X-Caller", c.Caller.Principal.ARN+" in "+c.Caller.Region)
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, c.Service+" "+c.Action+" "+r.Method+" "+r.URL.RequestURI()+" "+string(body))
	if q.breaks {
		panic(http.ErrAbortHandler)
	}
}

func TestServiceIsCalledWithTheRole(t *testing.T) {
	deps := service.Deps{Clock: clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)), Random: rand.Reader}
	s := &integration.Services{Requests: requests{}, Sender: deliver.New(deps, roles{}), Random: rand.Reader}
	uri, _ := integration.ParseServiceURI("arn:aws:apigateway:eu-west-1:sqs:path/1/q?a=1")
	c := &integration.ServiceCall{URI: uri, Source: "arn:aws:execute-api:eu-west-1:111122223333:api1/prod/POST/q", Account: "111122223333", Role: "arn:aws:iam::111122223333:role/r", Method: "POST", Query: "b=2", Body: []byte("x")}
	got, err := s.Call(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Body) != "sqs  POST /1/q?a=1&b=2 x" || got.Status != 202 || got.Header.Get("X-Caller") != "arn:aws:iam::111122223333:role/r/prod-POST-q in eu-west-1" {
		t.Errorf("got %d %q %v", got.Status, got.Body, got.Header)
	}
	for name, tc := range map[string]struct {
		change func(c *integration.ServiceCall)
		breaks bool
		kind   integration.Kind
	}{
		"no credentials":      {func(c *integration.ServiceCall) { c.Role = "" }, false, integration.Misconfigured},
		"a role of others":    {func(c *integration.ServiceCall) { c.Role = "arn:aws:iam::1:role/forbidden" }, false, integration.Forbidden},
		"an answer cut short": {func(*integration.ServiceCall) {}, true, integration.Failed},
	} {
		other := *c
		tc.change(&other)
		s.Requests = requests{breaks: tc.breaks}
		var f *integration.CallError
		if _, err := s.Call(t.Context(), &other); !errors.As(err, &f) || f.Kind != tc.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQueryServicesAnswerInJSONToWhoAcceptsIt(t *testing.T) {
	deps := service.Deps{Clock: clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)), Random: rand.Reader}
	uri, _ := integration.ParseServiceURI("arn:aws:apigateway:eu-west-1:sns:action/Publish")
	for document, want := range map[string]string{
		`<?xml version="1.0"?><R xmlns="x"><A><Id>1 &amp; 2</Id><L><member><N>a</N></member><member>b</member></L><E/></A><B>x</B><B>y</B></R>`: `{"R":{"A":{"E":"","Id":"1 \u0026 2","L":[{"N":"a"},"b"]},"B":["x","y"]}}`,
		`<R><A></R>`: `<R><A></R>`,
		strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100): strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
	} {
		s := &integration.Services{Requests: requests{xml: document}, Sender: deliver.New(deps, roles{}), Random: rand.Reader}
		got, err := s.Call(t.Context(), &integration.ServiceCall{
			URI: uri, Account: "111122223333", Source: "arn:aws:execute-api:eu-west-1:111122223333:a/s/GET/", Role: "arn:aws:iam::111122223333:role/r", Method: "POST",
			Header: http.Header{"Accept": {"application/json"}},
		})
		if err != nil || string(got.Body) != want {
			t.Errorf("got %s, %v\nwant %s", got.Body, err, want)
		}
	}
}
