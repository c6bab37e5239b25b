package plane

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"lambent.dev/lambent/internal/auth/oidc"
	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/accesslog"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/record"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// scope owns the APIs of the tests.
func scope() api.Scope { return api.Scope{Account: "111122223333", Region: "eu-west-1"} }

// fixture is a plane with its own store, in front of functions and services that answer what a test says.
type fixture struct {
	t     testing.TB
	plane *Plane
	store store.Store
	clock *clock.Fake
	url   string      // host and port
	api   api.RestAPI // what APIs have beside their ids

	mu sync.Mutex // guards the fields below
	// answers are those of functions by name, payloads what they were given.
	answers  map[string]string
	payloads map[string][]string
	denied   map[string]bool
	lines    []string
	services []string      // calls of services
	streamed io.ReadCloser // what every function answers that is to answer in a stream; nil for what answers say
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{t: t, store: mem.New(), clock: clock.NewFake(start), answers: map[string]string{}, payloads: map[string][]string{}, denied: map[string]bool{}}
	deps := service.Deps{Store: f.store, Door: door{}, Clock: f.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	sender := deliver.New(deps, roles{})
	access := accesslog.NewWriter(f, sender, deps.Log)
	f.plane = New(Options{
		Deps: deps, Functions: &integration.Functions{Direct: f, Streams: f, Sender: sender, Door: door{}, Random: rand.Reader},
		Services: &integration.Services{Requests: f, Sender: sender, Random: rand.Reader},
		Tokens:   authorizer.NewTokens(oidc.New(oidc.Options{Clock: f.clock}), f.clock), Rates: throttle.New(tokenbucket.Limit{Rate: 10_000, Burst: 5_000}), Reach: &reach.Policy{Private: true}, Access: access, Logs: f, Traces: trace.NewRecorder(f.clock),
		Caller: func(r *http.Request, _ []byte) (service.Principal, error) {
			switch r.Header.Get("Authorization") {
			case "":
				return service.Principal{}, nil
			case "forged":
				return service.Principal{}, service.Errorf("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.")
			}
			return service.Principal{Kind: service.User, Account: scope().Account, ARN: "arn:aws:iam::111122223333:user/" + r.Header.Get("Authorization"), UserID: "AIDA"}, nil
		},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := front.Serve(l, front.Options{Routes: Routes(f.plane), API: http.NotFoundHandler(), Health: http.NotFoundHandler(), Clock: f.clock, Log: deps.Log})
	if err != nil {
		t.Fatal(err)
	}
	f.url = l.Addr().String()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), f.plane.Close(ctx)); err != nil {
			t.Error(err)
		}
		access.Close()
	})
	return f
}

// door allows everybody but the user mallory.
type door struct{ service.Door }

func (door) Allow(ctx context.Context, target service.Target) error {
	if p := service.RequestFrom(ctx).Principal; strings.HasSuffix(p.ARN, "/mallory") {
		return service.Errorf("AccessDeniedException", "User: %s is not authorized to perform: %s on resource: %s", p.ARN, target.Action, target.ARN)
	}
	return nil
}

type roles struct{ port.Roles }

func (roles) SessionForService(_ context.Context, _, role, session string) (service.Principal, error) {
	return service.Principal{Kind: service.AssumedRole, Account: scope().Account, ARN: role + "/" + session}, nil
}

// Invoke implements [port.Functions]: a function answers what the test says, an error document as a failure.
func (f *fixture) Invoke(ctx context.Context, from port.Source, function string, payload []byte) (port.Invocation, error) {
	name := function[strings.LastIndexByte(function, ':')+1:]
	f.mu.Lock()
	f.payloads[name] = append(f.payloads[name], string(payload))
	answer, ok := f.answers[name]
	denied := f.denied[name]
	f.mu.Unlock()
	switch {
	case denied:
		return port.Invocation{}, service.Errorf("AccessDeniedException", "%s for %s may not", from.Service, from.ARN).WithStatus(403)
	case answer == "hang":
		<-ctx.Done()
		return port.Invocation{}, ctx.Err()
	case answer == "late":
		return port.Invocation{}, context.DeadlineExceeded
	case !ok:
		return port.Invocation{}, service.Errorf("ResourceNotFoundException", "Function not found: %s", function).WithStatus(404)
	}
	out := port.Invocation{Payload: []byte(answer)}
	if strings.HasPrefix(answer, `{"errorMessage"`) {
		out.Error = "Unhandled"
	}
	return out, nil
}

