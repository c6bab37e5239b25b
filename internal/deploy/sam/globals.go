package sam

import (
	"slices"
	"strings"
)

// globalSections are the properties that the sections of Globals may set.
func globalSections() map[string][]string {
	return map[string][]string{
		"Function": {
			"Handler", "Runtime", "CodeUri", "DeadLetterQueue", "Description", "MemorySize", "Timeout", "VpcConfig", "Environment", "Tags", "PropagateTags", "Tracing", "KmsKeyArn", "AutoPublishAlias",
			"AutoPublishAliasAllProperties", "Layers", "DeploymentPreference", "RolePath", "PermissionsBoundary", "ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig", "AssumeRolePolicyDocument",
			"EventInvokeConfig", "FileSystemConfigs", "CodeSigningConfigArn", "Architectures", "SnapStart", "EphemeralStorage", "FunctionUrlConfig", "RuntimeManagementConfig", "LoggingConfig", "RecursiveLoop",
			"SourceKMSKeyArn", "TenancyConfig", "DurableConfig", "CapacityProviderConfig", "FunctionScalingConfig", "PublishToLatestPublished", "VersionDeletionPolicy",
		},
		"Api": {
			"Auth", "Name", "DefinitionUri", "CacheClusterEnabled", "CacheClusterSize", "MergeDefinitions", "Variables", "EndpointConfiguration", "MethodSettings", "BinaryMediaTypes", "MinimumCompressionSize", "Cors",
			"GatewayResponses", "AccessLogSetting", "CanarySetting", "TracingEnabled", "OpenApiVersion", "Domain", "AlwaysDeploy", "PropagateTags", "SecurityPolicy", "EndpointAccessMode",
		},
		"HttpApi": {
			"Auth", "AccessLogSettings", "StageVariables", "Tags", "CorsConfiguration", "DefaultRouteSettings", "Domain", "RouteSettings", "FailOnWarnings", "PropagateTags",
		},
		"SimpleTable":      {"SSESpecification"},
		"StateMachine":     {"PropagateTags"},
		"LayerVersion":     {"PublishLambdaVersion"},
		"CapacityProvider": {"VpcConfig", "OperatorRole", "Tags", "InstanceRequirements", "ScalingConfig", "KmsKeyArn", "PropagateTags"},
		"WebSocketApi": {
			"AccessLogSettings", "ApiKeySelectionExpression", "DefaultRouteSettings", "DisableExecuteApiEndpoint", "DisableSchemaValidation", "Domain", "FailOnWarnings", "IpAddressType", "PropagateTags",
			"RouteSelectionExpression", "RouteSettings", "StageVariables", "Tags",
		},
	}
}

func invalidGlobals(format string, args ...any) error {
	p := asProblem(invalid("Globals", format, args...))
	p.message = "'Globals' section is invalid." + strings.TrimPrefix(p.message, "Resource with id [Globals] is invalid.")
	return documentOf(p)
}

// checkGlobals refuses sections and properties that Globals does not have.
func (t *transform) checkGlobals() error {
	if !t.template.has("Globals") {
		return nil
	}
	sections := t.template.dict("Globals")
	if sections == nil {
		return invalidGlobals("It must be a non-empty dictionary")
	}
	known := globalSections()
	for section, v := range sections.all() {
		supported, ok := known[section]
		if !ok {
			return invalidGlobals("'%s' is not supported. Must be one of the following values - %s", section, texts(sortedKeys(known)...))
		}
		properties, ok := v.(*dict)
		if !ok {
			return invalidGlobals("Value of ${section} must be a dictionary")
		}
		for key := range properties.all() {
			if !slices.Contains(supported, key) {
				return invalidGlobals("'%s' is not a supported property of '%s'. Must be one of the following values - %s", key, section, texts(supported...))
			}
		}
	}
	return nil
}

// mergeGlobals gives resources the properties that Globals has for their type.
func (t *transform) mergeGlobals() error {
	if err := t.checkGlobals(); err != nil {
		return err
	}
	globals := t.template.dict("Globals")
	for id, v := range t.resources.all() {
		r := v.(*dict)
		if !mergeable(r) {
			continue
		}
		properties := r.dict("Properties")
		if properties == nil {
			properties = newDict()
		}
		typ, _ := text(r.get("Type"))
		if section := globals.dict(strings.TrimPrefix(typ, "AWS::Serverless::")); section != nil {
			section, err := withoutIgnored(id, section, r.get("IgnoreGlobals"))
			if err != nil {
				return err
			}
			properties = mergeGlobal(section, properties).(*dict)
		}
		r.set("Properties", properties)
	}
	t.template.remove("Globals")
	t.stateOpenAPIVersions()
	return nil
}

// withoutIgnored leaves out the globals that a resource does not want.
func withoutIgnored(id string, section *dict, ignored any) (*dict, error) {
	list, isList := ignored.([]any)
	switch {
	case !truthy(ignored):
		return section, nil
	case is(ignored, "*"):
		return newDict(), nil
	case !isList:
		return nil, documentOf(asProblem(invalid(id, "Resource %s has invalid resource attribute 'IgnoreGlobals'.", id)))
	}
	section = section.clone()
	for _, e := range list {
		k, _ := text(e)
		if !section.has(k) {
			return nil, documentOf(asProblem(invalid(id, "Resource %s has invalid resource attribute 'IgnoreGlobals' on item '%s'.", id, python(e))))
		}
		section.remove(k)
	}
	return section, nil
}

// mergeGlobal joins a global value and one of a resource: maps key by key, lists one after the other; in all else the resource's counts.
func mergeGlobal(global, local any) any {
	switch g := global.(type) {
	case *dict:
		l, ok := local.(*dict)
		if !ok || isIntrinsic(g) || isIntrinsic(l) {
			return local
		}
		out := g.copy()
		for _, k := range l.names() {
			v := l.values[k.text]
			if out.has(k.text) {
				v = mergeGlobal(out.values[k.text], v)
			}
			out.put(k, v)
		}
		return out
	case []any:
		if l, ok := local.([]any); ok {
			return append(append([]any{}, g...), l...)
		}
	}
	return local
}

// stateOpenAPIVersions writes the property OpenApiVersion into the definitions that are SAM's own.
func (t *transform) stateOpenAPIVersions() {
	for _, v := range t.resources.all() {
		r := v.(*dict)
		p := r.dict("Properties")
		version := p.get("OpenApiVersion")
		if !is(r.get("Type"), typeAPI) || !p.has("OpenApiVersion") || !p.has(managed) || !isOpenAPI3(version) {
			continue
		}
		if _, ok := text(version); !ok {
			version = python(version)
			p.set("OpenApiVersion", version)
		}
		if body := p.dict("DefinitionBody"); body != nil {
			body.set("openapi", version)
			if truthy(body.get("swagger")) {
				body.remove("swagger")
			}
		}
	}
}
