package cloudformation

import (
	"context"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/service"
)

// hookProperties are the properties of AWS::CloudFormation::LambdaHook, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-lambdahook.html.
type hookProperties struct {
	Alias            string         `cfn:"Alias,required,createOnly"`
	LambdaFunction   string         `cfn:"LambdaFunction,required"`
	HookStatus       string         `cfn:"HookStatus,required"`
	TargetOperations []string       `cfn:"TargetOperations,required,unordered"`
	FailureMode      string         `cfn:"FailureMode,required"`
	ExecutionRole    string         `cfn:"ExecutionRole,required"`
	TargetFilters    *targetFilters `cfn:"TargetFilters"`
	StackFilters     *stackFilters  `cfn:"StackFilters"`
}

func (p *hookProperties) config() *hookConfig {
	return &hookConfig{
		HookInvocationStatus: p.HookStatus, TargetOperations: p.TargetOperations, FailureMode: p.FailureMode, Properties: hookModel{p.LambdaFunction},
		TargetFilters: p.TargetFilters, StackFilters: p.StackFilters,
	}
}

// hookType makes a hook and its configuration in one.
func (s *Service) hookType() service.ResourceType {
	return service.NewResourceType("AWS::CloudFormation::LambdaHook", service.ResourceSpec[hookProperties]{
		Attributes: []string{"HookArn"}, Identifier: []string{"HookArn"}, Missing: []string{"TypeNotFoundException"},
		Create: func(ctx context.Context, c service.ResourceCall, p *hookProperties) (service.Resource, error) {
			_, err := s.findHook(ctx, &p.Alias, nil)
			if err == nil && !c.Retry {
				return service.Resource{}, service.Errorf("AlreadyExistsException", "A hook with the alias %s exists already.", p.Alias)
			}
			if err != nil && service.Code(err) != "TypeNotFoundException" {
				return service.Resource{}, err
			}
			return s.putHook(ctx, p)
		},
		Update: func(ctx context.Context, _ service.ResourceCall, _, p *hookProperties) (service.Resource, error) {
			return s.putHook(ctx, p)
		},
		Delete: func(ctx context.Context, c service.ResourceCall, p *hookProperties) error {
			off := p.config()
			off.HookInvocationStatus = "DISABLED"
			err := s.callSetConfiguration(ctx, c.PhysicalID, off)
			if err == nil {
				_, err = service.Call[cloudformation.DeactivateTypeOutput](ctx, s.Door, "cloudformation", "DeactivateType", &cloudformation.DeactivateTypeInput{Arn: &c.PhysicalID})
			}
			return service.Unless(err, "TypeNotFoundException")
		},
		Read: s.readHook,
		List: func(ctx context.Context, _ *hookProperties, _ string) (service.Page, error) {
			return s.listHooks(ctx, (*hookRecord).arn)
		},
	})
}

// listHooks lists the hooks that have a configuration, by one of their ARNs.
func (s *Service) listHooks(ctx context.Context, arn func(h *hookRecord, p place) string) (service.Page, error) {
	all, err := s.hooks(ctx)
	return service.NewPage(all, nil, func(h *hookRecord) service.Identifier {
		if h.Config == nil {
			return nil
		}
		return service.Identifier{arn(h, placeOf(ctx))}
	}), err
}

func hookResource(arn string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"HookArn": arn}}
}

// putHook activates a hook, or gives it another role, and configures it.
func (s *Service) putHook(ctx context.Context, p *hookProperties) (service.Resource, error) {
	out, err := service.Call[cloudformation.ActivateTypeOutput](ctx, s.Door, "cloudformation", "ActivateType", &cloudformation.ActivateTypeInput{
		Type: cloudformation.ThirdPartyTypeHook, TypeName: ptr(lambdaHook), PublisherId: ptr(hookPublisher), TypeNameAlias: &p.Alias, ExecutionRoleArn: &p.ExecutionRole,
	})
	if err != nil {
		return service.Resource{}, err
	}
	return hookResource(*out.Arn), s.callSetConfiguration(ctx, *out.Arn, p.config())
}

