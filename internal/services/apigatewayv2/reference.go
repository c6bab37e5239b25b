package apigatewayv2

import (
	"net/http"
	"net/url"
	"strings"
)

// resolve returns the text of what an identity source or a mapping refers to; empty for nothing. References begin with request, context or stageVariables
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html).
func (x *exchange) resolve(reference string) string {
	switch place, rest, _ := strings.Cut(reference, "."); place {
	case "context":
		return x.contextValue(rest)
	case "stageVariables":
		return x.variables[rest]
	case "request":
		return x.requestValue(rest)
	}
	return ""
}

func (x *exchange) requestValue(reference string) string {
	switch place, name, _ := strings.Cut(reference, "."); place {
	case "header":
		if strings.EqualFold(name, "host") {
			return x.request.Host
		}
		return strings.Join(x.request.Header[http.CanonicalHeaderKey(name)], ",")
	case "querystring":
		for _, f := range queryFields(x.rawQuery()) {
			if f.name == name {
				return strings.Join(f.values, ",")
			}
		}
	case "path":
		if name == "" {
			return x.to.Path
		}
		return x.param(name).value
	case "body":
		if name == "" {
			return string(x.body)
		}
		return bodyPath(x.body, name)
	}
	return ""
}

// param returns a path parameter; an empty one for a name that the route does not have.
func (x *exchange) param(name string) param {
	for _, p := range x.params {
		if p.name == name {
			return p
		}
	}
	return param{}
}

// resolvePath is resolve for what goes into a path: what came in the path stays as it was sent, everything else is encoded.
func (x *exchange) resolvePath(reference string) string {
	if reference == "request.path" {
		return x.to.Path
	}
	if name, ok := strings.CutPrefix(reference, "request.path."); ok {
		return x.param(name).raw
	}
	return (&url.URL{Path: x.resolve(reference)}).EscapedPath()
}

// resolveAnswer is resolve with references to the answer of the integration.
func (x *exchange) resolveAnswer(out *reply) func(reference string) string {
	return func(reference string) string {
		rest, ok := strings.CutPrefix(reference, "response.")
		if !ok {
			return x.resolve(reference)
		}
		switch place, name, _ := strings.Cut(rest, "."); place {
		case "header":
			return strings.Join(out.header[http.CanonicalHeaderKey(name)], ",")
		case "body":
			if name == "" {
				return string(out.body)
			}
			return bodyPath(out.body, name)
		}
		return ""
	}
}
