package apigateway

import (
	"context"
	"strconv"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
)

// resources are the CloudFormation resource types. Their functions make this service's own calls through the door.
func (g *Gateway) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::ApiGateway::RestApi", service.ResourceSpec[restAPIProperties]{
			Attributes: []string{"RootResourceId", "RestApiId"}, Create: g.createRestAPIResource, Update: g.updateRestAPIResource, Delete: g.deleteRestAPIResource,
			Warnings: g.warnings,
		}),
		service.NewResourceType("AWS::ApiGateway::Resource", service.ResourceSpec[resourceProperties]{
			Attributes: []string{"ResourceId"}, Create: g.createResourceResource, Delete: g.deleteResourceResource,
		}),
		service.NewResourceType("AWS::ApiGateway::Method", service.ResourceSpec[methodProperties]{
			Create: g.createMethodResource, Update: g.updateMethodResource, Delete: g.deleteMethodResource,
		}),
		service.NewResourceType("AWS::ApiGateway::Model", service.ResourceSpec[modelProperties]{
			Create: g.createModelResource, Update: g.updateModelResource, Delete: g.deleteModelResource,
		}),
		service.NewResourceType("AWS::ApiGateway::RequestValidator", service.ResourceSpec[validatorProperties]{
			Attributes: []string{"RequestValidatorId"}, Create: g.createValidatorResource, Update: g.updateValidatorResource, Delete: g.deleteValidatorResource,
		}),
		service.NewResourceType("AWS::ApiGateway::Authorizer", service.ResourceSpec[authorizerProperties]{
			Attributes: []string{"AuthorizerId"}, Create: g.createAuthorizerResource, Update: g.updateAuthorizerResource, Delete: g.deleteAuthorizerResource,
		}),
		service.NewResourceType("AWS::ApiGateway::GatewayResponse", service.ResourceSpec[gatewayResponseProperties]{
			Attributes: []string{"Id"}, Create: g.createGatewayResponseResource, Update: g.updateGatewayResponseResource, Delete: g.deleteGatewayResponseResource,
		}),
		service.NewResourceType("AWS::ApiGateway::Deployment", service.ResourceSpec[deploymentProperties]{
			Attributes: []string{"DeploymentId"}, Create: g.createDeploymentResource, Update: g.updateDeploymentResource, Delete: g.deleteDeploymentResource,
		}),
		service.NewResourceType("AWS::ApiGateway::Stage", service.ResourceSpec[stageProperties]{
			Create: g.createStageResource, Update: g.updateStageResource, Delete: g.deleteStageResource,
		}),
		service.NewResourceType("AWS::ApiGateway::DocumentationPart", service.ResourceSpec[partProperties]{
			Attributes: []string{"DocumentationPartId"}, Create: g.createPartResource, Update: g.updatePartResource, Delete: g.deletePartResource,
		}),
		service.NewResourceType("AWS::ApiGateway::DocumentationVersion", service.ResourceSpec[versionProperties]{
			Create: g.createVersionResource, Update: g.updateVersionResource, Delete: g.deleteVersionResource,
		}),
		service.NewResourceType("AWS::ApiGateway::ApiKey", service.ResourceSpec[keyProperties]{
			Attributes: []string{"APIKeyId"}, Create: g.createKeyResource, Update: g.updateKeyResource, Delete: g.deleteKeyResource,
		}),
		service.NewResourceType("AWS::ApiGateway::UsagePlan", service.ResourceSpec[planProperties]{
			Attributes: []string{"Id"}, Create: g.createPlanResource, Update: g.updatePlanResource, Delete: g.deletePlanResource,
		}),
		service.NewResourceType("AWS::ApiGateway::UsagePlanKey", service.ResourceSpec[planKeyProperties]{
			Attributes: []string{"Id"}, Create: g.createPlanKeyResource, Delete: g.deletePlanKeyResource,
		}),
		service.NewResourceType("AWS::ApiGateway::VpcLink", service.ResourceSpec[linkProperties]{
			Attributes: []string{"VpcLinkId"}, Create: g.createLinkResource, Update: g.updateLinkResource, Delete: g.deleteLinkResource,
		}),
		service.NewResourceType("AWS::ApiGateway::ClientCertificate", service.ResourceSpec[certificateProperties]{
			Attributes: []string{"ClientCertificateId"}, Create: g.createCertificateResource, Update: g.updateCertificateResource, Delete: g.deleteCertificateResource,
		}),
		service.NewResourceType("AWS::ApiGateway::Account", service.ResourceSpec[accountProperties]{
			Attributes: []string{"Id"}, Create: g.createAccountResource, Update: g.updateAccountResource, Delete: g.deleteAccountResource,
		}),
		service.NewResourceType("AWS::ApiGateway::DomainName", service.ResourceSpec[domainProperties]{
			Attributes: []string{"DistributionDomainName", "DistributionHostedZoneId", "DomainNameArn", "RegionalDomainName", "RegionalHostedZoneId"},
			Create:     g.createDomainResource, Update: g.updateDomainResource, Delete: g.deleteDomainResource,
		}),
		service.NewResourceType("AWS::ApiGateway::BasePathMapping", service.ResourceSpec[mappingProperties]{
			Create: g.createMappingResource, Update: g.updateMappingResource, Delete: g.deleteMappingResource,
		}),
	}
}

