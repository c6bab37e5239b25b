package portal

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/auth/oidc"
	"lambent.dev/lambent/internal/auth/oidc/oidctest"
	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

// pets describes one REST API, pets, as petsDocument does.
type pets struct{}

// DescribeREST implements [port.RESTAPIs].
func (pets) DescribeREST(_ context.Context, _, _, id, _ string) (port.RESTAPI, error) {
	if id != "pets" {
		return port.RESTAPI{}, service.Errorf("NotFoundException", "Invalid API identifier specified")
	}
	return port.RESTAPI{Document: []byte(petsDocument)}, nil
}

// images are the objects of a bucket.
type images struct{}

// OpenObject implements [port.Objects].
func (images) OpenObject(_ context.Context, bucket, key, _ string) (io.ReadCloser, int64, error) {
	switch bucket + "/" + key {
	case "brand/logo.svg":
		return io.NopCloser(strings.NewReader("<svg/>")), 6, nil
	case "brand/big.png":
		return io.NopCloser(strings.NewReader(strings.Repeat("x", maxLogo+1))), maxLogo + 1, nil
	}
	return nil, 0, errors.New("the object does not exist")
}

// outside answers what the platform asks for: the pool's token endpoint, and the API.
type outside func(r *http.Request) (status int, body string)

// RoundTrip implements [http.RoundTripper].
func (o outside) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := o(r)
	if status == 0 {
		return nil, errors.New(body)
	}
	return &http.Response{Status: http.StatusText(status), StatusCode: status, Header: http.Header{"X-Kind": {"a<b"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

const (
	issuer = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_zoo"
	pool   = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_zoo"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// bench is a portal with a product that has a page and two methods.
type bench struct {
	*Portals

	t       *testing.T
	ctx     context.Context //nolint:containedctx // of the calls
	clock   *clock.Fake
	door    *fake.Door
	client  *http.Client
	outside outside

	product, productARN, page, method, portal string
}

func newBench(t *testing.T, change func(in *api.CreatePortalInput)) *bench {
	t.Helper()
	b := &bench{t: t, ctx: fake.Root(t.Context(), "000000000000", "us-east-1"), clock: clock.NewFake(start), door: &fake.Door{}}
	deps := service.Deps{Store: mem.New(), Door: b.door, Clock: b.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), BaseURL: "http://127.0.0.1:4566"}
	key := oidctest.RSAKey(t, "k1")
	tokens := authorizer.NewTokens(oidc.New(oidc.Options{HTTP: oidctest.New(issuer, key).Client(), Clock: b.clock}), b.clock)
	b.outside = func(r *http.Request) (int, string) {
		if r.URL.Path != "/oauth2/token" {
			body, _ := io.ReadAll(io.LimitReader(orNothing(r.Body), 1<<10))
			return http.StatusOK, r.Method + " " + r.URL.String() + " " + r.Header.Get("X-Api-Key") + " " + string(body) + " <b>"
		}
		if err := r.ParseForm(); err != nil || r.PostForm.Get("code") != "good" || r.PostForm.Get("code_verifier") == "" || r.PostForm.Get("redirect_uri") == "" {
			return http.StatusBadRequest, `{"error": "invalid_grant"}`
		}
		return http.StatusOK, `{"id_token": "` + oidctest.Sign(t, key, map[string]any{"iss": issuer, "aud": "app", "sub": "ann", "iat": start.Unix(), "exp": start.Add(time.Hour).Unix()}) + `"}`
	}
	b.Portals = New(deps, Options{
		APIs: pets{}, Objects: images{}, Taken: func(_ context.Context, host string) bool { return host == "api.example.com" }, Tokens: tokens,
		Endpoints: outside(func(r *http.Request) (int, string) { return b.outside(r) }),
	})
	t.Cleanup(b.Close)
	b.serve()
	b.fill()
	in := &api.CreatePortalInput{
		Authorization: &api.Authorization{None: &api.None{}}, EndpointConfiguration: &api.EndpointConfigurationRequest{None: &api.None{}}, IncludedPortalProductArns: []string{b.productARN},
		PortalContent: &api.PortalContent{DisplayName: "Zoo <1>", Theme: &api.PortalTheme{CustomColors: &api.CustomColors{
			AccentColor: "#0a5", BackgroundColor: "white", ErrorValidationColor: "red", HeaderColor: "#123456", NavigationColor: "#eeeeee", TextColor: "#111111",
		}}},
	}
	if change != nil {
		change(in)
	}
	b.portal = *must(b.createPortal(b.ctx, in))(t).PortalId
	return b
}

func orNothing(r io.Reader) io.Reader {
	if r == nil {
		return strings.NewReader("")
	}
	return r
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// fill makes the product.
func (b *bench) fill() {
	p := must(b.createProduct(b.ctx, &api.CreatePortalProductInput{DisplayName: "Pets", Description: ptr("All & sundry")}))(b.t)
	b.product, b.productARN = *p.PortalProductId, *p.PortalProductArn
	page := must(b.createPage(b.ctx, &api.CreateProductPageInput{PortalProductId: b.product, DisplayContent: &api.DisplayContent{
		Title: "Terms", Body: "Be *kind* <script>alert(1)</script> [here](javascript:alert(2))\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
	}}))(b.t)
	b.page = *page.ProductPageId
	method := must(b.createEndpointPage(b.ctx, &api.CreateProductRestEndpointPageInput{PortalProductId: b.product, TryItState: api.TryItStateEnabled, RestEndpointIdentifier: &api.RestEndpointIdentifier{
		IdentifierParts: &api.IdentifierParts{RestApiId: "pets", Stage: "prod", Path: "/pets/{id}", Method: "PUT"},
	}}))(b.t)
	b.method = *method.ProductRestEndpointPageId
	must(b.createPage(b.ctx, &api.CreateProductPageInput{PortalProductId: b.product, DisplayContent: &api.DisplayContent{Title: "Draft", Body: "secret"}}))(b.t)
	must(b.updateProduct(b.ctx, &api.UpdatePortalProductInput{PortalProductId: b.product, DisplayOrder: &api.DisplayOrder{
		ProductPageArns: []string{*page.ProductPageArn}, Contents: []api.Section{{SectionName: "Changing", ProductRestEndpointPageArns: []string{*method.ProductRestEndpointPageArn}}},
	}}))(b.t)
}

func (b *bench) publish() {
	b.t.Helper()
	must(b.publishPortal(b.ctx, &api.PublishPortalInput{PortalId: b.portal}))(b.t)
}

// get returns the portal.
func (b *bench) get() *api.GetPortalOutput {
	b.t.Helper()
	return must(b.getPortal(b.ctx, &api.GetPortalInput{PortalId: b.portal}))(b.t)
}

// reply is an answer of the site.
type reply struct {
	status  int
	body    string
	header  http.Header
	cookies []*http.Cookie
}

// ask sends a request to a URL, with a form unless it is nil; headers are names and values.
func (b *bench) ask(target string, form url.Values, headers ...string) reply {
	b.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{got.StatusCode, string(text), got.Header, got.Cookies()}
}

// serve puts the site behind a listener, to which every host leads. What is no portal's is answered with 418.
func (b *bench) serve() {
	b.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := front.Serve(l, front.Options{
		Routes: b.Routes(), Health: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler),
		API: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	}}
	b.client = deliver.NewClient(transport, 0)
	b.t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Shutdown(context.WithoutCancel(b.t.Context())); err != nil {
			b.t.Error(err)
		}
	})
}

// at is the URL of a path of the portal.
func (b *bench) at(path string) string {
	return "http://127.0.0.1:4566/_aws/portals/" + b.portal + path
}

func (b *bench) want(w reply, status int, parts ...string) {
	b.t.Helper()
	if w.status != status {
		b.t.Fatalf("status %d, want %d: %s", w.status, status, w.body)
	}
	for _, part := range parts {
		no, absent := strings.CutPrefix(part, "!")
		if absent == strings.Contains(w.body, no) {
			b.t.Errorf("%q is not as wanted in %s", part, w.body)
		}
	}
}

func TestSiteShowsWhatWasPublished(t *testing.T) {
	b := newBench(t, func(in *api.CreatePortalInput) { in.LogoUri = ptr("s3://brand/logo.svg") })
	b.want(b.ask(b.at(""), nil), http.StatusNotFound)
	b.publish()
	w := b.ask(b.at(""), nil)
	b.want(w, http.StatusOK, "Zoo &lt;1&gt;", "<strong>Pets</strong>", "All &amp; sundry", "/logo", "!Draft")
	if policy := w.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "script") {
		t.Errorf("the policy of content is %q", policy)
	}
	b.want(b.ask(b.at("/style.css"), nil), http.StatusOK, "--accent:#0a5;--on-accent:#fff;--background:white;", "--on-navigation:#000")
	w = b.ask(b.at("/logo"), nil)
	b.want(w, http.StatusOK, "<svg/>")
	if kind := w.header.Get("Content-Type"); kind != "image/svg+xml" || !strings.Contains(w.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the logo is %s, with %q", kind, w.header.Get("Content-Security-Policy"))
	}
	b.want(b.ask(b.at("/products/"+b.product), nil), http.StatusOK, "<h2>Changing</h2>", "/pets/{id}")
	b.want(b.ask(b.at("/products/"+b.product+"/pages/"+b.page), nil), http.StatusOK, "Be <em>kind</em>", "<table>", "!<script", "!javascript:")
	b.want(b.ask(b.at("/products/"+b.product+"/endpoints/"+b.method), nil), http.StatusOK, "Changes a pet.", "Which pet", "No such pet", "api_key", "&#34;type&#34;: &#34;object&#34;",
		"http://127.0.0.1:4566/_aws/execute-api/pets/prod/pets/{id}", "<button")
	b.want(b.ask(b.at("/?q=terms"), nil), http.StatusOK, "<strong>Terms</strong>")
	b.want(b.ask(b.at("/?q=%3Cx%3E"), nil), http.StatusOK, "“&lt;x&gt;”")
	for _, path := range []string{"/products/x", "/products/" + b.product + "/pages/" + b.method, "/products/" + b.product + "/endpoints/" + b.page, "/nothing"} {
		b.want(b.ask(b.at(path), nil), http.StatusNotFound)
	}

	// What changes is seen after the next publication.
	must(b.updatePage(b.ctx, &api.UpdateProductPageInput{PortalProductId: b.product, ProductPageId: b.page, DisplayContent: &api.DisplayContent{Title: "Rules", Body: "New"}}))(t)
	b.want(b.ask(b.at("/products/"+b.product+"/pages/"+b.page), nil), http.StatusOK, "kind")
	b.publish()
	b.want(b.ask(b.at("/products/"+b.product+"/pages/"+b.page), nil), http.StatusOK, "<h1>Rules</h1>", "!kind")
	must(b.disablePortal(b.ctx, &api.DisablePortalInput{PortalId: b.portal}))(t)
	b.want(b.ask(b.at(""), nil), http.StatusNotFound)
	must(b.deletePortal(b.ctx, &api.DeletePortalInput{PortalId: b.portal}))(t)
	must(b.deletePortal(b.ctx, &api.DeletePortalInput{PortalId: b.portal}))(t)
}

