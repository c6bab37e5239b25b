package apigateway

import (
	"context"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

// codeMissing is the code of the error for what is not there.
const codeMissing = "NotFoundException"

// pages is the List of a type: all that a listing call answers, a page at a time.
func pages[P, Out, A any](g *Gateway, operation string, in func(p *P, position *string) any, out func(*Out) ([]A, *string), id func(p *P, item *A) service.Identifier) func(context.Context, *P, string) (service.Page, error) {
	return service.Pages(g.deps.Door, "apigateway", operation, in, out, id)
}

// pageLimit is how many resources a list asks for at a time.
func pageLimit() *int32 { return ptr(int32(maxPage)) }

func (g *Gateway) readRestAPIResource(ctx context.Context, id service.Identifier) (*restAPIProperties, service.Resource, error) {
	a, err := call[aws.GetRestApiOutput](ctx, g, "GetRestApi", &aws.GetRestApiInput{RestApiId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[restAPIProperties](a)
	p.ApiKeySourceType = optional(a.ApiKeySource)
	return p, restAPIResource(a), nil
}

func (g *Gateway) readResourceResource(ctx context.Context, id service.Identifier) (*resourceProperties, service.Resource, error) {
	r, err := call[aws.GetResourceOutput](ctx, g, "GetResource", &aws.GetResourceInput{RestApiId: id[0], ResourceId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &resourceProperties{RestApiId: id[0], ParentId: text(r.ParentId), PathPart: text(r.PathPart)}, withID(r.Id, "ResourceId"), nil
}

func (g *Gateway) readModelResource(ctx context.Context, id service.Identifier) (*modelProperties, service.Resource, error) {
	m, err := call[aws.GetModelOutput](ctx, g, "GetModel", &aws.GetModelInput{RestApiId: id[0], ModelName: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[modelProperties](m)
	p.RestApiId = id[0]
	return p, service.Resource{PhysicalID: id[1]}, nil
}

func (g *Gateway) readValidatorResource(ctx context.Context, id service.Identifier) (*validatorProperties, service.Resource, error) {
	v, err := call[aws.GetRequestValidatorOutput](ctx, g, "GetRequestValidator", &aws.GetRequestValidatorInput{RestApiId: id[0], RequestValidatorId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[validatorProperties](v)
	p.RestApiId = id[0]
	return p, withID(v.Id, "RequestValidatorId"), nil
}

func (g *Gateway) readAuthorizerResource(ctx context.Context, id service.Identifier) (*authorizerProperties, service.Resource, error) {
	a, err := call[aws.GetAuthorizerOutput](ctx, g, "GetAuthorizer", &aws.GetAuthorizerInput{RestApiId: id[0], AuthorizerId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[authorizerProperties](a)
	p.RestApiId = id[0]
	return p, withID(a.Id, "AuthorizerId"), nil
}

// readGatewayResponseResource reads an answer of an API's own. An API has one of every type: those that nobody set are no resources.
func (g *Gateway) readGatewayResponseResource(ctx context.Context, id service.Identifier) (*gatewayResponseProperties, service.Resource, error) {
	api, kind, _ := strings.Cut(id[0], "/")
	r, err := call[aws.GetGatewayResponseOutput](ctx, g, "GetGatewayResponse", &aws.GetGatewayResponseInput{RestApiId: api, ResponseType: kind})
	if err == nil && r.DefaultResponse != nil && *r.DefaultResponse {
		err = service.ErrGone
	}
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[gatewayResponseProperties](r)
	p.RestApiId = api
	return p, withID(&id[0], "Id"), nil
}

func (g *Gateway) readPartResource(ctx context.Context, id service.Identifier) (*partProperties, service.Resource, error) {
	d, err := call[aws.GetDocumentationPartOutput](ctx, g, "GetDocumentationPart", &aws.GetDocumentationPartInput{DocumentationPartId: id[0], RestApiId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[partProperties](d)
	p.RestApiId = id[1]
	return p, withID(d.Id, "DocumentationPartId"), nil
}

func (g *Gateway) readVersionResource(ctx context.Context, id service.Identifier) (*versionProperties, service.Resource, error) {
	v, err := call[aws.GetDocumentationVersionOutput](ctx, g, "GetDocumentationVersion", &aws.GetDocumentationVersionInput{DocumentationVersion: id[0], RestApiId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &versionProperties{DocumentationVersion: id[0], RestApiId: id[1], Description: v.Description}, service.Resource{PhysicalID: id[0]}, nil
}

// methodPropertiesOf returns a method as a template has it: its answers and those of its integration are lists there.
func methodPropertiesOf(m *aws.Method) *methodProperties {
	p := reshape.To[methodProperties](m)
	p.MethodResponses = nil
	for _, status := range sortedKeys(m.MethodResponses) {
		r := reshape.To[methodResponseProperties](m.MethodResponses[status])
		r.StatusCode = status
		p.MethodResponses = append(p.MethodResponses, *r)
	}
	if i := m.MethodIntegration; i != nil {
		p.Integration = reshape.To[integrationProperties](i)
		p.Integration.IntegrationHttpMethod, p.Integration.IntegrationResponses = i.HttpMethod, nil
		for _, status := range sortedKeys(i.IntegrationResponses) {
			r := reshape.To[integrationResponseProperties](i.IntegrationResponses[status])
			r.StatusCode = status
			p.Integration.IntegrationResponses = append(p.Integration.IntegrationResponses, *r)
		}
	}
	return p
}

func (g *Gateway) readMethodResource(ctx context.Context, id service.Identifier) (*methodProperties, service.Resource, error) {
	m, err := call[aws.GetMethodOutput](ctx, g, "GetMethod", &aws.GetMethodInput{RestApiId: id[0], ResourceId: id[1], HttpMethod: id[2]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := methodPropertiesOf(m)
	p.RestApiId, p.ResourceId = id[0], id[1]
	return p, service.Resource{PhysicalID: id.String()}, nil
}

// settingsOf returns the settings of a stage's methods, whose places are {resource}/{method}, as a template has them.
func settingsOf(all map[string]aws.MethodSetting) []settingProperties {
	var out []settingProperties
	for _, place := range sortedKeys(all) {
		p := reshape.To[settingProperties](all[place])
		at := strings.LastIndexByte(place, '/')
		resource := strings.TrimPrefix(patch.Unescape(place[:max(at, 0)]), "/")
		p.ResourcePath, p.HttpMethod = ptr("/*"), ptr(place[at+1:])
		if resource != "*" {
			p.ResourcePath = ptr("/" + patch.Escape("/"+resource))
		}
		out = append(out, *p)
	}
	return out
}

func (g *Gateway) readStageResource(ctx context.Context, id service.Identifier) (*stageProperties, service.Resource, error) {
	s, err := call[aws.GetStageOutput](ctx, g, "GetStage", &aws.GetStageInput{RestApiId: id[0], StageName: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[stageProperties](s, map[string]any{"AccessLogSetting": s.AccessLogSettings, "CanarySetting": s.CanarySettings})
	p.RestApiId, p.MethodSettings = id[0], settingsOf(s.MethodSettings)
	return p, service.Resource{PhysicalID: id[1]}, nil
}

// place tells which methods the settings are for, however their path is written: as /pets, or with the slashes of the resource as ~1.
func (p *settingProperties) place() string {
	return strings.Trim(patch.Unescape(p.path()), "/")
}

// rereadStageResource reads a stage. The paths of method settings, which can be written in several ways, are shown as the stack wrote them.
func (g *Gateway) rereadStageResource(ctx context.Context, c service.ResourceCall, recorded *stageProperties) (*stageProperties, error) {
	p, _, err := g.readStageResource(ctx, service.Identifier{recorded.RestApiId, c.PhysicalID})
	if err != nil {
		return nil, err
	}
	for i := range p.MethodSettings {
		s := &p.MethodSettings[i]
		if at := slices.IndexFunc(recorded.MethodSettings, func(was settingProperties) bool { return was.place() == s.place() }); at >= 0 {
			s.ResourcePath, s.HttpMethod = recorded.MethodSettings[at].ResourcePath, recorded.MethodSettings[at].HttpMethod
		}
	}
	return p, nil
}

func (g *Gateway) readDeploymentResource(ctx context.Context, id service.Identifier) (*deploymentProperties, service.Resource, error) {
	d, err := call[aws.GetDeploymentOutput](ctx, g, "GetDeployment", &aws.GetDeploymentInput{DeploymentId: id[0], RestApiId: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &deploymentProperties{RestApiId: id[1], Description: d.Description}, withID(d.Id, "DeploymentId"), nil
}

func (g *Gateway) readKeyResource(ctx context.Context, id service.Identifier) (*keyProperties, service.Resource, error) {
	k, err := call[aws.GetApiKeyOutput](ctx, g, "GetApiKey", &aws.GetApiKeyInput{ApiKey: id[0], IncludeValue: ptr(true)})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[keyProperties](k)
	p.StageKeys = nil
	for _, s := range k.StageKeys {
		api, stage, _ := strings.Cut(s, "/")
		p.StageKeys = append(p.StageKeys, stageKeyProperties{RestApiId: &api, StageName: &stage})
	}
	return p, withID(k.Id, "APIKeyId"), nil
}

func (g *Gateway) readPlanResource(ctx context.Context, id service.Identifier) (*planProperties, service.Resource, error) {
	u, err := call[aws.GetUsagePlanOutput](ctx, g, "GetUsagePlan", &aws.GetUsagePlanInput{UsagePlanId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[planProperties](u)
	p.UsagePlanName = u.Name
	return p, withID(u.Id, "Id"), nil
}

// readPlanKeyResource reads a key of a plan, whose id is {key}:{plan}.
func (g *Gateway) readPlanKeyResource(ctx context.Context, id service.Identifier) (*planKeyProperties, service.Resource, error) {
	key, plan, _ := strings.Cut(id[0], ":")
	k, err := call[aws.GetUsagePlanKeyOutput](ctx, g, "GetUsagePlanKey", &aws.GetUsagePlanKeyInput{UsagePlanId: plan, KeyId: key})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &planKeyProperties{KeyId: key, UsagePlanId: plan, KeyType: text(k.Type)}, withID(&id[0], "Id"), nil
}

func (g *Gateway) readLinkResource(ctx context.Context, id service.Identifier) (*linkProperties, service.Resource, error) {
	l, err := call[aws.GetVpcLinkOutput](ctx, g, "GetVpcLink", &aws.GetVpcLinkInput{VpcLinkId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[linkProperties](l), withID(l.Id, "VpcLinkId"), nil
}

func (g *Gateway) readCertificateResource(ctx context.Context, id service.Identifier) (*certificateProperties, service.Resource, error) {
	c, err := call[aws.GetClientCertificateOutput](ctx, g, "GetClientCertificate", &aws.GetClientCertificateInput{ClientCertificateId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[certificateProperties](c), withID(c.ClientCertificateId, "ClientCertificateId"), nil
}

// readAccountResource reads the settings of a region, which are always there.
func (g *Gateway) readAccountResource(ctx context.Context, id service.Identifier) (*accountProperties, service.Resource, error) {
	a, err := call[aws.GetAccountOutput](ctx, g, "GetAccount", &aws.GetAccountInput{})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[accountProperties](a), withID(&id[0], "Id"), nil
}

func (g *Gateway) readDomainResource(ctx context.Context, id service.Identifier) (*domainProperties, service.Resource, error) {
	n, err := call[aws.GetDomainNameOutput](ctx, g, "GetDomainName", &aws.GetDomainNameInput{DomainName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[domainProperties](n), domainResource(n), nil
}

func (g *Gateway) readMappingResource(ctx context.Context, id service.Identifier) (*mappingProperties, service.Resource, error) {
	m, err := call[aws.GetBasePathMappingOutput](ctx, g, "GetBasePathMapping", &aws.GetBasePathMappingInput{DomainName: id[0], BasePath: id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[mappingProperties](m)
	p.DomainName = id[0]
	if text(p.BasePath) == noBasePath {
		p.BasePath = nil
	}
	return p, service.Resource{PhysicalID: id.String()}, nil
}
