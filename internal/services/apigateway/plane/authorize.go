package plane

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// The kinds of authorisation.
const (
	byIAM     = "AWS_IAM"
	byToken   = "TOKEN"
	byRequest = "REQUEST"
	byPool    = "COGNITO_USER_POOLS"
)

// authorizerTimeout bounds an authorizer function.
const authorizerTimeout = 30 * time.Second

// methodAuthorizer is how a method's callers are admitted.
type methodAuthorizer struct {
	kind     string
	id       string
	function *uri
	role     string
	sources  []source
	pattern  *regexp.Regexp // of a token, nil without one
	ttl      time.Duration
	issuers  []string // of user pools
	scopes   []string
	broken   error
}

// compileAuthorizer returns how callers of a method are admitted, or nil for everybody.
func compileAuthorizer(from *api.Tree, m *aws.Method) *methodAuthorizer {
	switch kind := deref(m.AuthorizationType); kind {
	case "", "NONE":
		return nil
	case byIAM:
		return &methodAuthorizer{kind: byIAM}
	}
	a := from.Authorizers[deref(m.AuthorizerId)]
	if a == nil {
		return &methodAuthorizer{broken: errors.New("the method's authorizer " + deref(m.AuthorizerId) + " does not exist in this deployment")}
	}
	c := &methodAuthorizer{kind: a.Type, id: deref(a.Id), function: parseURI(deref(a.AuthorizerUri)), role: deref(a.AuthorizerCredentials), ttl: 300 * time.Second, scopes: m.AuthorizationScopes}
	if a.AuthorizerResultTtlInSeconds != nil {
		c.ttl = time.Duration(*a.AuthorizerResultTtlInSeconds) * time.Second
	}
	for part := range strings.SplitSeq(deref(a.IdentitySource), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		s, ok := parseSource(part)
		if !ok {
			c.broken = errors.New("the identity source " + part + " names nothing")
		}
		c.sources = append(c.sources, s)
	}
	if len(c.sources) == 0 && c.kind != byRequest {
		c.sources = []source{{kind: "header", name: "Authorization"}}
	}
	if text := deref(a.IdentityValidationExpression); text != "" {
		var err error
		if c.pattern, err = regexp.Compile(`\A(?:` + text + `)\z`); err != nil {
			c.broken = err
		}
	}
	for _, pool := range a.ProviderARNs {
		c.issuers = append(c.issuers, issuerOf(pool))
	}
	return c
}

// issuerOf returns the issuer of a user pool's tokens. What is no ARN of a pool is taken as the URL of any issuer.
func issuerOf(pool string) string {
	p := strings.SplitN(pool, ":", 6)
	if id, ok := strings.CutPrefix(p[len(p)-1], "userpool/"); ok && len(p) == 6 {
		return "https://cognito-idp." + p[3] + ".amazonaws.com/" + id
	}
	return pool
}

// authorize admits the caller, or says why not. It applies the resource policy where that has a say beside the authorizer.
func (x *exchange) authorize(ctx context.Context) *failed {
	resource := x.arn(x.pathForPolicy())
	said := authorizer.Allowed
	if p := x.tree.policy; p != nil {
		if said = p.decide(x, resource); said == authorizer.Denied && (x.method.auth == nil || x.method.auth.kind != byIAM) {
			return x.refusedByPolicy(resource, said)
		}
	}
	a := x.method.auth
	if a == nil {
		if said != authorizer.Allowed {
			return x.refusedByPolicy(resource, said)
		}
		return nil
	}
	from := x.plane.o.Clock.Now()
	defer func() { x.times.authorizer = x.plane.o.Clock.Now().Sub(from) }()
	if a.broken != nil {
		return &failed{kind: "AUTHORIZER_CONFIGURATION_ERROR", null: true, err: a.broken}
	}
	switch a.kind {
	case byIAM:
		return x.authorizeSigned(ctx, resource)
	case byPool:
		if f := x.authorizePool(ctx, a); f != nil {
			return f
		}
		if said != authorizer.Allowed {
			return x.refusedByPolicy(resource, said)
		}
		return nil
	}
	return x.authorizeFunction(ctx, a, resource, said == authorizer.Allowed && x.tree.policy != nil)
}

