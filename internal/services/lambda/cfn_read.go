package lambda

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// missing are the codes of the errors of what is not there.
const missing = "ResourceNotFoundException"

func obtain[Out any](ctx context.Context, l *Lambda, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, l.deps.Door, "lambda", operation, in)
}

// maybe is [obtain] for what a function can be without: then it returns nothing.
func maybe[Out any](ctx context.Context, l *Lambda, operation string, in any) (*Out, error) {
	out, err := obtain[Out](ctx, l, operation, in)
	if code := service.Code(err); code == missing || code == "ProvisionedConcurrencyConfigNotFoundException" {
		return nil, nil //nolint:nilnil // there is none
	}
	return out, err
}

func (l *Lambda) readFunctionResource(ctx context.Context, id service.Identifier) (*functionProperties, service.Resource, error) {
	name := id[0]
	out, err := obtain[api.GetFunctionOutput](ctx, l, "GetFunction", &api.GetFunctionInput{FunctionName: name})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[functionProperties](out.Configuration, map[string]any{"Tags": out.Tags})
	p.Layers = nil
	for _, layer := range out.Configuration.Layers {
		p.Layers = append(p.Layers, orZero(layer.Arn))
	}
	if c := out.Configuration.ImageConfigResponse; c != nil {
		p.ImageConfig = reshape.To[imageProperties](c.ImageConfig)
	}
	if c := out.Concurrency; c != nil {
		p.ReservedConcurrentExecutions = c.ReservedConcurrentExecutions
	}
	return p, functionResource(ctx, name, p), l.readFunctionSettings(ctx, name, p)
}

// readFunctionSettings reads what has an operation of its own.
func (l *Lambda) readFunctionSettings(ctx context.Context, name string, p *functionProperties) error {
	runtime, err := maybe[api.GetRuntimeManagementConfigOutput](ctx, l, "GetRuntimeManagementConfig", &api.GetRuntimeManagementConfigInput{FunctionName: name})
	if err != nil {
		return err
	}
	if runtime != nil {
		p.RuntimeManagementConfig = reshape.To[runtimePolicyProperties](runtime)
	}
	recursion, err := obtain[api.GetFunctionRecursionConfigOutput](ctx, l, "GetFunctionRecursionConfig", &api.GetFunctionRecursionConfigInput{FunctionName: name})
	if err != nil {
		return err
	}
	p.RecursiveLoop = &recursion.RecursiveLoop
	signing, err := maybe[api.GetFunctionCodeSigningConfigOutput](ctx, l, "GetFunctionCodeSigningConfig", &api.GetFunctionCodeSigningConfigInput{FunctionName: name})
	if err != nil {
		return err
	}
	if signing != nil && signing.CodeSigningConfigArn != "" {
		p.CodeSigningConfigArn = &signing.CodeSigningConfigArn
	}
	if p.CapacityProviderConfig != nil {
		p.FunctionScalingConfig, err = l.readScaling(ctx, name, latestPublished)
	}
	return err
}

func (l *Lambda) readScaling(ctx context.Context, name, qualifier string) (*functionScalingProperties, error) {
	out, err := maybe[api.GetFunctionScalingConfigOutput](ctx, l, "GetFunctionScalingConfig", &api.GetFunctionScalingConfigInput{FunctionName: name, Qualifier: qualifier})
	if err != nil || out == nil || out.RequestedFunctionScalingConfig == nil {
		return nil, err
	}
	return reshape.To[functionScalingProperties](out.RequestedFunctionScalingConfig), nil
}

func (l *Lambda) listFunctionResources(ctx context.Context, _ *functionProperties, next string) (service.Page, error) {
	out, err := obtain[api.ListFunctionsOutput](ctx, l, "ListFunctions", &api.ListFunctionsInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Functions, out.NextMarker, func(f *api.FunctionConfiguration) service.Identifier {
		return service.Identifier{orZero(f.FunctionName)}
	}), nil
}

