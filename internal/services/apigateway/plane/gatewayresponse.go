package plane

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// failed is why a request is answered by a gateway response.
type failed struct {
	// kind is the response type, such as UNAUTHORIZED.
	kind    string
	status  int // in place of the type's own; 0 for that
	message string
	// null tells that the message is null.
	null bool
	// validation is $context.error.validationErrorString.
	validation string
	// errorType takes the place of the type's own x-amzn-ErrorType.
	errorType string
	// err is the cause, for the log; logged, when it is set, is what the execution log says of it, which is AWS's.
	err    error
	logged string
}

// standard is AWS's own gateway response of a type
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html).
type standard struct {
	status    int
	errorType string
	// spaced tells that the body has a space after the colon, as errors from beyond the request's admission have.
	spaced bool
}

func standardOf(kind string) standard {
	switch kind {
	case "ACCESS_DENIED":
		return standard{http.StatusForbidden, "AccessDeniedException", false}
	case "API_CONFIGURATION_ERROR":
		return standard{http.StatusInternalServerError, "InternalServerErrorException", true}
	case "AUTHORIZER_CONFIGURATION_ERROR":
		return standard{http.StatusInternalServerError, "AuthorizerConfigurationException", false}
	case "AUTHORIZER_FAILURE":
		return standard{http.StatusInternalServerError, "AuthorizerFailureException", false}
	case "BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS":
		return standard{http.StatusBadRequest, "BadRequestException", true}
	case "EXPIRED_TOKEN":
		return standard{http.StatusForbidden, "ExpiredTokenException", false}
	case "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT":
		return standard{http.StatusGatewayTimeout, "InternalServerErrorException", true}
	case "INVALID_API_KEY":
		return standard{http.StatusForbidden, "ForbiddenException", false}
	case "INVALID_SIGNATURE":
		return standard{http.StatusForbidden, "InvalidSignatureException", false}
	case "MISSING_AUTHENTICATION_TOKEN":
		return standard{http.StatusForbidden, "MissingAuthenticationTokenException", false}
	case "QUOTA_EXCEEDED":
		return standard{http.StatusTooManyRequests, "LimitExceededException", false}
	case "REQUEST_TOO_LARGE":
		return standard{http.StatusRequestEntityTooLarge, "RequestTooLongException", true}
	case "RESOURCE_NOT_FOUND":
		return standard{http.StatusNotFound, "NotFoundException", false}
	case "THROTTLED":
		return standard{http.StatusTooManyRequests, "TooManyRequestsException", false}
	case "UNAUTHORIZED":
		return standard{http.StatusUnauthorized, "UnauthorizedException", false}
	case "UNSUPPORTED_MEDIA_TYPE":
		return standard{http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException", true}
	case "DEFAULT_4XX":
		return standard{http.StatusBadRequest, "BadRequestException", true}
	}
	return standard{http.StatusInternalServerError, "InternalServerErrorException", true}
}

// gatewayResponse is a gateway response that an API has changed.
type gatewayResponse struct {
	status     int // 0 for that of the type
	parameters []assignment
	templates  map[string]*text // by media type
	types      []string
}

// text is a template of a gateway response, which knows $context and $stageVariables and nothing else.
type text struct{ parts []textPart }

type textPart struct{ text, context, stage string }

func compileGatewayResponse(r *aws.GatewayResponse) *gatewayResponse {
	g := &gatewayResponse{templates: map[string]*text{}}
	if r.StatusCode != nil {
		g.status, _ = strconv.Atoi(*r.StatusCode)
	}
	for _, key := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		name, ok := strings.CutPrefix(key, "gatewayresponse.header.")
		if s, known := parseSource(r.ResponseParameters[key]); ok && known {
			g.parameters = append(g.parameters, assignment{"header", name, s})
		}
	}
	for kind, template := range r.ResponseTemplates {
		g.templates[mediaType(kind)] = parseText(template)
	}
	g.types = slices.Sorted(maps.Keys(g.templates))
	return g
}