// call makes one of this service's own calls through the door.
func call[Out any](ctx context.Context, g *Gateway, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, g.deps.Door, "apigateway", operation, in)
}

// drop makes a deleting call; what is gone already is no error.
func drop[Out any](ctx context.Context, g *Gateway, operation string, in any) error {
	_, err := call[Out](ctx, g, operation, in)
	if isNotFound(err) {
		return nil
	}
	return err
}

// withID returns a resource with an id that is an attribute too.
func withID(id *string, attribute string) service.Resource {
	return service.Resource{PhysicalID: text(id), Attributes: map[string]any{attribute: text(id)}}
}

// edits are the patch operations of an update.
type edits []aws.PatchOperation

// set replaces a value when it changes; nil is the empty one.
func (e *edits) set(path string, old, now *string) {
	if text(old) != text(now) {
		*e = append(*e, aws.PatchOperation{Op: "replace", Path: ptr(path), Value: ptr(text(now))})
	}
}

func (e *edits) add(op, path string, value *string) {
	*e = append(*e, aws.PatchOperation{Op: op, Path: ptr(path), Value: value})
}

// list adds and removes the elements by which two lists differ; each is named by the value of an operation on path.
func (e *edits) list(path string, old, now []string) {
	have, want := map[string]bool{}, map[string]bool{}
	for _, s := range old {
		have[s] = true
	}
	for _, s := range now {
		want[s] = true
	}
	for _, s := range sortedKeys(have) {
		if !want[s] {
			e.add("remove", path, ptr(s))
		}
	}
	for _, s := range sortedKeys(want) {
		if !have[s] {
			e.add("add", path, ptr(s))
		}
	}
}

// boolText returns a boolean as the value of a patch operation.
func boolText(b *bool) *string {
	if b == nil {
		return nil
	}
	return ptr(strconv.FormatBool(*b))
}

func intText(n *int32) *string {
	if n == nil {
		return nil
	}
	return ptr(strconv.Itoa(int(*n)))
}

func floatText(n *float64) *string {
	if n == nil {
		return nil
	}
	return ptr(strconv.FormatFloat(*n, 'f', -1, 64))
}

// arnOf returns the ARN of a resource of this service in the region of a call.
func arnOf(ctx context.Context, path string) string {
	return "arn:aws:apigateway:" + service.RequestFrom(ctx).Region + "::/" + path
}

// retag brings the tags of a resource from those of old properties to those of new ones. The tags of the stack do not change by themselves.
func (g *Gateway) retag(ctx context.Context, c service.ResourceCall, path string, old, now []service.TagProperty) error {
	arn := arnOf(ctx, path)
	return service.Retag(c.AllTags(old), c.AllTags(now), func(keys []string) error {
		_, err := call[aws.UntagResourceOutput](ctx, g, "UntagResource", &aws.UntagResourceInput{ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[aws.TagResourceOutput](ctx, g, "TagResource", &aws.TagResourceInput{ResourceArn: arn, Tags: tags})
		return err
	})
}