func (l *Lambda) readVersionResource(ctx context.Context, id service.Identifier) (*versionProperties, service.Resource, error) {
	r, err := parseARN(id[0])
	if err != nil {
		return nil, service.Resource{}, service.ErrGone
	}
	out, err := obtain[api.GetFunctionConfigurationOutput](ctx, l, "GetFunctionConfiguration", &api.GetFunctionConfigurationInput{FunctionName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := &versionProperties{FunctionName: r.name, CodeSha256: out.CodeSha256, Description: out.Description}
	if p.ProvisionedConcurrencyConfig, err = l.readProvisioned(ctx, r.name, r.qualifier); err != nil {
		return nil, service.Resource{}, err
	}
	runtime, err := maybe[api.GetRuntimeManagementConfigOutput](ctx, l, "GetRuntimeManagementConfig", &api.GetRuntimeManagementConfigInput{FunctionName: r.name, Qualifier: &r.qualifier})
	if err != nil {
		return nil, service.Resource{}, err
	}
	if runtime != nil {
		p.RuntimePolicy = reshape.To[runtimePolicyProperties](runtime)
	}
	if out.CapacityProviderConfig != nil {
		p.FunctionScalingConfig, err = l.readScaling(ctx, r.name, r.qualifier)
	}
	return p, versionResource(id[0]), err
}

func (l *Lambda) readProvisioned(ctx context.Context, name, qualifier string) (*provisionProperties, error) {
	out, err := maybe[api.GetProvisionedConcurrencyConfigOutput](ctx, l, "GetProvisionedConcurrencyConfig", &api.GetProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: qualifier})
	if err != nil || out == nil {
		return nil, err
	}
	return &provisionProperties{ProvisionedConcurrentExecutions: orZero(out.RequestedProvisionedConcurrentExecutions)}, nil
}

func (l *Lambda) listVersionResources(ctx context.Context, p *versionProperties, next string) (service.Page, error) {
	out, err := obtain[api.ListVersionsByFunctionOutput](ctx, l, "ListVersionsByFunction", &api.ListVersionsByFunctionInput{FunctionName: p.FunctionName, Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Versions, out.NextMarker, func(f *api.FunctionConfiguration) service.Identifier {
		if orZero(f.Version) == latest {
			return nil
		}
		return service.Identifier{orZero(f.FunctionArn)}
	}), nil
}

func (l *Lambda) readAliasResource(ctx context.Context, id service.Identifier) (*aliasProperties, service.Resource, error) {
	r, err := parseARN(id[0])
	if err != nil {
		return nil, service.Resource{}, service.ErrGone
	}
	out, err := obtain[api.GetAliasOutput](ctx, l, "GetAlias", &api.GetAliasInput{FunctionName: r.name, Name: r.qualifier})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[aliasProperties](out)
	p.FunctionName, p.RoutingConfig = r.name, nil
	if c := out.RoutingConfig; c != nil && len(c.AdditionalVersionWeights) > 0 {
		p.RoutingConfig = &routingProperties{}
		for _, version := range slices.Sorted(maps.Keys(c.AdditionalVersionWeights)) {
			p.RoutingConfig.AdditionalVersionWeights = append(p.RoutingConfig.AdditionalVersionWeights, weightProperties{version, c.AdditionalVersionWeights[version]})
		}
	}
	p.ProvisionedConcurrencyConfig, err = l.readProvisioned(ctx, r.name, r.qualifier)
	return p, aliasResource(ctx, p), err
}

func (l *Lambda) listAliasResources(ctx context.Context, p *aliasProperties, next string) (service.Page, error) {
	out, err := obtain[api.ListAliasesOutput](ctx, l, "ListAliases", &api.ListAliasesInput{FunctionName: p.FunctionName, Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Aliases, out.NextMarker, func(a *api.AliasConfiguration) service.Identifier { return service.Identifier{orZero(a.AliasArn)} }), nil
}

func (l *Lambda) readURLResource(ctx context.Context, id service.Identifier) (*urlProperties, service.Resource, error) {
	out, err := obtain[api.GetFunctionUrlConfigOutput](ctx, l, "GetFunctionUrlConfig", &api.GetFunctionUrlConfigInput{FunctionName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	r, err := parseARN(out.FunctionArn)
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[urlProperties](out)
	if r.qualifier != "" {
		p.Qualifier = &r.qualifier
	}
	p.TargetFunctionArn = r.function()
	return p, urlResource(out.FunctionArn, out.FunctionUrl), nil
}

func (l *Lambda) listURLResources(ctx context.Context, p *urlProperties, next string) (service.Page, error) {
	out, err := obtain[api.ListFunctionUrlConfigsOutput](ctx, l, "ListFunctionUrlConfigs", &api.ListFunctionUrlConfigsInput{FunctionName: p.TargetFunctionArn, Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.FunctionUrlConfigs, out.NextMarker, func(u *api.FunctionUrlConfig) service.Identifier { return service.Identifier{u.FunctionArn} }), nil
}

func (l *Lambda) readLayerVersionResource(ctx context.Context, id service.Identifier) (*layerVersionProperties, service.Resource, error) {
	r, ok := parseLayer(id[0])
	if !ok || r.number == 0 {
		return nil, service.Resource{}, service.ErrGone
	}
	out, err := obtain[api.GetLayerVersionOutput](ctx, l, "GetLayerVersion", &api.GetLayerVersionInput{LayerName: r.layer(), VersionNumber: r.number})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[layerVersionProperties](out)
	p.LayerName = &r.name
	return p, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"LayerVersionArn": id[0]}}, nil
}

func (l *Lambda) listLayerVersionResources(ctx context.Context, p *layerVersionProperties, next string) (service.Page, error) {
	if p.LayerName != nil {
		out, err := obtain[api.ListLayerVersionsOutput](ctx, l, "ListLayerVersions", &api.ListLayerVersionsInput{LayerName: *p.LayerName, Marker: service.NextToken(next)})
		if err != nil {
			return service.Page{}, err
		}
		return service.NewPage(out.LayerVersions, out.NextMarker, func(v *api.LayerVersionsListItem) service.Identifier {
			return service.Identifier{orZero(v.LayerVersionArn)}
		}), nil
	}
	out, err := obtain[api.ListLayersOutput](ctx, l, "ListLayers", &api.ListLayersInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Layers, out.NextMarker, func(v *api.LayersListItem) service.Identifier {
		if v.LatestMatchingVersion == nil {
			return nil
		}
		return service.Identifier{orZero(v.LatestMatchingVersion.LayerVersionArn)}
	}), nil
}

// statementOf finds a statement of a policy.
func statementOf(text *string, sid string) (map[string]any, bool) {
	doc, _ := reshape.Document(orZero(text)).(map[string]any)
	list, _ := doc["Statement"].([]any)
	for _, x := range list {
		if s, _ := x.(map[string]any); s["Sid"] == sid {
			return s, true
		}
	}
	return nil, false
}

// grantee returns a Principal property for the principal of a statement.
func grantee(v any) string {
	if m, ok := v.(map[string]any); ok {
		for _, who := range m {
			v = who
		}
	}
	who, _ := v.(string)
	if account, ok := strings.CutPrefix(who, "arn:aws:iam::"); ok {
		if account, ok = strings.CutSuffix(account, ":root"); ok {
			return account
		}
	}
	return who
}

// conditionOf returns the value of a condition key, whatever the operator.
func conditionOf(s map[string]any, key string) any {
	operators, _ := s["Condition"].(map[string]any)
	for _, keys := range operators {
		m, _ := keys.(map[string]any)
		for k, v := range m {
			if strings.EqualFold(k, key) {
				return v
			}
		}
	}
	return nil
}

func (l *Lambda) readPermissionResource(ctx context.Context, id service.Identifier) (*permissionProperties, service.Resource, error) {
	r, err := parseRef(ctx, id[0], nil)
	if err != nil {
		return nil, service.Resource{}, err
	}
	in := &api.GetPolicyInput{FunctionName: r.function()}
	if r.qualifier != "" {
		in.Qualifier = &r.qualifier
	}
	out, err := obtain[api.GetPolicyOutput](ctx, l, "GetPolicy", in)
	if err != nil {
		return nil, service.Resource{}, err
	}
	s, ok := statementOf(out.Policy, id[1])
	if !ok {
		return nil, service.Resource{}, service.ErrGone
	}
	p := reshape.To[permissionProperties](map[string]any{
		"Action": s["Action"], "Principal": grantee(s["Principal"]), "SourceArn": conditionOf(s, "aws:SourceArn"), "SourceAccount": conditionOf(s, "aws:SourceAccount"),
		"EventSourceToken": conditionOf(s, "lambda:EventSourceToken"), "PrincipalOrgID": conditionOf(s, "aws:PrincipalOrgID"),
		"FunctionUrlAuthType": conditionOf(s, "lambda:FunctionUrlAuthType"), "InvokedViaFunctionUrl": conditionOf(s, "lambda:InvokedViaFunctionUrl"),
	})
	p.FunctionName = id[0]
	return p, service.Resource{PhysicalID: id[1], Attributes: map[string]any{"Id": id[1]}}, nil
}

func (l *Lambda) listPermissionResources(ctx context.Context, p *permissionProperties, _ string) (service.Page, error) {
	out, err := maybe[api.GetPolicyOutput](ctx, l, "GetPolicy", &api.GetPolicyInput{FunctionName: p.FunctionName})
	if err != nil || out == nil {
		return service.Page{}, err
	}
	doc, _ := reshape.Document(orZero(out.Policy)).(map[string]any)
	list, _ := doc["Statement"].([]any)
	return service.NewPage(list, nil, func(x *any) service.Identifier {
		s, _ := (*x).(map[string]any)
		sid, _ := s["Sid"].(string)
		return service.Identifier{p.FunctionName, sid}
	}), nil
}

func (l *Lambda) readLayerPermissionResource(ctx context.Context, id service.Identifier) (*layerPermissionProperties, service.Resource, error) {
	arn, sid, _ := strings.Cut(id[0], "#")
	r, ok := parseLayer(arn)
	if !ok {
		return nil, service.Resource{}, service.ErrGone
	}
	out, err := obtain[api.GetLayerVersionPolicyOutput](ctx, l, "GetLayerVersionPolicy", &api.GetLayerVersionPolicyInput{LayerName: r.layer(), VersionNumber: r.number})
	if err != nil {
		return nil, service.Resource{}, err
	}
	s, ok := statementOf(out.Policy, sid)
	if !ok {
		return nil, service.Resource{}, service.ErrGone
	}
	p := reshape.To[layerPermissionProperties](map[string]any{"Action": s["Action"], "Principal": grantee(s["Principal"]), "OrganizationId": conditionOf(s, "aws:PrincipalOrgID")})
	p.LayerVersionArn = arn
	return p, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Id": id[0]}}, nil
}

func (l *Lambda) readEventSourceResource(ctx context.Context, id service.Identifier) (*eventSourceProperties, service.Resource, error) {
	out, err := obtain[api.GetEventSourceMappingOutput](ctx, l, "GetEventSourceMapping", &api.GetEventSourceMappingInput{UUID: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	if orZero(out.State) == "Deleting" {
		return nil, service.Resource{}, service.ErrGone
	}
	tags, err := obtain[api.ListTagsOutput](ctx, l, "ListTags", &api.ListTagsInput{Resource: orZero(out.EventSourceMappingArn)})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[eventSourceProperties](out, tags)
	p.FunctionName = orZero(out.FunctionArn)
	p.Enabled = ptr(orZero(out.State) != "Disabled" && orZero(out.State) != "Disabling")
	if at := out.StartingPositionTimestamp; at != nil {
		p.StartingPositionTimestamp = ptr(float64(at.UnixNano()) / 1e9)
	}
	return p, mappingResource(out), nil
}

func (l *Lambda) listEventSourceResources(ctx context.Context, _ *eventSourceProperties, next string) (service.Page, error) {
	out, err := obtain[api.ListEventSourceMappingsOutput](ctx, l, "ListEventSourceMappings", &api.ListEventSourceMappingsInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.EventSourceMappings, out.NextMarker, func(m *api.EventSourceMappingConfiguration) service.Identifier {
		return service.Identifier{orZero(m.UUID)}
	}), nil
}

func (l *Lambda) readInvokeConfigResource(ctx context.Context, id service.Identifier) (*invokeConfigProperties, service.Resource, error) {
	out, err := obtain[api.GetFunctionEventInvokeConfigOutput](ctx, l, "GetFunctionEventInvokeConfig", &api.GetFunctionEventInvokeConfigInput{FunctionName: id[0], Qualifier: &id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[invokeConfigProperties](out)
	p.FunctionName, p.Qualifier = id[0], id[1]
	return p, service.Resource{PhysicalID: id.String()}, nil
}

func (l *Lambda) listInvokeConfigResources(ctx context.Context, p *invokeConfigProperties, next string) (service.Page, error) {
	out, err := obtain[api.ListFunctionEventInvokeConfigsOutput](ctx, l, "ListFunctionEventInvokeConfigs", &api.ListFunctionEventInvokeConfigsInput{FunctionName: p.FunctionName, Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.FunctionEventInvokeConfigs, out.NextMarker, func(c *api.FunctionEventInvokeConfig) service.Identifier {
		r, err := parseARN(orZero(c.FunctionArn))
		if err != nil {
			return nil
		}
		return service.Identifier{p.FunctionName, r.qualifier}
	}), nil
}

func (l *Lambda) readCapacityResource(ctx context.Context, id service.Identifier) (*capacityProperties, service.Resource, error) {
	out, err := obtain[api.GetCapacityProviderOutput](ctx, l, "GetCapacityProvider", &api.GetCapacityProviderInput{CapacityProviderName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	if out.CapacityProvider.State == api.CapacityProviderStateDeleting {
		return nil, service.Resource{}, service.ErrGone
	}
	tags, err := obtain[api.ListTagsOutput](ctx, l, "ListTags", &api.ListTagsInput{Resource: out.CapacityProvider.CapacityProviderArn})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[capacityProperties](out.CapacityProvider, tags)
	p.CapacityProviderName = &id[0]
	return p, capacityResource(ctx, id[0]), nil
}

func (l *Lambda) listCapacityResources(ctx context.Context, _ *capacityProperties, next string) (service.Page, error) {
	out, err := obtain[api.ListCapacityProvidersOutput](ctx, l, "ListCapacityProviders", &api.ListCapacityProvidersInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.CapacityProviders, out.NextMarker, func(c *api.CapacityProvider) service.Identifier {
		return service.Identifier{c.CapacityProviderArn[strings.LastIndexByte(c.CapacityProviderArn, ':')+1:]}
	}), nil
}

func (l *Lambda) readSigningResource(ctx context.Context, id service.Identifier) (*signingProperties, service.Resource, error) {
	out, err := obtain[api.GetCodeSigningConfigOutput](ctx, l, "GetCodeSigningConfig", &api.GetCodeSigningConfigInput{CodeSigningConfigArn: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := obtain[api.ListTagsOutput](ctx, l, "ListTags", &api.ListTagsInput{Resource: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[signingProperties](out.CodeSigningConfig, tags), signingResource(out.CodeSigningConfig), nil
}

func (l *Lambda) listSigningResources(ctx context.Context, _ *signingProperties, next string) (service.Page, error) {
	out, err := obtain[api.ListCodeSigningConfigsOutput](ctx, l, "ListCodeSigningConfigs", &api.ListCodeSigningConfigsInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.CodeSigningConfigs, out.NextMarker, func(c *api.CodeSigningConfig) service.Identifier { return service.Identifier{c.CodeSigningConfigArn} }), nil
}
