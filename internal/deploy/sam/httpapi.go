package sam

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

const (
	implicitAPI  = "ServerlessHttpApi"
	anyMethod    = "x-amazon-apigateway-any-method"
	integration  = "x-amazon-apigateway-integration"
	defaultPath  = "$default"
	defaultStage = "$default"
)

// prepareAPIs gives every HTTP API an OpenAPI body to add routes to, and makes the implicit API when an event asks for it.
func (t *transform) prepareAPIs() error {
	implicit := false
	for _, id := range slices.Sorted(maps.Keys(t.resources)) {
		r, _ := t.resources[id].(object)
		switch r["Type"] {
		case typeFunction:
			used, err := t.prepareEvents(id, r)
			if err != nil {
				return t.at(err, id)
			}
			implicit = implicit || used
		case typeHTTPAPI:
			p, ok := r["Properties"].(object)
			if !ok && r["Properties"] != nil {
				return t.at(invalid(id, "Properties should be a map."), id)
			}
			if p == nil {
				p = object{}
				r["Properties"] = p
			}
			if _, has := p["DefinitionBody"]; !has {
				p["DefinitionBody"], p["__managed"] = skeleton(), true
			}
		}
	}
	if _, exists := t.resources[implicitAPI]; implicit && !exists {
		api := object{"Type": typeHTTPAPI, "Properties": object{"DefinitionBody": skeleton(), "__managed": true}}
		if g := t.doc.Root["Globals"]; g != nil {
			if m, ok := g.(object); ok && m["HttpApi"] != nil {
				api["Properties"] = merge(m["HttpApi"], api["Properties"])
			}
		}
		t.resources[implicitAPI] = api
	}
	return nil
}

// prepareEvents completes the HttpApi events of a function; it tells whether one uses the implicit API.
func (t *transform) prepareEvents(id string, r object) (bool, error) {
	p, _ := r["Properties"].(object)
	events, _ := p["Events"].(object)
	implicit := false
	for name, v := range events {
		e, _ := v.(object)
		if e["Type"] != "HttpApi" {
			continue
		}
		ep, ok := e["Properties"].(object)
		if !ok && e["Properties"] != nil {
			return false, invalid(id, "Event with id [%s] is invalid. Properties should be a map.", name)
		}
		if ep == nil {
			ep = object{}
			e["Properties"] = ep
		}
		if ep["ApiId"] == nil {
			ep["ApiId"] = ref(implicitAPI)
			implicit = true
		}
		if ep["Path"] == nil && ep["Method"] == nil {
			ep["Path"], ep["Method"] = defaultPath, anyMethod
		}
		for _, k := range []string{"Path", "Method"} {
			if _, ok := ep[k].(string); !ok {
				return false, invalid(id, "Event with id [%s] is invalid. Event is missing key '%s'.", name, k)
			}
		}
	}
	return implicit, nil
}

func skeleton() object {
	return object{"openapi": "3.0.1", "info": object{"version": "1.0", "title": ref("AWS::StackName")}, "paths": object{}}
}

// httpEvent adds a route to an API and the permission to call the function.
func (t *transform) httpEvent(e event) error {
	if err := e.check("ApiId", "Path", "Method", "TimeoutInMillis", "PayloadFormatVersion", "RouteSettings"); err != nil {
		return err
	}
	path, _ := e.properties["Path"].(string)
	method, _ := e.properties["Method"].(string)
	method = strings.ToLower(method)
	if method == "any" {
		method = anyMethod
	}
	_, argument, _ := intrinsic(e.properties["ApiId"])
	apiID, _ := argument.(string)
	api, ok := t.resources[apiID].(object)
	if !ok || api["Type"] != typeHTTPAPI {
		return e.invalid("ApiId must be a valid reference to an 'AWS::Serverless::HttpApi' resource in same template.")
	}
	properties := api["Properties"].(object)
	t.permitRoute(e, properties, path, method)
	body, ok := properties["DefinitionBody"].(object)
	paths, ok2 := body["paths"].(object)
	if !ok || !ok2 {
		return e.invalid("The DefinitionBody of %s is not an OpenAPI document with paths.", apiID)
	}
	if err := t.addRoute(e, properties["__managed"] == true, paths, path, method); err != nil {
		return err
	}
	if settings, has := e.properties["RouteSettings"]; has {
		route := strings.ToUpper(method) + " " + path
		if method == anyMethod {
			route = path
		}
		all, _ := properties["RouteSettings"].(object)
		if all == nil {
			all = object{}
		}
		all[route] = merge(all[route], settings)
		properties["RouteSettings"] = all
	}
	return nil
}

