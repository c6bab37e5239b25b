package template

import (
	"maps"
	"slices"
	"strings"
)

// Reference is a mention of a resource, parameter or pseudo parameter in an expression.
type Reference struct {
	// Name is what Ref or Fn::GetAtt names.
	Name string
	// Attribute is the name behind it for Fn::GetAtt; empty for Ref.
	Attribute string
}

// References returns what an expression mentions, in the order of its text, keys sorted.
func References(v any) ([]Reference, error) {
	var refs []Reference
	err := walkReferences(v, nil, func(r Reference) { refs = append(refs, r) })
	return refs, err
}

// References returns what a resource mentions in its properties and in what is waited for when it is made.
func (r *Resource) References() ([]Reference, error) {
	return References([]any{r.Properties, r.CreationPolicy, r.UpdatePolicy})
}

func walkReferences(v any, local map[string]any, add func(Reference)) error {
	switch t := v.(type) {
	case []any:
		for _, e := range t {
			if err := walkReferences(e, local, add); err != nil {
				return err
			}
		}
	case map[string]any:
		if len(t) == 1 {
			done, err := functionReferences(t, local, add)
			if done || err != nil {
				return err
			}
		}
		for _, k := range slices.Sorted(maps.Keys(t)) {
			if err := walkReferences(t[k], local, add); err != nil {
				return err
			}
		}
	}
	return nil
}

func functionReferences(m map[string]any, local map[string]any, add func(Reference)) (bool, error) {
	if v, ok := m["Ref"]; ok {
		name, ok := v.(string)
		if !ok {
			return true, Errorf("Template error: every Ref object must have a single String value.")
		}
		add(Reference{Name: name})
		return true, nil
	}
	if v, ok := m["Fn::GetAtt"]; ok {
		name, attribute, err := getAtt(v)
		if err != nil {
			return true, err
		}
		add(Reference{Name: name})
		if s, ok := attribute.(string); ok {
			add(Reference{Name: name, Attribute: s})
			return true, nil
		}
		return true, walkReferences(attribute, local, add)
	}
	if v, ok := m["Fn::Sub"]; ok {
		text, values, err := subArguments(v)
		if err != nil {
			return true, err
		}
		parts, err := splitSub(text)
		if err != nil {
			return true, err
		}
		for _, p := range parts {
			if _, isLocal := values[p.name]; p.name == "" || isLocal {
				continue
			}
			name, attribute, found := strings.Cut(p.name, ".")
			add(Reference{Name: name})
			if found {
				add(Reference{Name: name, Attribute: attribute})
			}
		}
		return true, walkReferences(values, local, add)
	}
	return false, nil
}

// getAtt reads the argument of Fn::GetAtt; the attribute may be an expression.
func getAtt(v any) (string, any, error) {
	switch t := v.(type) {
	case string:
		if name, attribute, ok := strings.Cut(t, "."); ok {
			return name, attribute, nil
		}
	case []any:
		if len(t) >= 2 {
			name, ok := t[0].(string)
			if len(t) == 2 && ok {
				return name, t[1], nil
			}
			parts, err := stringList(t[1:])
			if ok && err == nil {
				return name, strings.Join(parts, "."), nil
			}
		}
	}
	return "", nil, Errorf("Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
}

func subArguments(v any) (string, map[string]any, error) {
	switch t := v.(type) {
	case string:
		return t, nil, nil
	case []any:
		if len(t) == 2 {
			text, ok := t[0].(string)
			values, ok2 := t[1].(map[string]any)
			if ok && ok2 {
				return text, values, nil
			}
		}
	}
	return "", nil, Errorf("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string")
}

type subPart struct{ literal, name string }

// splitSub cuts the text of a Fn::Sub into literals and variables; "${!x}" is the literal "${x}".
func splitSub(text string) ([]subPart, error) {
	var parts []subPart
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			return append(parts, subPart{literal: text}), nil
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			return append(parts, subPart{literal: text}), nil
		}
		parts = append(parts, subPart{literal: text[:i]})
		body := text[i+2 : i+end]
		text = text[i+end+1:]
		if literal, ok := strings.CutPrefix(body, "!"); ok {
			parts = append(parts, subPart{literal: "${" + literal + "}"})
			continue
		}
		name := strings.TrimSpace(body)
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return !alphanumeric(c) && !strings.ContainsRune(".:_-", c) }) {
			return nil, Errorf("Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons: ${%s}", body)
		}
		parts = append(parts, subPart{name: name})
	}
}

// checkReferences refuses mentions of what the template does not define.
func (t *Template) checkReferences() error {
	missing := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(t.Resources)) {
		r := t.Resources[id]
		if err := t.checkResource(r, missing); err != nil {
			return t.Document.Locate(err, "Resources", id)
		}
	}
	if len(missing) > 0 {
		return Errorf("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Outputs)) {
		o := t.Outputs[name]
		refs, err := References([]any{o.Value, o.Export})
		if err != nil {
			return t.Document.Locate(err, "Outputs", name)
		}
		for _, r := range refs {
			if !t.defines(r.Name) {
				missing[r.Name] = true
			}
		}
		err = t.checkCalls([]any{o.Value, o.Export})
		if err == nil {
			err = t.checkCondition(o.Condition)
		}
		if err != nil {
			return t.Document.Locate(err, "Outputs", name)
		}
	}
	if len(missing) > 0 {
		return Errorf("Template format error: Unresolved resource dependencies [%s] in the Outputs block of the template", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
	return nil
}

func (t *Template) checkResource(r Resource, missing map[string]bool) error {
	refs, err := r.References()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		_, isResource := t.Resources[ref.Name]
		switch {
		case ref.Attribute != "" && !isResource:
			return Errorf("Template error: instance of Fn::GetAtt references undefined resource %s", ref.Name)
		case ref.Name == r.LogicalID:
			return Errorf("Circular dependency between resources: [%s]", r.LogicalID)
		case !t.defines(ref.Name) && ref.Attribute == "":
			missing[ref.Name] = true
		}
	}
	for _, d := range r.DependsOn {
		if _, ok := t.Resources[d]; !ok {
			missing[d] = true
		}
	}
	if err := t.checkCalls(r.Properties); err != nil {
		return err
	}
	return t.checkCondition(r.Condition)
}

// checkCalls refuses uses of Fn::If whose condition the template does not have, and of Fn::Select that ask a list in the template for what it does not have.
func (t *Template) checkCalls(v any) error {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			if err := t.checkCalls(e); err != nil {
				return err
			}
		}
	case map[string]any:
		if l, ok := x["Fn::If"].([]any); ok && len(x) == 1 && len(l) > 0 {
			name, isName := l[0].(string)
			if _, has := t.Conditions[name]; isName && !has {
				return Errorf("Template error: unresolved condition dependency %s in Fn::If", name)
			}
		}
		if l, ok := x["Fn::Select"].([]any); ok && len(x) == 1 && len(l) == 2 {
			index, isIndex := l[0].(int64)
			if items, isList := l[1].([]any); isIndex && isList && (index < 0 || index >= int64(len(items))) {
				return Errorf(badSelect)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if err := t.checkCalls(x[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Template) checkCondition(name string) error {
	if _, ok := t.Conditions[name]; !ok && name != "" {
		return Errorf("Template format error: Unresolved condition dependency %s in the Conditions block of the template", name)
	}
	return nil
}

func (t *Template) defines(name string) bool {
	_, resource := t.Resources[name]
	_, parameter := t.Parameters[name]
	return resource || parameter || slices.Contains(pseudoParameters, name)
}
