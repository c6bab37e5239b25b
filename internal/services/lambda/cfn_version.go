package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// provisionProperties are a ProvisionedConcurrencyConfig property.
type provisionProperties struct {
	ProvisionedConcurrentExecutions int32 `cfn:"ProvisionedConcurrentExecutions,required"`
}

// runtimePolicyProperties say how a runtime is updated.
type runtimePolicyProperties struct {
	RuntimeVersionArn *string `cfn:"RuntimeVersionArn"`
	UpdateRuntimeOn   string  `cfn:"UpdateRuntimeOn,required"`
}

// versionProperties are the properties of AWS::Lambda::Version.
type versionProperties struct {
	CodeSha256                   *string                    `cfn:"CodeSha256,createOnly"`
	Description                  *string                    `cfn:"Description,createOnly"`
	FunctionName                 string                     `cfn:"FunctionName,required,createOnly"`
	FunctionScalingConfig        *functionScalingProperties `cfn:"FunctionScalingConfig"`
	ProvisionedConcurrencyConfig *provisionProperties       `cfn:"ProvisionedConcurrencyConfig"`
	RuntimePolicy                *runtimePolicyProperties   `cfn:"RuntimePolicy"`
}

// weightProperties are an element of AdditionalVersionWeights.
type weightProperties struct {
	FunctionVersion string  `cfn:"FunctionVersion,required"`
	FunctionWeight  float64 `cfn:"FunctionWeight,required"`
}

type routingProperties struct {
	AdditionalVersionWeights []weightProperties `cfn:"AdditionalVersionWeights,unordered"`
}

// aliasProperties are the properties of AWS::Lambda::Alias.
type aliasProperties struct {
	Description                  *string              `cfn:"Description"`
	FunctionName                 string               `cfn:"FunctionName,required,createOnly"`
	FunctionVersion              string               `cfn:"FunctionVersion,required"`
	Name                         string               `cfn:"Name,required,createOnly"`
	ProvisionedConcurrencyConfig *provisionProperties `cfn:"ProvisionedConcurrencyConfig"`
	RoutingConfig                *routingProperties   `cfn:"RoutingConfig"`
}

// provision makes a version's or an alias's provisioned concurrency what a template says.
func (l *Lambda) provision(ctx context.Context, name, qualifier string, old, p *provisionProperties) error {
	switch {
	case p != nil:
		err := l.do(ctx, "PutProvisionedConcurrencyConfig", &api.PutProvisionedConcurrencyConfigInput{
			FunctionName: name, Qualifier: qualifier, ProvisionedConcurrentExecutions: p.ProvisionedConcurrentExecutions,
		})
		if err != nil {
			return err
		}
		return l.awaitProvisioned(ctx, name, qualifier)
	case old != nil:
		return l.do(ctx, "DeleteProvisionedConcurrencyConfig", &api.DeleteProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: qualifier})
	}
	return nil
}

// runtimePolicy makes the runtime management of a function (with no qualifier) or a version what a template says.
func (l *Lambda) runtimePolicy(ctx context.Context, name string, qualifier *string, old, p *runtimePolicyProperties) error {
	if p == nil && old == nil {
		return nil
	}
	if p == nil {
		p = &runtimePolicyProperties{UpdateRuntimeOn: api.UpdateRuntimeOnAuto}
	}
	return l.do(ctx, "PutRuntimeManagementConfig", &api.PutRuntimeManagementConfigInput{
		FunctionName: name, Qualifier: qualifier, UpdateRuntimeOn: p.UpdateRuntimeOn, RuntimeVersionArn: p.RuntimeVersionArn,
	})
}

func (l *Lambda) createVersionResource(ctx context.Context, _ service.ResourceCall, p *versionProperties) (service.Resource, error) {
	out, err := service.Call[api.PublishVersionOutput](ctx, l.deps.Door, "lambda", "PublishVersion", &api.PublishVersionInput{
		FunctionName: p.FunctionName, CodeSha256: p.CodeSha256, Description: p.Description,
	})
	if err != nil {
		return service.Resource{}, err
	}
	arn := orZero(out.FunctionArn)
	if err := l.awaitActive(ctx, arn, nil); err != nil {
		return versionResource(arn), err
	}
	return versionResource(arn), l.configureVersion(ctx, arn, &versionProperties{}, p)
}

