package template

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Template is the content of a CloudFormation template after its transforms ran.
type Template struct {
	Document    *Document
	Description string
	Parameters  map[string]Parameter
	Mappings    map[string]any
	Conditions  map[string]any
	Resources   map[string]Resource
	Outputs     map[string]Output
	Rules       []Rule
	Metadata    any
}

// Resource is one entry of a template's Resources.
type Resource struct {
	LogicalID, Type string
	Properties      map[string]any
	DependsOn       []string
	Condition       string
	// DeletionPolicy and UpdateReplacePolicy are "Delete", "Retain", "RetainExceptOnCreate" or "" (which means Delete).
	DeletionPolicy, UpdateReplacePolicy string
	// Policies are the expressions of those of the two that are no plain strings, see [Env.Policies].
	Policies map[string]any
	Metadata any
	// CreationPolicy holds the expressions of this attribute, see [Env.Signals]; nil without.
	CreationPolicy map[string]any
	// UpdatePolicy holds the expressions of this attribute; nil without.
	UpdatePolicy map[string]any
}

// Output is one entry of a template's Outputs.
type Output struct {
	Name        string
	Description string
	Value       any
	Condition   string
	// Export is the expression of the export's name; nil means that the output is not exported.
	Export any
}

// TransformUse is one entry of a template's Transform section.
type TransformUse struct {
	Name       string
	Parameters map[string]any
}

// Transforms returns the transforms that a template asks for at its top level.
func Transforms(d *Document) ([]TransformUse, error) {
	list, ok := d.Root["Transform"].([]any)
	if !ok && d.Root["Transform"] != nil {
		list = []any{d.Root["Transform"]}
	}
	var out []TransformUse
	for _, v := range list {
		switch t := v.(type) {
		case string:
			out = append(out, TransformUse{Name: t})
		case map[string]any:
			name, ok := t["Name"].(string)
			if !ok {
				return nil, Errorf("Key Name of transform definition must be a string.")
			}
			parameters, _ := t["Parameters"].(map[string]any)
			out = append(out, TransformUse{Name: name, Parameters: parameters})
		default:
			return nil, d.at(Errorf("Template format error: a transform must be a name, or an object with Name and Parameters."), "Transform")
		}
	}
	return out, nil
}

var sections = []string{
	"AWSTemplateFormatVersion", "Conditions", "Description", "Globals", "Hooks", "Mappings", "Metadata", "Outputs",
	"Parameters", "Resources", "Rules", "Transform",
}

// Decode reads the sections of a template whose transforms ran already.
func Decode(d *Document) (*Template, error) {
	for _, k := range slices.Sorted(maps.Keys(d.Root)) {
		if !slices.Contains(sections, k) {
			return nil, d.at(Errorf("Template format error: Invalid template property or properties [%s]", k), k)
		}
	}
	for _, k := range []string{"Hooks", "Globals"} {
		if _, ok := d.Root[k]; ok {
			return nil, d.at(Errorf("Template format error: Lambent does not support the section %s. Leave it out.", k), k)
		}
	}
	if v, ok := d.Root["AWSTemplateFormatVersion"]; ok && v != "2010-09-09" {
		return nil, d.at(Errorf("Template format error: unsupported value for AWSTemplateFormatVersion."), "AWSTemplateFormatVersion")
	}
	t := &Template{Document: d, Metadata: d.Root["Metadata"]}
	if v, ok := d.Root["Description"]; ok {
		if t.Description, ok = v.(string); !ok {
			return nil, d.at(Errorf("Template format error: every Description member must be a string."), "Description")
		}
	}
	var err error
	if t.Mappings, err = section(d, "Mappings"); err != nil {
		return nil, err
	}
	if t.Conditions, err = section(d, "Conditions"); err != nil {
		return nil, err
	}
	if err := t.checkMappings(); err != nil {
		return nil, err
	}
	for _, read := range []func() error{t.readParameters, t.readResources, t.readOutputs, t.readRules, t.checkReferences} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// CloudFormation's limits of a template, see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html.
const (
	maxParameters = 200
	maxMappings   = 200
	maxResources  = 500
	maxOutputs    = 200
)

// checkNumber refuses more members of a section than CloudFormation takes.
func checkNumber(of string, have, most int) error {
	if have <= most {
		return nil
	}
	return Errorf("Template format error: Number of %s, %d, is greater than maximum allowed, %d", of, have, most)
}

func section(d *Document, name string) (map[string]any, error) {
	switch v := d.Root[name].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	if name == "Resources" && d.Root[name] != nil {
		return nil, d.at(Errorf("Template format error: Any Resources member must be an object."), name)
	}
	return nil, d.at(Errorf("Template format error: [/%s] 'null' values are not allowed in templates, and the section must be an object.", name), name)
}

// checkMappings refuses mappings that are not two levels of keys above texts and lists, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/mappings-section-structure.html.
func (t *Template) checkMappings() error {
	if err := checkNumber("mappings", len(t.Mappings), maxMappings); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.Mappings)) {
		first, ok := t.Mappings[name].(map[string]any)
		if !ok {
			return t.Document.at(Errorf("Template format error: Every Mappings member %s must be a map", name), "Mappings", name)
		}
		for _, key := range slices.Sorted(maps.Keys(first)) {
			second, ok := first[key].(map[string]any)
			if !ok {
				return t.Document.at(Errorf("Template format error: Every Mappings member %s must be a map", key), "Mappings", name, key)
			}
			for _, attribute := range slices.Sorted(maps.Keys(second)) {
				if _, deeper := second[attribute].(map[string]any); deeper {
					return t.Document.at(Errorf("Template format error: Every Mappings attribute must be a String or a List."), "Mappings", name, key, attribute)
				}
			}
		}
	}
	return nil
}

