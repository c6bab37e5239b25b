package apigateway

import (
	"context"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

type accessLogProperties struct {
	DestinationArn *string `cfn:"DestinationArn"`
	Format         *string `cfn:"Format"`
}

// settingProperties are a MethodSetting.
type settingProperties struct {
	CacheDataEncrypted   *bool    `cfn:"CacheDataEncrypted"`
	CacheTtlInSeconds    *int32   `cfn:"CacheTtlInSeconds"`
	CachingEnabled       *bool    `cfn:"CachingEnabled"`
	DataTraceEnabled     *bool    `cfn:"DataTraceEnabled"`
	HttpMethod           *string  `cfn:"HttpMethod"`
	LoggingLevel         *string  `cfn:"LoggingLevel"`
	MetricsEnabled       *bool    `cfn:"MetricsEnabled"`
	ResourcePath         *string  `cfn:"ResourcePath"`
	ThrottlingBurstLimit *int32   `cfn:"ThrottlingBurstLimit"`
	ThrottlingRateLimit  *float64 `cfn:"ThrottlingRateLimit"`
}

// path returns the path of the settings in patch operations: /{resource}/{method}, the slashes of the resource as ~1.
func (p *settingProperties) path() string {
	resource, method := text(p.ResourcePath), text(p.HttpMethod)
	if method == "" {
		method = "*"
	}
	if resource == "" || resource == "/*" || resource == "*" {
		return "/*/" + method
	}
	if resource == "/" {
		return "/~1/" + method
	}
	return "/" + patch.Escape(patch.Unescape(strings.TrimPrefix(resource, "/"))) + "/" + method
}

// edits adds the operations that set what the settings have.
func (p *settingProperties) edits(e *edits) {
	for _, s := range []struct {
		end   string
		value *string
	}{
		{"metrics/enabled", boolText(p.MetricsEnabled)},
		{"logging/loglevel", p.LoggingLevel},
		{"logging/dataTrace", boolText(p.DataTraceEnabled)},
		{"throttling/burstLimit", intText(p.ThrottlingBurstLimit)},
		{"throttling/rateLimit", floatText(p.ThrottlingRateLimit)},
		{"caching/enabled", boolText(p.CachingEnabled)},
		{"caching/ttlInSeconds", intText(p.CacheTtlInSeconds)},
		{"caching/dataEncrypted", boolText(p.CacheDataEncrypted)},
	} {
		if s.value != nil {
			e.add("replace", p.path()+"/"+s.end, s.value)
		}
	}
}

type canaryProperties struct {
	DeploymentId           *string           `cfn:"DeploymentId"`
	PercentTraffic         *float64          `cfn:"PercentTraffic"`
	StageVariableOverrides map[string]string `cfn:"StageVariableOverrides"`
	UseStageCache          *bool             `cfn:"UseStageCache"`
}

func (p *canaryProperties) edits(e *edits) {
	if p == nil {
		return
	}
	if p.PercentTraffic != nil {
		e.add("replace", "/canarySettings/percentTraffic", floatText(p.PercentTraffic))
	}
	if p.DeploymentId != nil {
		e.add("replace", "/canarySettings/deploymentId", p.DeploymentId)
	}
	if p.UseStageCache != nil {
		e.add("replace", "/canarySettings/useStageCache", boolText(p.UseStageCache))
	}
	for _, name := range sortedKeys(p.StageVariableOverrides) {
		e.add("replace", "/canarySettings/stageVariableOverrides/"+patch.Escape(name), ptr(p.StageVariableOverrides[name]))
	}
}

// stageProperties are those of AWS::ApiGateway::Stage.
type stageProperties struct {
	AccessLogSetting     *accessLogProperties  `cfn:"AccessLogSetting"`
	CacheClusterEnabled  *bool                 `cfn:"CacheClusterEnabled"`
	CacheClusterSize     *string               `cfn:"CacheClusterSize"`
	CanarySetting        *canaryProperties     `cfn:"CanarySetting"`
	ClientCertificateId  *string               `cfn:"ClientCertificateId"`
	DeploymentId         *string               `cfn:"DeploymentId"`
	Description          *string               `cfn:"Description"`
	DocumentationVersion *string               `cfn:"DocumentationVersion"`
	MethodSettings       []settingProperties   `cfn:"MethodSettings,unordered"`
	RestApiId            string                `cfn:"RestApiId,required,createOnly"`
	StageName            *string               `cfn:"StageName,createOnly"`
	Tags                 []service.TagProperty `cfn:"Tags"`
	TracingEnabled       *bool                 `cfn:"TracingEnabled"`
	Variables            map[string]string     `cfn:"Variables"`
}

// edits returns the operations that bring a stage from old properties to p. Settings and the canary are set anew.
func (p *stageProperties) edits(old *stageProperties) edits {
	var e edits
	e.set("/description", old.Description, p.Description)
	e.set("/deploymentId", old.DeploymentId, p.DeploymentId)
	e.set("/documentationVersion", old.DocumentationVersion, p.DocumentationVersion)
	e.set("/clientCertificateId", old.ClientCertificateId, p.ClientCertificateId)
	e.set("/cacheClusterSize", old.CacheClusterSize, p.CacheClusterSize)
	e.set("/cacheClusterEnabled", boolText(old.CacheClusterEnabled), boolText(p.CacheClusterEnabled))
	e.set("/tracingEnabled", boolText(old.TracingEnabled), boolText(p.TracingEnabled))
	for _, name := range sortedKeys(old.Variables) {
		if _, ok := p.Variables[name]; !ok {
			e.add("remove", "/variables/"+patch.Escape(name), nil)
		}
	}
	for _, name := range sortedKeys(p.Variables) {
		if old.Variables[name] != p.Variables[name] {
			e.add("replace", "/variables/"+patch.Escape(name), ptr(p.Variables[name]))
		}
	}
	removed := map[string]bool{}
	for i := range old.MethodSettings {
		if path := old.MethodSettings[i].path(); !removed[path] {
			e.add("remove", path, nil)
			removed[path] = true
		}
	}
	for i := range p.MethodSettings {
		p.MethodSettings[i].edits(&e)
	}
	if old.AccessLogSetting != nil && p.AccessLogSetting == nil {
		e.add("remove", "/accessLogSettings", nil)
	}
	if l := p.AccessLogSetting; l != nil {
		if l.DestinationArn != nil {
			e.add("replace", "/accessLogSettings/destinationArn", l.DestinationArn)
		}
		if l.Format != nil {
			e.add("replace", "/accessLogSettings/format", l.Format)
		}
	}
	if old.CanarySetting != nil {
		e.add("remove", "/canarySettings", nil)
	}
	p.CanarySetting.edits(&e)
	return e
}

func (g *Gateway) patchStage(ctx context.Context, id, name string, e edits) error {
	if len(e) == 0 {
		return nil
	}
	_, err := call[aws.UpdateStageOutput](ctx, g, "UpdateStage", &aws.UpdateStageInput{RestApiId: id, StageName: name, PatchOperations: e})
	return err
}

func (g *Gateway) createStageResource(ctx context.Context, c service.ResourceCall, p *stageProperties) (service.Resource, error) {
	name := text(p.StageName)
	if name == "" {
		name = c.Name(128, nil)
	}
	_, err := call[aws.CreateStageOutput](ctx, g, "CreateStage", &aws.CreateStageInput{
		RestApiId: p.RestApiId, StageName: name, DeploymentId: text(p.DeploymentId), Description: p.Description, Variables: p.Variables, DocumentationVersion: p.DocumentationVersion,
		CacheClusterEnabled: p.CacheClusterEnabled, CacheClusterSize: text(p.CacheClusterSize), TracingEnabled: p.TracingEnabled, Tags: c.AllTags(p.Tags),
	})
	if err != nil && (!c.Retry || service.Code(err) != "ConflictException") {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: name}, g.patchStage(ctx, p.RestApiId, name, p.edits(&stageProperties{
		DeploymentId: p.DeploymentId, Description: p.Description, Variables: p.Variables, DocumentationVersion: p.DocumentationVersion, CacheClusterEnabled: p.CacheClusterEnabled,
		CacheClusterSize: p.CacheClusterSize, TracingEnabled: p.TracingEnabled,
	}))
}

func (g *Gateway) updateStageResource(ctx context.Context, c service.ResourceCall, old, p *stageProperties) (service.Resource, error) {
	if err := g.patchStage(ctx, p.RestApiId, c.PhysicalID, p.edits(old)); err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: c.PhysicalID}, g.retag(ctx, c, "restapis/"+p.RestApiId+"/stages/"+c.PhysicalID, old.Tags, p.Tags)
}