func TestSiteAnswersAtItsNames(t *testing.T) {
	b := newBench(t, nil)
	b.publish()
	host := b.get().EndpointConfiguration.PortalDefaultDomainName
	if host != "p-"+b.portal+".apigw-portal.us-east-1.localhost:4566" {
		t.Errorf("the name of the portal is %s", host)
	}
	b.want(b.ask("http://"+host+"/", nil), http.StatusOK, `href="/products/`)
	b.want(b.ask("http://p-"+b.portal+".apigw-portal.eu-west-1.on.aws/", nil), http.StatusNotFound)
	b.want(b.ask("http://zoo.example.com/", nil), http.StatusTeapot)

	named := &api.EndpointConfigurationRequest{AcmManaged: &api.ACMManaged{DomainName: "Zoo.example.com", CertificateArn: "arn:aws:acm:us-east-1:000000000000:certificate/c"}}
	must(b.updatePortal(b.ctx, &api.UpdatePortalInput{PortalId: b.portal, EndpointConfiguration: named}))(t)
	b.want(b.ask("http://zoo.example.com/", nil), http.StatusNotFound) // not before it is published
	b.publish()
	b.want(b.ask("http://zoo.example.com:4566/", nil), http.StatusOK, "Pets")
	b.want(b.ask("http://"+host+"/", nil), http.StatusNotFound)
	if _, err := b.createPortal(b.ctx, &api.CreatePortalInput{
		Authorization: &api.Authorization{None: &api.None{}}, EndpointConfiguration: named, PortalContent: b.get().PortalContent,
	}); service.Code(err) != "BadRequestException" {
		t.Errorf("a name that another portal has: %v", err)
	}
	must(b.updatePortal(b.ctx, &api.UpdatePortalInput{PortalId: b.portal, EndpointConfiguration: &api.EndpointConfigurationRequest{None: &api.None{}}}))(t)
	b.want(b.ask("http://zoo.example.com/", nil), http.StatusTeapot)
}

