package sam

import (
	"slices"
	"strings"
)

// httpAuthorizer decides about calls of an HTTP API.
type httpAuthorizer struct {
	api, name string
	// given are the properties; nil is the authorizer that checks signatures.
	given *dict
	// jwt is its configuration if it checks tokens; otherwise it is a function.
	jwt *dict
}

func (a *anHTTPAPI) authorizers() (*dict, error) {
	auth := a.properties.dict("Auth")
	out := newDict()
	if auth.get("EnableIamAuthorizer") == true {
		out.set(iamAuthorizer, &httpAuthorizer{name: iamAuthorizer})
	}
	config := auth.get("Authorizers")
	if !truthy(config) {
		return out, nil
	}
	all, err := inResource(a.id, "Auth.Authorizers").dict(config)
	if err != nil {
		return nil, err
	}
	for _, k := range all.names() {
		given, err := inResource(a.id, "Auth.Authorizers."+k.text).dict(all.values[k.text])
		if err != nil {
			return nil, err
		}
		if given.has("OpenIdConnectUrl") {
			return nil, invalid(a.id, "'OpenIdConnectUrl' is no longer a supported property for authorizer '%s'. Please refer to the AWS SAM documentation.", k.text)
		}
		one := &httpAuthorizer{api: a.id, name: k.text, given: given}
		if err := one.check(); err != nil {
			return nil, err
		}
		out.put(k, one)
	}
	return out, nil
}

// httpAuthorizerProperties are the properties of authorizers of HTTP APIs, and which kind of them they are for.
var httpAuthorizerProperties = []struct {
	name, of string
	jwt      bool
}{
	{"AuthorizationScopes", "OAuth2 Authorizer", true},
	{"JwtConfiguration", "OAuth2 Authorizer", true},
	{"IdentitySource", "OAuth2 Authorizer. For Lambda Authorizer, use the 'Identity' property instead", true},
	{"FunctionArn", "Lambda Authorizer", false},
	{"FunctionInvokeRole", "Lambda Authorizer", false},
	{"Identity", "Lambda Authorizer", false},
	{"AuthorizerPayloadFormatVersion", "Lambda Authorizer", false},
	{"EnableSimpleResponses", "Lambda Authorizer", false},
	{"EnableFunctionDefaultPermissions", "Lambda Authorizer", false},
}

func (h *httpAuthorizer) check() error {
	if v := h.given.get("JwtConfiguration"); truthy(v) {
		config, err := inResource(h.api, "JwtConfiguration").dict(v)
		if err != nil {
			return err
		}
		h.jwt = newDict()
		for k, v := range config.all() {
			h.jwt.set(strings.ToLower(k), v)
		}
	}
	if v := h.given.get("AuthorizationScopes"); v != nil && !isList(v) {
		return invalid(h.api, "AuthorizationScopes must be a list.")
	}
	isJWT := h.jwt.len() > 0
	for _, p := range httpAuthorizerProperties {
		v := h.given.get(p.name)
		if p.name == "JwtConfiguration" && !truthy(v) {
			continue
		}
		if v != nil && p.jwt != isJWT {
			return invalid(h.api, "%s is only supported for %s.", p.name, p.of)
		}
	}
	needed := []string{"FunctionArn", "AuthorizerPayloadFormatVersion"}
	what := "Lambda"
	if isJWT {
		needed, what = []string{"IdentitySource"}, "OAuth2"
	}
	for _, k := range needed {
		if !truthy(h.given.get(k)) {
			return invalid(h.api, "%s %s Authorizer must define '%s'.", h.name, what, k)
		}
	}
	if v := h.given.get("EnableFunctionDefaultPermissions"); v != nil {
		return inResource(h.api, "Authorizers."+h.name+".EnableFunctionDefaultPermissions").bool(v)
	}
	return nil
}

