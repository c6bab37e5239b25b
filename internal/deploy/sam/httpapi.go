package sam

import "slices"

// httpAPISchema are the properties of AWS::Serverless::HttpApi, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-httpapi.html.
var httpAPISchema = schema{
	{managed, aBool, 0},
	{"Name", anything, 0},
	{"StageName", textOrMap, 0},
	{"Tags", aMap, 0},
	{"PropagateTags", aBool, 0},
	{"DefinitionBody", aMap, 0},
	{"DefinitionUri", textOrMap, 0},
	{"StageVariables", aMap, 0},
	{"CorsConfiguration", boolOrMap, 0},
	{"AccessLogSettings", aMap, 0},
	{"DefaultRouteSettings", aMap, 0},
	{"Auth", aMap, 0},
	{"RouteSettings", aMap, 0},
	{"Domain", aMap, 0},
	{"FailOnWarnings", aBool, 0},
	{"Description", aText, 0},
	{"DisableExecuteApiEndpoint", aBool, 0},
}

var httpAPIReferable = map[string]string{"Stage": "AWS::ApiGatewayV2::Stage", "DomainName": "AWS::ApiGatewayV2::DomainName"}

const httpAPIMark = "httpapi:createdBy"

// anHTTPAPI is one AWS::Serverless::HttpApi while it is expanded.
type anHTTPAPI struct {
	*transform
	*source
	// body is the definition, as far as it is part of the template; tags are those of the stage.
	body any
	tags *dict
}

// httpAPI expands AWS::Serverless::HttpApi into an API and its stage, and what its authorizers and domain need.
func (t *transform) httpAPI(s *source) ([]*resource, error) {
	for _, k := range []string{"CorsConfiguration", "Domain"} {
		v, err := t.resolve(s.get(k))
		if err != nil {
			return nil, err
		}
		if v != nil {
			s.properties.set(k, v)
		}
	}
	a := &anHTTPAPI{t, s, s.get("DefinitionBody"), s.properties.dict("Tags")}
	main, err := a.main()
	if err != nil {
		return nil, err
	}
	domain, mappings, records, err := t.domainV2(s, httpAPIMark)
	if err != nil {
		return nil, err
	}
	permissions, err := a.permissions()
	if err != nil {
		return nil, err
	}
	made := append([]*resource{main}, permissions...)
	if domain != nil {
		made = append(made, domain)
	}
	made = append(append(made, mappings...), records...)
	made = append(made, a.stage())
	if truthy(s.get("DefinitionBody")) {
		giveTags(made, a.tags)
	}
	return made, nil
}

func (a *anHTTPAPI) main() (*resource, error) {
	uri := a.get("DefinitionUri")
	if truthy(uri) && truthy(a.body) {
		return nil, invalid(a.id, "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.")
	}
	for _, add := range []func() error{a.addCORS, a.addAuth, a.addTags, a.addEndpoint, a.addTitle, a.addDescription} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	p := newDict()
	if v := a.get("FailOnWarnings"); truthy(v) {
		p.set("FailOnWarnings", v)
		// API Gateway warns of a path without a slash.
		body, _ := a.body.(*dict)
		if paths := body.dict("paths"); paths.has(defaultPath) {
			v := paths.get(defaultPath)
			paths.remove(defaultPath)
			paths.set("/"+defaultPath, v)
		}
	}
	switch {
	case truthy(uri):
		location, err := definitionLocation(a.id, uri)
		if err != nil {
			return nil, err
		}
		p.set("BodyS3Location", location)
	case truthy(a.body):
		p.set("Body", a.body)
	default:
		return nil, invalid(a.id, "'DefinitionUri' or 'DefinitionBody' are required properties of an 'AWS::Serverless::HttpApi'. Add a value for one of these properties or add a 'HttpApi' event to an 'AWS::Serverless::Function'.")
	}
	return a.source.main("AWS::ApiGatewayV2::Api", p), nil
}

func (a *anHTTPAPI) edit(change func(e *openAPI) error) error {
	e, err := openOpenAPI(a.body)
	if err != nil {
		return err
	}
	if err := change(e); err != nil {
		return err
	}
	a.body = e.close()
	return nil
}

