package sam

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/deploy/template"
)

//go:embed policies.json
var policyData []byte

//go:embed managed.txt
var managedData string

type policyTemplate struct {
	parameters []string
	definition *dict
}

var policyTemplates = sync.OnceValues(func() (map[string]policyTemplate, error) {
	v, err := template.ParseValue(policyData)
	if err != nil {
		return nil, err
	}
	out := map[string]policyTemplate{}
	all, _ := (&reader{document: &template.Document{}}).value(v).(*dict)
	for k, v := range all.all() {
		d, _ := v.(*dict)
		var names []string
		for _, e := range asList(d.get("Parameters")) {
			s, _ := text(e)
			names = append(names, s)
		}
		out[k] = policyTemplate{names, d.dict("Definition")}
	}
	return out, nil
})

// managedPolicies has the paths of the policies that AWS manages, by partition and name. managed.txt has a line for a set of partitions, with the names
// behind it.
var managedPolicies = sync.OnceValue(func() map[string]map[string]string {
	out := map[string]map[string]string{}
	for line := range strings.Lines(managedData) {
		fields := strings.Fields(line)
		for _, partition := range strings.Split(fields[0], ",") {
			if out[partition] == nil {
				out[partition] = map[string]string{}
			}
			for _, path := range fields[1:] {
				out[partition][path[strings.LastIndex(path, "/")+1:]] = path
			}
		}
	}
	return out
})

// policyARN is the ARN of a managed policy that a template names by its name or its ARN.
func (t *transform) policyARN(name string) string {
	if path := managedPolicies()[t.partition()][name]; path != "" {
		return t.managedARN(path)
	}
	return name
}

type policyKind byte

const (
	policyUnknown policyKind = iota
	policyManaged
	policyDocument
	policyFromTemplate
)

// aPolicy is one entry of the property Policies.
type aPolicy struct {
	v    any
	kind policyKind
}

// policiesOf reads the property Policies. Policy templates are recognised if there are any.
func policiesOf(v any, templates map[string]policyTemplate) ([]aPolicy, error) {
	if !truthy(v) {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]aPolicy, len(list))
	for i, p := range list {
		k, err := kindOf(p, templates)
		if err != nil {
			return nil, err
		}
		out[i] = aPolicy{p, k}
	}
	return out, nil
}

func kindOf(v any, templates map[string]policyTemplate) (policyKind, error) {
	if _, ok := text(v); ok {
		return policyManaged, nil
	}
	if arguments, ok, err := asIf(v); ok {
		if err != nil {
			return 0, invalidTemplate("%v", err)
		}
		return kindOfBranches(arguments[1], arguments[2], templates)
	}
	d, ok := v.(*dict)
	switch {
	case isIntrinsic(v):
		return policyManaged, nil
	case d.has("Statement"):
		return policyDocument, nil
	case ok && d.len() == 1:
		if _, known := templates[d.names()[0].text]; known {
			return policyFromTemplate, nil
		}
	}
	return policyUnknown, nil
}

func kindOfBranches(then, otherwise any, templates map[string]policyTemplate) (policyKind, error) {
	a, err := kindOf(then, templates)
	if err != nil {
		return 0, err
	}
	b, err := kindOf(otherwise, templates)
	switch {
	case err != nil || a == b || isNoValue(otherwise):
		return a, err
	case isNoValue(then):
		return b, nil
	}
	return 0, invalidTemplate("Different policy types within the same Fn::If statement is unsupported. Separate different policy types into different Fn::If statements")
}

// expandPolicyTemplates replaces SAM's policy templates by the documents that they stand for.
func (s *source) expandPolicyTemplates() error {
	templates, err := policyTemplates()
	if err != nil {
		return err
	}
	entries, err := policiesOf(s.get("Policies"), templates)
	if err != nil || len(entries) == 0 {
		return err
	}
	out := make([]any, len(entries))
	for i, p := range entries {
		out[i] = p.v
		if p.kind != policyFromTemplate {
			continue
		}
		var failed error
		out[i] = convertBranches(p.v, func(v any) any {
			d, err := s.fromTemplate(v, templates)
			if failed == nil {
				failed = err
			}
			return d
		})
		if failed != nil {
			return failed
		}
	}
	s.properties.set("Policies", out)
	return nil
}

func (s *source) fromTemplate(v any, templates map[string]policyTemplate) (any, error) {
	d, ok := v.(*dict)
	if !ok || d.len() == 0 {
		return v, nil
	}
	key := d.names()[0].text
	t := templates[key]
	values, ok := d.get(key).(*dict)
	if !ok {
		return nil, invalid(s.id, "Must specify valid parameter values for policy template '%s'", key)
	}
	var missing []string
	for _, p := range t.parameters {
		if !values.has(p) {
			missing = append(missing, p)
		}
	}
	if missing != nil {
		return nil, invalid(s.id, "Following required parameters of template '%s' don't have values: %s", key, texts(missing...))
	}
	return substitute(t.definition, t.parameters, values), nil
}

// substitute copies a value and replaces the references to a policy template's parameters.
func substitute(v any, parameters []string, values *dict) any {
	switch x := v.(type) {
	case *dict:
		if s, ok := text(x.get("Ref")); ok && x.len() == 1 && slices.Contains(parameters, s) {
			return values.get(s)
		}
		out := newDict()
		for k, e := range x.all() {
			out.set(k, substitute(e, parameters, values))
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = substitute(e, parameters, values)
		}
		return out
	}
	return v
}