// CheckInvoke implements [port.Functions].
func (f *fixture) CheckInvoke(context.Context, port.Source, string) error { return nil }

// EnqueueAsync implements [port.Functions].
func (f *fixture) EnqueueAsync(context.Context, store.Txn, port.Source, string, []byte) error {
	return nil
}

// PutLog implements [port.LogSink].
func (f *fixture) PutLog(_ context.Context, _, _, group, _ string, lines []port.LogLine) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range lines {
		f.lines = append(f.lines, group+" "+l.Message)
	}
	return nil
}

// Flush implements [port.LogSink].
func (f *fixture) Flush(context.Context) error { return nil }

// ServeRequest implements [port.Requests]: it answers with the request.
func (f *fixture) ServeRequest(w http.ResponseWriter, r *http.Request, c *port.ServiceRequest) {
	body, _ := io.ReadAll(r.Body)
	text := c.Service + " " + c.Action + " " + r.Method + " " + r.URL.RequestURI() + " " + string(body) + " as " + c.Caller.Principal.ARN
	f.mu.Lock()
	f.services = append(f.services, text)
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if strings.Contains(string(body), "fail") {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = io.WriteString(w, `{"MessageId":"m-1"}`)
}

func (f *fixture) answer(name, payload string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[name] = payload
}

// payload returns the last payload of a function.
func (f *fixture) payload(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if all := f.payloads[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

func (f *fixture) logged() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines)
}

// deploy stores an API with a deployed tree and a stage.
func (f *fixture) deploy(id string, t *api.Tree, st aws.Stage) {
	f.t.Helper()
	s := scope()
	stored, hash, err := t.Encode()
	if err != nil {
		f.t.Fatal(err)
	}
	if st.StageName == nil {
		st.StageName = ptr("prod")
	}
	st.DeploymentId = ptr("dep1")
	made := f.api
	made.ID = id
	err = f.store.Update(f.t.Context(), func(tx store.Txn) error {
		tx.Set(s.Tree(id, hash), stored)
		return errors.Join(
			record.Set(tx, api.OwnerKey(id), api.Owner(s)), record.Set(tx, s.API(id), made), record.Set(tx, s.Settings(), api.Account{LogRole: "arn:aws:iam::1:role/log"}),
			record.Set(tx, s.Deployment(id, "dep1"), api.Deployment{ID: "dep1", Tree: hash}), record.Set(tx, s.Stage(id, *st.StageName), api.Stage{Stage: st}),
		)
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

// send sends a request as it is written, but for its line ends and its length, and returns the answer. Host defaults to the API's.
func (f *fixture) send(text string) *http.Response {
	f.t.Helper()
	c, err := net.Dial("tcp", f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	head, body, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "\n\n")
	head = strings.ReplaceAll(head, "\n", "\r\n")
	if !strings.Contains(head, "\r\nHost:") {
		head += "\r\nHost: api1.execute-api.eu-west-1.localhost"
	}
	if body != "" && !strings.Contains(head, "Content-Length") {
		head += "\r\nContent-Length: " + itoa(len(body))
	}
	if _, err := io.WriteString(c, head+"\r\n\r\n"+body); err != nil {
		f.t.Fatal(err)
	}
	method, _, _ := strings.Cut(head, " ")
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		f.t.Fatalf("%s: %v", head, err)
	}
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(b))
	return answer
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// shape is how the tests write resources: by path, method and integration.
type shape struct {
	api.Tree

	Paths map[string]map[string]aws.Method
	Stage aws.Stage
}

// tree returns the tree with a resource for each path.
func (s *shape) tree() *api.Tree {
	s.Resources = map[string]*aws.Resource{}
	for path, methods := range s.Paths {
		id := "r" + strings.NewReplacer("/", "-", "{", "", "}", "", "+", "").Replace(path)
		s.Resources[id] = &aws.Resource{Id: &id, Path: ptr(path), ParentId: ptr("root"), ResourceMethods: methods}
	}
	return &s.Tree
}

// TestRequests runs testdata/*.txtar: the API in the file "api", then for each case NAME.request, and what is wanted: NAME.response, NAME.event (members of the
// payload of the function f), NAME.service (the call of a service). NAME.f, NAME.auth and NAME.g are what functions answer from then on, NAME.advance is how far the clock moves before.
func TestRequests(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runFile(t, archive) })
	}
}