// permitRoute adds the permission unless the function's default route covers it.
func (t *transform) permitRoute(e event, api object, path, method string) {
	if path != defaultPath && hasDefaultRoute(api, e.reference()) {
		return
	}
	wild := wildPath(path)
	if path == defaultPath {
		wild = ""
	}
	verb := strings.ToUpper(method)
	if method == anyMethod {
		verb = "*"
	}
	route := verb + wild
	if method == anyMethod && path == "/"+defaultPath {
		route = defaultPath
	}
	t.out[e.id()+"Permission"] = e.permission("apigateway.amazonaws.com", object{"SourceArn": object{"Fn::Sub": []any{
		"arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${__ApiId__}/${__Stage__}/" + route,
		object{"__ApiId__": e.properties["ApiId"], "__Stage__": "*"},
	}}})
}

// reference is the ARN of what the event invokes, as it stands inside of a Fn::Sub.
func (e event) reference() string {
	if e.target != e.source.id {
		return "${" + e.target + "}"
	}
	return "${" + e.source.id + ".Arn}"
}

func hasDefaultRoute(api object, function string) bool {
	body, _ := api["DefinitionBody"].(object)
	paths, _ := body["paths"].(object)
	item, _ := paths[defaultPath].(object)
	m, _ := item[anyMethod].(object)
	i, _ := m[integration].(object)
	uri, _ := i["uri"].(object)
	text, _ := uri["Fn::Sub"].(string)
	return strings.Contains(text, function)
}

func (t *transform) addRoute(e event, managed bool, paths object, path, method string) error {
	item, _ := paths[path].(object)
	if item == nil {
		item = object{}
		paths[path] = item
	}
	m, _ := item[method].(object)
	if m == nil {
		m = object{}
		item[method] = m
	}
	if _, exists := m[integration]; exists {
		if managed {
			return e.invalid("API method '%s' defined multiple times for path '%s'.", method, path)
		}
		return nil
	}
	if e.attributes["Condition"] != nil {
		return e.invalid("Lambent does not support HttpApi events of a function with a Condition.")
	}
	i := object{
		"type": "aws_proxy", "httpMethod": "POST", "payloadFormatVersion": "2.0",
		"uri": object{"Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/" + e.reference() + "/invocations"},
	}
	if v, has := e.properties["PayloadFormatVersion"]; has {
		i["payloadFormatVersion"] = v
	}
	if v, has := e.properties["TimeoutInMillis"]; has {
		i["timeoutInMillis"] = v
	}
	m[integration] = i
	if path == defaultPath && method == anyMethod {
		m["isDefaultRoute"] = true
	}
	if m["responses"] == nil {
		m["responses"] = object{}
	}
	var parameters []any
	for _, v := range pathVariable.FindAllStringSubmatch(path, -1) {
		parameters = append(parameters, object{"name": v[1], "in": "path", "required": true})
	}
	if parameters != nil && m["parameters"] == nil {
		m["parameters"] = parameters
	}
	return nil
}

