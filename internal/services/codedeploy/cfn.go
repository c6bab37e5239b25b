package codedeploy

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// applicationProperties are the properties of AWS::CodeDeploy::Application
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codedeploy-application.html).
type applicationProperties struct {
	ApplicationName *string               `cfn:"ApplicationName,createOnly"`
	ComputePlatform string                `cfn:"ComputePlatform,createOnly"`
	Tags            []service.TagProperty `cfn:"Tags"`
}

// configProperties are the properties of AWS::CodeDeploy::DeploymentConfig.
type configProperties struct {
	DeploymentConfigName *string          `cfn:"DeploymentConfigName,createOnly"`
	ComputePlatform      string           `cfn:"ComputePlatform,createOnly"`
	TrafficRoutingConfig *routingProperty `cfn:"TrafficRoutingConfig,createOnly"`
}

type routingProperty struct {
	Type            string `cfn:"Type,required"`
	TimeBasedCanary *struct {
		CanaryPercentage int32 `cfn:"CanaryPercentage,required"`
		CanaryInterval   int32 `cfn:"CanaryInterval,required"`
	} `cfn:"TimeBasedCanary"`
	TimeBasedLinear *struct {
		LinearPercentage int32 `cfn:"LinearPercentage,required"`
		LinearInterval   int32 `cfn:"LinearInterval,required"`
	} `cfn:"TimeBasedLinear"`
}

// groupProperties are the properties of AWS::CodeDeploy::DeploymentGroup
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codedeploy-deploymentgroup.html).
type groupProperties struct {
	ApplicationName           string                `cfn:"ApplicationName,required,createOnly"`
	DeploymentGroupName       *string               `cfn:"DeploymentGroupName,createOnly"`
	DeploymentConfigName      *string               `cfn:"DeploymentConfigName"`
	ServiceRoleArn            string                `cfn:"ServiceRoleArn,required"`
	AlarmConfiguration        *alarmProperty        `cfn:"AlarmConfiguration"`
	AutoRollbackConfiguration *rollbackProperty     `cfn:"AutoRollbackConfiguration"`
	DeploymentStyle           *styleProperty        `cfn:"DeploymentStyle"`
	Tags                      []service.TagProperty `cfn:"Tags"`
}

type alarmProperty struct {
	Enabled                *bool `cfn:"Enabled"`
	IgnorePollAlarmFailure *bool `cfn:"IgnorePollAlarmFailure"`
	Alarms                 []struct {
		Name *string `cfn:"Name"`
	} `cfn:"Alarms"`
}

type rollbackProperty struct {
	Enabled *bool    `cfn:"Enabled"`
	Events  []string `cfn:"Events,unordered"`
}