// parseText compiles a template of a gateway response.
func parseText(template string) *text {
	t := &text{}
	for {
		i := strings.IndexByte(template, '$')
		if i < 0 {
			t.parts = append(t.parts, textPart{text: template})
			return t
		}
		p := textPart{text: template[:i]}
		rest := template[i+1:]
		brace := strings.HasPrefix(rest, "{")
		name := strings.TrimPrefix(rest, "{")
		n := 0
		for n < len(name) && (name[n]|0x20 >= 'a' && name[n]|0x20 <= 'z' || name[n] >= '0' && name[n] <= '9' || name[n] == '_' || name[n] == '-' ||
			name[n] == '.' && n+1 < len(name) && name[n+1]|0x20 >= 'a' && name[n+1]|0x20 <= 'z') {
			n++
		}
		after := name[n:]
		if brace {
			after = strings.TrimPrefix(after, "}")
		}
		if v, ok := strings.CutPrefix(name[:n], "context."); ok {
			p.context = v
		} else if v, ok := strings.CutPrefix(name[:n], "stageVariables."); ok {
			p.stage = v
		} else {
			p.text += "$"
			after = rest
		}
		t.parts = append(t.parts, p)
		template = after
	}
}

func (t *text) fill(x *exchange) []byte {
	var b []byte
	for i := range t.parts {
		p := &t.parts[i]
		b = append(b, p.text...)
		switch {
		case p.context != "":
			b = append(b, x.contextValue(p.context)...)
		case p.stage != "":
			b = append(b, x.variables[p.stage]...)
		}
	}
	return b
}

// changed returns the API's own response for a kind: of the kind, or of all with such a status.
func (t *tree) changed(kind string, status int) *gatewayResponse {
	if t == nil {
		return nil
	}
	if g := t.responses[kind]; g != nil {
		return g
	}
	if kind == "DEFAULT_4XX" || status >= 400 && status < 500 {
		return t.responses["DEFAULT_4XX"]
	}
	return t.responses["DEFAULT_5XX"]
}

// refuse answers with the gateway response of why the request failed.
func (x *exchange) refuse(w http.ResponseWriter, f *failed) {
	x.failed = f
	std := standardOf(f.kind)
	status := std.status
	if f.status != 0 {
		status = f.status
	}
	x.status = status
	g := x.tree.changed(f.kind, status)
	var body []byte
	contentType := "application/json"
	if g != nil {
		if g.status != 0 {
			status = g.status
		}
		x.status = status
		body, contentType = g.body(x)
	}
	if body == nil {
		body = f.document(std.spaced)
	}
	h := w.Header()
	h["Content-Type"] = []string{contentType}
	h["x-amzn-ErrorType"] = []string{std.errorType}
	if f.errorType != "" {
		h["x-amzn-ErrorType"] = []string{f.errorType}
	}
	if g != nil {
		for i := range g.parameters {
			name := g.parameters[i].name
			if v, ok := g.parameters[i].source.value(x); ok && validValue(v) && !isFraming(name) {
				setHeader(h, name, v)
			}
		}
	}
	x.send(w, status, body)
}

// document is the body of AWS's own response.
func (f *failed) document(spaced bool) []byte {
	separator := `{"message":`
	if spaced {
		separator = `{"message": `
	}
	if f.null {
		return []byte(separator + "null}")
	}
	quoted, err := json.Marshal(f.message)
	if err != nil {
		quoted = []byte(`""`)
	}
	return append(append([]byte(separator), quoted...), '}')
}

// body renders the template for what the client accepts: the first of its types that there is, or JSON, or any.
func (g *gatewayResponse) body(x *exchange) (body []byte, contentType string) {
	if len(g.types) == 0 {
		return nil, "application/json"
	}
	contentType = g.types[0]
	for _, want := range []string{x.accepts(), "application/json"} {
		if _, ok := g.templates[want]; ok {
			contentType = want
			break
		}
	}
	return g.templates[contentType].fill(x), contentType
}

// isFraming tells whether a header says how the answer is sent, which is no matter of an API.
func isFraming(name string) bool {
	switch strings.ToLower(name) {
	case "content-length", "transfer-encoding", "connection", "trailer", "upgrade":
		return true
	}
	return false
}
