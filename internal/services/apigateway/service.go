package apigateway

import (
	"context"
	"io"
	"maps"
	"slices"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/gateway/throttle"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/plane"
)

// Options are what the service needs of others.
type Options struct {
	// Domains are the custom domain names, which HTTP and WebSocket APIs share.
	Domains *domain.Domains
	// Objects reads the OpenAPI documents of templates.
	Objects port.Objects
	// Keys encrypts the private keys of client certificates.
	Keys port.Keys
	// Rates knows the limit of accounts.
	Rates *throttle.Rates
	// Plane serves requests to the APIs; nil serves none.
	Plane *plane.Plane
}

// Gateway is the control plane of REST APIs. It keeps no state.
type Gateway struct {
	deps    service.Deps
	options Options
}

// New returns the service.
func New(deps service.Deps, o Options) service.Service {
	return (&Gateway{deps: deps, options: o}).describe()
}

func (g *Gateway) describe() service.Service {
	h := g.handlers()
	operations := h.Bindings()
	made := service.Service{API: aws.API, Operations: operations, Access: access(operations), Resources: g.resources()}
	if p := g.options.Plane; p != nil {
		made.Routes, made.Close = plane.Routes(p), p.Close
	}
	return made
}

func (g *Gateway) handlers() aws.Handlers {
	return aws.Handlers{
		CreateRestApi: g.createRestAPI, GetRestApi: g.getRestAPI, GetRestApis: g.getRestAPIs, UpdateRestApi: g.updateRestAPI, DeleteRestApi: g.deleteRestAPI,
		ImportRestApi: g.importRestAPI, PutRestApi: g.putRestAPI, GetExport: g.getExport, ImportDocumentationParts: g.importParts,
		CreateResource: g.createResource, GetResource: g.getResource, GetResources: g.getResources, UpdateResource: g.updateResource, DeleteResource: g.deleteResource,
		PutMethod: g.putMethod, GetMethod: g.getMethod, UpdateMethod: g.updateMethod, DeleteMethod: g.deleteMethod,
		PutMethodResponse: g.putMethodResponse, GetMethodResponse: g.getMethodResponse, UpdateMethodResponse: g.updateMethodResponse, DeleteMethodResponse: g.deleteMethodResponse,
		PutIntegration: g.putIntegration, GetIntegration: g.getIntegration, UpdateIntegration: g.updateIntegration, DeleteIntegration: g.deleteIntegration,
		PutIntegrationResponse: g.putIntegrationResponse, GetIntegrationResponse: g.getIntegrationResponse,
		UpdateIntegrationResponse: g.updateIntegrationResponse, DeleteIntegrationResponse: g.deleteIntegrationResponse,
		CreateModel: g.createModel, GetModel: g.getModel, GetModels: g.getModels, UpdateModel: g.updateModel, DeleteModel: g.deleteModel, GetModelTemplate: g.getModelTemplate,
		CreateRequestValidator: g.createValidator, GetRequestValidator: g.getValidator, GetRequestValidators: g.getValidators,
		UpdateRequestValidator: g.updateValidator, DeleteRequestValidator: g.deleteValidator,
		CreateAuthorizer: g.createAuthorizer, GetAuthorizer: g.getAuthorizer, GetAuthorizers: g.getAuthorizers, UpdateAuthorizer: g.updateAuthorizer, DeleteAuthorizer: g.deleteAuthorizer,
		PutGatewayResponse: g.putGatewayResponse, GetGatewayResponse: g.getGatewayResponse, GetGatewayResponses: g.getGatewayResponses,
		UpdateGatewayResponse: g.updateGatewayResponse, DeleteGatewayResponse: g.deleteGatewayResponse,
		CreateDeployment: g.createDeployment, GetDeployment: g.getDeployment, GetDeployments: g.getDeployments, UpdateDeployment: g.updateDeployment, DeleteDeployment: g.deleteDeployment,
		CreateStage: g.createStage, GetStage: g.getStage, GetStages: g.getStages, UpdateStage: g.updateStage, DeleteStage: g.deleteStage,
		FlushStageCache: g.flushStageCache, FlushStageAuthorizersCache: g.flushStageAuthorizersCache,
		CreateDocumentationPart: g.createPart, GetDocumentationPart: g.getPart, GetDocumentationParts: g.getParts, UpdateDocumentationPart: g.updatePart, DeleteDocumentationPart: g.deletePart,
		CreateDocumentationVersion: g.createVersion, GetDocumentationVersion: g.getVersion, GetDocumentationVersions: g.getVersions,
		UpdateDocumentationVersion: g.updateVersion, DeleteDocumentationVersion: g.deleteVersion,
		CreateApiKey: g.createKey, GetApiKey: g.getKey, GetApiKeys: g.getKeys, UpdateApiKey: g.updateKey, DeleteApiKey: g.deleteKey, ImportApiKeys: g.importKeys,
		CreateUsagePlan: g.createPlan, GetUsagePlan: g.getPlan, GetUsagePlans: g.getPlans, UpdateUsagePlan: g.updatePlan, DeleteUsagePlan: g.deletePlan,
		CreateUsagePlanKey: g.createPlanKey, GetUsagePlanKey: g.getPlanKey, GetUsagePlanKeys: g.getPlanKeys, DeleteUsagePlanKey: g.deletePlanKey,
		GetUsage: g.getUsage, UpdateUsage: g.updateUsage,
		CreateVpcLink: g.createLink, GetVpcLink: g.getLink, GetVpcLinks: g.getLinks, UpdateVpcLink: g.updateLink, DeleteVpcLink: g.deleteLink,
		GenerateClientCertificate: g.generateCertificate, GetClientCertificate: g.getCertificate, GetClientCertificates: g.getCertificates,
		UpdateClientCertificate: g.updateCertificate, DeleteClientCertificate: g.deleteCertificate,
		CreateDomainName: g.createDomainName, GetDomainName: g.getDomainName, GetDomainNames: g.getDomainNames, UpdateDomainName: g.updateDomainName, DeleteDomainName: g.deleteDomainName,
		CreateBasePathMapping: g.createMapping, GetBasePathMapping: g.getMapping, GetBasePathMappings: g.getMappings, UpdateBasePathMapping: g.updateMapping, DeleteBasePathMapping: g.deleteMapping,
		CreateDomainNameAccessAssociation: g.createAssociation, GetDomainNameAccessAssociations: g.getAssociations,
		DeleteDomainNameAccessAssociation: g.deleteAssociation, RejectDomainNameAccessAssociation: g.rejectAssociation,
		TestInvokeMethod: g.testInvokeMethod, TestInvokeAuthorizer: g.testInvokeAuthorizer,
		GetAccount: g.getAccount, UpdateAccount: g.updateAccount,
		TagResource: g.tagResource, UntagResource: g.untagResource, GetTags: g.getTags,
		GetSdkType: g.getSDKType, GetSdkTypes: g.getSDKTypes,
	}
}

func scopeOf(ctx context.Context) api.Scope {
	r := service.RequestFrom(ctx)
	return api.Scope{Account: r.Account, Region: r.Region}
}

// idAlphabet is that of API Gateway's ids.
const idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// newID returns n random characters.
func (g *Gateway) newID(n int) (string, error) { return g.random(n, idAlphabet) }

func (g *Gateway) random(n int, alphabet string) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(g.deps.Random, b); err != nil {
		return "", err
	}
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b), nil
}

func ptr[T any](v T) *T { return &v }

// optional returns nil for an empty text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// text returns what p points to, or "".
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// isTrue tells whether p points to true.
func isTrue(p *bool) bool { return p != nil && *p }

// sortedKeys returns the keys of a map in their order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
