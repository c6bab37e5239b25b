package lambda

import (
	"context"
	"maps"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// tag is an element of a Tags property.
type tag struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

func (l *Lambda) resources() []service.ResourceType {
	return []service.ResourceType{
		l.eventSourceResource(), l.invokeConfigResource(),
		service.NewResourceType("AWS::Lambda::Function", service.ResourceSpec[functionProperties]{
			Attributes: []string{"Arn", "SnapStartResponse.ApplyOn", "SnapStartResponse.OptimizationStatus"},
			Create:     l.createFunctionResource, Update: l.updateFunctionResource, Delete: l.deleteFunctionResource,
			Identifier: []string{"FunctionName"}, Read: l.readFunctionResource, Missing: []string{missing}, List: l.listFunctionResources,
		}),
		service.NewResourceType("AWS::Lambda::Permission", service.ResourceSpec[permissionProperties]{
			Attributes: []string{"Id"}, Create: l.createPermissionResource, Delete: l.deletePermissionResource,
			Identifier: []string{"FunctionName", "Id"}, Read: l.readPermissionResource, Missing: []string{missing}, List: l.listPermissionResources, ListBy: []string{"FunctionName"},
		}),
		service.NewResourceType("AWS::Lambda::ResourcePolicy", service.ResourceSpec[resourcePolicyProperties]{
			Create: l.createResourcePolicyResource, Update: l.updateResourcePolicyResource, Delete: l.deleteResourcePolicyResource,
			Identifier: []string{"ResourceArn"}, Read: l.readResourcePolicyResource, Missing: []string{missing},
		}),
		service.NewResourceType("AWS::Lambda::Version", service.ResourceSpec[versionProperties]{
			Attributes: []string{"Version", "FunctionArn"}, Create: l.createVersionResource, Update: l.updateVersionResource, Delete: l.deleteVersionResource,
			Identifier: []string{"FunctionArn"}, Read: l.readVersionResource, Missing: []string{missing}, List: l.listVersionResources, ListBy: []string{"FunctionName"},
		}),
		service.NewResourceType("AWS::Lambda::Alias", service.ResourceSpec[aliasProperties]{
			Attributes: []string{"AliasArn"}, Create: l.createAliasResource, Update: l.updateAliasResource, Delete: l.deleteAliasResource,
			Identifier: []string{"AliasArn"}, Read: l.readAliasResource, Missing: []string{missing}, List: l.listAliasResources, ListBy: []string{"FunctionName"},
		}),
		service.NewResourceType("AWS::Lambda::LayerVersion", service.ResourceSpec[layerVersionProperties]{
			Attributes: []string{"LayerVersionArn"}, Create: l.createLayerVersionResource, Delete: l.deleteLayerVersionResource,
			Identifier: []string{"LayerVersionArn"}, Read: l.readLayerVersionResource, Missing: []string{missing}, List: l.listLayerVersionResources,
		}),
		service.NewResourceType("AWS::Lambda::LayerVersionPermission", service.ResourceSpec[layerPermissionProperties]{
			Attributes: []string{"Id"}, Create: l.createLayerPermissionResource, Delete: l.deleteLayerPermissionResource,
			Identifier: []string{"Id"}, Read: l.readLayerPermissionResource, Missing: []string{missing},
		}),
		service.NewResourceType("AWS::Lambda::Url", service.ResourceSpec[urlProperties]{
			Attributes: []string{"FunctionArn", "FunctionUrl"}, Create: l.createURLResource, Update: l.updateURLResource, Delete: l.deleteURLResource,
			Identifier: []string{"FunctionArn"}, Read: l.readURLResource, Missing: []string{missing}, List: l.listURLResources, ListBy: []string{"TargetFunctionArn"},
		}),
		service.NewResourceType("AWS::Lambda::CapacityProvider", service.ResourceSpec[capacityProperties]{
			Attributes: []string{"Arn", "State"}, Create: l.createCapacityResource, Update: l.updateCapacityResource, Delete: l.deleteCapacityResource,
			Identifier: []string{"CapacityProviderName"}, Read: l.readCapacityResource, Missing: []string{missing}, List: l.listCapacityResources,
		}),
		service.NewResourceType("AWS::Lambda::CodeSigningConfig", service.ResourceSpec[signingProperties]{
			Attributes: []string{"CodeSigningConfigArn", "CodeSigningConfigId"},
			Create:     l.createSigningResource, Update: l.updateSigningResource, Delete: l.deleteSigningResource,
			Identifier: []string{"CodeSigningConfigArn"}, Read: l.readSigningResource, Missing: []string{missing}, List: l.listSigningResources,
		}),
	}
}

func (l *Lambda) do(ctx context.Context, operation string, in any) error {
	_, err := l.deps.Door.Call(ctx, "lambda", operation, in)
	return err
}

func tagsOf(c service.ResourceCall, own []tag) map[string]string {
	out := maps.Clone(c.Tags)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range own {
		out[t.Key] = t.Value
	}
	return out
}

// updateTags changes the tags of a resource to those that a template has now.
func (l *Lambda) updateTags(ctx context.Context, c service.ResourceCall, arn string, old, own []tag) error {
	now := tagsOf(c, own)
	var gone []string
	for k := range tagsOf(c, old) {
		if _, ok := now[k]; !ok {
			gone = append(gone, k)
		}
	}
	if gone != nil {
		if err := l.do(ctx, "UntagResource", &api.UntagResourceInput{Resource: arn, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	return l.do(ctx, "TagResource", &api.TagResourceInput{Resource: arn, Tags: now})
}