func (g *Gateway) deleteStageResource(ctx context.Context, c service.ResourceCall, p *stageProperties) error {
	return drop[aws.DeleteStageOutput](ctx, g, "DeleteStage", &aws.DeleteStageInput{RestApiId: p.RestApiId, StageName: c.PhysicalID})
}

// stageDescription is the stage that a deployment makes.
type stageDescription struct {
	AccessLogSetting     *accessLogProperties  `cfn:"AccessLogSetting"`
	CacheClusterEnabled  *bool                 `cfn:"CacheClusterEnabled"`
	CacheClusterSize     *string               `cfn:"CacheClusterSize"`
	CacheDataEncrypted   *bool                 `cfn:"CacheDataEncrypted"`
	CacheTtlInSeconds    *int32                `cfn:"CacheTtlInSeconds"`
	CachingEnabled       *bool                 `cfn:"CachingEnabled"`
	CanarySetting        *canaryProperties     `cfn:"CanarySetting"`
	ClientCertificateId  *string               `cfn:"ClientCertificateId"`
	DataTraceEnabled     *bool                 `cfn:"DataTraceEnabled"`
	Description          *string               `cfn:"Description"`
	DocumentationVersion *string               `cfn:"DocumentationVersion"`
	LoggingLevel         *string               `cfn:"LoggingLevel"`
	MethodSettings       []settingProperties   `cfn:"MethodSettings"`
	MetricsEnabled       *bool                 `cfn:"MetricsEnabled"`
	Tags                 []service.TagProperty `cfn:"Tags"`
	ThrottlingBurstLimit *int32                `cfn:"ThrottlingBurstLimit"`
	ThrottlingRateLimit  *float64              `cfn:"ThrottlingRateLimit"`
	TracingEnabled       *bool                 `cfn:"TracingEnabled"`
	Variables            map[string]string     `cfn:"Variables"`
}

