package apigatewayv2

import (
	"errors"
	"fmt"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/gateway/authorizer"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/lib/reach"
)

// compiled is a route of an HTTP API, ready to match and to be run. It is immutable.
type compiled struct {
	key, method string // method is "ANY" or a method; "" for $default
	path        string
	segments    []string
	admission   *admission // nil for a route that is open to everybody
	integration *compiledIntegration
}

// compiledIntegration is an integration of an HTTP API with what its stage puts into it.
type compiledIntegration struct {
	kind     string // AWS_PROXY or HTTP_PROXY
	role     string
	timeout  time.Duration
	requests []change
	// responses are the changes to answers, by their status.
	responses map[string][]change
	// broken is why the integration cannot be called; nil when it can.
	broken error

	function string // ARN, of a Lambda proxy
	one      bool   // its payload has format 1.0

	method string     // of an HTTP proxy; ANY is the client's
	uri    expression // its references are names of path parameters
	way    way        // to an HTTP backend

	service *serviceCall // of an integration with another service
}

// admission is how callers of a route are admitted.
type admission struct {
	kind   string // AWS_IAM, JWT or CUSTOM
	id     string // of the authorizer
	broken error

	// sources are the identity sources, without their $.
	sources []string
	rule    authorizer.Rule // of a JWT authorizer

	function, role string // of a Lambda authorizer
	ttl            time.Duration
	one, simple    bool // the payload has format 1.0; the answer may have the simple form
}

// compile compiles the routes of an HTTP API for a stage with variables.
func compile(c *config, variables map[string]string) []compiled {
	out := make([]compiled, 0, len(c.Routes))
	integrations := make(map[string]*compiledIntegration, len(c.Integrations))
	for i := range c.Integrations {
		integrations[integrationID(&c.Integrations[i])] = compileHTTP(&c.Integrations[i], variables)
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		k := compiled{key: r.RouteKey, integration: integrations[r.integration()], admission: compileAdmission(c, r, variables)}
		if method, path, ok := strings.Cut(r.RouteKey, " "); ok {
			k.method, k.path, k.segments = method, path, splitPath(path)
		}
		out = append(out, k)
	}
	order.Stable(out, func(a, b compiled) int { return b.compare(&a) })
	return out
}

// compileHTTP compiles an integration. What is wrong with it is told to whoever calls it, as on AWS.
func compileHTTP(i *integration, values map[string]string) *compiledIntegration {
	out := &compiledIntegration{kind: i.IntegrationType, role: variables(value(i.CredentialsArn), values), timeout: time.Duration(value(i.TimeoutInMillis)) * time.Millisecond}
	var errs []error
	uri := variables(value(i.IntegrationUri), values)
	switch {
	case i.IntegrationSubtype != nil:
		var err error
		out.service, err = compileService(i)
		errs = append(errs, err)
	case i.IntegrationType == kindAWSProxy:
		var err error
		out.function, err = functionOf(uri)
		errs = append(errs, err)
		out.one = value(i.PayloadFormatVersion) == "1.0"
	default:
		out.method = value(i.IntegrationMethod)
		out.uri = parseURI(uri)
		if i.ConnectionType == "VPC_LINK" {
			out.way.network = reach.PrivateNetwork
		}
		if i.TlsConfig != nil {
			out.way.serverName = value(i.TlsConfig.ServerNameToVerify)
		}
	}
	if i.IntegrationSubtype == nil {
		var err error
		out.requests, err = parseChanges(i.RequestParameters, false)
		errs = append(errs, err)
	}
	out.responses = make(map[string][]change, len(i.ResponseParameters))
	for status, m := range i.ResponseParameters {
		changes, err := parseChanges(m, true)
		errs = append(errs, err)
		out.responses[status] = changes
	}
	out.broken = errors.Join(errs...)
	return out
}

// parseURI takes the URI of a backend apart. {name} and {name+} stand for path parameters.
func parseURI(uri string) expression {
	var e expression
	for uri != "" {
		before, rest, ok := strings.Cut(uri, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			e.pieces = append(e.pieces, piece{text: uri})
			return e
		}
		e.pieces = append(e.pieces, piece{text: before}, piece{reference: strings.TrimSuffix(name, "+")})
		uri = after
	}
	return e
}

// compileAdmission returns how callers of a route are admitted; nil for everybody.
func compileAdmission(c *config, r *route, values map[string]string) *admission {
	if r.AuthorizationType == authNone || r.AuthorizationType == "" {
		return nil
	}
	out := &admission{kind: r.AuthorizationType, id: value(r.AuthorizerId)}
	if out.kind == authIAM {
		return out
	}
	z, err := c.authorizer(out.id)
	if err != nil {
		out.broken = fmt.Errorf("the authorizer %s of the route does not exist in this deployment", out.id)
		return out
	}
	for _, s := range z.IdentitySource {
		out.sources = append(out.sources, strings.TrimPrefix(s, "$"))
	}
	if out.kind == authJWT {
		out.rule = authorizer.Rule{Scopes: r.AuthorizationScopes}
		if j := z.JwtConfiguration; j != nil {
			out.rule.Issuer, out.rule.Audiences = value(j.Issuer), j.Audience
		}
		return out
	}
	out.compileFunction(z, values)
	return out
}

// compileFunction compiles what only Lambda authorizers have.
func (a *admission) compileFunction(z *api.Authorizer, values map[string]string) {
	a.function, a.broken = functionOf(variables(value(z.AuthorizerUri), values))
	a.role = variables(value(z.AuthorizerCredentialsArn), values)
	a.ttl = time.Duration(value(z.AuthorizerResultTtlInSeconds)) * time.Second
	a.one, a.simple = value(z.AuthorizerPayloadFormatVersion) == "1.0", value(z.EnableSimpleResponses)
}
