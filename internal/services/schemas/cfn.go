package schemas

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// registryProperties are the properties of AWS::EventSchemas::Registry
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EventSchemas.html).
type registryProperties struct {
	RegistryName *string               `cfn:"RegistryName,createOnly"`
	Description  *string               `cfn:"Description"`
	Tags         []service.TagProperty `cfn:"Tags"`
}

// schemaProperties are the properties of AWS::EventSchemas::Schema.
type schemaProperties struct {
	RegistryName string                `cfn:"RegistryName,required,createOnly"`
	SchemaName   *string               `cfn:"SchemaName,createOnly"`
	Type         string                `cfn:"Type,required"`
	Content      string                `cfn:"Content,required"`
	Description  *string               `cfn:"Description"`
	Tags         []service.TagProperty `cfn:"Tags"`
}

// discovererProperties are the properties of AWS::EventSchemas::Discoverer.
type discovererProperties struct {
	SourceArn    string                `cfn:"SourceArn,required,createOnly"`
	Description  *string               `cfn:"Description"`
	CrossAccount *bool                 `cfn:"CrossAccount"`
	Tags         []service.TagProperty `cfn:"Tags"`
}

// policyProperties are the properties of AWS::EventSchemas::RegistryPolicy.
type policyProperties struct {
	RegistryName string  `cfn:"RegistryName,required,createOnly"`
	Policy       any     `cfn:"Policy,required"`
	RevisionID   *string `cfn:"RevisionId"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::EventSchemas::Registry", service.ResourceSpec[registryProperties]{
			Attributes: []string{"RegistryArn", "RegistryName"},
			Create:     s.createRegistryResource, Update: s.updateRegistryResource, Delete: s.deleteRegistryResource,
			Identifier: []string{"RegistryArn"}, Read: s.readRegistryResource, Missing: []string{codeNotFound},
			List: service.Pages(s.deps.Door, "schemas", "ListRegistries", func(_ *registryProperties, next *string) any { return &api.ListRegistriesInput{NextToken: next} },
				func(o *api.ListRegistriesOutput) ([]api.RegistrySummary, *string) { return o.Registries, o.NextToken },
				func(_ *registryProperties, v *api.RegistrySummary) service.Identifier {
					return service.Identifier{opt.Value(v.RegistryArn)}
				}),
		}),
		service.NewResourceType("AWS::EventSchemas::Schema", service.ResourceSpec[schemaProperties]{
			Attributes: []string{"LastModified", "SchemaArn", "SchemaName", "SchemaVersion", "VersionCreatedDate"},
			Create:     s.createSchemaResource, Update: s.updateSchemaResource, Delete: s.deleteSchemaResource,
			Identifier: []string{"SchemaArn"}, Read: s.readSchemaResource, Missing: []string{codeNotFound}, ListBy: []string{"RegistryName"},
			List: service.Pages(s.deps.Door, "schemas", "ListSchemas", func(p *schemaProperties, next *string) any {
				return &api.ListSchemasInput{RegistryName: p.RegistryName, NextToken: next}
			},
				func(o *api.ListSchemasOutput) ([]api.SchemaSummary, *string) { return o.Schemas, o.NextToken },
				func(_ *schemaProperties, v *api.SchemaSummary) service.Identifier {
					return service.Identifier{opt.Value(v.SchemaArn)}
				}),
		}),
		service.NewResourceType("AWS::EventSchemas::Discoverer", service.ResourceSpec[discovererProperties]{
			Attributes: []string{"CrossAccount", "DiscovererArn", "DiscovererId", "State"},
			Create:     s.createDiscovererResource, Update: s.updateDiscovererResource, Delete: s.deleteDiscovererResource,
			Identifier: []string{"DiscovererArn"}, Read: s.readDiscovererResource, Missing: []string{codeNotFound},
			List: service.Pages(s.deps.Door, "schemas", "ListDiscoverers", func(_ *discovererProperties, next *string) any { return &api.ListDiscoverersInput{NextToken: next} },
				func(o *api.ListDiscoverersOutput) ([]api.DiscovererSummary, *string) {
					return o.Discoverers, o.NextToken
				},
				func(_ *discovererProperties, v *api.DiscovererSummary) service.Identifier {
					return service.Identifier{opt.Value(v.DiscovererArn)}
				}),
		}),
		service.NewPolicyType("AWS::EventSchemas::RegistryPolicy", service.PolicySpec[policyProperties]{
			Policy: func(p *policyProperties) any { return p.Policy },
			On:     func(p *policyProperties) []string { return []string{p.RegistryName} },
			Set:    s.setPolicy, Get: s.getPolicy, Gone: codeNotFound, Inline: true, Identifier: "Id",
			Fill: func(p *policyProperties, policy any, on []string) { p.Policy, p.RegistryName = policy, on[0] },
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "schemas", operation, in)
}

// unlessMade returns nil for the conflict of a Create that an earlier try of the same step has made.
func unlessMade(c service.ResourceCall, err error) error {
	if c.Retry && service.Code(err) == codeConflict {
		return nil
	}
	return err
}

func (s *Service) updateTags(ctx context.Context, arn string, old, tags map[string]string) error {
	return service.Retag(old, tags, func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{ResourceArn: arn, Tags: tags})
		return err
	})
}

// setPolicy puts a policy on a registry; an empty one takes it away.
func (s *Service) setPolicy(ctx context.Context, registry, policy string) error {
	if policy == "" {
		_, err := call[api.DeleteResourcePolicyOutput](ctx, s, "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{RegistryName: &registry})
		return err
	}
	_, err := call[api.PutResourcePolicyOutput](ctx, s, "PutResourcePolicy", &api.PutResourcePolicyInput{RegistryName: &registry, Policy: policy})
	return err
}

func (s *Service) createRegistryResource(ctx context.Context, c service.ResourceCall, p *registryProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.RegistryName != nil {
		name = *p.RegistryName
	}
	_, err := call[api.CreateRegistryOutput](ctx, s, "CreateRegistry", &api.CreateRegistryInput{RegistryName: name, Description: p.Description, Tags: c.AllTags(p.Tags)})
	return registryResource(ctx, name), unlessMade(c, err)
}

func registryResource(ctx context.Context, name string) service.Resource {
	arn := placeOf(ctx).registryARN(name)
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"RegistryArn": arn, "RegistryName": name}}
}

// registryOf returns the registry whose ARN is a physical id.
func registryOf(c service.ResourceCall) string {
	n, _ := parseARN(c.PhysicalID) // it is one of ours
	return n.registry
}

func (s *Service) updateRegistryResource(ctx context.Context, c service.ResourceCall, old, p *registryProperties) (service.Resource, error) {
	name := registryOf(c)
	if _, err := call[api.UpdateRegistryOutput](ctx, s, "UpdateRegistry", &api.UpdateRegistryInput{RegistryName: name, Description: new(opt.Value(p.Description))}); err != nil {
		return service.Resource{}, err
	}
	return registryResource(ctx, name), s.updateTags(ctx, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags))
}

func (s *Service) deleteRegistryResource(ctx context.Context, c service.ResourceCall, _ *registryProperties) error {
	_, err := call[api.DeleteRegistryOutput](ctx, s, "DeleteRegistry", &api.DeleteRegistryInput{RegistryName: registryOf(c)})
	return service.Unless(err, codeNotFound)
}

func (s *Service) createSchemaResource(ctx context.Context, c service.ResourceCall, p *schemaProperties) (service.Resource, error) {
	name := c.Name(385, nil)
	if p.SchemaName != nil {
		name = *p.SchemaName
	}
	_, err := call[api.CreateSchemaOutput](ctx, s, "CreateSchema", &api.CreateSchemaInput{
		RegistryName: p.RegistryName, SchemaName: name, Type: p.Type, Content: p.Content, Description: p.Description, Tags: c.AllTags(p.Tags),
	})
	if err := unlessMade(c, err); err != nil {
		return service.Resource{}, err
	}
	return s.schemaResource(ctx, p.RegistryName, name)
}

func (s *Service) schemaResource(ctx context.Context, registry, name string) (service.Resource, error) {
	d, err := call[api.DescribeSchemaOutput](ctx, s, "DescribeSchema", &api.DescribeSchemaInput{RegistryName: registry, SchemaName: name})
	if err != nil {
		return service.Resource{}, err
	}
	const layout = "2006-01-02T15:04:05Z"
	return service.Resource{PhysicalID: *d.SchemaArn, Attributes: map[string]any{
		"SchemaArn": *d.SchemaArn, "SchemaName": name, "SchemaVersion": *d.SchemaVersion, "LastModified": d.LastModified.Format(layout), "VersionCreatedDate": d.VersionCreatedDate.Format(layout),
	}}, nil
}

func (s *Service) updateSchemaResource(ctx context.Context, c service.ResourceCall, old, p *schemaProperties) (service.Resource, error) {
	n, _ := parseARN(c.PhysicalID) // it is one of ours
	_, err := call[api.UpdateSchemaOutput](ctx, s, "UpdateSchema", &api.UpdateSchemaInput{
		RegistryName: n.registry, SchemaName: n.schema, Type: p.Type, Content: &p.Content, Description: new(opt.Value(p.Description)), ClientTokenId: opt.Of(c.Token[:min(len(c.Token), 36)]),
	})
	if err == nil {
		err = s.updateTags(ctx, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags))
	}
	if err != nil {
		return service.Resource{}, err
	}
	return s.schemaResource(ctx, n.registry, n.schema)
}

func (s *Service) deleteSchemaResource(ctx context.Context, c service.ResourceCall, _ *schemaProperties) error {
	n, _ := parseARN(c.PhysicalID) // it is one of ours
	_, err := call[api.DeleteSchemaOutput](ctx, s, "DeleteSchema", &api.DeleteSchemaInput{RegistryName: n.registry, SchemaName: n.schema})
	return service.Unless(err, codeNotFound)
}

func (s *Service) createDiscovererResource(ctx context.Context, c service.ResourceCall, p *discovererProperties) (service.Resource, error) {
	bus, err := sourceBus(placeOf(ctx), p.SourceArn)
	if err != nil {
		return service.Resource{}, err
	}
	_, err = call[api.CreateDiscovererOutput](ctx, s, "CreateDiscoverer", &api.CreateDiscovererInput{
		SourceArn: p.SourceArn, Description: p.Description, CrossAccount: p.CrossAccount, Tags: c.AllTags(p.Tags),
	})
	if err := unlessMade(c, err); err != nil {
		return service.Resource{}, err
	}
	return s.discovererResource(ctx, "events-event-bus-"+bus)
}

func (s *Service) discovererResource(ctx context.Context, id string) (service.Resource, error) {
	d, err := call[api.DescribeDiscovererOutput](ctx, s, "DescribeDiscoverer", &api.DescribeDiscovererInput{DiscovererId: id})
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: *d.DiscovererArn, Attributes: map[string]any{
		"DiscovererArn": *d.DiscovererArn, "DiscovererId": id, "CrossAccount": *d.CrossAccount, "State": d.State,
	}}, nil
}

func (s *Service) updateDiscovererResource(ctx context.Context, c service.ResourceCall, old, p *discovererProperties) (service.Resource, error) {
	n, _ := parseARN(c.PhysicalID) // it is one of ours
	cross := p.CrossAccount == nil || *p.CrossAccount
	_, err := call[api.UpdateDiscovererOutput](ctx, s, "UpdateDiscoverer", &api.UpdateDiscovererInput{DiscovererId: n.discoverer, Description: new(opt.Value(p.Description)), CrossAccount: &cross})
	if err == nil {
		err = s.updateTags(ctx, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags))
	}
	if err != nil {
		return service.Resource{}, err
	}
	return s.discovererResource(ctx, n.discoverer)
}

func (s *Service) deleteDiscovererResource(ctx context.Context, c service.ResourceCall, _ *discovererProperties) error {
	n, _ := parseARN(c.PhysicalID) // it is one of ours
	_, err := call[api.DeleteDiscovererOutput](ctx, s, "DeleteDiscoverer", &api.DeleteDiscovererInput{DiscovererId: n.discoverer})
	return service.Unless(err, codeNotFound)
}
