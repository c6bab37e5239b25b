package apigatewayv2

import (
	"encoding/base64"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
	b = c.cookies(b)
	b = c.headers(b)
	b = appendQuery(b, query)
	b = c.requestContext(b, raw)
	b = appendParams(b, c.params)
	b = appendVariables(b, c.variables)
	if len(body) == 0 {
		return append(b, `,"isBase64Encoded":false}`...)
	}
	if isText(r.Header.Get("Content-Type"), body) {
		b = append(b, `,"body":`...)
		b = jsonenc.String(b, string(body))
		return append(b, `,"isBase64Encoded":false}`...)
	}
	b = append(b, `,"body":"`...)
	b = base64.StdEncoding.AppendEncode(b, body)
	return append(b, `","isBase64Encoded":true}`...)
}

// rawPath is the decoded path, with the stage in front unless it is $default.
func (c *exchange) rawPath() string {
	path := unescape(c.path)
	if c.stage == "$default" {
		return path
	}
	return "/" + c.stage + path
}

func (c *exchange) cookies(b []byte) []byte {
	lines := c.request.Header["Cookie"]
	if len(lines) == 0 {
		return b
	}
	b = append(b, `,"cookies":[`...)
	first := true
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = jsonenc.String(b, part)
		}
	}
	return append(b, ']')
}

// headers appends the headers with lower-case names, values joined by commas, and those that the gateway adds.
func (c *exchange) headers(b []byte) []byte {
	r := c.request
	type field struct{ name, value string }
	fields := make([]field, 0, len(r.Header)+5)
	for name, values := range r.Header {
		if name == "Cookie" {
			continue
		}
		fields = append(fields, field{strings.ToLower(name), strings.Join(values, ",")})
	}
	has := func(name string) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return f.name == name })
	}
	host, port := r.Host, "443"
	scheme := "https"
	if i := strings.LastIndexByte(host, ':'); i >= 0 && r.TLS == nil {
		port, scheme = host[i+1:], "http"
	}
	fields = append(fields, field{"host", host})
	if !has("content-length") {
		fields = append(fields, field{"content-length", strconv.FormatInt(max(0, r.ContentLength), 10)})
	}
	if !has("x-forwarded-for") {
		fields = append(fields, field{"x-forwarded-for", clientIP(r)}, field{"x-forwarded-port", port}, field{"x-forwarded-proto", scheme})
	}
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	b = append(b, `,"headers":{`...)
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, f.name)
		b = append(b, ':')
		b = jsonenc.String(b, f.value)
	}
	return append(b, '}')
}

// appendQuery appends the decoded query parameters, values of one name joined by commas in their order.
func appendQuery(b []byte, query string) []byte {
	if query == "" {
		return b
	}
	var names []string
	values := map[string]string{}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, value = unquery(name), unquery(value)
		if old, ok := values[name]; ok {
			values[name] = old + "," + value
			continue
		}
		names = append(names, name)
		values[name] = value
	}
	b = append(b, `,"queryStringParameters":{`...)
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, n)
		b = append(b, ':')
		b = jsonenc.String(b, values[n])
	}
	return append(b, '}')
}

func unquery(s string) string { return unescape(strings.ReplaceAll(s, "+", " ")) }

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
	b = jsonenc.String(b, clientIP(r))
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

// isText reports whether a body goes into the event as it is: HTTP APIs send text/*, JSON, XML and JavaScript as text, everything
// else base64-encoded; a body of no declared type is text when it is valid UTF-8.
func isText(contentType string, body []byte) bool {
	if !utf8.Valid(body) {
		return false
	}
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch t {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(t, "text/")
}
