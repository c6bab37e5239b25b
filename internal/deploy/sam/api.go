package sam

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// apiSchema are the properties of AWS::Serverless::Api, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-api.html.
var apiSchema = schema{
	{managed, aBool, 0},
	{"Name", textOrMap, 0},
	{"StageName", textOrMap, required},
	{"Tags", aMap, 0},
	{"PropagateTags", aBool, 0},
	{"DefinitionBody", aMap, 0},
	{"DefinitionUri", textOrMap, 0},
	{"MergeDefinitions", aBool, literal},
	{"CacheClusterEnabled", aBool, 0},
	{"CacheClusterSize", aText, 0},
	{"Variables", aMap, 0},
	{"EndpointConfiguration", textOrMap, 0},
	{"MethodSettings", aList, 0},
	{"BinaryMediaTypes", aList, 0},
	{"MinimumCompressionSize", anInteger, 0},
	{"Cors", textOrMap, 0},
	{"Auth", aMap, 0},
	{"GatewayResponses", aMap, 0},
	{"AccessLogSetting", aMap, 0},
	{"CanarySetting", aMap, 0},
	{"TracingEnabled", aBool, 0},
	{"OpenApiVersion", aText, 0},
	{"Models", aMap, 0},
	{"Domain", aMap, 0},
	{"FailOnWarnings", aBool, 0},
	{"Description", aText, 0},
	{"Mode", aText, 0},
	{"DisableExecuteApiEndpoint", aBool, 0},
	{"ApiKeySourceType", aText, 0},
	{"AlwaysDeploy", aBool, literal},
	{"Policy", textOrMap, 0},
	{"SecurityPolicy", aText, 0},
	{"EndpointAccessMode", aText, 0},
}

var apiReferable = map[string]string{
	"Stage": "AWS::ApiGateway::Stage", "Deployment": "AWS::ApiGateway::Deployment", "DomainName": "AWS::ApiGateway::DomainName", "DomainNameV2": "AWS::ApiGateway::DomainNameV2",
	"UsagePlan": "AWS::ApiGateway::UsagePlan", "UsagePlanKey": "AWS::ApiGateway::UsagePlanKey", "ApiKey": "AWS::ApiGateway::ApiKey",
}

// restAPI is one AWS::Serverless::Api while it is expanded.
type restAPI struct {
	*transform
	*source
	// body is the definition, as far as it is part of the template.
	body any
}

// api expands AWS::Serverless::Api into an API, its deployment and its stage, and what its authorizers, domain and usage plan need.
func (t *transform) api(s *source) ([]*resource, error) {
	for _, k := range []string{"BinaryMediaTypes", "Domain", "Auth"} {
		v, err := t.resolve(s.get(k))
		if err != nil {
			return nil, err
		}
		if v != nil {
			s.properties.set(k, v)
		}
	}
	a := &restAPI{t, s, s.get("DefinitionBody")}
	main, err := a.main()
	if err != nil {
		return nil, err
	}
	domain, err := a.domain()
	if err != nil {
		return nil, err
	}
	deployment := s.beside("AWS::ApiGateway::Deployment", s.id+"Deployment", dictOf("RestApiId", ref(s.id)))
	if !truthy(s.get("OpenApiVersion")) {
		deployment.set("StageName", "Stage")
	}
	stage := a.stage()
	definition := main.get("Body")
	if definition == nil {
		definition = main.get("BodyS3Location")
	}
	a.deploy(deployment, definition)
	stage.set("DeploymentId", deployment.ref())
	made := []*resource{main, deployment, stage}
	permissions, err := a.permissions()
	if err != nil {
		return nil, err
	}
	made = append(append(made, permissions...), domain...)
	plan, err := a.usagePlanFor(stage)
	if err != nil {
		return nil, err
	}
	made = append(made, plan...)
	propagateTags(made, s)
	return made, nil
}

var openAPIVersions = regexp.MustCompile(`\A[2-3](\.\d)(\.\d)?$`)

func (a *restAPI) main() (*resource, error) {
	switch uri, version := a.get("DefinitionUri"), a.get("OpenApiVersion"); {
	case truthy(uri) && truthy(a.body):
		return nil, invalid(a.id, "Specify either 'DefinitionUri' or 'DefinitionBody' property and not both.")
	case truthy(uri) && truthy(a.get("MergeDefinitions")):
		return nil, invalid(a.id, "Cannot set 'MergeDefinitions' to True when using `DefinitionUri`.")
	case truthy(version) && !openAPIVersions.MatchString(python(version)):
		return nil, invalid(a.id, "The OpenApiVersion value must be of the format '3.0.0'.")
	}
	p := newDict()
	a.copyTo(p, "BinaryMediaTypes", "MinimumCompressionSize")
	if err := a.endpoint(p); err != nil {
		return nil, err
	}
	for _, add := range []func() error{a.addCORS, a.addAuth, a.addGatewayResponses, a.addBinaryMediaTypes, a.addModels, a.addEndpoint} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	switch uri := a.get("DefinitionUri"); {
	case truthy(uri):
		location, err := definitionLocation(a.id, uri)
		if err != nil {
			return nil, err
		}
		p.set("BodyS3Location", location)
	case truthy(a.body):
		if err := a.moveToComponents(); err != nil {
			return nil, err
		}
		p.set("Body", a.body)
	}
	for _, k := range []string{"FailOnWarnings", "Name", "Description", "Mode", "ApiKeySourceType", "Policy", "SecurityPolicy", "EndpointAccessMode"} {
		if v := a.get(k); truthy(v) {
			p.set(k, v)
		}
	}
	return a.source.main("AWS::ApiGateway::RestApi", p), nil
}