// callSetConfiguration configures a hook as whoever deploys.
func (s *Service) callSetConfiguration(ctx context.Context, arn string, config *hookConfig) error {
	text, err := config.text()
	if err != nil {
		return err
	}
	_, err = service.Call[cloudformation.SetTypeConfigurationOutput](ctx, s.Door, "cloudformation", "SetTypeConfiguration", &cloudformation.SetTypeConfigurationInput{TypeArn: &arn, Configuration: text})
	return err
}

func (s *Service) readHook(ctx context.Context, id service.Identifier) (*hookProperties, service.Resource, error) {
	h, err := s.findHook(ctx, nil, &id[0])
	if err != nil {
		return nil, service.Resource{}, err
	}
	if h.Config == nil {
		h.Config = &hookConfig{}
	}
	return &hookProperties{
		Alias: h.Alias, LambdaFunction: h.Config.Properties.LambdaFunction, HookStatus: h.Config.HookInvocationStatus, TargetOperations: h.Config.TargetOperations,
		FailureMode: h.Config.FailureMode, ExecutionRole: h.Role, TargetFilters: h.Config.TargetFilters, StackFilters: h.Config.StackFilters,
	}, hookResource(h.arn(placeOf(ctx))), nil
}

// hookConfigProperties are the properties of AWS::CloudFormation::HookTypeConfig, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-hooktypeconfig.html.
type hookConfigProperties struct {
	TypeArn            *string `cfn:"TypeArn"`
	TypeName           *string `cfn:"TypeName"`
	Configuration      string  `cfn:"Configuration,required"`
	ConfigurationAlias *string `cfn:"ConfigurationAlias,createOnly"`
}

// hookConfigType sets the configuration of a hook that is there.
func (s *Service) hookConfigType() service.ResourceType {
	return service.NewResourceType("AWS::CloudFormation::HookTypeConfig", service.ResourceSpec[hookConfigProperties]{
		Attributes: []string{"ConfigurationArn"}, Identifier: []string{"ConfigurationArn"}, Missing: []string{"TypeNotFoundException"},
		Create: func(ctx context.Context, _ service.ResourceCall, p *hookConfigProperties) (service.Resource, error) {
			return s.putHookConfig(ctx, p)
		},
		Update: func(ctx context.Context, _ service.ResourceCall, _, p *hookConfigProperties) (service.Resource, error) {
			return s.putHookConfig(ctx, p)
		},
		Delete: s.deleteHookConfig,
		Read: func(ctx context.Context, id service.Identifier) (*hookConfigProperties, service.Resource, error) {
			h, err := s.findHook(ctx, nil, &id[0])
			if err == nil && h.Config == nil {
				err = noType(h.Alias)
			}
			if err != nil {
				return nil, service.Resource{}, err
			}
			text, err := h.Config.text()
			return &hookConfigProperties{TypeArn: ptr(h.arn(placeOf(ctx))), TypeName: &h.Alias, Configuration: text, ConfigurationAlias: ptr("default")}, hookConfigResource(id[0]), err
		},
		List: func(ctx context.Context, _ *hookConfigProperties, _ string) (service.Page, error) {
			return s.listHooks(ctx, (*hookRecord).configArn)
		},
	})
}

func (s *Service) putHookConfig(ctx context.Context, p *hookConfigProperties) (service.Resource, error) {
	out, err := service.Call[cloudformation.SetTypeConfigurationOutput](ctx, s.Door, "cloudformation", "SetTypeConfiguration", &cloudformation.SetTypeConfigurationInput{
		TypeArn: p.TypeArn, TypeName: p.TypeName, Type: cloudformation.ThirdPartyTypeHook, Configuration: p.Configuration, ConfigurationAlias: p.ConfigurationAlias,
	})
	if err != nil {
		return service.Resource{}, err
	}
	return hookConfigResource(*out.ConfigurationArn), nil
}

// deleteHookConfig disables the hook: the API has nothing that takes a configuration away.
func (s *Service) deleteHookConfig(ctx context.Context, c service.ResourceCall, p *hookConfigProperties) error {
	off, err := parseHookConfig(p.Configuration)
	if err != nil {
		return err
	}
	off.HookInvocationStatus = "DISABLED"
	h := &hookRecord{Alias: hookOf(c.PhysicalID)}
	return service.Unless(s.callSetConfiguration(ctx, h.arn(placeOf(ctx)), off), "TypeNotFoundException")
}

func hookConfigResource(arn string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"ConfigurationArn": arn}}
}
