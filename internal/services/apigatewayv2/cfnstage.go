package apigatewayv2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/service"
)

// stageProperties are the properties of AWS::ApiGatewayV2::Stage.
type stageProperties struct {
	AccessLogSettings    *api.AccessLogSettings
	AccessPolicyId       *string
	ApiId                string `cfn:"ApiId,required,createOnly"`
	AutoDeploy           *bool
	ClientCertificateId  *string
	DefaultRouteSettings *api.RouteSettings
	DeploymentId         *string
	Description          *string
	RouteSettings        map[string]api.RouteSettings
	StageName            string `cfn:"StageName,required,createOnly"`
	StageVariables       map[string]string
	Tags                 map[string]string
}

func (p *stageProperties) check() error {
	if p.AccessPolicyId != nil {
		return unsupported("AWS::ApiGatewayV2::Stage", "AccessPolicyId")
	}
	return nil
}

func (g *Gateway) createStageResource(ctx context.Context, c service.ResourceCall, p *stageProperties) (service.Resource, error) {
	if err := p.check(); err != nil {
		return service.Resource{}, err
	}
	in := &api.CreateStageInput{}
	members.Copy(in, p)
	in.Tags = tagsOf(c, p.Tags)
	_, err := call[api.CreateStageOutput](ctx, g, "CreateStage", in)
	return service.Resource{PhysicalID: p.StageName}, err
}

func (g *Gateway) updateStageResource(ctx context.Context, c service.ResourceCall, old, p *stageProperties) (service.Resource, error) {
	r := service.Resource{PhysicalID: p.StageName}
	if err := p.check(); err != nil {
		return r, err
	}
	p.AutoDeploy = orDefault(p.AutoDeploy, false)
	if err := g.changeStageResource(ctx, old, p); err != nil {
		return r, err
	}
	return r, g.tag(ctx, "/apis/"+p.ApiId+"/stages/"+p.StageName, c, p.Tags)
}

// changeStageResource gives a stage the properties p in the place of old.
func (g *Gateway) changeStageResource(ctx context.Context, old, p *stageProperties) error {
	for key := range old.RouteSettings {
		if _, ok := p.RouteSettings[key]; !ok {
			if err := drop[api.DeleteRouteSettingsOutput](ctx, g, "DeleteRouteSettings", &api.DeleteRouteSettingsInput{ApiId: p.ApiId, StageName: p.StageName, RouteKey: key}); err != nil {
				return err
			}
		}
	}
	if old.AccessLogSettings != nil && p.AccessLogSettings == nil {
		if err := drop[api.DeleteAccessLogSettingsOutput](ctx, g, "DeleteAccessLogSettings", &api.DeleteAccessLogSettingsInput{ApiId: p.ApiId, StageName: p.StageName}); err != nil {
			return err
		}
	}
	in := &api.UpdateStageInput{}
	members.Copy(in, p)
	in.StageVariables = cleared(old.StageVariables, p.StageVariables)
	_, err := call[api.UpdateStageOutput](ctx, g, "UpdateStage", in)
	return err
}

func (g *Gateway) deleteStageResource(ctx context.Context, c service.ResourceCall, p *stageProperties) error {
	return drop[api.DeleteStageOutput](ctx, g, "DeleteStage", &api.DeleteStageInput{ApiId: p.ApiId, StageName: c.PhysicalID})
}

// deploymentProperties are the properties of AWS::ApiGatewayV2::Deployment.
type deploymentProperties struct {
	ApiId       string  `cfn:"ApiId,required,createOnly"`
	Description *string `cfn:"Description,createOnly"`
	StageName   *string `cfn:"StageName,createOnly,writeOnly"`
}

func (g *Gateway) createDeploymentResource(ctx context.Context, _ service.ResourceCall, p *deploymentProperties) (service.Resource, error) {
	out, err := call[api.CreateDeploymentOutput](ctx, g, "CreateDeployment", &api.CreateDeploymentInput{ApiId: p.ApiId, Description: p.Description, StageName: p.StageName})
	if err != nil {
		return service.Resource{}, err
	}
	return withID(*out.DeploymentId, "DeploymentId"), nil
}

func (g *Gateway) deleteDeploymentResource(ctx context.Context, c service.ResourceCall, p *deploymentProperties) error {
	return drop[api.DeleteDeploymentOutput](ctx, g, "DeleteDeployment", &api.DeleteDeploymentInput{ApiId: p.ApiId, DeploymentId: c.PhysicalID})
}
