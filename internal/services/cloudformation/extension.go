package cloudformation

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/registry"
	"lambent.dev/lambent/internal/service"
)

// insteadOfExtensions ends the refusal of what only extensions of others could do.
const insteadOfExtensions = "Instead of a type or a module of your own, use a custom resource or a nested stack."

// extension is an entry of the registry.
type extension struct {
	// Kind is RESOURCE or HOOK.
	Kind, Name, ARN string
	// Private tells that it is visible in the account and region only.
	Private bool
	// Hook is nil for all but activated hooks.
	Hook *hookRecord
	// Provisioning is FULLY_MUTABLE or IMMUTABLE; empty for hooks.
	Provisioning string
}

// typeOf returns the type that an ARN of it, or of a version of it, names.
func typeOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":type/")
	for part := range strings.SplitSeq(rest, "/") {
		if strings.Count(part, "-") >= 2 {
			return strings.ReplaceAll(part, "-", "::")
		}
	}
	return arn
}

// extensions are all entries of the registry, by ARN: the types that this version has, and the hooks.
func (s *Service) extensions(ctx context.Context) ([]extension, error) {
	p := placeOf(ctx)
	public := "arn:aws:cloudformation:" + p.region + "::type/"
	all := []extension{{Kind: cloudformation.RegistryTypeHook, Name: lambdaHook, ARN: public + "hook/" + hookPublisher + "/" + strings.ReplaceAll(lambdaHook, "::", "-")}}
	for name, t := range s.types() {
		if !publicType.MatchString(name) {
			continue
		}
		e := extension{Kind: cloudformation.RegistryTypeResource, Name: name, ARN: public + "resource/" + strings.ReplaceAll(name, "::", "-"), Provisioning: cloudformation.ProvisioningTypeFullyMutable}
		if t.Update == nil {
			e.Provisioning = cloudformation.ProvisioningTypeImmutable
		}
		all = append(all, e)
	}
	hooks, err := s.hooks(ctx)
	for _, h := range hooks {
		all = append(all, extension{Kind: cloudformation.RegistryTypeHook, Name: h.Alias, ARN: h.arn(p), Private: true, Hook: &h})
	}
	slices.SortFunc(all, func(a, b extension) int { return cmp.Compare(a.ARN, b.ARN) })
	return all, err
}

// findExtension returns the entry with a name or an ARN.
func (s *Service) findExtension(ctx context.Context, kind string, name, arn *string) (*extension, error) {
	wanted := deref(name)
	if deref(arn) != "" {
		wanted = typeOf(*arn)
	} else if wanted == "" || kind == "" {
		return nil, badExtension("Either Arn, or TypeName and Type must be specified.")
	}
	all, err := s.extensions(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(e extension) bool { return e.Name == wanted && (kind == "" || e.Kind == kind) })
	if i < 0 {
		return nil, noType(wanted)
	}
	return &all[i], nil
}

// pageOfTypes is how many types an answer has when the call does not say.
const pageOfTypes = 100

func (s *Service) listTypes(ctx context.Context, in *cloudformation.ListTypesInput) (*cloudformation.ListTypesOutput, error) {
	out := &cloudformation.ListTypesOutput{TypeSummaries: []cloudformation.TypeSummary{}}
	all, err := s.extensions(ctx)
	if err != nil {
		return nil, err
	}
	limit := pageOfTypes
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	for i := range all {
		e := &all[i]
		if !e.listed(in) || e.ARN < deref(in.NextToken) {
			continue
		}
		if len(out.TypeSummaries) == limit {
			out.NextToken = &e.ARN
			break
		}
		t := cloudformation.TypeSummary{Type: e.Kind, TypeName: &e.Name, TypeArn: &e.ARN}
		if e.Hook != nil {
			t.OriginalTypeName, t.LastUpdated, t.DefaultVersionId, t.IsActivated = ptr(lambdaHook), &e.Hook.Activated, ptr(hookVersion), ptr(true)
		}
		out.TypeSummaries = append(out.TypeSummaries, t)
	}
	return out, nil
}

// listed tells whether a call asks for the entry. Nobody registers types here and nothing is deprecated.
func (e *extension) listed(in *cloudformation.ListTypesInput) bool {
	private := in.Visibility != cloudformation.VisibilityPublic
	var f cloudformation.TypeFilters
	if in.Filters != nil {
		f = *in.Filters
	}
	switch f.Category {
	case cloudformation.CategoryAwsTypes:
		if e.Private {
			return false
		}
	case cloudformation.CategoryActivated:
		if e.Hook == nil {
			return false
		}
	case cloudformation.CategoryRegistered, cloudformation.CategoryThirdParty:
		return false
	}
	return e.Private == private && deref(f.PublisherId) == "" && strings.HasPrefix(e.Name, deref(f.TypeNamePrefix)) && in.DeprecatedStatus != cloudformation.DeprecatedStatusDeprecated &&
		(in.Type == "" || in.Type == e.Kind) && (in.ProvisioningType == "" || in.ProvisioningType == e.Provisioning)
}

