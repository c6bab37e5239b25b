package sam

import (
	"maps"
	"slices"

	"lambent.dev/lambent/internal/deploy/template"
)

// globalSections maps the sections of Globals to resource types and to the properties that may not stand there, see
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html.
var globalSections = map[string]struct {
	typ string
	not []string
}{
	"Function":         {typeFunction, []string{"Events", "FunctionName", "InlineCode", "Policies", "Role", "DeadLetterQueue", "AutoPublishCodeSha256"}},
	"HttpApi":          {typeHTTPAPI, []string{"DefinitionBody", "Description", "Name", "StageName", "DisableExecuteApiEndpoint"}},
	"SimpleTable":      {typeTable, []string{"PointInTimeRecoverySpecification", "PrimaryKey", "ProvisionedThroughput", "TableName", "Tags"}},
	"LayerVersion":     {typeLayer, supported[typeLayer]},
	"CapacityProvider": {typeCapacity, []string{"CapacityProviderName"}},
}

// globals merges the Globals section into the resources.
func (t *transform) globals(section any) error {
	if section == nil {
		return nil
	}
	m, ok := section.(object)
	if !ok {
		return template.Errorf("'Globals' section is invalid. It must be a non-empty dictionary")
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		g, known := globalSections[name]
		if !known {
			return t.doc.Locate(template.Errorf("'Globals' section is invalid. Lambent does not support '%s' there.", name), "Globals", name)
		}
		values, ok := m[name].(object)
		if !ok {
			return t.doc.Locate(template.Errorf("'Globals' section is invalid. Value of %s must be a dictionary", name), "Globals", name)
		}
		for _, k := range slices.Sorted(maps.Keys(values)) {
			if !slices.Contains(supported[g.typ], k) || slices.Contains(g.not, k) {
				return t.doc.Locate(template.Errorf("'Globals' section is invalid. '%s' is not a supported property of '%s'.", k, name), "Globals", name, k)
			}
		}
		if err := t.mergeGlobals(g.typ, values); err != nil {
			return err
		}
	}
	return nil
}

func (t *transform) mergeGlobals(typ string, values object) error {
	for _, id := range slices.Sorted(maps.Keys(t.resources)) {
		r, ok := t.resources[id].(object)
		if !ok || r["Type"] != typ {
			continue
		}
		use := maps.Clone(values)
		switch ignore := r["IgnoreGlobals"].(type) {
		case nil:
		case string:
			if ignore != "*" {
				return t.at(template.Errorf("Resource %s has invalid resource attribute 'IgnoreGlobals'.", id), id)
			}
			use = nil
		case []any:
			for _, k := range ignore {
				name, _ := k.(string)
				delete(use, name)
			}
		}
		if p, isMap := r["Properties"].(object); isMap || r["Properties"] == nil {
			r["Properties"] = merge(use, p)
		}
	}
	return nil
}

// merge puts local over global: mappings are merged, lists are joined, anything else is replaced.
func merge(global, local any) any {
	if g, ok := global.(object); ok {
		l, ok := local.(object)
		if !ok {
			if local == nil {
				return clone(g)
			}
			return local
		}
		if _, _, isCall := intrinsic(g); isCall {
			return l
		}
		if _, _, isCall := intrinsic(l); isCall {
			return l
		}
		out := clone(g).(object)
		for k, v := range l {
			if old, has := out[k]; has {
				out[k] = merge(old, v)
			} else {
				out[k] = v
			}
		}
		return out
	}
	if g, ok := global.([]any); ok {
		if l, ok := local.([]any); ok {
			return append(clone(g).([]any), l...)
		}
	}
	return local
}