// versionResource is the resource with the ARN of a version.
func versionResource(arn string) service.Resource {
	r, _ := parseARN(arn)
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"Version": r.qualifier, "FunctionArn": arn}}
}

// configureVersion sets what can be changed of a version that was published.
func (l *Lambda) configureVersion(ctx context.Context, arn string, old, p *versionProperties) error {
	r, err := parseARN(arn)
	if err != nil {
		return err
	}
	if err := l.runtimePolicy(ctx, r.function(), &r.qualifier, old.RuntimePolicy, p.RuntimePolicy); err != nil {
		return err
	}
	if err := l.scale(ctx, r, old.FunctionScalingConfig, p.FunctionScalingConfig); err != nil {
		return err
	}
	return l.provision(ctx, r.function(), r.qualifier, old.ProvisionedConcurrencyConfig, p.ProvisionedConcurrencyConfig)
}

func (l *Lambda) updateVersionResource(ctx context.Context, c service.ResourceCall, old, p *versionProperties) (service.Resource, error) {
	return versionResource(c.PhysicalID), l.configureVersion(ctx, c.PhysicalID, old, p)
}

func (l *Lambda) deleteVersionResource(ctx context.Context, c service.ResourceCall, _ *versionProperties) error {
	return service.Unless(l.do(ctx, "DeleteFunction", &api.DeleteFunctionInput{FunctionName: c.PhysicalID}), "ResourceNotFoundException")
}

// routing is the API's form of an alias's routing; without one in the template it takes the weights away.
func (p *aliasProperties) routing() *api.AliasRoutingConfiguration {
	c := &api.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}}
	if p.RoutingConfig != nil {
		for _, w := range p.RoutingConfig.AdditionalVersionWeights {
			c.AdditionalVersionWeights[w.FunctionVersion] = w.FunctionWeight
		}
	}
	return c
}

func (l *Lambda) createAliasResource(ctx context.Context, c service.ResourceCall, p *aliasProperties) (service.Resource, error) {
	err := l.do(ctx, "CreateAlias", &api.CreateAliasInput{
		FunctionName: p.FunctionName, Name: p.Name, FunctionVersion: p.FunctionVersion, Description: p.Description, RoutingConfig: p.routing(),
	})
	if c.Retry && service.Code(err) == "ResourceConflictException" {
		return l.updateAliasResource(ctx, c, p, p)
	}
	if err == nil {
		err = l.provision(ctx, p.FunctionName, p.Name, nil, p.ProvisionedConcurrencyConfig)
	}
	return aliasResource(ctx, p), err
}

func aliasResource(ctx context.Context, p *aliasProperties) service.Resource {
	r, err := parseRef(ctx, p.FunctionName, nil)
	if err != nil {
		return service.Resource{}
	}
	arn := r.with(p.Name).arn()
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"AliasArn": arn}}
}

func (l *Lambda) updateAliasResource(ctx context.Context, c service.ResourceCall, old, p *aliasProperties) (service.Resource, error) {
	if err := l.shiftAlias(ctx, c, old, p); err != nil {
		return aliasResource(ctx, p), err
	}
	err := l.do(ctx, "UpdateAlias", &api.UpdateAliasInput{
		FunctionName: p.FunctionName, Name: p.Name, FunctionVersion: &p.FunctionVersion, Description: p.Description, RoutingConfig: p.routing(),
	})
	if err == nil {
		err = l.provision(ctx, p.FunctionName, p.Name, old.ProvisionedConcurrencyConfig, p.ProvisionedConcurrencyConfig)
	}
	return aliasResource(ctx, p), err
}

func (l *Lambda) deleteAliasResource(ctx context.Context, _ service.ResourceCall, p *aliasProperties) error {
	return service.Unless(l.do(ctx, "DeleteAlias", &api.DeleteAliasInput{FunctionName: p.FunctionName, Name: p.Name}), "ResourceNotFoundException")
}
