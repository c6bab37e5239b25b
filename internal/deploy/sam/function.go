package sam

import "strings"

// functionSchema are the properties of AWS::Serverless::Function, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html.
var functionSchema = schema{
	{"FunctionName", textOrMap, 0},
	{"Handler", anything, 0},
	{"Runtime", anything, 0},
	{"CodeUri", anything, 0},
	{"ImageUri", anything, 0},
	{"PackageType", anything, 0},
	{"InlineCode", anything, 0},
	{"DeadLetterQueue", aMap, 0},
	{"Description", anything, 0},
	{"MemorySize", anything, 0},
	{"Timeout", anything, 0},
	{"VpcConfig", anything, 0},
	{"Role", aText, 0},
	{"AssumeRolePolicyDocument", aMap, 0},
	{"Policies", oneOf(aText, aMap, textsOrMaps), 0},
	{"RolePath", anything, 0},
	{"PermissionsBoundary", aText, 0},
	{"Environment", mapOfMaps, 0},
	{"Events", mapOfMaps, 0},
	{"Tags", aMap, 0},
	{"PropagateTags", aBool, 0},
	{"Tracing", textOrMap, 0},
	{"KmsKeyArn", anything, 0},
	{"DeploymentPreference", aMap, 0},
	{"ReservedConcurrentExecutions", anything, 0},
	{"Layers", textsOrMaps, 0},
	{"EventInvokeConfig", aMap, 0},
	{"EphemeralStorage", anything, 0},
	{"AutoPublishAlias", oneOf(aText), 0},
	{"AutoPublishCodeSha256", oneOf(aText), 0},
	{"AutoPublishAliasAllProperties", aBool, literal},
	{"VersionDescription", anything, 0},
	{"ProvisionedConcurrencyConfig", anything, 0},
	{"FileSystemConfigs", anything, 0},
	{"ImageConfig", anything, 0},
	{"CodeSigningConfigArn", anything, 0},
	{"Architectures", anything, 0},
	{"SnapStart", aMap, 0},
	{"FunctionUrlConfig", aMap, 0},
	{"RuntimeManagementConfig", anything, 0},
	{"LoggingConfig", anything, 0},
	{"RecursiveLoop", anything, 0},
	{"SourceKMSKeyArn", anything, 0},
	{"CapacityProviderConfig", aMap, 0},
	{"FunctionScalingConfig", aMap, 0},
	{"VersionDeletionPolicy", word("Delete", "Retain"), 0},
	{"PublishToLatestPublished", anything, 0},
	{"TenancyConfig", anything, 0},
	{"DurableConfig", aMap, 0},
}

var functionReferable = map[string]string{
	"Alias": "AWS::Lambda::Alias", "Version": "AWS::Lambda::Version", "DestinationTopic": "AWS::SNS::Topic", "DestinationQueue": "AWS::SQS::Queue",
}

// aFunction is one AWS::Serverless::Function while it is expanded.
type aFunction struct {
	*transform
	*source
	main, role *resource
	// alias is nil if the function publishes none.
	alias *resource
}

// function expands AWS::Serverless::Function into a function, its role and alias, and what its events need.
func (t *transform) function(s *source) ([]*resource, error) {
	f := &aFunction{transform: t, source: s}
	links, err := f.linkEvents()
	if err != nil {
		return nil, within(s.id, err)
	}
	if err := t.countName(s); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	if f.main, err = f.lambda(); err != nil {
		return nil, err
	}
	made := []*resource{f.main}
	for _, part := range []func() ([]*resource, error){f.publish, f.url} {
		more, err := part()
		if err != nil {
			return nil, err
		}
		made = append(made, more...)
	}
	if err := f.deployGradually(); err != nil {
		return nil, err
	}
	invoke, policies, err := f.invokeConfig()
	if err != nil {
		return nil, err
	}
	made = append(made, invoke...)
	role, err := f.makeRole(policies)
	if err != nil {
		return nil, err
	}
	made = append(made, role...)
	events, err := f.expandEvents(links)
	if err != nil {
		return nil, within(s.id, err)
	}
	made = append(made, events...)
	propagateTags(made, s)
	return made, nil
}

