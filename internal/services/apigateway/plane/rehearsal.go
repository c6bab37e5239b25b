package plane

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// testStage is the stage that a request of TestInvokeMethod is said to be of.
const testStage = "test-invoke-stage"

// Rehearsal is an API as it stands now, without a deployment.
type Rehearsal struct {
	api.Scope

	API  api.RestAPI
	Tree *api.Tree
}

// rehearsed is a request that a caller of the management API describes.
type rehearsed struct {
	method, target string
	headers        map[string]string
	multi          map[string][]string
	body           string
	variables      map[string]string
	certificate    *string
}

// newRehearsal returns an exchange for a request that did not come over the network, with a log of everything.
func (p *Plane) newRehearsal(ctx context.Context, t *Rehearsal, in *rehearsed) (*exchange, error) {
	tree, err := compileTree(t.Scope, t.API.ID, t.Tree)
	if err != nil {
		return nil, service.Errorf("BadRequestException", "The API cannot be run: %v", err)
	}
	if in.target == "" {
		in.target = "/"
	}
	u, err := url.ParseRequestURI(in.target)
	if err != nil {
		return nil, service.Errorf("BadRequestException", "Invalid path: %s", in.target)
	}
	r := (&http.Request{
		Method: in.method, URL: u, RequestURI: in.target, Header: http.Header{}, Host: t.API.ID + ".execute-api." + t.Region + ".amazonaws.com", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RemoteAddr: "127.0.0.1:0",
	}).WithContext(ctx)
	for _, name := range slices.Sorted(maps.Keys(in.headers)) {
		r.Header[name] = []string{in.headers[name]}
	}
	maps.Copy(r.Header, in.multi)
	x := p.begin(r)
	if x == nil {
		return nil, errNoID
	}
	st := &stage{Served: api.Served{Scope: t.Scope, API: t.API}, name: testStage, plain: tree, settings: map[*method]*settings{}}
	st.Stage.ClientCertificateId = in.certificate
	x.stage, x.tree, x.variables = st, tree, in.variables
	x.fields = canonicalFields(r)[1:]
	x.path, _, _ = strings.Cut(in.target, "?")
	x.shown, x.full = x.path, "/"+testStage+x.path
	x.query = parseQuery(u.RawQuery)
	x.body = []byte(in.body)
	x.logger = &executionLog{id: x.id, info: true, data: true, now: p.o.Clock.Now, plain: true}
	return x, nil
}

// TestMethod runs a method of an API as it stands, without its authorizer, key, throttles and cache
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-test-method.html). The error is of the call itself; that the method fails is told in the answer.
func (p *Plane) TestMethod(ctx context.Context, t *Rehearsal, in *aws.TestInvokeMethodInput) (*aws.TestInvokeMethodOutput, error) {
	resource := t.Tree.Resources[in.ResourceId]
	q := &rehearsed{
		method: in.HttpMethod, target: deref(in.PathWithQueryString), headers: in.Headers, multi: in.MultiValueHeaders, body: deref(in.Body), variables: in.StageVariables,
		certificate: in.ClientCertificateId,
	}
	if q.target == "" {
		q.target = deref(resource.Path)
	}
	x, err := p.newRehearsal(ctx, t, q)
	if err != nil {
		return nil, err
	}
	x.resource = x.tree.resources[in.ResourceId]
	if x.method = x.resource.method(in.HttpMethod); x.method == nil {
		return nil, service.Errorf("NotFoundException", "Invalid Method identifier specified")
	}
	if _, params := x.tree.routes.find(x.path, in.HttpMethod); params != nil {
		x.params = params
	}
	x.settings = &settings{}
	x.logger.begin(x)
	w := &collected{header: http.Header{}}
	if f := x.rehearse(ctx, w); f != nil {
		x.logger.failed(f)
		x.refuse(w, f)
		delete(w.header, "Content-Type") // which AWS does not show of its own answers
	} else {
		x.logger.tell("Successfully completed execution")
	}
	x.logger.tell("Method completed with status: %d", w.status)
	out := &aws.TestInvokeMethodOutput{
		Status: ptrTo(int32(w.status)), Body: ptrTo(w.body.String()), Log: ptrTo(x.logger.text()), Headers: map[string]string{}, MultiValueHeaders: map[string][]string{}, //nolint:gosec // a status has three digits
		Latency: ptrTo(x.took().Milliseconds()),
	}
	for name, values := range w.header {
		switch name {
		case "x-amzn-RequestId", "x-amz-apigw-id", "Content-Length":
			continue
		}
		out.Headers[name], out.MultiValueHeaders[name] = values[len(values)-1], values
	}
	return out, nil
}

