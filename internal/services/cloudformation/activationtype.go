package cloudformation

import (
	"context"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// activationProperties are the properties of AWS::CloudFormation::TypeActivation, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-typeactivation.html.
type activationProperties struct {
	Type             string  `cfn:"Type,createOnly"`
	TypeName         *string `cfn:"TypeName,createOnly"`
	PublicTypeArn    *string `cfn:"PublicTypeArn,createOnly"`
	PublisherId      *string `cfn:"PublisherId,createOnly"`
	TypeNameAlias    *string `cfn:"TypeNameAlias,createOnly"`
	ExecutionRoleArn *string `cfn:"ExecutionRoleArn,createOnly"`
}

// activationType activates a hook without a configuration, which an AWS::CloudFormation::HookTypeConfig then sets.
func (s *Service) activationType() service.ResourceType {
	return service.NewResourceType("AWS::CloudFormation::TypeActivation", service.ResourceSpec[activationProperties]{
		Attributes: []string{"Arn"}, Identifier: []string{"Arn"}, Missing: []string{"TypeNotFoundException"},
		Create: func(ctx context.Context, _ service.ResourceCall, p *activationProperties) (service.Resource, error) {
			out, err := service.Call[cloudformation.ActivateTypeOutput](ctx, s.Door, "cloudformation", "ActivateType", reshape.To[cloudformation.ActivateTypeInput](p))
			if err != nil {
				return service.Resource{}, err
			}
			return activationResource(*out.Arn), nil
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *activationProperties) error {
			_, err := service.Call[cloudformation.DeactivateTypeOutput](ctx, s.Door, "cloudformation", "DeactivateType", &cloudformation.DeactivateTypeInput{Arn: &c.PhysicalID})
			return service.Unless(err, "TypeNotFoundException")
		},
		Read: func(ctx context.Context, id service.Identifier) (*activationProperties, service.Resource, error) {
			h, err := s.findHook(ctx, nil, &id[0])
			if err != nil {
				return nil, service.Resource{}, err
			}
			return &activationProperties{
				Type: cloudformation.ThirdPartyTypeHook, TypeName: ptr(lambdaHook), PublisherId: ptr(hookPublisher), TypeNameAlias: &h.Alias, ExecutionRoleArn: &h.Role,
			}, activationResource(id[0]), nil
		},
		List: func(ctx context.Context, _ *activationProperties, _ string) (service.Page, error) {
			all, err := s.hooks(ctx)
			return service.NewPage(all, nil, func(h *hookRecord) service.Identifier { return service.Identifier{h.arn(placeOf(ctx))} }), err
		},
	})
}

func activationResource(arn string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"Arn": arn}}
}
