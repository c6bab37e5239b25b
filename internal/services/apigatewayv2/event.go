package apigatewayv2

import (
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/jsonenc"
)

// event appends the payload of format 2.0 for the request
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
func (c *exchange) event(b, body []byte) []byte {
	r := c.request
	raw := c.rawPath()
	_, query, _ := strings.Cut(r.RequestURI, "?")
	b = append(b, `{"version":"2.0","routeKey":`...)
	b = jsonenc.String(b, c.route.key)
	b = append(b, `,"rawPath":`...)
	b = jsonenc.String(b, raw)
	b = append(b, `,"rawQueryString":`...)
	b = jsonenc.String(b, query)
	b = httpevent.AppendCookies(b, r)
	b = httpevent.AppendHeaders(b, r)
	b = httpevent.AppendQuery(b, query)
	b = c.requestContext(b, raw)
	b = appendParams(b, c.params)
	b = appendVariables(b, c.variables)
	b = httpevent.AppendBody(b, r.Header.Get("Content-Type"), body)
	return append(b, '}')
}

// rawPath is the decoded path, with the stage in front unless it is $default.
func (c *exchange) rawPath() string {
	path := httpevent.Unescape(c.path)
	if c.stage == "$default" {
		return path
	}
	return "/" + c.stage + path
}

func (c *exchange) requestContext(b []byte, raw string) []byte {
	r := c.request
	prefix, _, _ := strings.Cut(r.Host, ".")
	b = append(b, `,"requestContext":{"accountId":`...)
	b = jsonenc.String(b, c.account)
	b = append(b, `,"apiId":`...)
	b = jsonenc.String(b, c.api)
	b = append(b, `,"domainName":`...)
	b = jsonenc.String(b, r.Host)
	b = append(b, `,"domainPrefix":`...)
	b = jsonenc.String(b, prefix)
	b = append(b, `,"http":{"method":`...)
	b = jsonenc.String(b, r.Method)
	b = append(b, `,"path":`...)
	b = jsonenc.String(b, raw)
	b = append(b, `,"protocol":`...)
	b = jsonenc.String(b, r.Proto)
	b = append(b, `,"sourceIp":`...)
	b = jsonenc.String(b, httpevent.ClientIP(r))
	b = append(b, `,"userAgent":`...)
	b = jsonenc.String(b, r.UserAgent())
	b = append(b, `},"requestId":`...)
	b = jsonenc.String(b, c.id)
	b = append(b, `,"routeKey":`...)
	b = jsonenc.String(b, c.route.key)
	b = append(b, `,"stage":`...)
	b = jsonenc.String(b, c.stage)
	b = append(b, `,"time":"`...)
	b = c.now.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 +0000")
	b = append(b, `","timeEpoch":`...)
	b = strconv.AppendInt(b, c.now.UnixMilli(), 10)
	return append(b, '}')
}

func appendParams(b []byte, params []param) []byte {
	if len(params) == 0 {
		return b
	}
	b = append(b, `,"pathParameters":{`...)
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
	b = append(b, `,"stageVariables":{`...)
	first := true
	for k, v := range variables {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = jsonenc.String(b, k)
		b = append(b, ':')
		b = jsonenc.String(b, v)
	}
	return append(b, '}')
}