// properties returns the description as the properties of a stage: what stands outside of its method settings is for all methods.
func (d *stageDescription) properties() *stageProperties {
	all := settingProperties{
		CacheDataEncrypted: d.CacheDataEncrypted, CacheTtlInSeconds: d.CacheTtlInSeconds, CachingEnabled: d.CachingEnabled, DataTraceEnabled: d.DataTraceEnabled,
		LoggingLevel: d.LoggingLevel, MetricsEnabled: d.MetricsEnabled, ThrottlingBurstLimit: d.ThrottlingBurstLimit, ThrottlingRateLimit: d.ThrottlingRateLimit,
	}
	return &stageProperties{
		AccessLogSetting: d.AccessLogSetting, CacheClusterEnabled: d.CacheClusterEnabled, CacheClusterSize: d.CacheClusterSize, CanarySetting: d.CanarySetting,
		ClientCertificateId: d.ClientCertificateId, Description: d.Description, DocumentationVersion: d.DocumentationVersion, TracingEnabled: d.TracingEnabled, Variables: d.Variables,
		MethodSettings: append([]settingProperties{all}, d.MethodSettings...),
	}
}

type deploymentCanary struct {
	PercentTraffic         *float64          `cfn:"PercentTraffic"`
	StageVariableOverrides map[string]string `cfn:"StageVariableOverrides"`
	UseStageCache          *bool             `cfn:"UseStageCache"`
}

