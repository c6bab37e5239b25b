package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

type capacityVPCProperties struct {
	SecurityGroupIds []string `cfn:"SecurityGroupIds"`
	SubnetIds        []string `cfn:"SubnetIds,required"`
}

type capacityPermissionsProperties struct {
	CapacityProviderOperatorRoleArn string `cfn:"CapacityProviderOperatorRoleArn,required"`
}

type instanceProperties struct {
	AllowedInstanceTypes  []string `cfn:"AllowedInstanceTypes"`
	Architectures         []string `cfn:"Architectures"`
	ExcludedInstanceTypes []string `cfn:"ExcludedInstanceTypes"`
}

type scalingPolicyProperties struct {
	PredefinedMetricType string  `cfn:"PredefinedMetricType,required"`
	TargetValue          float64 `cfn:"TargetValue,required"`
}

type capacityScalingProperties struct {
	MaxVCpuCount    *int32                    `cfn:"MaxVCpuCount"`
	ScalingMode     string                    `cfn:"ScalingMode"`
	ScalingPolicies []scalingPolicyProperties `cfn:"ScalingPolicies"`
}

// capacityProperties are the properties of AWS::Lambda::CapacityProvider.
type capacityProperties struct {
	CapacityProviderName          *string                       `cfn:"CapacityProviderName,createOnly"`
	CapacityProviderScalingConfig *capacityScalingProperties    `cfn:"CapacityProviderScalingConfig"`
	InstanceRequirements          *instanceProperties           `cfn:"InstanceRequirements,createOnly"`
	KmsKeyArn                     *string                       `cfn:"KmsKeyArn,createOnly"`
	PermissionsConfig             capacityPermissionsProperties `cfn:"PermissionsConfig,required,createOnly"`
	Tags                          []tag                         `cfn:"Tags"`
	VpcConfig                     capacityVPCProperties         `cfn:"VpcConfig,required,createOnly"`
}

// scaling is the API's form; what a template does not have is the default.
func (p *capacityProperties) scaling() *api.CapacityProviderScalingConfig {
	out := &api.CapacityProviderScalingConfig{MaxVCpuCount: ptr(int32(defaultMaxVCPUs)), ScalingMode: api.CapacityProviderScalingModeAuto}
	c := p.CapacityProviderScalingConfig
	if c == nil {
		return out
	}
	if c.MaxVCpuCount != nil {
		out.MaxVCpuCount = c.MaxVCpuCount
	}
	if c.ScalingMode != "" {
		out.ScalingMode = c.ScalingMode
	}
	for _, policy := range c.ScalingPolicies {
		out.ScalingPolicies = append(out.ScalingPolicies, api.TargetTrackingScalingPolicy(policy))
	}
	return out
}

func (l *Lambda) createCapacityResource(ctx context.Context, c service.ResourceCall, p *capacityProperties) (service.Resource, error) {
	name := c.Name(maxName, nil)
	if p.CapacityProviderName != nil {
		name = *p.CapacityProviderName
	}
	in := &api.CreateCapacityProviderInput{
		CapacityProviderName: name, KmsKeyArn: p.KmsKeyArn, CapacityProviderScalingConfig: p.scaling(), Tags: tagsOf(c, p.Tags),
		VpcConfig:         &api.CapacityProviderVpcConfig{SubnetIds: p.VpcConfig.SubnetIds, SecurityGroupIds: append([]string{}, p.VpcConfig.SecurityGroupIds...)},
		PermissionsConfig: &api.CapacityProviderPermissionsConfig{CapacityProviderOperatorRoleArn: p.PermissionsConfig.CapacityProviderOperatorRoleArn},
	}
	if r := p.InstanceRequirements; r != nil {
		in.InstanceRequirements = &api.InstanceRequirements{Architectures: r.Architectures, AllowedInstanceTypes: r.AllowedInstanceTypes, ExcludedInstanceTypes: r.ExcludedInstanceTypes}
	}
	err := l.do(ctx, "CreateCapacityProvider", in)
	if c.Retry {
		err = service.Unless(err, "ResourceConflictException")
	}
	return capacityResource(ctx, name), err
}

