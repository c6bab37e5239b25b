package apigatewayv2

import (
	"net/url"
	"strings"

	"lambent.dev/lambent/internal/lib/jsonenc"
)

// question is the payload of an authorizer function, which gets no body
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html).
func (x *exchange) question(a *admission, values []string) []byte {
	out := &outgoing{request: x.request, path: x.to.Path, query: x.rawQuery()}
	resource := x.arn(x.request.Method, x.to.Path)
	if a.one {
		b := append(make([]byte, 0, 2048), `{"version":"1.0","type":"REQUEST"`...)
		b = member(b, "methodArn", resource)
		joined := strings.Join(values, ",")
		b = member(b, "identitySource", joined)
		b = member(b, "authorizationToken", joined)
		return append(x.appendOne(append(b, ','), out), '}')
	}
	b := append(make([]byte, 0, 2048), `{"version":"2.0","type":"REQUEST"`...)
	b = member(b, "routeArn", resource)
	b = append(b, `,"identitySource":`...)
	b = appendTexts(b, values)
	b = append(b, ',')
	return append(x.appendTwo(b, out), '}')
}

// appendTexts appends a list of texts; null for none.
func appendTexts(b []byte, values []string) []byte {
	if len(values) == 0 {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, v)
	}
	return append(b, ']')
}

// rawQuery is the query of the request as it was sent, without its question mark.
func (x *exchange) rawQuery() string {
	_, query, _ := strings.Cut(x.request.RequestURI, "?")
	return query
}

// decodePath decodes a raw path as HTTP APIs do: once as the path of the request, and what comes out as a URL again, which ends at its first question mark and whose
// encoding must be whole. AWS shows /a%2Fb and /a%252Fb as /a/b, /a%3Fb as /a, and answers /a%25b with 400; ok is false for that.
func decodePath(path string) (decoded string, ok bool) {
	if !strings.Contains(path, "%") {
		return path, true
	}
	once, err := url.PathUnescape(path)
	if err != nil {
		return path, false
	}
	once, _, _ = strings.Cut(once, "?")
	twice, err := url.PathUnescape(once)
	if err != nil {
		return once, false
	}
	return twice, true
}

// shownPath is a raw path within the stage as events show it: decoded, with the stage in front unless it is $default, or with the base path of a custom
// domain name.
func (x *exchange) shownPath(path string) string {
	path, _ = decodePath(path)
	switch {
	case x.to.BasePath != "":
		return "/" + x.to.BasePath + path
	case x.stage == defaultStage || x.to.Domain != "":
		return path
	}
	return "/" + x.stage + path
}

// domain is the host of the request without its port, and the part before its first dot.
func (x *exchange) domain() (name, prefix string) {
	name = x.request.Host
	prefix, _, _ = strings.Cut(name, ".")
	return name, prefix
}