// needsBody refuses a property that works on the definition when the template does not have it.
func (a *anHTTPAPI) needsBody(property, of, what string) error {
	if !truthy(a.body) {
		return invalid(a.id, "%s works only with inline OpenApi specified in %s'DefinitionBody' property.", property, of)
	}
	if what != "" && !validOpenAPI(a.body) {
		return invalid(a.id, "Unable to add %s because 'DefinitionBody' does not contain a valid OpenApi definition.", what)
	}
	return nil
}

func (a *anHTTPAPI) addCORS() error {
	v := a.get("CorsConfiguration")
	if !truthy(v) {
		return nil
	}
	if !truthy(a.body) {
		return a.needsBody("Cors", "", "")
	}
	given, _ := v.(*dict)
	switch {
	case isBool(v):
		given = dictOf("AllowOrigins", []any{"*"})
	case isIntrinsic(v):
		given = dictOf("AllowOrigins", v)
	case given == nil:
		return invalid(a.id, "Invalid value for 'Cors' property.")
	}
	for k := range given.all() {
		if !slices.ContainsFunc(corsKeys, func(c [2]string) bool { return c[0] == k }) {
			return invalid(a.id, "Invalid key '%s' for 'Cors' property.", k)
		}
	}
	if err := a.needsBody("Cors", "", "Cors configuration"); err != nil {
		return err
	}
	if given.get("AllowCredentials") == true && equal(given.get("AllowOrigins"), []any{"*"}) {
		return invalid(a.id, `Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is "'*'" or not set.`)
	}
	return a.edit(func(e *openAPI) error { return e.addCORS(given) })
}

func (a *anHTTPAPI) addTags() error {
	if !truthy(a.body) {
		if a.tags.len() > 0 {
			return a.needsBody("Tags", "the ", "")
		}
		return nil
	}
	if !validOpenAPI(a.body) {
		if a.tags.len() > 0 {
			return a.needsBody("Tags", "the ", "`Tags`")
		}
		return nil
	}
	if a.tags.len() == 0 {
		a.tags = newDict()
	}
	a.tags.set(httpAPIMark, "SAM")
	return a.edit(func(e *openAPI) error { return e.addTags(a.tags) })
}

func (a *anHTTPAPI) addEndpoint() error {
	v := a.get("DisableExecuteApiEndpoint")
	if v == nil {
		return nil
	}
	if !truthy(a.body) {
		return invalid(a.id, "DisableExecuteApiEndpoint works only within 'DefinitionBody' property.")
	}
	return a.edit(func(e *openAPI) error { return e.disableEndpoint(v) })
}

func (a *anHTTPAPI) addTitle() error {
	v := a.get("Name")
	if !truthy(v) {
		return nil
	}
	if err := a.needsBody("Name", "the ", ""); err != nil {
		return err
	}
	title, err := deepGet(a.body, "info", "title")
	if err != nil {
		return invalid(a.id, "Invalid 'DefinitionBody': %v.", err)
	}
	if !equal(title, ref("AWS::StackName")) {
		return invalid(a.id, "Unable to set Name because it is already defined within inline OpenAPI specified in the 'DefinitionBody' property.")
	}
	return a.edit(func(e *openAPI) error {
		e.info.set("title", v)
		return nil
	})
}

func (a *anHTTPAPI) addDescription() error {
	v := a.get("Description")
	if !truthy(v) {
		return nil
	}
	if err := a.needsBody("Description", "the ", ""); err != nil {
		return err
	}
	description, err := deepGet(a.body, "info", "description")
	if err != nil {
		return invalid(a.id, "Invalid 'DefinitionBody': %v'.", err)
	}
	if truthy(description) {
		return invalid(a.id, "Unable to set Description because it is already defined within inline OpenAPI specified in the 'DefinitionBody' property.")
	}
	return a.edit(func(e *openAPI) error {
		e.info.set("description", v)
		return nil
	})
}

func (a *anHTTPAPI) stage() *resource {
	var stage any = defaultPath
	if v := a.get("StageName"); truthy(v) {
		stage = v
	}
	id := stageID(a.id, stage)
	if is(stage, defaultPath) {
		id = a.id + "ApiGatewayDefaultStage"
	}
	p := dictOf("ApiId", ref(a.id), "StageName", stage, "AutoDeploy", true)
	a.copyTo(p, "StageVariables", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings")
	if a.tags != nil {
		p.set("Tags", a.tags)
	}
	return a.beside("AWS::ApiGatewayV2::Stage", id, p)
}
