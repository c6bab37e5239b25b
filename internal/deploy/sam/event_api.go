package sam

import (
	"regexp"
	"slices"
	"strings"
)

// Events of REST and HTTP APIs.

var apiEventSchema = schema{
	{"Path", aText, required},
	{"Method", aText, required},
	{"RestApiId", aText, required},
	{"Stage", aText, 0},
	{"Auth", aMap, 0},
	{"RequestModel", aMap, 0},
	{"RequestParameters", aList, 0},
	{"TimeoutInMillis", anInteger, 0},
	{"ResponseTransferMode", aText, 0},
}

var httpAPIEventSchema = schema{
	{"Path", aText, 0}, {"Method", aText, 0}, {"ApiId", aText, 0}, {"Stage", aText, 0}, {"Auth", aMap, 0}, {"TimeoutInMillis", anInteger, 0}, {"RouteSettings", aMap, 0}, {"PayloadFormatVersion", aText, 0},
}

// linkAPI finds the REST API of an event of a function or a state machine.
func (e *event) linkAPI() (*link, error) {
	id, ok := text(apiID(e.get("RestApiId")))
	if !ok {
		return &link{stage: "AllStages"}, nil
	}
	r := e.resources.dict(id)
	if r == nil {
		return nil, e.fail("RestApiId property of Api event must reference a valid resource in the same template.")
	}
	properties := newDict()
	if r.has("Properties") {
		if properties = r.dict("Properties"); properties == nil {
			return nil, invalid(id, "%s", wrongType("attribute", "Properties", "map"))
		}
	}
	l := &link{id: id, resource: properties, stage: "Stage"}
	if s, ok := text(properties.get("StageName")); ok {
		if s == "" {
			return nil, invalid(id, "StageName cannot be empty.")
		}
		l.stage = properties.get("StageName")
	}
	return l, nil
}

// method is the method of the event as API Gateway knows it, with the mark of the text.
func (e *event) method() (any, string) {
	s, _ := text(e.get("Method"))
	s = strings.ToLower(s)
	return like(e.get("Method"), s), s
}

func (e *event) path() string {
	s, _ := text(e.get("Path"))
	return s
}

var trailingSlash = regexp.MustCompile(`^(.+)/$`)

// routeARN is the ARN of a route in all stages, for permissions.
func (e *event) routeARN(partition, route string, api any) *dict {
	d := newDict()
	d.set("__ApiId__", api)
	d.set("__Stage__", "*")
	return dictOf("Fn::Sub", []any{arn(partition, "execute-api", "${__ApiId__}/${__Stage__}"+route), d})
}

// integrationURI is where API Gateway invokes the function.
func (e *event) integrationURI(partition string, streaming bool) *dict {
	version, end := "2015-03-31", "/invocations"
	if streaming {
		version, end = "2021-11-15", "/response-streaming-invocations"
	}
	function, mark := "${"+e.target.id+"}", any("")
	if e.target.typ == "AWS::Lambda::Function" {
		function = "${" + e.target.id + ".Arn}"
		if e.hashed {
			mark = unicode("")
		}
	}
	return hashedOf("Fn::Sub", like(mark, "arn:"+partition+":apigateway:${AWS::Region}:lambda:path/"+version+"/functions/"+function+end))
}

// api adds a method to a REST API, and lets it invoke the function.
func (e *event) api(l *link) ([]*resource, error) {
	_, method := e.method()
	verb := strings.ToUpper(method)
	if method == "any" {
		verb = "*"
	}
	path := pathVariable.ReplaceAllString(trailingSlash.ReplaceAllString(e.path(), "$1"), "*")
	id := e.id + "Permission"
	if s, _ := text(l.stage); alphanumeric(s) {
		id += s
	} else {
		id = logicalID(id, s)
	}
	permission := e.permissionAs(id, "apigateway.amazonaws.com", dictOf("SourceArn", e.routeARN(e.partition(), "/"+verb+path, e.get("RestApiId"))))
	if truthy(l.resource.get(managed)) || truthy(l.resource.get("MergeDefinitions")) {
		if err := e.integrate(l); err != nil {
			return nil, err
		}
	}
	return []*resource{permission}, e.overrideAuth(l)
}