// rehearse runs what TestInvokeMethod runs of the pipeline.
func (x *exchange) rehearse(ctx context.Context, w http.ResponseWriter) *failed {
	if v := x.method.validate; v != nil {
		if f := v.check(x); f != nil {
			return f
		}
	}
	if x.method.call == nil {
		return &failed{kind: "API_CONFIGURATION_ERROR", message: "Internal server error", err: errNoIntegration}
	}
	return x.call(ctx, w)
}

// TestAuthorizer asks an authorizer of an API as it stands about a request.
func (p *Plane) TestAuthorizer(ctx context.Context, t *Rehearsal, in *aws.TestInvokeAuthorizerInput) (*aws.TestInvokeAuthorizerOutput, error) {
	x, err := p.newRehearsal(ctx, t, &rehearsed{
		method: http.MethodGet, target: deref(in.PathWithQueryString), headers: in.Headers, multi: in.MultiValueHeaders, body: deref(in.Body), variables: in.StageVariables,
	})
	if err != nil {
		return nil, err
	}
	x.resource = &resource{path: "/"}
	x.method = &method{name: http.MethodGet, label: http.MethodGet + " " + x.resource.path, resource: x.resource}
	kind := "CUSTOM"
	if t.Tree.Authorizers[in.AuthorizerId].Type == byPool {
		kind = byPool
	}
	a := compileAuthorizer(t.Tree, &aws.Method{AuthorizationType: &kind, AuthorizerId: &in.AuthorizerId})
	x.logger.tell("Starting authorizer: %s for request: %s", in.AuthorizerId, x.id)
	x.logger.tell("Incoming identity: %s", strings.Repeat("*", 8))
	out := &aws.TestInvokeAuthorizerOutput{ClientStatus: ptrTo(int32(0))} // 0 is success: https://docs.aws.amazon.com/apigateway/latest/api/API_TestInvokeAuthorizer.html
	if f := x.tryAuthorizer(ctx, a, out); f != nil {
		status := standardOf(f.kind).status
		out.ClientStatus = ptrTo(int32(status)) //nolint:gosec // a status has three digits
		x.logger.failed(f)
	} else {
		x.logger.tell("Successfully completed authorizer execution")
	}
	out.Log = ptrTo(x.logger.text())
	out.Latency = ptrTo(x.took().Milliseconds())
	return out, nil
}

// tryAuthorizer asks an authorizer, and fills in what it said.
func (x *exchange) tryAuthorizer(ctx context.Context, a *methodAuthorizer, out *aws.TestInvokeAuthorizerOutput) *failed {
	if a.broken != nil {
		return &failed{kind: "AUTHORIZER_CONFIGURATION_ERROR", null: true, err: a.broken}
	}
	if a.kind == byPool {
		f := x.authorizePool(ctx, a)
		if f == nil {
			out.Claims = map[string]string{}
			x.claims.Each(func(name, text string) { out.Claims[name] = text })
		}
		return f
	}
	values, f := x.identities(a)
	if f != nil {
		return f
	}
	policy, f := x.ask(ctx, a, values)
	if f != nil {
		return f
	}
	out.PrincipalId, out.Policy = &policy.Principal, &policy.Text
	if len(policy.Context) > 0 {
		out.Authorization = map[string][]string{}
		for i := range policy.Context {
			out.Authorization[policy.Context[i].Name] = []string{policy.Context[i].Text()}
		}
	}
	x.policy = policy
	return nil
}

// collected is an answer in memory.
type collected struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (w *collected) Header() http.Header { return w.header }

// WriteHeader keeps the first status.
func (w *collected) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write keeps the body.
func (w *collected) Write(b []byte) (int, error) { return w.body.Write(b) }

func ptrTo[T any](v T) *T { return &v }
