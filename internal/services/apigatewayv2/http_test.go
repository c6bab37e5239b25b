package apigatewayv2

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"lambent.dev/lambent/internal/auth/oidc"
	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/gateway/authorizer"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// site is an HTTP API behind a listener, with what it calls.
type site struct {
	*bench

	id string
	t  testing.TB

	mu sync.Mutex // guards the fields below
	// answers are those of functions by name; "!" in front makes it an error document, "denied" lacks the permission.
	answers map[string]string
	events  map[string][]json.RawMessage
	sources map[string]string // the ARNs as which functions were invoked last
	lines   []string          // of the access log
	calls   []string          // of services
}

// Invoke implements [port.Functions].
func (s *site) Invoke(ctx context.Context, from port.Source, function string, payload []byte) (port.Invocation, error) {
	name := function[strings.LastIndexByte(function, ':')+1:]
	s.mu.Lock()
	s.events[name] = append(s.events[name], append(json.RawMessage(nil), payload...))
	s.sources[name] = from.ARN
	answer, ok := s.answers[name]
	s.mu.Unlock()
	failure, failed := strings.CutPrefix(answer, "!")
	switch {
	case failed:
		return port.Invocation{Error: "Unhandled", Payload: []byte(failure)}, nil
	case answer == "denied":
		return port.Invocation{}, service.Errorf("AccessDeniedException", "no").WithStatus(http.StatusForbidden)
	case answer == "hang":
		<-ctx.Done()
		return port.Invocation{}, ctx.Err()
	case answer == "late":
		return port.Invocation{}, context.DeadlineExceeded
	case !ok:
		answer = `{"statusCode":200,"body":"` + name + `"}`
	}
	return port.Invocation{Payload: []byte(answer)}, nil
}

// CheckInvoke implements [port.Functions].
func (s *site) CheckInvoke(_ context.Context, _ port.Source, function string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.answers[function[strings.LastIndexByte(function, ':')+1:]] {
	case "denied":
		return service.Errorf("AccessDeniedException", "no").WithStatus(http.StatusForbidden)
	case "gone":
		return service.Errorf("ResourceNotFoundException", "Function not found: %s", function).WithStatus(http.StatusNotFound)
	}
	return nil
}

// PutLog implements [port.LogSink].
func (s *site) PutLog(_ context.Context, _, _, group, _ string, lines []port.LogLine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		s.lines = append(s.lines, group+" "+l.Message)
	}
	return nil
}

// Flush implements [port.LogSink].
func (s *site) Flush(context.Context) error { return nil }

// ServeRequest implements [port.Requests].
func (s *site) ServeRequest(w http.ResponseWriter, r *http.Request, c *port.ServiceRequest) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.calls = append(s.calls, c.Service+" "+c.Action+" "+c.Caller.Region+" "+r.Header.Get("Content-Type")+" "+string(body)+" as "+c.Caller.Principal.ARN)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header()["x-amzn-RequestId"] = []string{"r-1"}
	if strings.Contains(string(body), "doesntexist") {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = io.WriteString(w, `{"SequenceNumber":"1","ShardId":"s"}`)
}

type roles struct{ port.Roles }

func (roles) SessionForService(_ context.Context, _, role, session string) (service.Principal, error) {
	return service.Principal{Kind: service.AssumedRole, Account: "000000000000", ARN: role + "/" + session}, nil
}

// newSite starts an empty HTTP API with a stage that deploys by itself. issuer answers for issuers of tokens; it may be nil.
func newSite(t testing.TB, issuer http.RoundTripper) *site {
	t.Helper()
	s := &site{t: t, answers: map[string]string{}, events: map[string][]json.RawMessage{}, sources: map[string]string{}}
	s.bench = newBenchWith(t, s)
	o := &s.gateway.options
	deps := s.gateway.deps
	sender := deliver.New(deps, roles{})
	o.Functions.Sender, o.Functions.Door, o.Functions.Random = sender, deps.Door, rand.Reader
	o.Services = &backend.Services{Requests: s, Sender: sender, Random: rand.Reader}
	o.Tokens = authorizer.NewTokens(oidc.New(oidc.Options{HTTP: &http.Client{Transport: issuer}, Clock: s.clock}), s.clock)
	o.Traces = trace.NewRecorder(s.clock)
	o.Access = accesslog.NewWriter(s, sender, slog.New(slog.DiscardHandler))
	t.Cleanup(o.Access.Close)
	s.listen(t)
	made, err := s.gateway.createAPI(s.ctx, &api.CreateApiInput{Name: "site", ProtocolType: protocolHTTP})
	if err != nil {
		t.Fatal(err)
	}
	s.id = *made.ApiId
	s.stage(&api.CreateStageInput{StageName: defaultStage})
	return s
}

// stage makes a stage, which deploys by itself.
func (s *site) stage(in *api.CreateStageInput) {
	s.t.Helper()
	in.ApiId, in.AutoDeploy = s.id, ptr(true)
	if _, err := s.gateway.createStage(s.ctx, in); err != nil {
		s.t.Fatal(err)
	}
}

// authorizer makes an authorizer and returns its id.
func (s *site) authorizer(in *api.CreateAuthorizerInput) string {
	s.t.Helper()
	in.ApiId = s.id
	if in.AuthorizerType == authorizerRequest && in.AuthorizerUri == nil {
		in.AuthorizerUri = ptr("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:" + in.Name + "/invocations")
	}
	out, err := s.gateway.createAuthorizer(s.ctx, in)
	if err != nil {
		s.t.Fatal(err)
	}
	return *out.AuthorizerId
}

// route makes a route to an integration.
func (s *site) route(r *api.CreateRouteInput, i *api.CreateIntegrationInput) {
	s.t.Helper()
	i.ApiId = s.id
	made, err := s.gateway.createIntegration(s.ctx, i)
	if err != nil {
		s.t.Fatal(err)
	}
	r.ApiId, r.Target = s.id, ptr("integrations/"+*made.IntegrationId)
	if _, err := s.gateway.createRoute(s.ctx, r); err != nil {
		s.t.Fatal(err)
	}
}

// proxy is an integration with a function, with payloads of a format.
func proxy(name, format string) *api.CreateIntegrationInput {
	return &api.CreateIntegrationInput{IntegrationType: kindAWSProxy, IntegrationUri: ptr("arn:aws:lambda:us-east-1:000000000000:function:" + name), PayloadFormatVersion: ptr(format)}
}

// get sends a GET request, and returns the status, the header and the body of the answer.
func (s *site) get(path string, headers ...string) (int, http.Header, string) {
	s.t.Helper()
	resp, body := s.do(s.t, http.MethodGet, "/_aws/execute-api/"+s.id+path, "", headers...)
	return resp.StatusCode, resp.Header, body
}

// post sends a POST request with a body of JSON.
func (s *site) post(path, body string, headers ...string) (int, http.Header, string) {
	s.t.Helper()
	resp, got := s.do(s.t, http.MethodPost, "/_aws/execute-api/"+s.id+path, body, append([]string{"Content-Type", "application/json"}, headers...)...)
	return resp.StatusCode, resp.Header, got
}

// event returns the last payload of a function, and how many it got.
func (s *site) event(name string) (map[string]any, int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.events[name]
	if len(all) == 0 {
		s.t.Fatalf("%s was not invoked", name)
	}
	var e map[string]any
	if err := json.Unmarshal(all[len(all)-1], &e); err != nil {
		s.t.Fatalf("%s: %v", all[len(all)-1], err)
	}
	return e, len(all)
}

func (s *site) answer(name, payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[name] = payload
}

func (s *site) source(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sources[name]
}