// overrideAuth changes who may call a method that the author has defined.
func (e *event) overrideAuth(l *link) error {
	auth := e.properties.dict("Auth")
	body := l.resource.get("DefinitionBody")
	if !truthy(body) || !truthy(auth.get("OverrideApiAuth")) {
		return nil
	}
	if !slices.ContainsFunc([]string{"Authorizer", "ApiKeyRequired", "ResourcePolicy"}, func(k string) bool { return truthy(auth.get(k)) }) {
		return e.fail("Must define one of: Authorizer, ApiKeyRequired or ResourcePolicy when using the OverrideApiAuth property.")
	}
	editor, err := openSwagger(body)
	if err != nil {
		return err
	}
	if err := e.addAuth(editor, e.authOf(l)); err != nil {
		return err
	}
	l.resource.set("DefinitionBody", editor.close())
	return nil
}

func (e *event) authOf(l *link) eventAuth {
	_, method := e.method()
	return eventAuth{auth: e.properties.dict("Auth"), api: l.resource, apiID: l.id, event: e.name, path: e.path(), method: method, stage: l.stage}
}

// integrate adds the method to the definition of the API.
func (e *event) integrate(l *link) error {
	body := l.resource.get("DefinitionBody")
	merge := truthy(l.resource.get("MergeDefinitions"))
	if body == nil {
		return nil
	}
	if merge {
		body = emptySwagger()
	}
	editor, err := openSwagger(body)
	if err != nil {
		return err
	}
	_, method := e.method()
	has, err := editor.integrated(e.path(), method)
	if err != nil {
		return err
	}
	if has {
		return e.fail("API method \"%s\" defined multiple times for path \"%s\".", method, e.path())
	}
	for _, add := range []func(*swagger, *link) error{e.addIntegration, e.addEventAuth, e.addTimeout, e.addModel, e.addParameters} {
		if err := add(editor, l); err != nil {
			return err
		}
	}
	if merge {
		return e.mergeInto(l, editor)
	}
	l.resource.set("DefinitionBody", editor.close())
	return nil
}

func (e *event) addIntegration(editor *swagger, l *link) error {
	authOf := func(v any, in place) (*dict, error) {
		if !truthy(v) {
			return newHashed(), nil
		}
		return in.dict(v)
	}
	auth, err := authOf(e.get("Auth"), inEvent(e.name, "Auth"))
	if err != nil {
		return err
	}
	apiAuth, err := authOf(l.resource.get("Auth"), inResource(l.id, "Auth"))
	if err != nil {
		return err
	}
	streaming := is(e.get("ResponseTransferMode"), "RESPONSE_STREAM")
	uri := any(e.integrationURI(e.partition(), streaming))
	condition := e.target.condition()
	if truthy(condition) {
		uri = when(condition, uri, nil)
	}
	method, _ := e.method()
	return editor.integrate(e.get("Path"), method, condition, func(o *dict) {
		i := hashedOf("type", "aws_proxy", "httpMethod", "POST", "uri", uri)
		if streaming {
			i.set("responseTransferMode", "STREAM")
		}
		if is(auth.get("Authorizer"), iamAuthorizer) || is(apiAuth.get("DefaultAuthorizer"), iamAuthorizer) && auth.len() == 0 {
			if role := e.invokeRole(auth, apiAuth); !is(role, "NONE") {
				i.set("credentials", role)
			}
		}
		o.set(keyIntegration, i)
		o.setDefault(name{"responses", false}, newHashed())
	})
}

// invokeRole is the role that API Gateway invokes the function with: that of the event, or of the API, or the caller.
func (e *event) invokeRole(auth, apiAuth *dict) any {
	role := auth.get("InvokeRole")
	if !truthy(role) && auth.has("InvokeRole") {
		role = "NONE"
	}
	if !truthy(role) {
		if role = apiAuth.get("InvokeRole"); !truthy(role) && apiAuth.has("InvokeRole") {
			role = "NONE"
		}
	}
	if !truthy(role) || is(role, "CALLER_CREDENTIALS") {
		return "arn:" + e.partition() + ":iam::*:user/*"
	}
	return role
}

func (e *event) addEventAuth(editor *swagger, l *link) error {
	if e.properties.dict("Auth").len() == 0 {
		return nil
	}
	return e.addAuth(editor, e.authOf(l))
}

func (e *event) addTimeout(editor *swagger, _ *link) error {
	if !truthy(e.get("TimeoutInMillis")) {
		return nil
	}
	_, method := e.method()
	return editor.setTimeout(e.path(), method, e.get("TimeoutInMillis"))
}