func TestMethodsAreTried(t *testing.T) {
	b := newBench(t, nil)
	b.publish()
	at := b.at("/products/" + b.product + "/endpoints/" + b.method)
	form := url.Values{"path.id": {"a/b c"}, "query.verbose": {"1&2"}, "header.x-api-key": {"k"}, "body": {`{"a": 1}`}}
	b.want(b.ask(at, form), http.StatusOK, `PUT http://127.0.0.1:4566/_aws/execute-api/pets/prod/pets/a%2Fb%20c?verbose=1%262 k {&#34;a&#34;: 1} &lt;b&gt;`, "a&lt;b", `value="1&amp;2"`)
	b.want(b.ask(at, form, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	b.want(b.ask(at, form, "Origin", "https://evil.example"), http.StatusForbidden)
	b.want(b.ask(at, form, "Origin", "http://127.0.0.1:4566"), http.StatusOK)
	b.want(b.ask(b.at("/products/"+b.product), form), http.StatusForbidden)
	b.want(b.ask(at, url.Values{"path.id": {"x"}}), http.StatusBadRequest, "Give a value for x-api-key.")
	b.outside = func(*http.Request) (int, string) { return 0, "refused" }
	b.want(b.ask(at, form), http.StatusBadGateway, "The API gave no answer.")
	b.want(b.ask(at, form), http.StatusTooManyRequests, "too many")
	b.clock.Advance(time.Second)
	b.outside = func(*http.Request) (int, string) { return http.StatusOK, strings.Repeat("x", maxTryAnswer+1) }
	b.want(b.ask(at, form), http.StatusBadGateway, "more than 6 MB")
	b.outside = func(*http.Request) (int, string) { return http.StatusNotFound, "\xff\xfe" }
	b.want(b.ask(at, form), http.StatusOK, "Not Found", "2 bytes that are no text")
}

func TestPreviewsEnd(t *testing.T) {
	b := newBench(t, func(in *api.CreatePortalInput) {
		in.Authorization = &api.Authorization{CognitoConfig: &api.CognitoConfig{AppClientId: "app", UserPoolArn: pool, UserPoolDomain: "zoo.auth.us-east-1.amazoncognito.com"}}
	})
	must(b.previewPortal(b.ctx, &api.PreviewPortalInput{PortalId: b.portal}))(t)
	p := b.get().Preview
	if p == nil || p.PreviewStatus != api.PreviewStatusPreviewReady {
		t.Fatalf("the preview is %+v", p)
	}
	b.want(b.ask(*p.PreviewUrl, nil), http.StatusOK, "Preview", "Pets")
	b.want(b.ask(*p.PreviewUrl+"/products/"+b.product+"/endpoints/"+b.method, nil), http.StatusOK, "!<button")
	b.want(b.ask(*p.PreviewUrl+"x", nil), http.StatusNotFound)
	must(b.previewPortal(b.ctx, &api.PreviewPortalInput{PortalId: b.portal}))(t)
	b.want(b.ask(*p.PreviewUrl, nil), http.StatusNotFound)
	p = b.get().Preview
	b.clock.Advance(previewTime)
	b.want(b.ask(*p.PreviewUrl, nil), http.StatusNotFound)
	if p := b.get().Preview; p != nil {
		t.Errorf("the preview of an hour ago is %+v", p)
	}
	must(b.deleteProduct(b.ctx, &api.DeletePortalProductInput{PortalProductId: b.product}))(t)
	must(b.previewPortal(b.ctx, &api.PreviewPortalInput{PortalId: b.portal}))(t)
	if p := b.get().Preview; p.PreviewStatus != api.PreviewStatusPreviewFailed || *p.StatusException.Exception != "NotFoundException" {
		t.Errorf("the preview of a product that is gone is %+v", p)
	}
}

func TestVisitorsSignIn(t *testing.T) {
	b := newBench(t, func(in *api.CreatePortalInput) {
		in.Authorization = &api.Authorization{CognitoConfig: &api.CognitoConfig{AppClientId: "app", UserPoolArn: pool, UserPoolDomain: "zoo.auth.us-east-1.amazoncognito.com"}}
	})
	b.publish()
	w := b.ask(b.at("/products/"+b.product), nil)
	b.want(w, http.StatusFound)
	to, err := url.Parse(w.header.Get("Location"))
	if err != nil || to.Host != "zoo.auth.us-east-1.amazoncognito.com" || to.Path != "/oauth2/authorize" || to.Query().Get("redirect_uri") != b.at("") || to.Query().Get("code_challenge") == "" {
		t.Fatalf("the visitor is sent to %s, %v", to, err)
	}
	begun := w.cookies[0]
	back := b.at("?state=" + to.Query().Get("state") + "&code=")
	b.want(b.ask(back+"good", nil), http.StatusUnauthorized, "could not be signed in") // another browser
	b.want(b.ask(b.at("?state=other&code=good"), nil, "Cookie", begun.Name+"="+begun.Value), http.StatusUnauthorized)
	b.want(b.ask(back+"bad", nil, "Cookie", begun.Name+"="+begun.Value), http.StatusUnauthorized)
	w = b.ask(back+"good", nil, "Cookie", begun.Name+"="+begun.Value)
	b.want(w, http.StatusSeeOther)
	if at := w.header.Get("Location"); at != b.at("/products/"+b.product) {
		t.Errorf("who signed in is sent to %s", at)
	}
	var visitor *http.Cookie
	for _, c := range w.cookies {
		if c.Name == visitorCookie {
			visitor = c
		}
	}
	if visitor == nil || !visitor.HttpOnly || visitor.SameSite != http.SameSiteLaxMode || visitor.Path != "/_aws/portals/"+b.portal {
		t.Fatalf("the cookie is %v", visitor)
	}
	cookie := visitor.Name + "=" + visitor.Value
	b.want(b.ask(b.at("/"), nil, "Cookie", cookie), http.StatusOK, "Pets", "Sign out")
	b.want(b.ask(b.at("/"), nil, "Cookie", cookie[:len(cookie)-4]), http.StatusFound)
	b.want(b.ask(b.at("/products/"+b.product+"/endpoints/"+b.method), url.Values{}), http.StatusUnauthorized)
	b.want(b.ask(b.at("/style.css"), nil), http.StatusOK)
	b.want(b.ask(b.at("?error=access_denied"), nil), http.StatusUnauthorized)
	b.want(b.ask(b.at("/signout"), nil, "Cookie", cookie), http.StatusOK, "signed out", "!Sign out")
	b.clock.Advance(2 * time.Hour)
	b.want(b.ask(b.at("/"), nil, "Cookie", cookie), http.StatusFound)
}

func TestProductsOfOthersAreSeenByTheirPolicy(t *testing.T) {
	b := newBench(t, nil)
	other := fake.Root(t.Context(), "111122223333", "us-east-1")
	list := func() int {
		return len(must(b.listProducts(other, &api.ListPortalProductsInput{ResourceOwner: ptr("OTHER_ACCOUNTS")}))(t).Items)
	}
	targets := func(in *api.GetPortalProductInput) []service.Target {
		return must(b.Access()["GetPortalProduct"].Targets(other, in))(t)
	}
	in := &api.GetPortalProductInput{PortalProductId: b.product, ResourceOwnerAccountId: ptr("000000000000")}
	if got := targets(in); got[0].ARN != b.productARN || got[0].Owner != "000000000000" || got[0].Policy != "" {
		t.Errorf("a product without a policy asks for %+v", got)
	}
	if n := list(); n != 0 {
		t.Errorf("%d products are shared", n)
	}
	policy := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "apigateway:GetPortalProduct", "Resource": "*"}]}`
	must(b.putPolicy(b.ctx, &api.PutPortalProductSharingPolicyInput{PortalProductId: b.product, PolicyDocument: policy}))(t)
	if got := targets(in); got[0].Policy != policy {
		t.Errorf("a product with a policy asks for %+v", got)
	}
	if n := list(); n != 1 {
		t.Errorf("%d products are shared", n)
	}
	publish := must(b.Access()["PublishPortal"].Targets(b.ctx, &api.PublishPortalInput{PortalId: b.portal}))(t)
	if len(publish) != 2 || publish[1].Action != "apigateway:GetPortalProduct" || publish[1].ARN != b.productARN || publish[1].Policy != policy {
		t.Errorf("to publish asks for %+v", publish)
	}
	b.door.Deny(b.productARN)
	if n := list(); n != 0 {
		t.Errorf("%d products are shared with who may not see them", n)
	}
}

func TestSettingsOfPortalsAreChecked(t *testing.T) {
	b := newBench(t, nil)
	colors := *b.get().PortalContent.Theme.CustomColors
	colored := func(change func(c *api.CustomColors)) *api.PortalContent {
		c := colors
		change(&c)
		return &api.PortalContent{DisplayName: "Zoo", Theme: &api.PortalTheme{CustomColors: &c}}
	}
	cognito := func(c api.CognitoConfig) *api.Authorization { return &api.Authorization{CognitoConfig: &c} }
	domain := func(name, certificate string) *api.EndpointConfigurationRequest {
		return &api.EndpointConfigurationRequest{AcmManaged: &api.ACMManaged{DomainName: name, CertificateArn: certificate}}
	}
	const certificate = "arn:aws:acm:us-east-1:000000000000:certificate/c"
	for name, in := range map[string]*api.UpdatePortalInput{
		"no color":             {PortalContent: colored(func(c *api.CustomColors) { c.TextColor = "red;}*{" })},
		"no theme":             {PortalContent: &api.PortalContent{DisplayName: "Zoo"}},
		"two authorizations":   {Authorization: &api.Authorization{None: &api.None{}, CognitoConfig: &api.CognitoConfig{}}},
		"no pool":              {Authorization: cognito(api.CognitoConfig{AppClientId: "a", UserPoolArn: "pool", UserPoolDomain: "zoo.example.com"})},
		"pool of another":      {Authorization: cognito(api.CognitoConfig{AppClientId: "a", UserPoolArn: strings.ReplaceAll(pool, "us-east-1", "eu-west-1"), UserPoolDomain: "zoo.example.com"})},
		"no pool's domain":     {Authorization: cognito(api.CognitoConfig{AppClientId: "a", UserPoolArn: pool, UserPoolDomain: "ftp://zoo.example.com"})},
		"two endpoints":        {EndpointConfiguration: &api.EndpointConfigurationRequest{}},
		"no domain":            {EndpointConfiguration: domain("zoo", certificate)},
		"certificate far away": {EndpointConfiguration: domain("zoo.example.com", strings.Replace(certificate, "us-east-1", "eu-west-1", 1))},
		"domain of APIs":       {EndpointConfiguration: domain("api.example.com", certificate)},
		"no product":           {IncludedPortalProductArns: []string{"arn:aws:apigateway:us-east-1::/apis/x"}},
		"product twice":        {IncludedPortalProductArns: []string{b.productARN, b.productARN}},
		"logo of no kind":      {LogoUri: ptr("s3://brand/logo.gif")},
		"logo nowhere":         {LogoUri: ptr("s3://brand/none.png")},
		"logo too big":         {LogoUri: ptr("s3://brand/big.png")},
		"logo elsewhere":       {LogoUri: ptr("https://brand/logo.png")},
		"monitor":              {RumAppMonitorName: ptr("m")},
	} {
		in.PortalId = b.portal
		if _, err := b.updatePortal(b.ctx, in); service.Code(err) != "BadRequestException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := strings.Replace(b.productARN, b.product, "none000000", 1)
	if _, err := b.updatePortal(b.ctx, &api.UpdatePortalInput{PortalId: b.portal, IncludedPortalProductArns: []string{gone}}); service.Code(err) != "NotFoundException" {
		t.Errorf("a product that is not there: %v", err)
	}
	out := must(b.updatePortal(b.ctx, &api.UpdatePortalInput{PortalId: b.portal, PortalContent: colored(func(c *api.CustomColors) { c.TextColor = "#222" }), LogoUri: ptr("s3://brand/logo.svg")}))(t)
	if out.PortalContent.DisplayName != "Zoo" || out.PortalContent.Theme.LogoLastUploaded == nil || len(out.IncludedPortalProductArns) != 1 {
		t.Errorf("the portal is %+v", out)
	}
	if out = must(b.updatePortal(b.ctx, &api.UpdatePortalInput{PortalId: b.portal, LogoUri: ptr(""), IncludedPortalProductArns: []string{}}))(t); out.PortalContent.Theme.LogoLastUploaded != nil || len(out.IncludedPortalProductArns) != 0 {
		t.Errorf("the portal without logo and products is %+v", out)
	}
}

func TestPortalsOfTooManyNamesAreNotPublished(t *testing.T) {
	b := newBench(t, nil)
	products := []string{b.productARN}
	for range 2 {
		p := must(b.createProduct(b.ctx, &api.CreatePortalProductInput{DisplayName: "Long", Description: ptr(strings.Repeat("x", store.MaxValue*3/5))}))(t)
		products = append(products, *p.PortalProductArn)
	}
	must(b.updatePortal(b.ctx, &api.UpdatePortalInput{PortalId: b.portal, IncludedPortalProductArns: products}))(t)
	b.publish()
	if v := b.get(); v.PublishStatus != api.PublishStatusPublishFailed || !strings.Contains(*v.StatusException.Message, "take products out") {
		t.Errorf("the portal is %+v", v)
	}
	b.want(b.ask(b.at(""), nil), http.StatusNotFound)
}

func TestEditionsThatWereCutShortAreForgotten(t *testing.T) {
	b := newBench(t, nil)
	_, _, edition, err := b.begin(b.ctx, b.portal)
	if err != nil {
		t.Fatal(err)
	}
	v, l, _, err := b.begin(b.ctx, b.portal)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.write(b.ctx, &v, &l, edition, false); err != nil {
		t.Fatal(err)
	}
	have := func() int {
		return must(countEditions(b.Portals, b.portal, edition))(t)
	}
	b.publish() // soon after: the other may still be writing
	if have() == 0 {
		t.Error("an edition that is being written is gone")
	}
	b.clock.Advance(writing + time.Second)
	b.publish()
	if n := have(); n != 0 {
		t.Errorf("%d rows of an edition that nobody ended are left", n)
	}
	if _, _, err := b.edit(b.ctx, "none000000", false); service.Code(err) != "NotFoundException" {
		t.Errorf("an edition of no portal: %v", err)
	}
}

// countEditions returns how many rows an edition has.
func countEditions(p *Portals, portal, edition string) (n int, err error) {
	err = p.deps.Store.View(context.Background(), func(r store.Reader) error { //nolint:usetesting // of a helper
		n, err = count(r, editionKey(portal, edition).Span(), 1000)
		return err
	})
	return n, err
}
