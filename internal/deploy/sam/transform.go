package sam

import (
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/deploy/template"
)

// Name is the transform's name in templates.
const Name = "AWS::Serverless-2016-10-31"

type object = map[string]any

// Transform expands the serverless resources of a template. parameters are the values of the template's parameters, which a
// few properties are resolved with.
func Transform(d *template.Document, parameters map[string]any) (*template.Document, error) {
	root := clone(d.Root).(object)
	resources, ok := root["Resources"].(object)
	if !ok || len(resources) == 0 {
		return nil, template.Errorf("Template format error: At least one Resources member must be defined.")
	}
	t := &transform{doc: d, resources: resources, out: object{}, parameters: parameters, renamed: map[string]string{}}
	if err := t.globals(root["Globals"]); err != nil {
		return nil, err
	}
	delete(root, "Globals")
	delete(root, "Transform")
	if err := t.run(); err != nil {
		return nil, err
	}
	root["Resources"] = t.out
	if len(t.renamed) > 0 {
		t.rename(root)
	}
	return d.WithRoot(root), nil
}

type transform struct {
	doc *template.Document
	// resources are the template's own resources with the globals merged in; out is what becomes of them.
	resources, out object
	parameters     map[string]any
	// renamed maps what a template may refer to, to the logical ids that it got.
	renamed map[string]string
}

// run expands functions first, since their events add to APIs and buckets.
func (t *transform) run() error {
	if err := t.prepareAPIs(); err != nil {
		return err
	}
	order := []string{typeFunction, "", typeHTTPAPI, typeTable, typeLayer, typeCapacity}
	for _, want := range order {
		for _, id := range slices.Sorted(maps.Keys(t.resources)) {
			r, ok := t.resources[id].(object)
			if !ok {
				t.out[id] = t.resources[id]
				continue
			}
			typ, _ := r["Type"].(string)
			if !strings.HasPrefix(typ, "AWS::Serverless::") {
				if want == "" {
					if _, has := r["Connectors"]; has {
						return t.at(invalid(id, "Lambent does not support the resource attribute Connectors."), id)
					}
					t.out[id] = r
				}
				continue
			}
			if !slices.Contains(order, typ) {
				return t.at(template.Errorf("Lambent does not support the resource type %s (resource %s). Supported are AWS::Serverless::Function, HttpApi, SimpleTable, LayerVersion and CapacityProvider.", typ, id), id)
			}
			if typ == want {
				if err := t.expand(typ, id, r); err != nil {
					return t.at(err, id)
				}
			}
		}
	}
	return nil
}

func (t *transform) at(err error, id string) error { return t.doc.Locate(err, "Resources", id) }

const (
	typeFunction = "AWS::Serverless::Function"
	typeHTTPAPI  = "AWS::Serverless::HttpApi"
	typeTable    = "AWS::Serverless::SimpleTable"
	typeLayer    = "AWS::Serverless::LayerVersion"
	typeCapacity = "AWS::Serverless::CapacityProvider"
)

func (t *transform) expand(typ, id string, r object) error {
	for _, k := range slices.Sorted(maps.Keys(r)) {
		if !slices.Contains([]string{"Type", "Properties", "Metadata", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "IgnoreGlobals"}, k) {
			return invalid(id, "Lambent does not support the resource attribute %s.", k)
		}
	}
	p, ok := r["Properties"].(object)
	if !ok && r["Properties"] != nil {
		return invalid(id, "Properties should be a map.")
	}
	if p == nil {
		p = object{}
	}
	if err := checkKeys(id, p, supported[typ]); err != nil {
		return err
	}
	s := source{id: id, attributes: r, properties: p}
	switch typ {
	case typeFunction:
		return t.function(s)
	case typeHTTPAPI:
		return t.httpAPI(s)
	case typeTable:
		return t.table(s)
	case typeCapacity:
		return t.capacityProvider(s)
	}
	return t.layer(s)
}

// source is one serverless resource.
type source struct {
	id                     string
	attributes, properties object
	// target is the logical id that events name: the function, or its alias.
	target string
}

// derived returns a new resource with the attributes that SAM hands down to what it makes beside the main resource.
func (s source) derived(typ string, properties object) object {
	r := object{"Type": typ, "Properties": properties}
	for _, k := range []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy"} {
		if v, ok := s.attributes[k]; ok {
			r[k] = v
		}
	}
	return r
}