// countName adds the function's name to the names behind the APIs of its events: a deployment changes when they do.
func (t *transform) countName(s *source) error {
	for _, v := range s.properties.dict("Events").all() {
		e, _ := v.(*dict)
		api, ok := text(apiID(e.dict("Properties").get("RestApiId")))
		if !ok || !is(e.get("Type"), "Api") {
			continue
		}
		resolved, err := t.resolve(clone(s.get("FunctionName")))
		if err != nil {
			return err
		}
		if truthy(resolved) {
			t.functionNames[api] += python2(resolved)
		}
	}
	return nil
}

func (f *aFunction) check() error {
	var faults []string
	for _, pair := range [][2]string{{"CapacityProviderConfig", "ProvisionedConcurrencyConfig"}, {"CapacityProviderConfig", "VpcConfig"}} {
		if f.get(pair[0]) != nil && f.get(pair[1]) != nil {
			faults = append(faults, "Cannot specify '"+pair[0]+"' and '"+pair[1]+"' together.")
		}
	}
	for _, pair := range [][2]string{{"FunctionScalingConfig", "CapacityProviderConfig"}, {"VersionDeletionPolicy", "AutoPublishAlias"}} {
		if f.get(pair[0]) != nil && f.get(pair[1]) == nil {
			faults = append(faults, "'"+pair[0]+"' requires '"+pair[1]+"'.")
		}
	}
	if faults != nil {
		return invalid(f.id, "%s", strings.Join(faults, "\n"))
	}
	if err := f.checkDeadLetterQueue(); err != nil {
		return err
	}
	return f.checkTenancy()
}

func (f *aFunction) checkDeadLetterQueue() error {
	q := f.properties.dict("DeadLetterQueue")
	if q.len() == 0 {
		return nil
	}
	if !truthy(q.get("Type")) || !truthy(q.get("TargetArn")) {
		return invalid(f.id, "'DeadLetterQueue' requires Type and TargetArn properties to be specified.")
	}
	if _, err := inResource(f.id, "DeadLetterQueue.Type").text(q.get("Type")); err != nil {
		return err
	}
	if !is(q.get("Type"), "SQS", "SNS") {
		return invalid(f.id, "'DeadLetterQueue' requires Type of %s", texts("SQS", "SNS"))
	}
	return nil
}

// checkTenancy refuses what functions that are isolated by tenant do not have.
func (f *aFunction) checkTenancy() error {
	if !truthy(f.get("TenancyConfig")) {
		return nil
	}
	for _, p := range [][2]string{{"ProvisionedConcurrencyConfig", "Provisioned concurrency"}, {"FunctionUrlConfig", "Function URL"}, {"SnapStart", "SnapStart"}} {
		if truthy(f.get(p[0])) {
			return invalid(f.id, "%s is not supported for functions enabled with tenancy configuration.", p[1])
		}
	}
	for _, v := range f.properties.dict("Events").all() {
		e, _ := v.(*dict)
		if typ := e.get("Type"); !is(typ, "Api", "HttpApi") {
			return invalid(f.id, "Event source '%s' is not supported for functions enabled with tenancy configuration. Only Api and HttpApi event sources are supported.", python(typ))
		}
	}
	return nil
}