func (s *Service) describeType(ctx context.Context, in *cloudformation.DescribeTypeInput) (*cloudformation.DescribeTypeOutput, error) {
	e, err := s.findExtension(ctx, in.Type, in.TypeName, in.Arn)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeTypeOutput{
		Arn: &e.ARN, Type: e.Kind, TypeName: &e.Name, Visibility: cloudformation.VisibilityPublic, DeprecatedStatus: cloudformation.DeprecatedStatusLive, ProvisioningType: e.Provisioning,
	}
	switch {
	case e.Hook != nil:
		text, err := e.Hook.Config.text()
		if err != nil {
			return nil, err
		}
		out.Visibility, out.OriginalTypeName, out.IsActivated, out.AutoUpdate = cloudformation.VisibilityPrivate, ptr(lambdaHook), ptr(true), ptr(true)
		out.DefaultVersionId, out.IsDefaultVersion, out.TimeCreated, out.LastUpdated = ptr(hookVersion), ptr(true), &e.Hook.Activated, &e.Hook.Activated
		out.ExecutionRoleArn, out.ConfigurationSchema = &e.Hook.Role, &text
	case e.Kind == cloudformation.RegistryTypeResource:
		out.IsDefaultVersion = ptr(true)
		text, err := s.schemaOf(e.Name)
		if err != nil {
			return nil, err
		}
		out.Schema = &text
	}
	return out, nil
}

// schemaOf returns the schema of a type, with the properties that this version takes or that only it sets. It has no descriptions, patterns and handlers: the registry does not keep them.
func (s *Service) schemaOf(name string) (string, error) {
	schema, err := registry.Document(name)
	if err != nil {
		return "", err
	}
	t := s.types()[name]
	shape, err := property.Of(t.NewProperties())
	if err != nil {
		return "", err
	}
	if schema == nil {
		schema = schemaOfShape(t, shape)
	}
	readOnly, _ := schema["readOnlyProperties"].([]any)
	properties, _ := schema["properties"].(map[string]any)
	maps.DeleteFunc(properties, func(name string, _ any) bool {
		return !shape.Has(name) && !slices.ContainsFunc(readOnly, func(at any) bool { return strings.HasPrefix(at.(string)+"/", "/properties/"+name+"/") })
	})
	schema["typeName"], schema["description"], schema["additionalProperties"] = name, "Resource Type definition for "+name, false
	b, err := json.Marshal(schema)
	return string(b), err
}

// schemaOfShape is the schema of a type that the registry does not have.
func schemaOfShape(t service.ResourceType, shape *property.Shape) map[string]any {
	properties, required, createOnly := map[string]any{}, []any{}, []any{}
	for _, name := range shape.Members() {
		d, _ := shape.Lookup(name)
		properties[name] = map[string]any{}
		if d.Required {
			required = append(required, name)
		}
		if d.CreateOnly {
			createOnly = append(createOnly, "/properties/"+name)
		}
	}
	identifier := []any{}
	for _, name := range t.Identifier {
		identifier = append(identifier, "/properties/"+name)
	}
	return map[string]any{"properties": properties, "required": required, "createOnlyProperties": createOnly, "primaryIdentifier": identifier}
}

// listTypeVersions lists the one version that there is of everything.
func (s *Service) listTypeVersions(ctx context.Context, in *cloudformation.ListTypeVersionsInput) (*cloudformation.ListTypeVersionsOutput, error) {
	out := &cloudformation.ListTypeVersionsOutput{TypeVersionSummaries: []cloudformation.TypeVersionSummary{}}
	e, err := s.findExtension(ctx, in.Type, in.TypeName, in.Arn)
	if err != nil || in.DeprecatedStatus == cloudformation.DeprecatedStatusDeprecated {
		return out, err
	}
	v := cloudformation.TypeVersionSummary{Type: e.Kind, TypeName: &e.Name, VersionId: ptr(hookVersion), IsDefaultVersion: ptr(true), Arn: ptr(e.ARN + "/" + hookVersion)}
	if e.Hook != nil {
		v.TimeCreated = &e.Hook.Activated
	}
	out.TypeVersionSummaries = append(out.TypeVersionSummaries, v)
	return out, nil
}
