package lambda

import (
	"context"
	"maps"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

type publishersProperties struct {
	SigningProfileVersionArns []string `cfn:"SigningProfileVersionArns,required"`
}

type signingPolicyProperties struct {
	UntrustedArtifactOnDeployment string `cfn:"UntrustedArtifactOnDeployment,required"`
}

// signingProperties are the properties of AWS::Lambda::CodeSigningConfig.
type signingProperties struct {
	AllowedPublishers   publishersProperties     `cfn:"AllowedPublishers,required"`
	CodeSigningPolicies *signingPolicyProperties `cfn:"CodeSigningPolicies"`
	Description         *string                  `cfn:"Description"`
	Tags                []tag                    `cfn:"Tags"`
}

func (p *signingProperties) policies() *api.CodeSigningPolicies {
	c := &api.CodeSigningPolicies{UntrustedArtifactOnDeployment: api.CodeSigningPolicyWarn}
	if p.CodeSigningPolicies != nil {
		c.UntrustedArtifactOnDeployment = p.CodeSigningPolicies.UntrustedArtifactOnDeployment
	}
	return c
}

func (p *signingProperties) publishers() *api.AllowedPublishers {
	return &api.AllowedPublishers{SigningProfileVersionArns: p.AllowedPublishers.SigningProfileVersionArns}
}

// findSigning finds the configuration with these tags, which name the stack and the resource: what an earlier try of the step has made.
func (l *Lambda) findSigning(ctx context.Context, tags map[string]string) (*api.CodeSigningConfig, error) {
	in := &api.ListCodeSigningConfigsInput{}
	for {
		page, err := service.Call[api.ListCodeSigningConfigsOutput](ctx, l.deps.Door, "lambda", "ListCodeSigningConfigs", in)
		if err != nil {
			return nil, err
		}
		for i := range page.CodeSigningConfigs {
			c := &page.CodeSigningConfigs[i]
			have, err := service.Call[api.ListTagsOutput](ctx, l.deps.Door, "lambda", "ListTags", &api.ListTagsInput{Resource: c.CodeSigningConfigArn})
			if err != nil {
				return nil, err
			}
			if maps.Equal(have.Tags, tags) {
				return c, nil
			}
		}
		if in.Marker = page.NextMarker; in.Marker == nil {
			return nil, nil //nolint:nilnil // there is none
		}
	}
}

func signingResource(c *api.CodeSigningConfig) service.Resource {
	if c == nil {
		return service.Resource{}
	}
	return service.Resource{PhysicalID: c.CodeSigningConfigArn, Attributes: map[string]any{
		"CodeSigningConfigArn": c.CodeSigningConfigArn, "CodeSigningConfigId": c.CodeSigningConfigId,
	}}
}

func (l *Lambda) createSigningResource(ctx context.Context, c service.ResourceCall, p *signingProperties) (service.Resource, error) {
	if c.Retry {
		if made, err := l.findSigning(ctx, tagsOf(c, p.Tags)); err != nil || made != nil {
			return signingResource(made), err
		}
	}
	out, err := service.Call[api.CreateCodeSigningConfigOutput](ctx, l.deps.Door, "lambda", "CreateCodeSigningConfig", &api.CreateCodeSigningConfigInput{
		Description: p.Description, AllowedPublishers: p.publishers(), CodeSigningPolicies: p.policies(), Tags: tagsOf(c, p.Tags),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return signingResource(out.CodeSigningConfig), nil
}

func (l *Lambda) updateSigningResource(ctx context.Context, c service.ResourceCall, old, p *signingProperties) (service.Resource, error) {
	description := p.Description
	if description == nil {
		description = ptr("")
	}
	out, err := service.Call[api.UpdateCodeSigningConfigOutput](ctx, l.deps.Door, "lambda", "UpdateCodeSigningConfig", &api.UpdateCodeSigningConfigInput{
		CodeSigningConfigArn: c.PhysicalID, Description: description, AllowedPublishers: p.publishers(), CodeSigningPolicies: p.policies(),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return signingResource(out.CodeSigningConfig), l.updateTags(ctx, c, c.PhysicalID, old.Tags, p.Tags)
}

func (l *Lambda) deleteSigningResource(ctx context.Context, c service.ResourceCall, _ *signingProperties) error {
	return service.Unless(l.do(ctx, "DeleteCodeSigningConfig", &api.DeleteCodeSigningConfigInput{CodeSigningConfigArn: c.PhysicalID}), "ResourceNotFoundException")
}