// deploymentProperties are those of AWS::ApiGateway::Deployment.
type deploymentProperties struct {
	DeploymentCanarySettings *deploymentCanary `cfn:"DeploymentCanarySettings,createOnly,writeOnly"`
	Description              *string           `cfn:"Description"`
	RestApiId                string            `cfn:"RestApiId,required,createOnly"`
	StageDescription         *stageDescription `cfn:"StageDescription,writeOnly"`
	StageName                *string           `cfn:"StageName,writeOnly"`
}

func (g *Gateway) createDeploymentResource(ctx context.Context, c service.ResourceCall, p *deploymentProperties) (service.Resource, error) {
	in := &aws.CreateDeploymentInput{RestApiId: p.RestApiId, StageName: optional(text(p.StageName)), Description: p.Description}
	if s := p.DeploymentCanarySettings; s != nil {
		in.CanarySettings = &aws.DeploymentCanarySettings{PercentTraffic: s.PercentTraffic, StageVariableOverrides: s.StageVariableOverrides, UseStageCache: s.UseStageCache}
	}
	out, err := call[aws.CreateDeploymentOutput](service.WithCreateToken(ctx, c.Token), g, "CreateDeployment", in)
	if err != nil {
		return service.Resource{}, err
	}
	if p.StageDescription == nil || in.StageName == nil {
		return withID(out.Id, "DeploymentId"), nil
	}
	if err := g.patchStage(ctx, p.RestApiId, *in.StageName, p.StageDescription.properties().edits(&stageProperties{})); err != nil {
		return service.Resource{}, err
	}
	return withID(out.Id, "DeploymentId"), g.retag(ctx, service.ResourceCall{}, "restapis/"+p.RestApiId+"/stages/"+*in.StageName, nil, tagList(c.AllTags(p.StageDescription.Tags)))
}

func (g *Gateway) updateDeploymentResource(ctx context.Context, c service.ResourceCall, old, p *deploymentProperties) (service.Resource, error) {
	var e edits
	e.set("/description", old.Description, p.Description)
	if len(e) > 0 {
		if _, err := call[aws.UpdateDeploymentOutput](ctx, g, "UpdateDeployment", &aws.UpdateDeploymentInput{RestApiId: p.RestApiId, DeploymentId: c.PhysicalID, PatchOperations: e}); err != nil {
			return service.Resource{}, err
		}
	}
	if text(old.StageName) != text(p.StageName) {
		return service.Resource{}, badRequest("The StageName of a deployment cannot be changed. Describe the stage as an AWS::ApiGateway::Stage, or give the deployment another logical id.")
	}
	if p.StageDescription == nil || p.StageName == nil {
		return withID(&c.PhysicalID, "DeploymentId"), nil
	}
	was := &stageDescription{}
	if old.StageDescription != nil {
		was = old.StageDescription
	}
	return withID(&c.PhysicalID, "DeploymentId"), g.patchStage(ctx, p.RestApiId, *p.StageName, p.StageDescription.properties().edits(was.properties()))
}

// deleteDeploymentResource deletes the stage that the deployment made, too, when it still serves the deployment.
func (g *Gateway) deleteDeploymentResource(ctx context.Context, c service.ResourceCall, p *deploymentProperties) error {
	in := &aws.DeleteDeploymentInput{RestApiId: p.RestApiId, DeploymentId: c.PhysicalID}
	err := drop[aws.DeleteDeploymentOutput](ctx, g, "DeleteDeployment", in)
	if service.Code(err) != "BadRequestException" || text(p.StageName) == "" {
		return err
	}
	st, failed := call[aws.GetStageOutput](ctx, g, "GetStage", &aws.GetStageInput{RestApiId: p.RestApiId, StageName: *p.StageName})
	if failed != nil || text(st.DeploymentId) != c.PhysicalID {
		return err
	}
	if err := drop[aws.DeleteStageOutput](ctx, g, "DeleteStage", &aws.DeleteStageInput{RestApiId: p.RestApiId, StageName: *p.StageName}); err != nil {
		return err
	}
	return drop[aws.DeleteDeploymentOutput](ctx, g, "DeleteDeployment", in)
}