// pathForPolicy is the path of the request as policies see it.
func (x *exchange) pathForPolicy() string {
	if x.path == "" {
		return "/"
	}
	return x.path
}

// authorizeSigned admits callers who signed the request and may make it.
func (x *exchange) authorizeSigned(ctx context.Context, resource string) *failed {
	p, err := x.plane.o.Caller(x.http, x.body)
	if err != nil {
		var known *service.Error
		if !errors.As(err, &known) {
			return &failed{kind: "AUTHORIZER_FAILURE", message: "Internal server error", err: err}
		}
		switch known.Code {
		case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
			return &failed{kind: "EXPIRED_TOKEN", message: known.Message, err: err}
		case "InvalidSignatureException", "SignatureDoesNotMatch":
			return &failed{kind: "INVALID_SIGNATURE", message: known.Message, err: err}
		}
		return &failed{kind: "ACCESS_DENIED", message: known.Message, errorType: known.Code, err: err}
	}
	if p.Kind == service.Anonymous {
		return &failed{kind: "MISSING_AUTHENTICATION_TOKEN", message: "Missing Authentication Token"}
	}
	x.principal = &p
	policy := ""
	if x.tree.policy != nil {
		policy = x.tree.policy.text
	}
	r := x.serviceRequest()
	r.Principal = p
	err = x.plane.o.Door.Allow(service.WithRequest(ctx, r), service.Target{Action: authorizer.InvokeAction, ARN: resource, Policy: policy, Owner: x.Account, Condition: x.keys().Private()})
	var known *service.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return &failed{kind: "ACCESS_DENIED", message: known.Message, err: err}
	}
	return &failed{kind: "AUTHORIZER_FAILURE", message: "Internal server error", err: err}
}

// authorizePool admits callers with a token of a user pool, or of another issuer.
func (x *exchange) authorizePool(ctx context.Context, a *methodAuthorizer) *failed {
	token, _ := a.sources[0].value(x)
	if token == "" || a.pattern != nil && !a.pattern.MatchString(token) {
		return &failed{kind: "UNAUTHORIZED", message: "Unauthorized"}
	}
	var last error
	for _, issuer := range a.issuers {
		claims, err := x.plane.tokens.Verify(ctx, token, &authorizer.Rule{Issuer: issuer, Scopes: a.scopes})
		if err == nil {
			x.claims = claims
			return nil
		}
		last = err
	}
	message := "Unauthorized"
	var refused *authorizer.TokenError
	if errors.As(last, &refused) && refused.Description == "the token has expired" {
		message = "The incoming token has expired"
	}
	return &failed{kind: "UNAUTHORIZED", message: message, err: last}
}

// authorizeFunction admits callers whom an authorizer function admits.
func (x *exchange) authorizeFunction(ctx context.Context, a *methodAuthorizer, resource string, byPolicy bool) *failed {
	values, f := x.identities(a)
	if f != nil {
		return f
	}
	key := authorizer.ResultKey{Authorizer: x.authorizerName(a), Identity: authorizer.Identity(values)}
	keep := a.ttl > 0 && len(values) > 0
	policy, ok := (*authorizer.Policy)(nil), false
	if keep {
		policy, ok = x.plane.results.Get(key, x.now)
	}
	if !ok {
		if policy, f = x.ask(ctx, a, values); f != nil {
			return f
		}
		if keep {
			x.plane.results.Put(key, policy, x.now, a.ttl)
		}
	}
	x.policy = policy
	switch v := policy.Decide(authorizer.InvokeAction, resource, x.keys()); {
	case v == authorizer.Allowed, v == authorizer.NotAllowed && byPolicy:
		return nil
	case v == authorizer.Denied:
		return &failed{kind: "ACCESS_DENIED", message: "User is not authorized to access this resource with an explicit deny"}
	}
	return &failed{kind: "ACCESS_DENIED", message: "User is not authorized to access this resource"}
}