// endpoint says where the API is reached. Partitions without edge locations have regional endpoints.
func (a *restAPI) endpoint(p *dict) error {
	v := a.get("EndpointConfiguration")
	if partition := a.partition(); !truthy(v) && (strings.HasPrefix(partition, "aws-iso") || slices.Contains([]string{"aws-us-gov", "aws-cn", "aws-eusc"}, partition)) {
		v = "REGIONAL"
	}
	if !truthy(v) {
		return nil
	}
	d, _ := v.(*dict)
	if !truthy(d.get("Type")) {
		p.set("EndpointConfiguration", dictOf("Types", []any{v}))
		p.set("Parameters", dictOf("endpointConfigurationTypes", v))
		return nil
	}
	out := dictOf("Types", []any{d.get("Type")})
	p.set("Parameters", dictOf("endpointConfigurationTypes", d.get("Type")))
	p.set("EndpointConfiguration", out)
	if d.has("VPCEndpointIds") && d.has("VpcEndpointIds") {
		return invalid(a.id, "'VPCEndpointIds' and 'VpcEndpointIds' cannot be used together in EndpointConfiguration.")
	}
	for _, k := range []string{"VPCEndpointIds", "VpcEndpointIds"} {
		if v := d.get(k); truthy(v) {
			out.set("VpcEndpointIds", v)
		}
	}
	if d.has("IpAddressType") {
		out.set("IpAddressType", d.get("IpAddressType"))
	}
	return nil
}

// definitionLocation is the place in S3 of the definition of an API.
func definitionLocation(id string, uri any) (*dict, error) {
	d, isMap := uri.(*dict)
	if !isMap {
		if d = parseS3(uri); d == nil {
			return nil, invalid(id, "'DefinitionUri' is not a valid S3 Uri of the form 's3://bucket/key' with optional versionId query parameter.")
		}
	} else if !truthy(d.get("Bucket")) || !truthy(d.get("Key")) {
		return nil, invalid(id, "'DefinitionUri' requires Bucket and Key properties to be specified.")
	}
	return hashedOf("Bucket", d.get("Bucket"), "Key", d.get("Key"), "Version", d.get("Version")), nil
}

func (a *restAPI) stage() *resource {
	p := dictOf("RestApiId", ref(a.id))
	a.copyTo(p, "StageName", "CacheClusterEnabled", "CacheClusterSize", "Variables", "MethodSettings", "AccessLogSetting", "CanarySetting", "TracingEnabled")
	if tags := a.properties.dict("Tags"); tags != nil {
		p.set("Tags", tagList(tags))
	}
	return a.beside("AWS::ApiGateway::Stage", stageID(a.id, a.get("StageName")), p)
}

// stageID is the logical id of a stage: a name of letters and digits is a part of it, of others a digest is.
func stageID(api string, stage any) string {
	s, _ := text(stage)
	if alphanumeric(s) {
		return api + s + "Stage"
	}
	return logicalID(api+"Stage", s)
}

// deploy gives the deployment a logical id and a description that change when the definition does, since a deployment is made only once.
func (a *restAPI) deploy(deployment *resource, definition any) {
	if !truthy(definition) {
		return
	}
	parts := []string{python2(definition)}
	if v := a.get("OpenApiVersion"); truthy(v) {
		parts = append(parts, python(v))
	}
	if v := a.get("Domain"); truthy(v) {
		parts = append(parts, plainJSON.format(v))
	}
	if names := a.functionNames[a.id]; names != "" {
		parts = append(parts, names)
	}
	if truthy(a.get("AlwaysDeploy")) {
		parts = []string{strconv.FormatInt(a.Now.Unix(), 10)}
	}
	sum := digest(strings.Join(parts, "||"))
	deployment.id += sum[:idDigits]
	deployment.set("Description", "RestApi deployment id: "+sum)
}

// addEndpoint says in the definition whether the API answers at its own host name.
func (a *restAPI) addEndpoint() error {
	v := a.get("DisableExecuteApiEndpoint")
	if v == nil {
		return nil
	}
	if !truthy(a.body) {
		return invalid(a.id, "DisableExecuteApiEndpoint works only within 'DefinitionBody' property.")
	}
	return a.edit(func(e *swagger) error { return e.disableEndpoint(v) })
}

func (a *restAPI) edit(change func(e *swagger) error) error {
	e, err := openSwagger(a.body)
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
func (a *restAPI) needsBody(property, what string) error {
	if !truthy(a.body) {
		return invalid(a.id, "%s works only with inline Swagger specified in 'DefinitionBody' property.", property)
	}
	if !validSwagger(a.body) {
		return invalid(a.id, "Unable to add %s because 'DefinitionBody' does not contain a valid Swagger definition.", what)
	}
	return nil
}

func (a *restAPI) addBinaryMediaTypes() error {
	v := a.get("BinaryMediaTypes")
	if !truthy(v) || !truthy(a.body) {
		return nil
	}
	return a.edit(func(e *swagger) error {
		e.setBinaryMediaTypes(v)
		return nil
	})
}

func (a *restAPI) addModels() error {
	models := a.properties.dict("Models")
	if models.len() == 0 {
		return nil
	}
	if err := a.needsBody("Models", "Models definitions"); err != nil {
		return err
	}
	for _, v := range models.all() {
		if _, ok := v.(*dict); !ok {
			return invalid(a.id, "Invalid value for 'Models' property")
		}
	}
	if err := a.edit(func(e *swagger) error { return e.addModels(models) }); err != nil {
		return err
	}
	return a.moveToComponents()
}