// lambda makes the function itself; its role comes later.
func (f *aFunction) lambda() (*resource, error) {
	code, err := f.code()
	if err != nil {
		return nil, err
	}
	tags, err := f.markedTags(nil)
	if err != nil {
		return nil, err
	}
	p := dictOf("Code", code, "Tags", tags)
	f.copyTo(p, "Handler", "Runtime", "Description", "MemorySize", "Timeout", "VpcConfig", "Role", "Environment", "KmsKeyArn", "ReservedConcurrentExecutions", "Layers", "FileSystemConfigs", "ImageConfig",
		"PackageType", "Architectures", "SnapStart", "EphemeralStorage", "CodeSigningConfigArn", "RuntimeManagementConfig", "LoggingConfig", "TenancyConfig", "RecursiveLoop", "DurableConfig", "PublishToLatestPublished")
	for _, k := range []string{"FunctionName", "FunctionScalingConfig"} {
		if v := f.get(k); truthy(v) {
			p.set(k, v)
		}
	}
	traced, err := f.traced()
	if err != nil {
		return nil, err
	}
	if traced {
		p.set("TracingConfig", dictOf("Mode", f.get("Tracing")))
	}
	if q := f.properties.dict("DeadLetterQueue"); q.len() > 0 {
		p.set("DeadLetterConfig", dictOf("TargetArn", q.get("TargetArn")))
	}
	if c := f.properties.dict("CapacityProviderConfig"); c.len() > 0 {
		config, err := f.capacityUse(c)
		if err != nil {
			return nil, err
		}
		p.set("CapacityProviderConfig", config)
	}
	return f.source.main("AWS::Lambda::Function", p), f.checkPackage(p, code)
}

func (f *aFunction) traced() (bool, error) {
	mode, err := f.resolve(f.get("Tracing"))
	return truthy(f.get("Tracing")) && !is(mode, "Disabled"), err
}

// checkPackage holds the properties against the type of the package.
func (f *aFunction) checkPackage(p, code *dict) error {
	handled := truthy(p.get("Runtime")) && truthy(p.get("Handler"))
	if is(f.get("PackageType"), "Image") {
		switch {
		case truthy(p.get("Runtime")) || truthy(p.get("Handler")) || truthy(p.get("Layers")):
			return invalid(f.id, "Runtime, Handler, Layers cannot be present when PackageType is of type `Image`")
		case !truthy(code.get("ImageUri")):
			return invalid(f.id, "ImageUri needs to be present when PackageType is of type `Image`")
		}
		return nil
	}
	switch {
	case !handled:
		return invalid(f.id, "Runtime and Handler needs to be present when PackageType is of type `Zip`")
	case truthy(p.get("ImageConfig")):
		return invalid(f.id, "ImageUri or ImageConfig cannot be present when PackageType is of type `Zip`")
	}
	return nil
}

// code is where the function's code comes from.
func (f *aFunction) code() (*dict, error) {
	switch v := f.get("PackageType"); {
	case is(v, "Image"):
		if f.get("ImageUri") == nil {
			return nil, invalid(f.id, "'ImageUri' must be set.")
		}
		if !truthy(f.get("ImageUri")) {
			return nil, invalid(f.id, "'ImageUri' requires that a image hosted at a registry be specified.")
		}
		return dictOf("ImageUri", f.get("ImageUri")), nil
	case truthy(v) && !is(v, "Zip"):
		return nil, invalid(f.id, "invalid 'PackageType' : %s", python(v))
	}
	var code *dict
	switch inline, uri := f.get("InlineCode"), f.get("CodeUri"); {
	case inline != nil:
		code = dictOf("ZipFile", inline)
	case uri == nil:
		return nil, invalid(f.id, "Only one of 'InlineCode' or 'CodeUri' can be set.")
	default:
		var err error
		if code, err = s3Location(f.id, "CodeUri", uri); err != nil {
			return nil, err
		}
	}
	if v := f.get("SourceKMSKeyArn"); truthy(v) {
		code.set("SourceKMSKeyArn", v)
	}
	return code, nil
}

// capacityUse says which capacity provider runs the function.
func (f *aFunction) capacityUse(given *dict) (*dict, error) {
	out := newDict()
	for _, k := range [][2]string{
		{"Arn", "CapacityProviderArn"}, {"PerExecutionEnvironmentMaxConcurrency", "PerExecutionEnvironmentMaxConcurrency"}, {"ExecutionEnvironmentMemoryGiBPerVCpu", "ExecutionEnvironmentMemoryGiBPerVCpu"},
	} {
		if v := given.get(k[0]); v != nil {
			out.set(k[1], v)
		}
	}
	if problems := capacityUseModel.check(given); len(problems) > 0 {
		return nil, invalid(f.id, "Invalid CapacityProviderConfig: %s", problems.python("CapacityProviderConfig"))
	}
	return dictOf("LambdaManagedInstancesCapacityProviderConfig", out), nil
}
