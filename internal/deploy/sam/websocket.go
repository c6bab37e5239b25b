package sam

import (
	"slices"
	"strings"
)

// webSocketSchema are the properties of AWS::Serverless::WebSocketApi.
var webSocketSchema = schema{
	{"ApiKeySelectionExpression", aText, 0},
	{"AccessLogSettings", aMap, 0},
	{"Auth", aMap, 0},
	{"DefaultRouteSettings", aMap, 0},
	{"Description", aText, 0},
	{"DisableExecuteApiEndpoint", aBool, 0},
	{"Domain", aMap, 0},
	{"DisableSchemaValidation", aBool, 0},
	{"FailOnWarnings", aBool, 0},
	{"IpAddressType", aText, 0},
	{"Name", aText, 0},
	{"PropagateTags", aBool, 0},
	{"Routes", aMap, required},
	{"RouteSettings", aMap, 0},
	{"RouteSelectionExpression", aText, required},
	{"StageName", textOrMap, 0},
	{"StageVariables", aMap, 0},
	{"Tags", aMap, 0},
}

const (
	webSocketMark = "websocketapi:createdBy"
	connectRoute  = "$connect"
)

// webSocket is one AWS::Serverless::WebSocketApi while it is expanded. Nothing of it but the API itself takes over its attributes.
type webSocket struct {
	*transform
	*source
	routes, auth *dict
	stageName    any
}