func capacityResource(ctx context.Context, name string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": scopeOf(ctx).capacityARN(name), "State": api.CapacityProviderStateActive}}
}

func (l *Lambda) updateCapacityResource(ctx context.Context, c service.ResourceCall, old, p *capacityProperties) (service.Resource, error) {
	err := l.do(ctx, "UpdateCapacityProvider", &api.UpdateCapacityProviderInput{CapacityProviderName: c.PhysicalID, CapacityProviderScalingConfig: p.scaling()})
	if err == nil {
		err = l.updateTags(ctx, c, scopeOf(ctx).capacityARN(c.PhysicalID), old.Tags, p.Tags)
	}
	return capacityResource(ctx, c.PhysicalID), err
}

func (l *Lambda) deleteCapacityResource(ctx context.Context, c service.ResourceCall, _ *capacityProperties) error {
	return service.Unless(l.do(ctx, "DeleteCapacityProvider", &api.DeleteCapacityProviderInput{CapacityProviderName: c.PhysicalID}), "ResourceNotFoundException")
}

type managedInstancesProperties struct {
	CapacityProviderArn                   string   `cfn:"CapacityProviderArn,required"`
	ExecutionEnvironmentMemoryGiBPerVCpu  *float64 `cfn:"ExecutionEnvironmentMemoryGiBPerVCpu"`
	PerExecutionEnvironmentMaxConcurrency *int32   `cfn:"PerExecutionEnvironmentMaxConcurrency"`
}

// capacityUseProperties are a function's CapacityProviderConfig property.
type capacityUseProperties struct {
	LambdaManagedInstancesCapacityProviderConfig managedInstancesProperties `cfn:"LambdaManagedInstancesCapacityProviderConfig,required"`
}

// config is the API's form; nil for none.
func (p *capacityUseProperties) config() *api.CapacityProviderConfig {
	if p == nil {
		return nil
	}
	c := &p.LambdaManagedInstancesCapacityProviderConfig
	return &api.CapacityProviderConfig{LambdaManagedInstancesCapacityProviderConfig: &api.LambdaManagedInstancesCapacityProviderConfig{
		CapacityProviderArn: c.CapacityProviderArn, ExecutionEnvironmentMemoryGiBPerVCpu: c.ExecutionEnvironmentMemoryGiBPerVCpu,
		PerExecutionEnvironmentMaxConcurrency: c.PerExecutionEnvironmentMaxConcurrency,
	}}
}

// functionScalingProperties are a version's FunctionScalingConfig property.
type functionScalingProperties struct {
	MaxExecutionEnvironments *int32 `cfn:"MaxExecutionEnvironments"`
	MinExecutionEnvironments *int32 `cfn:"MinExecutionEnvironments"`
}

// scale makes the scaling of a managed version what a template says, and waits until the version is ready again.
func (l *Lambda) scale(ctx context.Context, r ref, old, p *functionScalingProperties) error {
	if p == nil && old == nil {
		return nil
	}
	in := &api.PutFunctionScalingConfigInput{FunctionName: r.function(), Qualifier: r.qualifier, FunctionScalingConfig: &api.FunctionScalingConfig{}}
	if p != nil {
		in.FunctionScalingConfig = &api.FunctionScalingConfig{MinExecutionEnvironments: p.MinExecutionEnvironments, MaxExecutionEnvironments: p.MaxExecutionEnvironments}
	}
	out, err := service.Call[api.PutFunctionScalingConfigOutput](ctx, l.deps.Door, "lambda", "PutFunctionScalingConfig", in)
	if err == nil && out.FunctionState == api.StatePending {
		err = l.awaitActive(ctx, r.function(), &r.qualifier)
	}
	return err
}