// primary returns the main resource with all attributes of the source.
func (s source) primary(typ string, properties object) object {
	r := s.derived(typ, properties)
	for _, k := range []string{"Metadata", "DependsOn"} {
		if v, ok := s.attributes[k]; ok {
			r[k] = v
		}
	}
	return r
}

// copyTo copies properties that pass unchanged.
func (s source) copyTo(to object, names ...string) {
	for _, n := range names {
		if v, ok := s.properties[n]; ok {
			to[n] = v
		}
	}
}

// invalid is SAM's error about a resource.
func invalid(id, format string, args ...any) error {
	return template.Errorf("Resource with id ["+id+"] is invalid. "+format, args...)
}

func checkKeys(id string, p object, known []string) error {
	for _, k := range slices.Sorted(maps.Keys(p)) {
		if strings.HasPrefix(k, "__") {
			continue
		}
		if !slices.Contains(known, k) {
			return invalid(id, "Lambent does not support the property %s. Leave it out, or use the CloudFormation types that it stands for.", k)
		}
	}
	return nil
}

// supported are the properties that the transform expands.
var supported = map[string][]string{
	typeFunction: {
		"Architectures", "AssumeRolePolicyDocument", "AutoPublishAlias", "AutoPublishCodeSha256", "CapacityProviderConfig", "CodeSigningConfigArn", "CodeUri", "DeadLetterQueue", "Description", "DurableConfig", "Environment", "EphemeralStorage", "EventInvokeConfig", "Events", "FileSystemConfigs",
		"FunctionName", "FunctionScalingConfig", "FunctionUrlConfig", "Handler", "ImageConfig", "ImageUri", "InlineCode", "KmsKeyArn", "Layers", "LoggingConfig", "MemorySize", "PackageType", "PermissionsBoundary", "Policies", "ProvisionedConcurrencyConfig", "PublishToLatestPublished",
		"RecursiveLoop", "ReservedConcurrentExecutions", "Role", "RolePath", "Runtime", "RuntimeManagementConfig", "SnapStart", "Tags", "TenancyConfig", "Timeout", "Tracing", "VersionDeletionPolicy", "VersionDescription", "VpcConfig",
	},
	typeHTTPAPI: {
		"AccessLogSettings", "CorsConfiguration", "DefaultRouteSettings", "DefinitionBody", "Description", "DisableExecuteApiEndpoint", "FailOnWarnings", "Name",
		"RouteSettings", "StageName", "StageVariables", "Tags",
	},
	typeTable:    {"PointInTimeRecoverySpecification", "PrimaryKey", "ProvisionedThroughput", "SSESpecification", "TableName", "Tags"},
	typeCapacity: {"CapacityProviderName", "InstanceRequirements", "KmsKeyArn", "OperatorRole", "PropagateTags", "ScalingConfig", "Tags", "VpcConfig"},
	typeLayer:    {"CompatibleArchitectures", "CompatibleRuntimes", "ContentUri", "Description", "LayerName", "LicenseInfo", "RetentionPolicy"},
}

func clone(v any) any {
	switch x := v.(type) {
	case object:
		out := make(object, len(x))
		for k, e := range x {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

func ref(id string) object               { return object{"Ref": id} }
func getAtt(id, attribute string) object { return object{"Fn::GetAtt": []any{id, attribute}} }

func intrinsic(v any) (string, any, bool) {
	m, ok := v.(object)
	if !ok || len(m) != 1 {
		return "", nil, false
	}
	for k, a := range m {
		if k == "Ref" || k == "Condition" || strings.HasPrefix(k, "Fn::") {
			return k, a, true
		}
	}
	return "", nil, false
}

// resolve replaces a Ref to a parameter by its value.
func (t *transform) resolve(v any) any {
	if name, a, ok := intrinsic(v); ok && name == "Ref" {
		if s, ok := a.(string); ok {
			if value, ok := t.parameters[s]; ok {
				return value
			}
		}
	}
	return v
}

// tagList turns SAM's map of tags into CloudFormation's list, in the order of the keys, behind the tag that marks SAM's resources.
func tagList(marker string, tags any) ([]any, bool) {
	var out []any
	if marker != "" {
		out = append(out, object{"Key": marker, "Value": "SAM"})
	}
	m, ok := tags.(object)
	if !ok && tags != nil {
		return nil, false
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, object{"Key": k, "Value": m[k]})
	}
	return out, true
}