type styleProperty struct {
	DeploymentType   string `cfn:"DeploymentType"`
	DeploymentOption string `cfn:"DeploymentOption"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::CodeDeploy::Application", service.ResourceSpec[applicationProperties]{
			Create: s.createApplicationResource, Update: s.updateApplicationResource, Delete: s.deleteApplicationResource,
			Identifier: []string{"ApplicationName"}, Read: s.readApplicationResource, List: s.listApplicationResources, Missing: []string{codeNoApplication},
		}),
		service.NewResourceType("AWS::CodeDeploy::DeploymentConfig", service.ResourceSpec[configProperties]{
			Create: s.createConfigResource, Delete: s.deleteConfigResource,
			Identifier: []string{"DeploymentConfigName"}, Read: s.readConfigResource, List: s.listConfigResources, Missing: []string{codeNoConfig},
		}),
		service.NewResourceType("AWS::CodeDeploy::DeploymentGroup", service.ResourceSpec[groupProperties]{
			Create: s.createGroupResource, Update: s.updateGroupResource, Delete: s.deleteGroupResource,
			Identifier: []string{"ApplicationName", "DeploymentGroupName"}, Read: s.readGroupResource, List: s.listGroupResources, ListBy: []string{"ApplicationName"},
			Missing: []string{codeNoApplication, codeNoGroup},
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "codedeploy", operation, in)
}

// named returns the name that a template gives, or one for it.
func named(c service.ResourceCall, given *string) string {
	if given != nil {
		return *given
	}
	return c.Name(100, nil)
}

// made is the resource with a name. What an earlier try of the same step made is no error.
func made(c service.ResourceCall, name string, err error) (service.Resource, error) {
	if c.Retry {
		err = service.Unless(err, "ApplicationAlreadyExistsException", "DeploymentConfigAlreadyExistsException", "DeploymentGroupAlreadyExistsException")
	}
	return service.Resource{PhysicalID: name}, err
}

func (s *Service) retag(ctx context.Context, c service.ResourceCall, arn string, old, own []service.TagProperty) error {
	return service.Retag(c.UserTags(old), c.UserTags(own), func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{ResourceArn: arn, Tags: tagList(tags)})
		return err
	})
}

func (s *Service) createApplicationResource(ctx context.Context, c service.ResourceCall, p *applicationProperties) (service.Resource, error) {
	name := named(c, p.ApplicationName)
	_, err := call[api.CreateApplicationOutput](ctx, s, "CreateApplication", &api.CreateApplicationInput{ApplicationName: name, ComputePlatform: p.ComputePlatform, Tags: tagList(c.UserTags(p.Tags))})
	return made(c, name, err)
}

func (s *Service) updateApplicationResource(ctx context.Context, c service.ResourceCall, old, p *applicationProperties) (service.Resource, error) {
	return service.Resource{PhysicalID: c.PhysicalID}, s.retag(ctx, c, placeOf(ctx).applicationARN(c.PhysicalID), old.Tags, p.Tags)
}

func (s *Service) deleteApplicationResource(ctx context.Context, c service.ResourceCall, _ *applicationProperties) error {
	_, err := call[api.DeleteApplicationOutput](ctx, s, "DeleteApplication", &api.DeleteApplicationInput{ApplicationName: c.PhysicalID})
	return err
}

func (p *routingProperty) config() *api.TrafficRoutingConfig {
	if p == nil {
		return nil
	}
	out := &api.TrafficRoutingConfig{Type: p.Type}
	if x := p.TimeBasedCanary; x != nil {
		out.TimeBasedCanary = &api.TimeBasedCanary{CanaryPercentage: &x.CanaryPercentage, CanaryInterval: &x.CanaryInterval}
	}
	if x := p.TimeBasedLinear; x != nil {
		out.TimeBasedLinear = &api.TimeBasedLinear{LinearPercentage: &x.LinearPercentage, LinearInterval: &x.LinearInterval}
	}
	return out
}

func (s *Service) createConfigResource(ctx context.Context, c service.ResourceCall, p *configProperties) (service.Resource, error) {
	name := named(c, p.DeploymentConfigName)
	_, err := call[api.CreateDeploymentConfigOutput](ctx, s, "CreateDeploymentConfig", &api.CreateDeploymentConfigInput{
		DeploymentConfigName: name, ComputePlatform: p.ComputePlatform, TrafficRoutingConfig: p.TrafficRoutingConfig.config(),
	})
	return made(c, name, err)
}

func (s *Service) deleteConfigResource(ctx context.Context, c service.ResourceCall, _ *configProperties) error {
	_, err := call[api.DeleteDeploymentConfigOutput](ctx, s, "DeleteDeploymentConfig", &api.DeleteDeploymentConfigInput{DeploymentConfigName: c.PhysicalID})
	return err
}

// wanted returns the call that makes a group what a template says.
func (p *groupProperties) wanted(name string) *api.UpdateDeploymentGroupInput {
	in := &api.UpdateDeploymentGroupInput{
		ApplicationName: p.ApplicationName, CurrentDeploymentGroupName: name, DeploymentConfigName: p.DeploymentConfigName, ServiceRoleArn: &p.ServiceRoleArn,
		AutoRollbackConfiguration: &api.AutoRollbackConfiguration{Enabled: new(false)},
	}
	if p.DeploymentConfigName == nil {
		in.DeploymentConfigName = new(allAtOnce)
	}
	if x := p.AutoRollbackConfiguration; x != nil {
		in.AutoRollbackConfiguration = &api.AutoRollbackConfiguration{Enabled: x.Enabled, Events: x.Events}
	}
	if x := p.DeploymentStyle; x != nil {
		in.DeploymentStyle = &api.DeploymentStyle{DeploymentType: x.DeploymentType, DeploymentOption: x.DeploymentOption}
	}
	in.AlarmConfiguration = &api.AlarmConfiguration{Enabled: new(false)}
	if x := p.AlarmConfiguration; x != nil {
		in.AlarmConfiguration = &api.AlarmConfiguration{Enabled: x.Enabled, IgnorePollAlarmFailure: x.IgnorePollAlarmFailure}
		for _, a := range x.Alarms {
			in.AlarmConfiguration.Alarms = append(in.AlarmConfiguration.Alarms, api.Alarm{Name: a.Name})
		}
	}
	return in
}

func (s *Service) createGroupResource(ctx context.Context, c service.ResourceCall, p *groupProperties) (service.Resource, error) {
	name := named(c, p.DeploymentGroupName)
	w := p.wanted(name)
	_, err := call[api.CreateDeploymentGroupOutput](ctx, s, "CreateDeploymentGroup", &api.CreateDeploymentGroupInput{
		ApplicationName: p.ApplicationName, DeploymentGroupName: name, DeploymentConfigName: w.DeploymentConfigName, ServiceRoleArn: p.ServiceRoleArn,
		AutoRollbackConfiguration: w.AutoRollbackConfiguration, DeploymentStyle: w.DeploymentStyle, AlarmConfiguration: w.AlarmConfiguration, Tags: tagList(c.UserTags(p.Tags)),
	})
	return made(c, name, err)
}

func (s *Service) updateGroupResource(ctx context.Context, c service.ResourceCall, old, p *groupProperties) (service.Resource, error) {
	_, err := call[api.UpdateDeploymentGroupOutput](ctx, s, "UpdateDeploymentGroup", p.wanted(c.PhysicalID))
	if err == nil {
		err = s.retag(ctx, c, placeOf(ctx).groupARN(p.ApplicationName, c.PhysicalID), old.Tags, p.Tags)
	}
	return service.Resource{PhysicalID: c.PhysicalID}, err
}

func (s *Service) deleteGroupResource(ctx context.Context, c service.ResourceCall, p *groupProperties) error {
	_, err := call[api.DeleteDeploymentGroupOutput](ctx, s, "DeleteDeploymentGroup", &api.DeleteDeploymentGroupInput{ApplicationName: p.ApplicationName, DeploymentGroupName: c.PhysicalID})
	return err
}

// tagsOn reads the tags of an application or a group.
func (s *Service) tagsOn(ctx context.Context, arn string) ([]service.TagProperty, error) {
	out, err := call[api.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		return nil, err
	}
	var list []service.TagProperty
	for _, t := range out.Tags {
		list = append(list, service.TagProperty{Key: opt.Value(t.Key), Value: opt.Value(t.Value)})
	}
	return list, nil
}