// identities returns the values of the identity sources; a request without one of them is refused without asking.
func (x *exchange) identities(a *methodAuthorizer) ([]string, *failed) {
	values := make([]string, 0, len(a.sources))
	for i := range a.sources {
		v, _ := a.sources[i].value(x)
		if v == "" {
			return nil, &failed{kind: "UNAUTHORIZED", message: "Unauthorized"}
		}
		values = append(values, v)
	}
	if a.pattern != nil && !a.pattern.MatchString(values[0]) {
		return nil, &failed{kind: "UNAUTHORIZED", message: "Unauthorized"}
	}
	return values, nil
}

// ask invokes the authorizer function.
func (x *exchange) ask(ctx context.Context, a *methodAuthorizer, values []string) (*authorizer.Policy, *failed) {
	function, ok := integration.FunctionOf(a.function.fill(nil, x.variables))
	if !ok {
		return nil, &failed{kind: "AUTHORIZER_CONFIGURATION_ERROR", null: true, err: errors.New("the authorizer's URI names no function")}
	}
	ctx, cancel := context.WithTimeout(ctx, authorizerTimeout)
	defer cancel()
	out, err := x.plane.functions.Invoke(service.WithRequest(ctx, x.serviceRequest()), &integration.Call{
		Function: function, Role: a.role, Account: x.Account, Payload: x.authorizerEvent(a, values),
		Source: "arn:aws:execute-api:" + x.Region + ":" + x.Account + ":" + x.API.ID + "/authorizers/" + a.id,
	})
	switch {
	case err != nil:
		return nil, &failed{kind: "AUTHORIZER_FAILURE", null: true, err: err}
	case out.Error != "" && functionError(out.Payload) == "Unauthorized":
		return nil, &failed{kind: "UNAUTHORIZED", message: "Unauthorized"}
	case out.Error != "":
		return nil, &failed{kind: "AUTHORIZER_FAILURE", null: true, err: errors.New("the authorizer failed: " + functionError(out.Payload))}
	}
	policy, err := authorizer.ParsePolicy(out.Payload)
	if err != nil {
		return nil, &failed{kind: "AUTHORIZER_CONFIGURATION_ERROR", null: true, err: err}
	}
	return policy, nil
}

// functionError is the errorMessage of a function's error document.
func functionError(payload []byte) string {
	var e struct {
		Message *string `json:"errorMessage"`
	}
	if json.Unmarshal(payload, &e) != nil || e.Message == nil {
		return string(payload[:min(len(payload), 256)])
	}
	return *e.Message
}

// authorizerName names an authorizer in the store of results; what is flushed together has one beginning.
func (x *exchange) authorizerName(a *methodAuthorizer) string {
	return x.API.ID + "/" + x.name + "/" + x.flushed + "/" + x.deployment(x.canary) + "/" + a.id
}

// authorizerEvent is the payload of an authorizer function
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html).
func (x *exchange) authorizerEvent(a *methodAuthorizer, values []string) []byte {
	resource := x.arn(x.pathForPolicy())
	if a.kind == byToken {
		b := member(nil, `{"type":"TOKEN","methodArn":`, resource)
		return append(member(b, `,"authorizationToken":`, values[0]), '}')
	}
	b := member(make([]byte, 0, 2048), `{"type":"REQUEST","methodArn":`, resource)
	b = member(b, `,"resource":`, x.resource.path)
	b = member(b, `,"path":`, x.shown)
	b = member(b, `,"httpMethod":`, x.http.Method)
	b = x.eventHeaders(b)
	b = x.eventQuery(b)
	b = appendObject(append(b, `,"pathParameters":`...), x.params)
	b = append(b, `,"stageVariables":`...)
	if len(x.variables) == 0 {
		b = append(b, "{}"...)
	} else {
		b = appendVariables(b, x.variables)
	}
	b = x.requestContext(append(b, `,"requestContext":`...))
	return append(b, '}')
}

// appendObject appends parameters as an object, which may be empty.
func appendObject(b []byte, list pairs) []byte {
	if len(list) == 0 {
		return append(b, "{}"...)
	}
	return appendPairs(b, list)
}