var resourceKeys = []string{
	"Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Description", "Metadata", "Properties", "Type", "UpdatePolicy", "UpdateReplacePolicy",
}

func (t *Template) readResources() error {
	d := t.Document
	m, err := section(d, "Resources")
	if err != nil {
		return err
	}
	if len(m) == 0 {
		return Errorf("Template format error: At least one Resources member must be defined.")
	}
	if err := checkNumber("resources", len(m), maxResources); err != nil {
		return err
	}
	t.Resources = make(map[string]Resource, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		if _, taken := t.Parameters[id]; taken { // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
			return d.at(Errorf("Template format error: %s is the name of a parameter and of a resource. Names must be unique in a template", id), "Resources", id)
		}
		r, err := readResource(id, m[id])
		if err != nil {
			return d.Locate(err, "Resources", id)
		}
		t.Resources[id] = r
	}
	return nil
}

// updatePolicies are what an UpdatePolicy may hold, see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html. A type that one is
// not for ignores it, as on AWS.
var updatePolicies = []string{
	"AutoScalingReplacingUpdate", "AutoScalingRollingUpdate", "AutoScalingScheduledAction", "CodeDeployLambdaAliasUpdate", "EnableVersionUpgrade", "UseOnlineResharding",
}

func readResource(id string, v any) (Resource, error) {
	r := Resource{LogicalID: id}
	if invalidName(id) {
		return r, Errorf("Template format error: Resource name %s is non alphanumeric.", id)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return r, Errorf("Template format error: Any Resources member must be an object.")
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(resourceKeys, k) {
			return r, Errorf("Invalid template resource property '%s'", k)
		}
	}
	if r.Type, _ = m["Type"].(string); r.Type == "" {
		return r, Errorf("Template format error: [/Resources/%s] Every Resources object must contain a Type member.", id)
	}
	if v := m["UpdatePolicy"]; v != nil {
		if r.UpdatePolicy, ok = v.(map[string]any); !ok {
			return r, Errorf("Template format error: UpdatePolicy must be an object (resource %s).", id)
		}
		for _, k := range slices.Sorted(maps.Keys(r.UpdatePolicy)) {
			if !slices.Contains(updatePolicies, k) {
				return r, Errorf("Template format error: Unrecognized UpdatePolicy %s for resource %s", k, id)
			}
		}
	}
	if v := m["CreationPolicy"]; v != nil {
		if r.CreationPolicy, ok = v.(map[string]any); !ok {
			return r, Errorf("Template format error: CreationPolicy must be an object (resource %s).", id)
		}
	}
	switch p := m["Properties"].(type) {
	case nil:
		r.Properties = map[string]any{}
	case map[string]any:
		r.Properties = p
	default:
		return r, Errorf("Template format error: [/Resources/%s/Properties] Properties must be an object.", id)
	}
	r.Metadata = m["Metadata"]
	var err error
	if r.DependsOn, err = stringList(m["DependsOn"]); err != nil {
		return r, Errorf("Template format error: DependsOn of resource %s must be a string or a list of strings.", id)
	}
	if c, has := m["Condition"]; has {
		if r.Condition, ok = c.(string); !ok {
			return r, Errorf("Template format error: Every Condition member must be a string (resource %s).", id)
		}
	}
	for name := range policies {
		if v, isExpression := m[name].(map[string]any); isExpression {
			if r.Policies == nil {
				r.Policies = map[string]any{}
			}
			r.Policies[name] = v
		} else if has := m[name] != nil; has {
			if err := r.setPolicy(name, m[name]); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// policies are the attributes that say what becomes of a resource, and what each may be.
var policies = map[string][]string{"DeletionPolicy": {"Delete", "Retain", "RetainExceptOnCreate"}, "UpdateReplacePolicy": {"Delete", "Retain"}}

func (r *Resource) setPolicy(name string, v any) error {
	s, err := policy(v, r.LogicalID, name, policies[name]...)
	if name == "DeletionPolicy" {
		r.DeletionPolicy = s
	} else {
		r.UpdateReplacePolicy = s
	}
	return err
}

// Policies evaluates the policies of the template's resources that are expressions of parameters and conditions.
func (e *Env) Policies() error {
	for id, r := range e.Template.Resources {
		for name, expr := range r.Policies {
			v, err := e.Resolve(expr)
			if errors.Is(err, ErrNoValue) {
				continue
			}
			if err == nil {
				err = r.setPolicy(name, v)
			}
			if err != nil {
				return e.Template.Document.Locate(err, "Resources", id, name)
			}
		}
		e.Template.Resources[id] = r
	}
	return nil
}

func policy(v any, id, name string, allowed ...string) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", Errorf("Template format error: Every %s member must be a string (resource %s).", name, id)
	}
	if s == "Snapshot" {
		return "", Errorf("Template format error: Lambent does not support %s Snapshot (resource %s). Use Retain or Delete.", name, id)
	}
	if !slices.Contains(allowed, s) {
		return "", Errorf("Template format error: Unrecognized %s %s for resource %s", name, s, id)
	}
	return s, nil
}

// invalidName tells whether a text cannot be the name of something in a template.
func invalidName(name string) bool {
	return name == "" || strings.ContainsFunc(name, func(c rune) bool { return !alphanumeric(c) })
}

func alphanumeric(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func stringList(v any) ([]string, error) {
	switch l := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{l}, nil
	case []any:
		out := make([]string, 0, len(l))
		for _, e := range l {
			s, ok := e.(string)
			if !ok {
				return nil, Errorf("not a list of strings")
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, Errorf("not a list of strings")
}

func (t *Template) readOutputs() error {
	d := t.Document
	m, err := section(d, "Outputs")
	if err != nil {
		return err
	}
	if err := checkNumber("outputs", len(m), maxOutputs); err != nil {
		return err
	}
	t.Outputs = make(map[string]Output, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		o, err := readOutput(name, m[name])
		if err != nil {
			return d.Locate(err, "Outputs", name)
		}
		t.Outputs[name] = o
	}
	return nil
}

func readOutput(name string, v any) (Output, error) {
	o := Output{Name: name}
	if invalidName(name) {
		return o, Errorf("Template format error: Output name %s is non alphanumeric.", name)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return o, Errorf("Template format error: Any Outputs member must be an object (%s).", name)
	}
	if v, has := m["Value"]; has && v == nil {
		return o, Errorf("[/Outputs/%s/Value] 'null' values are not allowed in templates", name)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains([]string{"Condition", "Description", "Export", "Value"}, k) {
			return o, Errorf("Template format error: Invalid template output property %s (%s)", strconv.Quote(k), name)
		}
	}
	if o.Value, ok = m["Value"]; !ok {
		return o, Errorf("Template format error: Every Outputs member must contain a Value object")
	}
	o.Description, _ = m["Description"].(string)
	o.Condition, _ = m["Condition"].(string)
	if e, has := m["Export"]; has {
		em, _ := e.(map[string]any)
		if o.Export = em["Name"]; o.Export == nil || len(em) != 1 {
			return o, Errorf("Template format error: Output %s is malformed. The Name field of every Export member must be specified", name)
		}
	}
	return o, nil
}

// Values reads only the sections that give values, Parameters, Mappings and Conditions: what transforms may use of a template before they ran.
func Values(d *Document) (*Template, error) {
	t := &Template{Document: d}
	var err error
	if t.Mappings, err = section(d, "Mappings"); err != nil {
		return nil, err
	}
	if t.Conditions, err = section(d, "Conditions"); err != nil {
		return nil, err
	}
	return t, t.readParameters()
}
