package apigatewayv2

import (
	"strconv"

	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/jsonenc"
)

// requestTime is the form of times in events and in $context.requestTime, that of the common log format.
const requestTime = "02/Jan/2006:15:04:05 +0000"

// event appends the payload of format 2.0 for a request
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
func (x *exchange) event(b []byte, out *outgoing) []byte {
	b = append(b, `{"version":"2.0",`...)
	b = x.appendTwo(b, out)
	b = httpevent.AppendBody(b, out.request.Header.Get("Content-Type"), x.body)
	return append(b, '}')
}

// appendTwo appends what integrations and authorizers get of a request in format 2.0, from the route's key on.
func (x *exchange) appendTwo(b []byte, out *outgoing) []byte {
	raw := x.shownPath(out.path)
	b = append(b, `"routeKey":`...)
	b = jsonenc.String(b, x.route.key)
	b = member(b, "rawPath", raw)
	b = member(b, "rawQueryString", out.query)
	b = httpevent.AppendCookies(b, out.request)
	b = httpevent.AppendHeaders(b, out.request)
	b = httpevent.AppendQuery(b, out.query)
	b = x.requestContext(b, raw)
	b = appendParams(b, x.params)
	return appendVariables(b, x.variables)
}

func (x *exchange) requestContext(b []byte, raw string) []byte {
	r := x.request
	name, prefix := x.domain()
	b = append(b, `,"requestContext":{"accountId":`...)
	b = jsonenc.String(b, x.account)
	b = member(b, "apiId", x.api)
	if c, ok := x.from().Certificate(); ok {
		b = append(c.Append(append(b, `,"authentication":{"clientCert":`...)), '}')
	}
	b = x.appendAuthorizer(b)
	b = member(b, "domainName", name)
	b = member(b, "domainPrefix", prefix)
	b = append(b, `,"http":{"method":`...)
	b = jsonenc.String(b, r.Method)
	b = member(b, "path", raw)
	b = member(b, "protocol", r.Proto)
	b = member(b, "sourceIp", httpevent.ClientIP(r))
	b = member(b, "userAgent", r.UserAgent())
	b = append(b, '}')
	b = member(b, "requestId", x.id)
	b = member(b, "routeKey", x.route.key)
	b = member(b, "stage", x.stage)
	b = append(b, `,"time":"`...)
	b = x.now.UTC().AppendFormat(b, requestTime)
	b = append(b, `","timeEpoch":`...)
	b = strconv.AppendInt(b, x.now.UnixMilli(), 10)
	return append(b, '}')
}

// appendAuthorizer appends the member authorizer of format 2.0, if somebody was asked whether the request may be made.
func (x *exchange) appendAuthorizer(b []byte) []byte {
	switch {
	case x.caller != nil:
		p := x.caller
		b = append(b, `,"authorizer":{"iam":{"accessKey":`...)
		b = jsonenc.String(b, p.AccessKeyID)
		b = member(b, "accountId", p.Account)
		b = member(b, "callerId", p.UserID)
		b = append(b, `,"cognitoIdentity":null,"principalOrgId":null`...)
		b = member(b, "userArn", p.ARN)
		b = member(b, "userId", p.UserID)
		return append(b, "}}"...)
	case x.claims != nil:
		b = append(b, `,"authorizer":{"jwt":`...)
		return append(x.appendClaims(b), '}')
	case x.decision != nil:
		b = append(b, `,"authorizer":{"lambda":`...)
		if len(x.decision.context) == 0 {
			return append(b, "null}"...)
		}
		from := len(b)
		b = x.decision.appendMembers(b)
		b[from] = '{'
		return append(b, "}}"...)
	}
	return b
}

// appendClaims appends an object of the claims and scopes of a token. Scopes are shown where the route asks for some.
func (x *exchange) appendClaims(b []byte) []byte {
	b = append(b, `{"claims":`...)
	from := len(b)
	x.claims.Each(func(name, text string) { b = member(b, name, text) })
	if len(b) == from {
		b = append(b, '{')
	}
	b[from] = '{'
	b = append(b, `},"scopes":`...)
	if len(x.route.admission.rule.Scopes) == 0 {
		return append(b, "null}"...)
	}
	return append(appendTexts(b, x.claims.Scopes), '}')
}

func appendParams(b []byte, params []param) []byte {
	if len(params) == 0 {
		return b
	}
	return appendObject(append(b, `,"pathParameters":`...), params)
}

// appendObject appends path parameters as an object.
func appendObject(b []byte, params []param) []byte {
	b = append(b, '{')
	for i, p := range params {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, p.name)
		b = append(b, ':')
		b = jsonenc.String(b, p.value)
	}
	return append(b, '}')
}

func appendVariables(b []byte, variables map[string]string) []byte {
	if len(variables) == 0 {
		return b
	}
	b = append(b, `,"stageVariables":`...)
	from := len(b)
	for k, v := range variables {
		b = member(b, k, v)
	}
	b[from] = '{'
	return append(b, '}')
}
