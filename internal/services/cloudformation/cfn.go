package cloudformation

import (
	"context"

	"lambent.dev/lambent/internal/service"
)

// cdkMetadata are the properties of AWS::CDK::Metadata, which CDK adds to every stack for its own statistics. It makes nothing.
type cdkMetadata struct {
	Analytics any `cfn:"Analytics"`
}

// ownTypes are the resource types that belong to CloudFormation itself.
func (s *Service) ownTypes() []service.ResourceType {
	nothing := func(c service.ResourceCall) (service.Resource, error) {
		return service.Resource{PhysicalID: c.NameSeed}, nil
	}
	return append(s.waitTypes(), s.customType(), s.nestedType(), s.stackSetType(), s.macroType(), s.hookType(), s.hookConfigType(), s.activationType(), service.NewResourceType("AWS::CDK::Metadata", service.ResourceSpec[cdkMetadata]{
		Create: func(_ context.Context, c service.ResourceCall, _ *cdkMetadata) (service.Resource, error) {
			return nothing(c)
		},
		Update: func(_ context.Context, c service.ResourceCall, _, _ *cdkMetadata) (service.Resource, error) {
			return service.Resource{PhysicalID: c.PhysicalID}, nil
		},
		Delete: func(context.Context, service.ResourceCall, *cdkMetadata) error { return nil },
	}))
}
