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
			Warnings:   g.warnings,
			Identifier: []string{"RestApiId"}, Read: g.readRestAPIResource, Missing: []string{codeMissing},
			List: pages(g, "GetRestApis", func(p *restAPIProperties, next *string) any {
				return &aws.GetRestApisInput{Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetRestApisOutput) ([]aws.RestApi, *string) { return o.Items, o.Position }, func(p *restAPIProperties, v *aws.RestApi) service.Identifier { return service.Identifier{text(v.Id)} }),
		}),
		service.NewResourceType("AWS::ApiGateway::Resource", service.ResourceSpec[resourceProperties]{
			Attributes: []string{"ResourceId"}, Create: g.createResourceResource, Delete: g.deleteResourceResource,
			Identifier: []string{"RestApiId", "ResourceId"}, Read: g.readResourceResource, Missing: []string{codeMissing},
			List: pages(g, "GetResources", func(p *resourceProperties, next *string) any {
				return &aws.GetResourcesInput{RestApiId: p.RestApiId, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetResourcesOutput) ([]aws.Resource, *string) { return o.Items, o.Position }, func(p *resourceProperties, v *aws.Resource) service.Identifier {
					return service.Identifier{p.RestApiId, text(v.Id)}
				}), ListBy: []string{"RestApiId"},
		}),
		service.NewResourceType("AWS::ApiGateway::Method", service.ResourceSpec[methodProperties]{
			Create: g.createMethodResource, Update: g.updateMethodResource, Delete: g.deleteMethodResource,
			Identifier: []string{"RestApiId", "ResourceId", "HttpMethod"}, Read: g.readMethodResource, Missing: []string{codeMissing},
		}),
		service.NewResourceType("AWS::ApiGateway::Model", service.ResourceSpec[modelProperties]{
			Create: g.createModelResource, Update: g.updateModelResource, Delete: g.deleteModelResource,
			Identifier: []string{"RestApiId", "Name"}, Read: g.readModelResource, Missing: []string{codeMissing},
			List: pages(g, "GetModels", func(p *modelProperties, next *string) any {
				return &aws.GetModelsInput{RestApiId: p.RestApiId, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetModelsOutput) ([]aws.Model, *string) { return o.Items, o.Position }, func(p *modelProperties, v *aws.Model) service.Identifier {
					return service.Identifier{p.RestApiId, text(v.Name)}
				}), ListBy: []string{"RestApiId"},
		}),
		service.NewResourceType("AWS::ApiGateway::RequestValidator", service.ResourceSpec[validatorProperties]{
			Attributes: []string{"RequestValidatorId"}, Create: g.createValidatorResource, Update: g.updateValidatorResource, Delete: g.deleteValidatorResource,
			Identifier: []string{"RestApiId", "RequestValidatorId"}, Read: g.readValidatorResource, Missing: []string{codeMissing},
			List: pages(g, "GetRequestValidators", func(p *validatorProperties, next *string) any {
				return &aws.GetRequestValidatorsInput{RestApiId: p.RestApiId, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetRequestValidatorsOutput) ([]aws.RequestValidator, *string) { return o.Items, o.Position }, func(p *validatorProperties, v *aws.RequestValidator) service.Identifier {
					return service.Identifier{p.RestApiId, text(v.Id)}
				}), ListBy: []string{"RestApiId"},
		}),
		service.NewResourceType("AWS::ApiGateway::Authorizer", service.ResourceSpec[authorizerProperties]{
			Attributes: []string{"AuthorizerId"}, Create: g.createAuthorizerResource, Update: g.updateAuthorizerResource, Delete: g.deleteAuthorizerResource,
			Identifier: []string{"RestApiId", "AuthorizerId"}, Read: g.readAuthorizerResource, Missing: []string{codeMissing},
			List: pages(g, "GetAuthorizers", func(p *authorizerProperties, next *string) any {
				return &aws.GetAuthorizersInput{RestApiId: p.RestApiId, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetAuthorizersOutput) ([]aws.Authorizer, *string) { return o.Items, o.Position }, func(p *authorizerProperties, v *aws.Authorizer) service.Identifier {
					return service.Identifier{p.RestApiId, text(v.Id)}
				}), ListBy: []string{"RestApiId"},
		}),
		service.NewResourceType("AWS::ApiGateway::GatewayResponse", service.ResourceSpec[gatewayResponseProperties]{
			Attributes: []string{"Id"}, Create: g.createGatewayResponseResource, Update: g.updateGatewayResponseResource, Delete: g.deleteGatewayResponseResource,
			Identifier: []string{"Id"}, Read: g.readGatewayResponseResource, Missing: []string{codeMissing},
		}),
		service.NewResourceType("AWS::ApiGateway::Deployment", service.ResourceSpec[deploymentProperties]{
			Attributes: []string{"DeploymentId"}, Create: g.createDeploymentResource, Update: g.updateDeploymentResource, Delete: g.deleteDeploymentResource,
			After:      []service.Order{{Type: "AWS::ApiGateway::Method", Theirs: "RestApiId", Own: "RestApiId"}, {Type: "AWS::ApiGateway::GatewayResponse", Theirs: "RestApiId", Own: "RestApiId"}},
			Identifier: []string{"DeploymentId", "RestApiId"}, Read: g.readDeploymentResource, Missing: []string{codeMissing},
			List: pages(g, "GetDeployments", func(p *deploymentProperties, next *string) any {
				return &aws.GetDeploymentsInput{RestApiId: p.RestApiId, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetDeploymentsOutput) ([]aws.Deployment, *string) { return o.Items, o.Position }, func(p *deploymentProperties, v *aws.Deployment) service.Identifier {
					return service.Identifier{text(v.Id), p.RestApiId}
				}), ListBy: []string{"RestApiId"},
		}),
		service.NewResourceType("AWS::ApiGateway::Stage", service.ResourceSpec[stageProperties]{
			Create: g.createStageResource, Update: g.updateStageResource, Delete: g.deleteStageResource,
			Identifier: []string{"RestApiId", "StageName"}, Read: g.readStageResource, Missing: []string{codeMissing}, Reread: g.rereadStageResource,
		}),
		service.NewResourceType("AWS::ApiGateway::DocumentationPart", service.ResourceSpec[partProperties]{
			Attributes: []string{"DocumentationPartId"}, Create: g.createPartResource, Update: g.updatePartResource, Delete: g.deletePartResource,
			Identifier: []string{"DocumentationPartId", "RestApiId"}, Read: g.readPartResource, Missing: []string{codeMissing},
			List: pages(g, "GetDocumentationParts", func(p *partProperties, next *string) any {
				return &aws.GetDocumentationPartsInput{RestApiId: p.RestApiId, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetDocumentationPartsOutput) ([]aws.DocumentationPart, *string) {
					return o.Items, o.Position
				}, func(p *partProperties, v *aws.DocumentationPart) service.Identifier {
					return service.Identifier{text(v.Id), p.RestApiId}
				}), ListBy: []string{"RestApiId"},
		}),
		service.NewResourceType("AWS::ApiGateway::DocumentationVersion", service.ResourceSpec[versionProperties]{
			Create: g.createVersionResource, Update: g.updateVersionResource, Delete: g.deleteVersionResource,
			Identifier: []string{"DocumentationVersion", "RestApiId"}, Read: g.readVersionResource, Missing: []string{codeMissing},
			List: pages(g, "GetDocumentationVersions", func(p *versionProperties, next *string) any {
				return &aws.GetDocumentationVersionsInput{RestApiId: p.RestApiId, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetDocumentationVersionsOutput) ([]aws.DocumentationVersion, *string) {
					return o.Items, o.Position
				}, func(p *versionProperties, v *aws.DocumentationVersion) service.Identifier {
					return service.Identifier{text(v.Version), p.RestApiId}
				}), ListBy: []string{"RestApiId"},
		}),
		service.NewResourceType("AWS::ApiGateway::ApiKey", service.ResourceSpec[keyProperties]{
			Attributes: []string{"APIKeyId"}, Create: g.createKeyResource, Update: g.updateKeyResource, Delete: g.deleteKeyResource,
			Identifier: []string{"APIKeyId"}, Read: g.readKeyResource, Missing: []string{codeMissing},
			List: pages(g, "GetApiKeys", func(p *keyProperties, next *string) any {
				return &aws.GetApiKeysInput{Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetApiKeysOutput) ([]aws.ApiKey, *string) { return o.Items, o.Position }, func(p *keyProperties, v *aws.ApiKey) service.Identifier { return service.Identifier{text(v.Id)} }),
		}),
		service.NewResourceType("AWS::ApiGateway::UsagePlan", service.ResourceSpec[planProperties]{
			Attributes: []string{"Id"}, Create: g.createPlanResource, Update: g.updatePlanResource, Delete: g.deletePlanResource,
			Identifier: []string{"Id"}, Read: g.readPlanResource, Missing: []string{codeMissing},
			List: pages(g, "GetUsagePlans", func(p *planProperties, next *string) any {
				return &aws.GetUsagePlansInput{Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetUsagePlansOutput) ([]aws.UsagePlan, *string) { return o.Items, o.Position }, func(p *planProperties, v *aws.UsagePlan) service.Identifier { return service.Identifier{text(v.Id)} }),
		}),
		service.NewResourceType("AWS::ApiGateway::UsagePlanKey", service.ResourceSpec[planKeyProperties]{
			Attributes: []string{"Id"}, Create: g.createPlanKeyResource, Delete: g.deletePlanKeyResource,
			Identifier: []string{"Id"}, Read: g.readPlanKeyResource, Missing: []string{codeMissing},
			List: pages(g, "GetUsagePlanKeys", func(p *planKeyProperties, next *string) any {
				return &aws.GetUsagePlanKeysInput{UsagePlanId: p.UsagePlanId, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetUsagePlanKeysOutput) ([]aws.UsagePlanKey, *string) { return o.Items, o.Position }, func(p *planKeyProperties, v *aws.UsagePlanKey) service.Identifier {
					return service.Identifier{text(v.Id) + ":" + p.UsagePlanId}
				}), ListBy: []string{"UsagePlanId"},
		}),
		service.NewResourceType("AWS::ApiGateway::VpcLink", service.ResourceSpec[linkProperties]{
			Attributes: []string{"VpcLinkId"}, Create: g.createLinkResource, Update: g.updateLinkResource, Delete: g.deleteLinkResource,
			Identifier: []string{"VpcLinkId"}, Read: g.readLinkResource, Missing: []string{codeMissing},
			List: pages(g, "GetVpcLinks", func(p *linkProperties, next *string) any {
				return &aws.GetVpcLinksInput{Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetVpcLinksOutput) ([]aws.VpcLink, *string) { return o.Items, o.Position }, func(p *linkProperties, v *aws.VpcLink) service.Identifier { return service.Identifier{text(v.Id)} }),
		}),
		service.NewResourceType("AWS::ApiGateway::ClientCertificate", service.ResourceSpec[certificateProperties]{
			Attributes: []string{"ClientCertificateId"}, Create: g.createCertificateResource, Update: g.updateCertificateResource, Delete: g.deleteCertificateResource,
			Identifier: []string{"ClientCertificateId"}, Read: g.readCertificateResource, Missing: []string{codeMissing},
			List: pages(g, "GetClientCertificates", func(p *certificateProperties, next *string) any {
				return &aws.GetClientCertificatesInput{Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetClientCertificatesOutput) ([]aws.ClientCertificate, *string) {
					return o.Items, o.Position
				}, func(p *certificateProperties, v *aws.ClientCertificate) service.Identifier {
					return service.Identifier{text(v.ClientCertificateId)}
				}),
		}),
		service.NewResourceType("AWS::ApiGateway::Account", service.ResourceSpec[accountProperties]{
			Attributes: []string{"Id"}, Create: g.createAccountResource, Update: g.updateAccountResource, Delete: g.deleteAccountResource,
			Identifier: []string{"Id"}, Read: g.readAccountResource, Missing: []string{codeMissing},
		}),
		service.NewResourceType("AWS::ApiGateway::DomainName", service.ResourceSpec[domainProperties]{
			Attributes: []string{"DistributionDomainName", "DistributionHostedZoneId", "DomainNameArn", "RegionalDomainName", "RegionalHostedZoneId"},
			Create:     g.createDomainResource, Update: g.updateDomainResource, Delete: g.deleteDomainResource,
			Identifier: []string{"DomainName"}, Read: g.readDomainResource, Missing: []string{codeMissing},
			List: pages(g, "GetDomainNames", func(p *domainProperties, next *string) any {
				return &aws.GetDomainNamesInput{Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetDomainNamesOutput) ([]aws.DomainName, *string) { return o.Items, o.Position }, func(p *domainProperties, v *aws.DomainName) service.Identifier {
					return service.Identifier{text(v.DomainName)}
				}),
		}),
		service.NewResourceType("AWS::ApiGateway::BasePathMapping", service.ResourceSpec[mappingProperties]{
			Create: g.createMappingResource, Update: g.updateMappingResource, Delete: g.deleteMappingResource,
			Identifier: []string{"DomainName", "BasePath"}, Read: g.readMappingResource, Missing: []string{codeMissing},
			List: pages(g, "GetBasePathMappings", func(p *mappingProperties, next *string) any {
				return &aws.GetBasePathMappingsInput{DomainName: p.DomainName, Position: next, Limit: pageLimit()}
			},
				func(o *aws.GetBasePathMappingsOutput) ([]aws.BasePathMapping, *string) { return o.Items, o.Position }, func(p *mappingProperties, v *aws.BasePathMapping) service.Identifier {
					return service.Identifier{p.DomainName, text(v.BasePath)}
				}), ListBy: []string{"DomainName"},
		}),
		g.domainV2Type(), g.mappingV2Type(), g.associationType(),
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
	return g.retagARN(ctx, c, arnOf(ctx, path), old, now)
}

// retagARN is [Gateway.retag] by an ARN.
func (g *Gateway) retagARN(ctx context.Context, c service.ResourceCall, arn string, old, now []service.TagProperty) error {
	return service.Retag(c.AllTags(old), c.AllTags(now), func(keys []string) error {
		_, err := call[aws.UntagResourceOutput](ctx, g, "UntagResource", &aws.UntagResourceInput{ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[aws.TagResourceOutput](ctx, g, "TagResource", &aws.TagResourceInput{ResourceArn: arn, Tags: tags})
		return err
	})
}
