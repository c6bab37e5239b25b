package plane

import (
	"encoding/base64"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/jsonenc"
)

// event appends the payload of a Lambda proxy integration
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html). Maps without members are null.
func (x *exchange) event(b []byte) []byte {
	b = member(append(b, '{'), `"resource":`, x.resource.path)
	b = member(b, `,"path":`, x.shown)
	b = member(b, `,"httpMethod":`, x.http.Method)
	b = x.eventHeaders(b)
	b = x.eventQuery(b)
	b = append(b, `,"pathParameters":`...)
	b = appendPairs(b, x.params)
	b = append(b, `,"stageVariables":`...)
	b = appendVariables(b, x.variables)
	b = append(b, `,"requestContext":`...)
	b = x.requestContext(b)
	return append(x.eventBody(b), '}')
}

// member appends a name, as it stands, and a string.
func member(b []byte, name, value string) []byte {
	return jsonenc.String(append(b, name...), value)
}

// eventHeaders appends headers, with the last value of each name, and multiValueHeaders. Names that differ only in case are different, as they were sent.
func (x *exchange) eventHeaders(b []byte) []byte {
	list := make(fields, 0, len(x.fields))
	for i := range x.fields {
		if n := len(x.fields[i].name); n < 2 || n > 19 || !notForwarded(lowerName(x.fields[i].name)) {
			list = append(list, x.fields[i])
		}
	}
	return appendMulti(append(appendSingle(append(b, `,"headers":`...), list), `,"multiValueHeaders":`...), list)
}

func (x *exchange) eventQuery(b []byte) []byte {
	list := make(fields, len(x.query))
	for i, q := range x.query {
		list[i] = field(q)
	}
	return appendMulti(append(appendSingle(append(b, `,"queryStringParameters":`...), list), `,"multiValueQueryStringParameters":`...), list)
}

// appendSingle appends an object with the last value of each name, or null.
func appendSingle(b []byte, list fields) []byte {
	if len(list) == 0 {
		return append(b, "null"...)
	}
	b = append(b, '{')
	first := true
	for i := range list {
		if hasLater(list, i) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = jsonenc.String(b, list[i].name)
		b = append(b, ':')
		b = jsonenc.String(b, list[i].value)
	}
	return append(b, '}')
}

func hasLater(list fields, i int) bool {
	for j := i + 1; j < len(list); j++ {
		if list[j].name == list[i].name {
			return true
		}
	}
	return false
}