// definition is the security scheme in the definition of the API.
func (h *httpAuthorizer) definition(partition string) (*dict, error) {
	if h.given == nil {
		return dictOf("type", "apiKey", "name", "Authorization", "in", "header", "x-amazon-apigateway-authtype", "awsSigv4"), nil
	}
	if h.jwt.len() > 0 {
		return dictOf("type", "oauth2", keyAuthorizer, dictOf("jwtConfiguration", h.jwt, "identitySource", h.given.get("IdentitySource"), "type", "jwt")), nil
	}
	a := dictOf("type", "request", "authorizerUri", authorizerURI(partition, h.given.get("FunctionArn")))
	if v := h.given.get("FunctionInvokeRole"); truthy(v) && !is(v, "NONE") {
		a.set("authorizerCredentials", v)
	}
	if v := h.given.get("Identity"); truthy(v) {
		identity, err := inResource(h.api, "Auth.Authorizers."+h.name+".Identity").dict(v)
		if err != nil {
			return nil, err
		}
		if ttl := identity.get("ReauthorizeEvery"); ttl != nil {
			a.set("authorizerResultTtlInSeconds", ttl)
		}
		source, err := h.source(identity)
		if err != nil {
			return nil, err
		}
		a.set("identitySource", source)
	}
	a.set("authorizerPayloadFormatVersion", h.given.get("AuthorizerPayloadFormatVersion"))
	if v := h.given.get("EnableSimpleResponses"); truthy(v) {
		a.set("enableSimpleResponses", v)
	}
	return dictOf("type", "apiKey", "name", "Unused", "in", "header", keyAuthorizer, a), nil
}

func (h *httpAuthorizer) source(identity *dict) ([]any, error) {
	out := []any{}
	for _, k := range [][2]string{{"$request.header.", "Headers"}, {"$request.querystring.", "QueryStrings"}, {"$stageVariables.", "StageVariables"}, {"$context.", "Context"}} {
		v := identity.get(k[1])
		if !truthy(v) {
			continue
		}
		list, err := inResource(h.api, "Authorizers."+h.name+".Identity."+k[1]).texts(v)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			s, _ := text(e)
			out = append(out, k[0]+s)
		}
	}
	return out, nil
}

// addAuth adds the authorizers to the definition.
func (a *anHTTPAPI) addAuth() error {
	auth := a.properties.dict("Auth")
	if auth.len() == 0 {
		return nil
	}
	if !truthy(a.body) {
		return a.needsBody("Auth", "the ", "")
	}
	for k := range auth.all() {
		if !slices.Contains([]string{"Authorizers", "DefaultAuthorizer", "EnableIamAuthorizer"}, k) {
			return invalid(a.id, "Invalid value for 'Auth' property")
		}
	}
	if err := a.needsBody("Auth", "the ", "Auth configuration"); err != nil {
		return err
	}
	return a.edit(func(e *openAPI) error {
		authorizers, err := a.authorizers()
		if err != nil {
			return err
		}
		for _, k := range authorizers.names() {
			d, err := authorizers.values[k.text].(*httpAuthorizer).definition(a.partition())
			if err != nil {
				return err
			}
			e.schemes.put(k, d)
		}
		return a.setDefaultAuthorizer(e, authorizers, auth.get("DefaultAuthorizer"))
	})
}

func (a *anHTTPAPI) setDefaultAuthorizer(e *openAPI, authorizers *dict, v any) error {
	if !truthy(v) || isNoValue(v) {
		return nil
	}
	s, err := inResource(a.id, "Auth.DefaultAuthorizer").text(v)
	if err != nil {
		return err
	}
	if !authorizers.has(s) {
		return invalid(a.id, "Unable to set DefaultAuthorizer because '%s' was not defined in 'Authorizers'.", s)
	}
	scopes := asList(authorizers.get(s).(*httpAuthorizer).given.get("AuthorizationScopes"))
	if scopes == nil {
		scopes = []any{}
	}
	for path := range e.paths.all() {
		if err := e.setDefaultAuthorizer(path, v, scopes); err != nil {
			return err
		}
	}
	return nil
}

// permissions let the API invoke the functions of its authorizers, where that is wanted.
func (a *anHTTPAPI) permissions() ([]*resource, error) {
	authorizers, err := a.authorizers()
	if err != nil {
		return nil, err
	}
	var out []*resource
	for k, v := range authorizers.all() {
		given := v.(*httpAuthorizer).given
		if truthy(given.get("FunctionArn")) && truthy(given.get("EnableFunctionDefaultPermissions")) {
			out = append(out, authorizerPermission(a.source, a.id+k+"AuthorizerPermission", "${AWS::Partition}", given.get("FunctionArn")))
		}
	}
	return out, nil
}
