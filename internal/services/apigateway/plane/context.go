package plane

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/vtl"
)

// requestTime is the format of $context.requestTime (that of the common log format).
const requestTime = "02/Jan/2006:15:04:05 +0000"

// contextValue returns the text of a $context variable, or "" for one that has no value
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-templates.html and …-access-logging.html).
func (x *exchange) contextValue(name string) string {
	head, rest, _ := strings.Cut(name, ".")
	switch head {
	case "identity":
		return x.identity(rest)
	case "authorizer":
		return x.authorizerValue(rest)
	case "error":
		return x.errorValue(rest)
	case "integration":
		return x.integrationValue(rest)
	case "authorize", "authenticate", "waf":
		return ""
	}
	switch name {
	case "accountId":
		return x.Account
	case "apiId":
		return x.API.ID
	case "awsEndpointRequestId", "wafResponseCode", "webaclArn":
		return ""
	case "customDomain.basePathMatched":
		return x.basePath
	case "deploymentId":
		return x.deployment(x.canary)
	case "domainName":
		return x.domain()
	case "domainPrefix":
		prefix, _, _ := strings.Cut(x.domain(), ".")
		return prefix
	case "extendedRequestId":
		return x.extended
	case "httpMethod":
		return x.http.Method
	case "path":
		return x.full
	case "protocol":
		return x.http.Proto
	case "requestId":
		return x.id
	case "requestTime":
		return x.now.UTC().Format(requestTime)
	case "requestTimeEpoch":
		return strconv.FormatInt(x.now.UnixMilli(), 10)
	case "stage":
		return x.name
	case "status":
		return strconv.Itoa(x.status)
	case "responseLength":
		return strconv.Itoa(x.sent)
	case "responseLatency":
		return strconv.FormatInt(x.took().Milliseconds(), 10)
	case "integrationLatency":
		return x.integrationValue("latency")
	case "integrationStatus":
		return x.integrationValue("integrationStatus")
	case "integrationErrorMessage":
		return x.errorValue("cause")
	case "isCanaryRequest":
		if x.stage.Stage.CanarySettings != nil {
			return strconv.FormatBool(x.canary)
		}
	case "xrayTraceId":
		return x.traceID
	case "resourceId":
		if x.resource != nil {
			return x.resource.id
		}
	case "resourcePath":
		if x.resource != nil {
			return x.resource.path
		}
	}
	return ""
}

// domain is the host name of the request, without a port.
func (x *exchange) domain() string {
	host := x.http.Host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return host
}

// identity returns a variable of $context.identity.
func (x *exchange) identity(name string) string {
	switch name {
	case "apiKey":
		return x.keyValue
	case "apiKeyId":
		return x.apiKey
	case "vpcId":
		return x.endpoint.VPC
	case "vpceId":
		return x.endpoint.ID
	}
	return x.from().Value(name)
}

// from is who the request comes from.
func (x *exchange) from() domain.Identity {
	return domain.Identity{Request: x.http, Mapped: x.mapped, Caller: x.principal}
}

// authorizerValue returns a variable of $context.authorizer.
func (x *exchange) authorizerValue(name string) string {
	switch name {
	case "latency", "integrationLatency":
		if x.times.authorizer == 0 {
			return ""
		}
		return strconv.FormatInt(x.times.authorizer.Milliseconds(), 10)
	case "principalId":
		if x.policy != nil {
			return x.policy.Principal
		}
		return ""
	}
	if claim, ok := strings.CutPrefix(name, "claims."); ok && x.claims != nil {
		v, _ := x.claims.Text(claim)
		return v
	}
	if x.policy != nil {
		v, _ := x.policy.Context.Get(name)
		return v
	}
	return ""
}

func (x *exchange) errorValue(name string) string {
	f := x.failed
	if f == nil {
		return ""
	}
	switch name {
	case "message":
		return f.message
	case "messageString":
		if f.null {
			return "null"
		}
		quoted, err := json.Marshal(f.message)
		if err != nil {
			return `""`
		}
		return string(quoted)
	case "responseType":
		return f.kind
	case "validationErrorString":
		return f.validation
	case "cause":
		if f.err != nil {
			return f.err.Error()
		}
	}
	return ""
}

func (x *exchange) integrationValue(name string) string {
	switch name {
	case "latency":
		if x.times.integration > 0 {
			return strconv.FormatInt(x.times.integration.Milliseconds(), 10)
		}
	case "status", "integrationStatus":
		switch {
		case x.answer == nil || x.answer.cached:
		case name == "integrationStatus" && x.method.call.Type == "AWS_PROXY":
			return strconv.Itoa(http.StatusOK) // of the invocation; status is what the function answered
		default:
			return strconv.Itoa(x.answer.status)
		}
	case "error":
		return x.errorValue("cause")
	case "responseTransferMode":
		return x.transferMode()
	case "timeToAllHeaders":
		return x.integrationValue("latency")
	case "timeToFirstContent":
		if x.times.content > 0 {
			return strconv.FormatInt(x.times.content.Milliseconds(), 10)
		}
	}
	return ""
}