// addModel says which model requests follow, and whether API Gateway checks them.
func (e *event) addModel(editor *swagger, l *link) error {
	if !truthy(e.get("RequestModel")) {
		return nil
	}
	given, err := inEvent(e.name, "RequestModel").dict(e.get("RequestModel"))
	if err != nil {
		return err
	}
	_, method := e.method()
	model := given.get("Model")
	if !truthy(model) {
		return nil
	}
	fail := func(why string) error {
		return e.fail("Unable to set RequestModel [%s] on API method [%s] for path [%s] because %s.", python(model), method, e.path(), why)
	}
	models := l.resource.get("Models")
	known, isMap := models.(*dict)
	s, isText := text(model)
	switch {
	case !truthy(models):
		return fail("the related API does not define any Models")
	case !isMap:
		return fail("the related API Models defined is of invalid type")
	case !isText:
		return fail("the related API does not contain valid Models")
	case !truthy(known.get(s)):
		return fail("it wasn't defined in the API's Models")
	}
	if err := editor.addRequestModel(e.path(), method, model, given.get("Required")); err != nil {
		return err
	}
	body, parameters := given.get("ValidateBody"), given.get("ValidateParameters")
	if body == nil && parameters == nil {
		return nil
	}
	for _, v := range []any{body, parameters} {
		if v != nil && !isBool(v) {
			return e.fail("Unable to set Validator to RequestModel [%s] on API method [%s] for path [%s] ValidateBody and ValidateParameters must be a boolean type, strings or intrinsics are not supported.", s, method, e.path())
		}
	}
	return editor.addValidator(e.path(), method, truthy(body), truthy(parameters))
}

var parameterName = regexp.MustCompile(`^method\.request\.(querystring|path|header)\.`)

// addParameters says which parameters requests have.
func (e *event) addParameters(editor *swagger, _ *link) error {
	var list []requestParameter
	for _, v := range asList(e.get("RequestParameters")) {
		p := requestParameter{name: v, required: false, caching: false}
		var settings *dict
		if d, ok := v.(*dict); ok && d.len() > 0 {
			key := d.names()[0]
			p.name = key.value()
			if settings, ok = d.values[key.text].(*dict); !ok {
				settings = dictOf("not a map", true)
			}
		}
		key, ok := text(p.name)
		switch {
		case !ok:
			return e.fail("Invalid value for 'RequestParameters' property. Property must be either a string or an object")
		case !parameterName.MatchString(key):
			return e.fail("Invalid value for 'RequestParameters' property. Keys must be in the format 'method.request.[querystring|path|header].{value}', e.g 'method.request.header.Authorization'.")
		}
		for k, v := range settings.all() {
			switch k {
			case "Required":
				p.required = v
			case "Caching":
				p.caching = v
			default:
				return e.fail("Invalid value for 'RequestParameters' property. Values must be an object, e.g { Required: true, Caching: false }")
			}
		}
		list = append(list, p)
	}
	if list == nil {
		return nil
	}
	_, method := e.method()
	return editor.addRequestParameters(e.path(), method, list)
}

// mergeInto adds the method to the definition of the author: what SAM says about it comes before what the author says.
func (e *event) mergeInto(l *link, editor *swagger) error {
	method, plain := e.method()
	body := l.resource.dict("DefinitionBody").copy()
	paths, ok := body.get("paths").(*dict)
	if !ok {
		paths = newDict()
	}
	existing, err := deepGet(paths, e.path(), plain)
	if err != nil {
		return invalid(l.id, "Property 'DefinitionBody' is invalid: %v", err)
	}
	if !truthy(existing) {
		existing = newDict()
	}
	own, err := inResource(l.id, "DefinitionBody.paths."+e.path()+"."+plain).dict(existing)
	if err != nil {
		return err
	}
	merged := newDict()
	merged.update(own)
	generated, _ := editor.close().dict("paths").dict(e.path()).get(normalMethod(plain)).(*dict)
	merged.update(generated)
	key, _ := nameOf(method)
	if !paths.has(e.path()) {
		pathKey, _ := nameOf(e.get("Path"))
		item := newDict()
		item.put(key, merged)
		paths.put(pathKey, item)
	}
	if item := paths.dict(e.path()); item != nil {
		item.put(key, merged)
	}
	l.resource.set("DefinitionBody", body)
	return nil
}
