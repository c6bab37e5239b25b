package schemas

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgeschemas.html).
func (s *Service) access() map[string]service.Access {
	return map[string]service.Access{
		"CreateDiscoverer":     service.OnAny("schemas:CreateDiscoverer"),
		"CreateRegistry":       onRegistry(s, "CreateRegistry", func(in *api.CreateRegistryInput) string { return in.RegistryName }),
		"CreateSchema":         onSchema(s, "CreateSchema", func(in *api.CreateSchemaInput) (string, string) { return in.RegistryName, in.SchemaName }),
		"DeleteDiscoverer":     onDiscoverer("DeleteDiscoverer", func(in *api.DeleteDiscovererInput) string { return in.DiscovererId }),
		"DeleteRegistry":       onRegistry(s, "DeleteRegistry", func(in *api.DeleteRegistryInput) string { return in.RegistryName }),
		"DeleteResourcePolicy": onRegistry(s, "DeleteResourcePolicy", func(in *api.DeleteResourcePolicyInput) string { return opt.Value(in.RegistryName) }),
		"DeleteSchema":         onSchema(s, "DeleteSchema", func(in *api.DeleteSchemaInput) (string, string) { return in.RegistryName, in.SchemaName }),
		"DeleteSchemaVersion":  onSchema(s, "DeleteSchemaVersion", func(in *api.DeleteSchemaVersionInput) (string, string) { return in.RegistryName, in.SchemaName }),
		"DescribeDiscoverer":   onDiscoverer("DescribeDiscoverer", func(in *api.DescribeDiscovererInput) string { return in.DiscovererId }),
		"DescribeRegistry":     onRegistry(s, "DescribeRegistry", func(in *api.DescribeRegistryInput) string { return in.RegistryName }),
		"DescribeSchema":       onSchema(s, "DescribeSchema", func(in *api.DescribeSchemaInput) (string, string) { return in.RegistryName, in.SchemaName }),
		"ExportSchema":         onSchema(s, "ExportSchema", func(in *api.ExportSchemaInput) (string, string) { return in.RegistryName, in.SchemaName }),
		"GetDiscoveredSchema":  service.OnAny("schemas:GetDiscoveredSchema"),
		"GetResourcePolicy":    onRegistry(s, "GetResourcePolicy", func(in *api.GetResourcePolicyInput) string { return opt.Value(in.RegistryName) }),
		"ListDiscoverers":      service.OnAny("schemas:ListDiscoverers"),
		"ListRegistries":       service.OnAny("schemas:ListRegistries"),
		"ListSchemaVersions":   onSchema(s, "ListSchemaVersions", func(in *api.ListSchemaVersionsInput) (string, string) { return in.RegistryName, in.SchemaName }),
		"ListSchemas":          onRegistry(s, "ListSchemas", func(in *api.ListSchemasInput) string { return in.RegistryName }),
		"ListTagsForResource":  service.On("schemas:ListTagsForResource", func(_ context.Context, in *api.ListTagsForResourceInput) string { return in.ResourceArn }),
		"PutResourcePolicy":    onRegistry(s, "PutResourcePolicy", func(in *api.PutResourcePolicyInput) string { return opt.Value(in.RegistryName) }),
		"SearchSchemas":        onRegistry(s, "SearchSchemas", func(in *api.SearchSchemasInput) string { return in.RegistryName }),
		"StartDiscoverer":      onDiscoverer("StartDiscoverer", func(in *api.StartDiscovererInput) string { return in.DiscovererId }),
		"StopDiscoverer":       onDiscoverer("StopDiscoverer", func(in *api.StopDiscovererInput) string { return in.DiscovererId }),
		"TagResource":          service.On("schemas:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.ResourceArn }),
		"UntagResource":        service.On("schemas:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.ResourceArn }),
		"UpdateDiscoverer":     onDiscoverer("UpdateDiscoverer", func(in *api.UpdateDiscovererInput) string { return in.DiscovererId }),
		"UpdateRegistry":       onRegistry(s, "UpdateRegistry", func(in *api.UpdateRegistryInput) string { return in.RegistryName }),
		"UpdateSchema":         onSchema(s, "UpdateSchema", func(in *api.UpdateSchemaInput) (string, string) { return in.RegistryName, in.SchemaName }),
	}
}

// guarded returns a resource of a registry to ask permission for, with the policy of the registry.
func (s *Service) guarded(ctx context.Context, registry, arn string) ([]service.Target, error) {
	var r registryRecord
	err := s.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		r, _, err = record.Get[registryRecord](rd, placeOf(ctx).registry(registry))
		return err
	})
	return []service.Target{{ARN: arn, Policy: r.Policy}}, storeError(err)
}

func onRegistry[In any](s *Service, action string, name func(in In) string) service.Access {
	return service.OnAll("schemas:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		return s.guarded(ctx, name(in), placeOf(ctx).registryARN(name(in)))
	})
}

func onSchema[In any](s *Service, action string, name func(in In) (registry, schema string)) service.Access {
	return service.OnAll("schemas:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		registry, schema := name(in)
		return s.guarded(ctx, registry, placeOf(ctx).schemaARN(registry, schema))
	})
}

func onDiscoverer[In any](action string, id func(in In) string) service.Access {
	return service.On("schemas:"+action, func(ctx context.Context, in In) string { return placeOf(ctx).discovererARN(id(in)) })
}