// webSocketAPI expands AWS::Serverless::WebSocketApi into an API, its routes with their functions, and its stage.
func (t *transform) webSocketAPI(s *source) ([]*resource, error) {
	for _, k := range []string{"Auth", "Domain", "Routes"} {
		v, err := t.resolve(s.get(k))
		if err != nil {
			return nil, err
		}
		if v != nil {
			s.properties.set(k, v)
		}
	}
	s.attributes = newDict()
	w := &webSocket{t, s, s.properties.dict("Routes"), s.properties.dict("Auth"), "default"}
	if v := s.get("StageName"); v != nil {
		w.stageName = v
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	tags := s.properties.dict("Tags")
	if tags.len() == 0 {
		tags = newDict()
	}
	tags.set(webSocketMark, "SAM")
	p := dictOf("Name", s.id, "RouteSelectionExpression", s.get("RouteSelectionExpression"), "Tags", tags, "ProtocolType", "WEBSOCKET")
	s.copyTo(p, "Name", "ApiKeySelectionExpression", "Description", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "IpAddressType")
	main := s.main("AWS::ApiGatewayV2::Api", p)
	domain, mappings, records, err := t.domainV2(s, webSocketMark)
	if err != nil {
		return nil, err
	}
	if is(w.stageName, defaultPath) {
		return nil, invalid(s.id, "Stages cannot be named $default for WebSocket APIs.")
	}
	made := []*resource{main}
	var authorizer *resource
	var routeIDs []any
	for key, v := range w.routes.all() {
		route, a, err := w.route(key, v)
		if err != nil {
			return nil, err
		}
		made = append(made, route...)
		routeIDs = append(routeIDs, route[0].id)
		if a != nil {
			authorizer = a
		}
	}
	if domain != nil {
		made = append(made, domain)
	}
	made = append(append(made, mappings...), records...)
	made = append(made, w.stage(routeIDs))
	if authorizer != nil {
		made = append(made, authorizer)
		if !truthy(w.auth.get("InvokeRole")) && is(w.auth.get("AuthType"), "CUSTOM") {
			made = append(made, authorizerPermission(s, s.id+"AuthorizerPermission", "${AWS::Partition}", w.auth.get("AuthArn")))
		}
	}
	if truthy(s.get("PropagateTags")) {
		giveTags(made, s.properties.dict("Tags"))
	}
	return made, nil
}

func (w *webSocket) check() error {
	if w.routes.len() == 0 {
		return invalid(w.id, "WebSocket API must have at least one route.")
	}
	if v := w.get("IpAddressType"); v != nil && !isIntrinsic(v) && !is(v, "ipv4", "dualstack") {
		return invalid(w.id, "IpAddressType must be 'ipv4' or 'dualstack'.")
	}
	if truthy(w.properties.dict("Domain").get("MutualTlsAuthentication")) {
		return invalid(w.id, "Mutual TLS domain name association is not supported for Websocket APIs.")
	}
	if w.auth.len() > 0 && !w.routes.has(connectRoute) {
		return invalid(w.id, "Authorization is only available if there is a $connect route.")
	}
	return nil
}

// route makes a route, its integration and its permission, and the authorizer if it has one.
func (w *webSocket) route(key string, v any) ([]*resource, *resource, error) {
	spec, ok := v.(*dict)
	if !ok {
		return nil, nil, inResource(w.id, "Routes."+key).wrong("map")
	}
	base, err := w.routeID(key)
	if err != nil {
		return nil, nil, err
	}
	p := dictOf("RouteKey", key, "ApiId", ref(w.id))
	for _, k := range []string{"ApiKeyRequired", "ModelSelectionExpression", "OperationName", "RequestModels", "RouteResponseSelectionExpression", "RequestParameters"} {
		if v := spec.get(k); v != nil {
			p.set(k, v)
		}
	}
	if truthy(spec.get("RequestParameters")) && key != connectRoute {
		return nil, nil, invalid(w.id, "Request parameters are only supported for the $connect route in WebSocket APIs.")
	}
	p.set("Target", dictOf("Fn::Join", []any{"/", []any{"integrations", ref(base + "Integration")}}))
	route := w.beside("AWS::ApiGatewayV2::Route", base+"Route", p)
	authorizer, err := w.authorize(key, route)
	if err != nil {
		return nil, nil, err
	}
	if !spec.has("FunctionArn") {
		return nil, nil, invalid(w.id, "Route must have associated function.")
	}
	function := spec.get("FunctionArn")
	integration := w.beside("AWS::ApiGatewayV2::Integration", base+"Integration", dictOf("ApiId", ref(w.id), "IntegrationType", "AWS_PROXY",
		"IntegrationUri", invocationURI("FunctionArn", function), "TimeoutInMillis", spec.get("IntegrationTimeout")))
	permission := w.beside("AWS::Lambda::Permission", base+"Permission", dictOf("Action", "lambda:InvokeFunction", "FunctionName", function,
		"Principal", "apigateway.amazonaws.com", "SourceArn", w.routeARN(key)))
	return []*resource{route, integration, permission}, authorizer, nil
}

func invocationURI(variable string, function any) *dict {
	return sub("arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${"+variable+"}/invocations", variable, function)
}

func (w *webSocket) routeARN(key string) *dict {
	api := arn("${AWS::Partition}", "execute-api", "${"+w.id+".ApiId}/")
	if s, ok := text(w.stageName); ok {
		return sub(api + s + "/" + key)
	}
	return sub(api+"${__StageName__}/"+key, "__StageName__", w.stageName)
}

// routeID is the beginning of the logical ids of what a route needs.
func (w *webSocket) routeID(key string) (string, error) {
	plain := key
	if slices.Contains([]string{connectRoute, "$disconnect", "$default"}, key) {
		plain = key[1:]
	}
	if !alphanumeric(plain) {
		return "", invalid(w.id, "Route key '%s' must be alphanumeric. Only $connect, $disconnect, and $default special routes are supported.", key)
	}
	return w.id + strings.ToUpper(plain[:1]) + strings.ToLower(plain[1:]), nil
}

// authorize says who may connect, and makes the authorizer if that is a function.
func (w *webSocket) authorize(key string, route *resource) (*resource, error) {
	if w.auth.len() == 0 {
		return nil, nil
	}
	typ, _ := text(w.auth.get("AuthType"))
	upper := strings.ToUpper(typ)
	switch {
	case typ == "":
		return nil, invalid(w.id, "AuthType must be specified for additional auth configurations.")
	case !slices.Contains([]string{"NONE", iamAuthorizer, "CUSTOM"}, upper):
		return nil, invalid(w.id, "AuthType is not one of AWS_IAM, CUSTOM or NONE.")
	case upper == "CUSTOM" && !truthy(w.auth.get("AuthArn")):
		return nil, invalid(w.id, "AuthArn must be specified if AuthType is CUSTOM.")
	case upper != "CUSTOM" && w.auth.len() > 1:
		return nil, invalid(w.id, "No additional configurations supported for AuthType %s.", upper)
	case key != connectRoute:
		return nil, nil
	case typ == iamAuthorizer:
		route.set("AuthorizationType", iamAuthorizer)
		return nil, nil
	case typ != "CUSTOM":
		route.set("AuthorizationType", "NONE")
		return nil, nil
	}
	id := w.id + "ConnectAuthorizer"
	p := dictOf("ApiId", ref(w.id), "AuthorizerType", "REQUEST", "AuthorizerUri", invocationURI("AuthArn", w.auth.get("AuthArn")), "Name", id,
		"AuthorizerCredentialsArn", w.auth.get("InvokeRole"), "IdentitySource", w.auth.get("IdentitySource"))
	if v := w.auth.get("Name"); truthy(v) {
		p.set("Name", v)
	}
	route.set("AuthorizationType", "CUSTOM")
	route.set("AuthorizerId", ref(id))
	return w.beside("AWS::ApiGatewayV2::Authorizer", id, p), nil
}

func (w *webSocket) stage(routes []any) *resource {
	s, _ := text(w.stageName)
	id := w.id + s + "Stage"
	if s == "default" {
		id = w.id + "DefaultStage"
	}
	p := dictOf("ApiId", ref(w.id), "StageName", w.stageName, "Tags", dictOf(webSocketMark, "SAM"), "AutoDeploy", true)
	w.copyTo(p, "StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings")
	stage := w.beside("AWS::ApiGatewayV2::Stage", id, p)
	if truthy(w.get("RouteSettings")) && len(routes) > 0 {
		stage.dependsOn = routes
	}
	return stage
}
