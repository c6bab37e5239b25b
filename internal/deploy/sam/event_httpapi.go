package sam

import (
	"regexp"
	"strings"
)

// linkHTTPAPI finds the HTTP API of an event.
func (e *event) linkHTTPAPI() (*link, error) {
	id, ok := text(apiID(e.get("ApiId")))
	r := e.resources.dict(id)
	if !ok || r == nil {
		return nil, e.fail("ApiId must be a valid reference to an '%s' resource in same template.", typeHTTPAPI)
	}
	properties := r.dict("Properties")
	if properties == nil {
		properties = newDict()
	}
	return &link{id: id, resource: properties}, nil
}

// httpAPI adds a route to an HTTP API, and lets it invoke the function.
func (e *event) httpAPI(l *link) ([]*resource, error) {
	permission, err := e.routePermission(l)
	if err != nil {
		return nil, err
	}
	body := l.resource.get("DefinitionBody")
	if body == nil {
		return permission, nil
	}
	editor, err := openOpenAPI(body)
	if err != nil {
		return nil, err
	}
	method, plain := e.method()
	if truthy(l.resource.get(managed)) {
		has, err := editor.integrated(e.path(), plain)
		if err != nil {
			return nil, err
		}
		if has {
			return nil, e.fail("API method '%s' defined multiple times for path '%s'.", plain, e.path())
		}
	}
	if err := editor.integrate(e.get("Path"), method, e.integrationURI("${AWS::Partition}", false), e.target.condition()); err != nil {
		return nil, err
	}
	if e.properties.dict("Auth").len() > 0 {
		if err := e.addHTTPAuth(editor, l); err != nil {
			return nil, err
		}
	}
	if v := e.get("TimeoutInMillis"); truthy(v) {
		if err := editor.setTimeout(e.path(), plain, v); err != nil {
			return nil, err
		}
	}
	var parameters []string
	for _, m := range anyVariable.FindAllStringSubmatch(e.path(), -1) {
		parameters = append(parameters, m[1])
	}
	if parameters != nil {
		if err := editor.addPathParameters(e.path(), plain, parameters); err != nil {
			return nil, err
		}
	}
	if v := e.get("PayloadFormatVersion"); truthy(v) {
		if err := editor.setPayloadFormat(e.path(), plain, v); err != nil {
			return nil, err
		}
	}
	l.resource.set("DefinitionBody", editor.close())
	return permission, nil
}

var anyVariable = regexp.MustCompile(`{(.*?)}`)

// routePermission lets the route invoke the function, unless the function's default route covers it.
func (e *event) routePermission(l *link) ([]*resource, error) {
	path := trailingSlash.ReplaceAllString(e.path(), "$1")
	covered := false
	if body := l.resource.get("DefinitionBody"); truthy(body) {
		editor, err := openOpenAPI(body)
		if err != nil {
			return nil, invalid(l.id, "%s", messages(err))
		}
		if path != defaultPath {
			if covered, err = editor.isDefaultOf(e.target.id); err != nil {
				return nil, err
			}
		}
	}
	if covered {
		return nil, nil
	}
	if path == defaultPath {
		path = ""
	}
	path = httpPathVariable.ReplaceAllString(path, "*")
	_, method := e.method()
	route := "/" + strings.ToUpper(method) + path
	switch {
	case method == "any" && path == "/"+defaultPath:
		route = path
	case method == "any" || method == anyMethod:
		route = "/*" + path
	}
	return []*resource{e.permission("apigateway.amazonaws.com", dictOf("SourceArn", e.routeARN("${AWS::Partition}", route, e.get("ApiId"))))}, nil
}

// addHTTPAuth says who may use the route.
func (e *event) addHTTPAuth(editor *openAPI, l *link) error {
	auth := e.properties.dict("Auth")
	apiAuth := newDict()
	if l.resource.has("Auth") {
		var err error
		if apiAuth, err = inResource(l.id, "Auth").dict(l.resource.get("Auth")); err != nil {
			return err
		}
	}
	authorizer := auth.get("Authorizer")
	if !truthy(authorizer) {
		if authorizer = apiAuth.get("DefaultAuthorizer"); !truthy(authorizer) {
			return e.fail("'Auth' section requires either an explicit 'Authorizer' set or a 'DefaultAuthorizer' configured on the HttpApi.")
		}
		auth.set("Authorizer", authorizer)
	}
	a := e.authOf(l)
	authorizers := apiAuth.get("Authorizers")
	if apiAuth.len() == 0 {
		authorizers = apiAuth
	}
	signed := is(authorizer, iamAuthorizer) && apiAuth.get("EnableIamAuthorizer") == true
	if !is(authorizer, "NONE") && !signed {
		if err := a.checkTypes(authorizer, authorizers); err != nil {
			return err
		}
	}
	s, _ := text(authorizer)
	known, _ := authorizers.(*dict)
	switch {
	case s == "NONE" && !truthy(apiAuth.get("DefaultAuthorizer")):
		return a.noDefault()
	case s == "NONE" || signed:
	case known.len() == 0:
		return a.noAuthorizers(authorizer)
	case !truthy(known.get(s)):
		return a.notDefined(authorizer)
	}
	if scopes := auth.get("AuthorizationScopes"); truthy(scopes) && !isList(scopes) {
		return e.fail("Unable to set Authorizer on API method [%s] for path [%s] because 'AuthorizationScopes' must be a list of strings.", a.method, a.path)
	}
	return editor.setAuthorizer(a.path, a.method, authorizer, known, auth.get("AuthorizationScopes"))
}