// httpAPI expands AWS::Serverless::HttpApi into an API and its stage.
func (t *transform) httpAPI(s source) error {
	body, ok := s.properties["DefinitionBody"].(object)
	if !ok {
		return invalid(s.id, "'DefinitionBody' must be an OpenAPI document.")
	}
	if paths, ok := body["paths"].(object); !ok || len(paths) == 0 && s.properties["__managed"] == true && s.id == implicitAPI {
		return invalid(s.id, "'DefinitionBody' must be an OpenAPI document with paths.")
	}
	if err := t.cors(s, body); err != nil {
		return err
	}
	tags, err := apiTags(s, body)
	if err != nil {
		return err
	}
	if info, _ := body["info"].(object); info != nil {
		if v, has := s.properties["Name"]; has {
			info["title"] = v
		}
		if v, has := s.properties["Description"]; has {
			info["description"] = v
		}
	}
	if v, has := s.properties["DisableExecuteApiEndpoint"]; has {
		body["servers"] = []any{object{"x-amazon-apigateway-endpoint-configuration": object{"disableExecuteApiEndpoint": v}}}
	}
	api := object{"Body": body}
	if v, has := s.properties["FailOnWarnings"]; has && v != false {
		api["FailOnWarnings"] = v
		paths := body["paths"].(object)
		if p, has := paths[defaultPath]; has {
			paths["/"+defaultPath] = p
			delete(paths, defaultPath)
		}
	}
	t.out[s.id] = s.primary("AWS::ApiGatewayV2::Api", api)
	stage := object{"ApiId": ref(s.id), "AutoDeploy": true, "Tags": tags, "StageName": defaultStage}
	s.copyTo(stage, "StageName", "StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings")
	id, err := stageID(s.id, stage["StageName"])
	if err != nil {
		return err
	}
	t.out[id] = s.derived("AWS::ApiGatewayV2::Stage", stage)
	return nil
}

func stageID(api string, name any) (string, error) {
	s, _ := name.(string)
	switch {
	case s == defaultStage:
		return api + "ApiGatewayDefaultStage", nil
	case s == "":
		return api + "Stage", nil
	case !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }):
		return api + s + "Stage", nil
	}
	return logicalID(api+"Stage", s)
}

func apiTags(s source, body object) (object, error) {
	tags := object{}
	if v, has := s.properties["Tags"]; has {
		given, ok := v.(object)
		if !ok {
			return nil, invalid(s.id, "Type of property 'Tags' is invalid.")
		}
		maps.Copy(tags, given)
	}
	tags["httpapi:createdBy"] = "SAM"
	list, _ := body["tags"].([]any)
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = slices.DeleteFunc(list, func(v any) bool { m, _ := v.(object); return m["name"] == k })
		list = append(list, object{"name": k, "x-amazon-apigateway-tag-value": tags[k]})
	}
	body["tags"] = list
	return tags, nil
}

var corsKeys = map[string]string{
	"AllowOrigins": "allowOrigins", "AllowHeaders": "allowHeaders", "AllowMethods": "allowMethods", "ExposeHeaders": "exposeHeaders",
	"MaxAge": "maxAge", "AllowCredentials": "allowCredentials",
}

// cors writes the CorsConfiguration into the API's body.
func (t *transform) cors(s source, body object) error {
	v, has := s.properties["CorsConfiguration"]
	if !has {
		return nil
	}
	v = t.resolve(v)
	out, _ := body["x-amazon-apigateway-cors"].(object)
	if out == nil {
		out = object{}
	}
	switch c := v.(type) {
	case bool:
		if !c {
			return nil
		}
		out["allowOrigins"] = []any{"*"}
	case string:
		if c == "false" {
			return nil
		}
		if c != "true" {
			return invalid(s.id, "Invalid value for 'Cors' property.")
		}
		out["allowOrigins"] = []any{"*"}
	case object:
		if _, _, call := intrinsic(c); call {
			return invalid(s.id, "Lambent supports CorsConfiguration as true or as a mapping.")
		}
		for _, k := range slices.Sorted(maps.Keys(c)) {
			to, known := corsKeys[k]
			if !known {
				return invalid(s.id, "Invalid key '%s' for 'Cors' property.", k)
			}
			if k == "AllowCredentials" && c[k] != true {
				continue
			}
			out[to] = c[k]
		}
		if origins, _ := c["AllowOrigins"].([]any); c["AllowCredentials"] == true && len(origins) == 1 && origins[0] == "*" {
			return invalid(s.id, "Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is \"'*'\" or not set.")
		}
	default:
		return invalid(s.id, "Invalid value for 'Cors' property.")
	}
	body["x-amazon-apigateway-cors"] = out
	return nil
}