// transferMode tells how the integration's answer went to the client.
func (x *exchange) transferMode() string {
	switch {
	case x.method == nil || x.method.call == nil:
		return ""
	case x.method.call.streams():
		return "STREAMED"
	}
	return "BUFFERED"
}

// contextNames are the plain variables that templates see.
func contextNames() []string {
	return []string{
		"accountId", "apiId", "deploymentId", "domainName", "domainPrefix", "extendedRequestId", "httpMethod", "path", "protocol", "requestId", "requestTime",
		"resourceId", "resourcePath", "stage",
	}
}

// identityNames are the variables of $context.identity that templates see, whether they have values or not.
func identityNames() []string {
	return []string{
		"accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId",
		"sourceIp", "user", "userAgent", "userArn",
	}
}

// templateContext is $context of a template, as far as the template can ask for it. Templates may change its overrides.
func (x *exchange) templateContext(t *vtl.Template) *vtl.Map {
	c := vtl.NewMap()
	reads := func(name string) bool { return t.Reads("context", name) }
	for _, n := range contextNames() {
		if !reads(n) {
			continue
		}
		if v := x.contextValue(n); v != "" {
			c.Put(n, v)
		}
	}
	if reads("requestTimeEpoch") {
		c.Put("requestTimeEpoch", x.now.UnixMilli())
	}
	if x.stage.Stage.CanarySettings != nil { // stages without a canary do not have it
		c.Put("isCanaryRequest", x.canary)
	}
	if reads("identity") {
		c.Put("identity", x.identityMap())
	}
	if reads("authorizer") {
		if a := x.authorizerMap(); a != nil {
			c.Put("authorizer", a)
		}
	}
	if deref(x.stage.Stage.TracingEnabled) {
		c.Put("xrayTraceId", x.traceID)
	}
	if x.status != 0 && reads("status") {
		c.Put("status", strconv.Itoa(x.status))
	}
	if reads("requestOverride") {
		if x.requestOverride == nil {
			x.requestOverride = newOverride("header", "path", "querystring")
		}
		c.Put("requestOverride", x.requestOverride)
	}
	if reads("responseOverride") {
		if x.responseOverride == nil {
			x.responseOverride = newOverride("header")
		}
		c.Put("responseOverride", x.responseOverride)
	}
	return c
}

// identityMap is $context.identity.
func (x *exchange) identityMap() *vtl.Map {
	identity := vtl.NewQuietMap()
	for _, n := range identityNames() {
		if v := x.identity(n); v != "" {
			identity.Put(n, v)
		} else {
			identity.Put(n, nil)
		}
	}
	if x.apiKey != "" {
		identity.Put("apiKey", x.keyValue)
		identity.Put("apiKeyId", x.apiKey)
	}
	return identity
}

// authorizerMap is $context.authorizer, or nil without an authorizer.
func (x *exchange) authorizerMap() *vtl.Map {
	a := vtl.NewMap()
	switch {
	case x.policy != nil:
		a.Put("principalId", x.policy.Principal)
		for i := range x.policy.Context {
			a.Put(x.policy.Context[i].Name, x.policy.Context[i].Text())
		}
	case x.claims != nil:
		claims := vtl.NewMap()
		x.claims.Each(func(name, text string) { claims.Put(name, text) })
		a.Put("claims", claims)
	default:
		return nil
	}
	return a
}

// newOverride is an empty requestOverride or responseOverride.
func newOverride(places ...string) *vtl.Map {
	m := vtl.NewQuietMap()
	for _, place := range places {
		m.Put(place, vtl.NewQuietMap())
	}
	return m
}

// render runs a mapping template over a body.
func (x *exchange) render(t *vtl.Template, body []byte, binary bool) ([]byte, error) {
	text := string(body)
	if binary {
		text = base64.StdEncoding.EncodeToString(body)
	}
	stage := vtl.NewMap()
	for k, v := range x.variables {
		stage.Put(k, v)
	}
	return t.Render(vtl.Variables(vtl.Request{Body: text, Path: x.paramMap, Query: x.queryMap, Header: x.headerMap}, x.templateContext(t), stage), vtl.Limits{})
}

// paramMap, queryMap and headerMap are what $input.params shows.
func (x *exchange) paramMap() *vtl.Map {
	m := vtl.NewMap()
	for _, p := range x.params {
		m.Put(p.name, httpevent.Unescape(p.value))
	}
	return m
}

func (x *exchange) queryMap() *vtl.Map {
	m := vtl.NewMap()
	for _, p := range x.query {
		m.Put(p.name, p.value)
	}
	return m
}

func (x *exchange) headerMap() *vtl.Map {
	m := vtl.NewMap()
	for _, f := range x.fields {
		m.Put(f.name, f.value)
	}
	return m
}
