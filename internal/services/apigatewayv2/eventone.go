package apigatewayv2

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/jsonenc"
)

// eventOne appends the payload of format 1.0 for a request
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
func (x *exchange) eventOne(b []byte, out *outgoing) []byte {
	b = append(b, `{"version":"1.0",`...)
	b = x.appendOne(b, out)
	if len(x.body) == 0 {
		return append(b, `,"body":null,"isBase64Encoded":false}`...)
	}
	if httpevent.IsText(out.request.Header.Get("Content-Type"), x.body) {
		b = append(b, `,"body":`...)
		return append(jsonenc.String(b, x.body), `,"isBase64Encoded":false}`...)
	}
	b = base64.StdEncoding.AppendEncode(append(b, `,"body":"`...), x.body)
	return append(b, `","isBase64Encoded":true}`...)
}

// appendOne appends what integrations and authorizers get of a request in format 1.0, from the resource on. Maps without members are null.
func (x *exchange) appendOne(b []byte, out *outgoing) []byte {
	path := x.shownPath(out.path)
	b = append(b, `"resource":`...)
	b = jsonenc.String(b, x.resource())
	b = member(b, "path", path)
	b = member(b, "httpMethod", x.request.Method)
	fields := requestFields(out.request)
	b = appendLast(append(b, `,"headers":`...), fields)
	b = appendAll(append(b, `,"multiValueHeaders":`...), fields)
	if query := queryFields(out.query); len(query) > 0 {
		b = appendLast(append(b, `,"queryStringParameters":`...), query)
		b = appendAll(append(b, `,"multiValueQueryStringParameters":`...), query)
	} else {
		b = append(b, `,"queryStringParameters":null,"multiValueQueryStringParameters":null`...)
	}
	b = x.contextOne(b, path)
	if len(x.params) > 0 {
		b = appendParams(b, x.params)
	} else {
		b = append(b, `,"pathParameters":null`...)
	}
	if len(x.variables) > 0 {
		return appendVariables(b, x.variables)
	}
	return append(b, `,"stageVariables":null`...)
}

// resource is the path of the route, or $default.
func (x *exchange) resource() string {
	if x.route.method == "" {
		return defaultRoute
	}
	return x.route.path
}

// requestFields are the headers of a request in format 1.0: those of the client in its spelling, those that HTTP itself has and the gateway adds in their
// canonical form.
func requestFields(r *http.Request) []field {
	out := headerFields(r)
	for i := range out {
		switch canonical := http.CanonicalHeaderKey(out[i].name); canonical {
		case "Content-Length", "Host", "User-Agent", trace.TracingHeader:
			out[i].name = canonical
		}
	}
	if !slices.ContainsFunc(out, func(f field) bool { return f.name == "Content-Length" }) {
		out = append(out, field{"Content-Length", []string{strconv.FormatInt(max(0, r.ContentLength), 10)}})
	}
	slices.SortFunc(out, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return out
}

// contextOne appends the member requestContext of format 1.0.
func (x *exchange) contextOne(b []byte, path string) []byte {
	name, prefix := x.domain()
	b = append(b, `,"requestContext":{"accountId":`...)
	b = jsonenc.String(b, x.account)
	b = member(b, "apiId", x.api)
	b = x.authorizerOne(b)
	b = member(b, "domainName", name)
	b = member(b, "domainPrefix", prefix)
	b = member(b, "extendedRequestId", x.id)
	b = member(b, "httpMethod", x.request.Method)
	b = x.identityOne(b)
	b = member(b, "path", path)
	b = member(b, "protocol", x.request.Proto)
	b = member(b, "requestId", x.id)
	b = append(b, `,"requestTime":"`...)
	b = x.now.UTC().AppendFormat(b, requestTime)
	b = append(b, `","requestTimeEpoch":`...)
	b = strconv.AppendInt(b, x.now.UnixMilli(), 10)
	b = member(b, "resourceId", x.route.key)
	b = member(b, "resourcePath", x.resource())
	b = member(b, "stage", x.stage)
	return append(b, '}')
}

// authorizerOne appends the member authorizer of format 1.0.
func (x *exchange) authorizerOne(b []byte) []byte {
	switch {
	case x.claims != nil:
		return x.appendClaims(append(b, `,"authorizer":`...))
	case x.decision != nil:
		b = append(b, `,"authorizer":{"integrationLatency":`...)
		b = strconv.AppendInt(b, x.times.authorizer.Milliseconds(), 10)
		if p := x.decision.policy; p != nil {
			b = member(b, "principalId", p.Principal)
		}
		return append(x.decision.appendMembers(b), '}')
	}
	return append(b, `,"authorizer":{"claims":null,"scopes":null}`...)
}

// identityOne appends the member identity of format 1.0.
func (x *exchange) identityOne(b []byte) []byte {
	b = append(b, `,"identity":{`...)
	if c, ok := x.from().Certificate(); ok {
		b = append(c.Append(append(b, `"clientCert":`...)), ',')
	}
	b = append(b, `"cognitoAmr":null,"cognitoAuthenticationProvider":null,"cognitoAuthenticationType":null,"cognitoIdentityId":null,"cognitoIdentityPoolId":null,"principalOrgId":null`...)
	for _, name := range []string{"accessKey", "accountId", "caller", "sourceIp", "user", "userAgent", "userArn"} {
		if v := x.from().Value(name); v != "" {
			b = member(b, name, v)
			continue
		}
		b = append(append(append(b, `,"`...), name...), `":null`...)
	}
	return append(b, '}')
}

// from is who the request comes from.
func (x *exchange) from() domain.Identity {
	return domain.Identity{Request: x.request, Mapped: x.to.Domain != "", Caller: x.caller}
}