func runFile(t *testing.T, archive *txtar.Archive) {
	f := newFixture(t)
	backend := httptest.NewServer(http.HandlerFunc(echo))
	defer backend.Close()
	parts := map[string]string{}
	var cases []string
	for _, p := range archive.Files {
		text := strings.ReplaceAll(string(p.Data), "BACKEND", backend.URL)
		parts[p.Name] = text
		if name, ok := strings.CutSuffix(p.Name, ".request"); ok {
			cases = append(cases, name)
		}
	}
	var s shape
	d := json.NewDecoder(strings.NewReader(parts["api"]))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	f.deploy("api1", s.tree(), s.Stage)
	for _, name := range cases {
		t.Run(name, func(t *testing.T) {
			f.t = t
			for _, function := range []string{"f", "auth", "g"} {
				if answer, ok := parts[name+"."+function]; ok {
					f.answer(function, strings.TrimSpace(answer))
				}
			}
			if by, ok := parts[name+".advance"]; ok {
				d, err := time.ParseDuration(strings.TrimSpace(by))
				if err != nil {
					t.Fatal(err)
				}
				f.clock.Advance(d)
			}
			got := f.send(parts[name+".request"])
			checkResponse(t, got, parts[name+".response"])
			if want, ok := parts[name+".event"]; ok {
				checkMembers(t, f.payload("f"), want)
			}
			if want, ok := parts[name+".auth-event"]; ok {
				checkMembers(t, f.payload("auth"), want)
			}
			if want, ok := parts[name+".service"]; ok {
				if n := len(f.services); n == 0 || f.services[n-1] != strings.TrimSpace(want) {
					t.Errorf("calls of services: %q", f.services)
				}
			}
		})
	}
}

// echo answers with the request as the backend saw it, or as the query says.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Backend", "yes")
	w.Header()["Date"], w.Header()["Connection"] = []string{"today"}, []string{"keep-alive"}
	w.Header()["X-Amzn-Requestid"] = []string{"backend"}
	if status := r.URL.Query().Get("status"); status == "404" {
		w.WriteHeader(http.StatusNotFound)
	}
	var b strings.Builder
	b.WriteString(r.Method + " " + r.RequestURI + "\n")
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		if !strings.HasPrefix(name, "X-Amzn-Trace") && !strings.HasPrefix(name, "X-Forwarded") && name != "Content-Length" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(name + ": " + strings.Join(r.Header[name], ", ") + "\n")
	}
	_, _ = io.WriteString(w, b.String()+"\n"+string(body))
}

// checkResponse compares the status, the headers that are written, and the body. A header of "-" must not be there.
func checkResponse(t *testing.T, got *http.Response, want string) {
	t.Helper()
	head, body, _ := strings.Cut(strings.TrimSuffix(want, "\n"), "\n\n")
	lines := strings.Split(head, "\n")
	if itoa(got.StatusCode) != lines[0] {
		t.Errorf("status %d, want %s", got.StatusCode, lines[0])
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		all := strings.Join(got.Header[textproto.CanonicalMIMEHeaderKey(name)], " | ")
		if all != value && (value != "-" || all != "") {
			t.Errorf("%s: %q, want %q", name, all, value)
		}
	}
	b, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(body, strings.TrimSuffix(string(b), "\n")); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// checkMembers tells whether a document has the members of another, down to what the other names.
func checkMembers(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if diff := cmp.Diff(w, restrict(g, w)); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// restrict returns the members of got that want names, all the way down; lists are compared whole.
func restrict(got, want any) any {
	g, ok := got.(map[string]any)
	w, ok2 := want.(map[string]any)
	if !ok || !ok2 || len(w) == 0 {
		return got
	}
	out := map[string]any{}
	for name, v := range w {
		if member, ok := g[name]; ok {
			out[name] = restrict(member, v)
		}
	}
	return out
}