// appendMulti appends an object with the list of values of each name, or null.
func appendMulti(b []byte, list fields) []byte {
	if len(list) == 0 {
		return append(b, "null"...)
	}
	b = append(b, '{')
	first := true
	for i := range list {
		if hasEarlier(list, i) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = jsonenc.String(b, list[i].name)
		b = append(b, ":["...)
		b = jsonenc.String(b, list[i].value)
		for j := i + 1; j < len(list); j++ {
			if list[j].name == list[i].name {
				b = jsonenc.String(append(b, ','), list[j].value)
			}
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func hasEarlier(list fields, i int) bool {
	for j := range i {
		if list[j].name == list[i].name {
			return true
		}
	}
	return false
}

func appendPairs(b []byte, list pairs) []byte {
	if len(list) == 0 {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, p := range list {
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
		return append(b, "null"...)
	}
	b = append(b, '{')
	first := true
	for name, value := range variables {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = jsonenc.String(b, name)
		b = append(b, ':')
		b = jsonenc.String(b, value)
	}
	return append(b, '}')
}

// requestContext appends the member of that name, which authorizers get too.
func (x *exchange) requestContext(b []byte) []byte {
	domain := x.domain()
	prefix, _, _ := strings.Cut(domain, ".")
	b = member(b, `{"resourceId":`, x.resource.id)
	b = x.eventAuthorizer(b)
	b = member(b, `,"resourcePath":`, x.resource.path)
	b = member(b, `,"httpMethod":`, x.http.Method)
	b = member(b, `,"extendedRequestId":`, x.extended)
	b = append(b, `,"requestTime":"`...)
	b = x.now.UTC().AppendFormat(b, requestTime)
	b = member(b, `","path":`, x.full)
	b = member(b, `,"accountId":`, x.Account)
	b = member(b, `,"protocol":`, x.http.Proto)
	b = member(b, `,"stage":`, x.name)
	b = member(b, `,"domainPrefix":`, prefix)
	b = append(b, `,"requestTimeEpoch":`...)
	b = strconv.AppendInt(b, x.now.UnixMilli(), 10)
	b = member(b, `,"requestId":`, x.id)
	b = x.eventIdentity(b)
	b = member(b, `,"domainName":`, domain)
	b = member(b, `,"deploymentId":`, x.deployment(x.canary))
	b = member(b, `,"apiId":`, x.API.ID)
	return append(b, '}')
}

// eventIdentity appends the member identity.
func (x *exchange) eventIdentity(b []byte) []byte {
	orNull := func(name, value string) {
		b = append(b, name...)
		if value == "" {
			b = append(b, "null"...)
			return
		}
		b = jsonenc.String(b, value)
	}
	orNull(`,"identity":{"cognitoIdentityPoolId":`, "")
	if x.apiKey != "" {
		orNull(`,"apiKey":`, x.keyValue)
		orNull(`,"apiKeyId":`, x.apiKey)
	}
	if c, ok := x.from().Certificate(); ok {
		b = c.Append(append(b, `,"clientCert":`...))
	}
	orNull(`,"accountId":`, x.identity("accountId"))
	orNull(`,"cognitoIdentityId":`, "")
	orNull(`,"caller":`, x.identity("caller"))
	if x.endpoint.ID != "" {
		orNull(`,"vpcId":`, x.endpoint.VPC)
		orNull(`,"vpceId":`, x.endpoint.ID)
	}
	orNull(`,"sourceIp":`, x.identity("sourceIp"))
	orNull(`,"principalOrgId":`, "")
	orNull(`,"accessKey":`, x.identity("accessKey"))
	orNull(`,"cognitoAuthenticationType":`, "")
	orNull(`,"cognitoAuthenticationProvider":`, "")
	orNull(`,"userArn":`, x.identity("userArn"))
	orNull(`,"userAgent":`, x.identity("userAgent"))
	orNull(`,"user":`, x.identity("user"))
	return append(b, '}')
}

// eventAuthorizer appends the member authorizer, if an authorizer admitted the request.
func (x *exchange) eventAuthorizer(b []byte) []byte {
	switch {
	case x.policy != nil:
		b = member(b, `,"authorizer":{"principalId":`, x.policy.Principal)
		b = append(b, `,"integrationLatency":`...)
		b = strconv.AppendInt(b, x.times.authorizer.Milliseconds(), 10)
		for i := range x.policy.Context {
			e := &x.policy.Context[i]
			b = append(b, ',')
			b = jsonenc.String(b, e.Name)
			b = append(b, ':')
			if string(e.Value) == "null" {
				b = append(b, "null"...)
				continue
			}
			b = jsonenc.String(b, e.Text())
		}
		return append(b, '}')
	case x.claims != nil:
		b = append(b, `,"authorizer":{"claims":{`...)
		first := true
		x.claims.Each(func(name, text string) {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = jsonenc.String(b, name)
			b = append(b, ':')
			b = jsonenc.String(b, text)
		})
		return append(b, "}}"...)
	}
	return b
}

// eventBody appends body and isBase64Encoded.
func (x *exchange) eventBody(b []byte) []byte {
	if len(x.body) == 0 {
		return append(b, `,"body":null,"isBase64Encoded":false`...)
	}
	if v, _ := x.fields.get("Content-Type"); v != "" && x.tree.matchesBinary(v) || v == "" && x.tree.matchesBinary("application/json") {
		b = append(b, `,"body":"`...)
		b = base64.StdEncoding.AppendEncode(b, x.body)
		return append(b, `","isBase64Encoded":true`...)
	}
	b = append(b, `,"body":`...)
	b = jsonenc.String(b, x.body)
	return append(b, `,"isBase64Encoded":false`...)
}
