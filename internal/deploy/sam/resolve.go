package sam

import (
	"regexp"
	"strings"
)

// resolver replaces, in place, what a value refers to. AWS's transform does so for a few properties only, and what it does not know it leaves alone:
// CloudFormation evaluates the rest.
type resolver struct {
	ref, call func(argument any) (any, bool, error)
	// callName is the function that call is asked about.
	callName string
	// variable is the new text of a ${variable} in Fn::Sub: the whole of it with its braces.
	variable func(whole, name string) any
}

func (r *resolver) resolve(v any) (any, error) {
	v, err := r.once(v)
	if err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case *dict:
		for k, e := range x.all() {
			if x.values[k], err = r.resolve(e); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, e := range x {
			if x[i], err = r.resolve(e); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func (r *resolver) once(v any) (any, error) {
	d, ok := v.(*dict)
	if !ok || d.len() != 1 {
		return v, nil
	}
	key := d.names()[0].text
	arg := d.values[key]
	switch {
	case key == "Ref" && r.ref != nil:
		if out, ok, err := r.ref(arg); ok || err != nil {
			return out, err
		}
	case key == r.callName && r.call != nil:
		if out, ok, err := r.call(arg); ok || err != nil {
			return out, err
		}
	case key == "Fn::Sub" && r.variable != nil:
		return d, r.substitute(d, arg)
	}
	return v, nil
}

var subVariable = regexp.MustCompile(`\$\{([A-Za-z0-9.]+|AWS::[A-Z][A-Za-z]*)\}`)

func (r *resolver) substitute(d *dict, arg any) error {
	list, isList := arg.([]any)
	from := arg
	if isList && len(list) > 0 {
		from = list[0]
	}
	s, ok := text(from)
	if !ok {
		return nil
	}
	out := s
	for _, m := range subVariable.FindAllStringSubmatch(s, -1) {
		v := r.variable(m[0], m[1])
		value, ok := text(v)
		if !ok {
			return invalidDocument("Invalid Fn::Sub variable value %s. Fn::Sub expects all variables to be strings.", python(v))
		}
		out = strings.Replace(out, m[0], value, 1)
	}
	if isList {
		list[0] = like(from, out)
	} else {
		d.values["Fn::Sub"] = like(from, out)
	}
	return nil
}

// resolve replaces references to parameters by their values.
func (t *transform) resolve(v any) (any, error) { return t.parameters().resolve(v) }

func (t *transform) parameters() *resolver {
	value := func(name string) (any, bool) {
		v, ok := t.values[name]
		if s, isText := text(v); isText && strings.HasPrefix(s, "{{IntrinsicFunction:") {
			return nil, false
		}
		return v, ok
	}
	return &resolver{
		ref: func(arg any) (any, bool, error) {
			s, ok := text(arg)
			if !ok {
				return nil, false, nil
			}
			v, ok := value(s)
			return v, ok, nil
		},
		variable: func(whole, name string) any {
			if v, ok := value(name); ok {
				return v
			}
			return whole
		},
	}
}

// find replaces Fn::FindInMap by what the template's mappings say.
func (t *transform) find(v any) (any, error) {
	r := &resolver{callName: "Fn::FindInMap", call: t.findInMap}
	return r.resolve(v)
}

func (t *transform) findInMap(arg any) (any, bool, error) {
	list, ok := arg.([]any)
	if !ok || len(list) != 3 {
		return nil, false, invalidDocument("Invalid FindInMap value %s. FindInMap expects an array with 3 values.", python(arg))
	}
	var keys [3]string
	for i, e := range list {
		if keys[i], ok = text(e); !ok {
			return nil, false, nil
		}
	}
	var at any = t.mappings
	for i, k := range keys {
		d, ok := at.(*dict)
		if !ok {
			return nil, false, invalidDocument("Cannot use Fn::FindInMap on Mapping '%s' which is not a a two-level map.", keys[0])
		}
		if !d.has(k) {
			return nil, false, nil
		}
		at = d.get(keys[i])
	}
	return at, true, nil
}

// resolveBoth replaces parameters, then mappings.
func (t *transform) resolveBoth(v any) (any, error) {
	v, err := t.resolve(v)
	if err != nil {
		return nil, err
	}
	return t.find(v)
}

// follow replaces references to what became of serverless resources: to their new logical ids, and to the resources that they made.
func (t *transform) follow(root *dict) error {
	t.followDependencies(root)
	if len(t.renamed) > 0 {
		if _, err := t.byID().resolve(root); err != nil {
			return err
		}
	}
	if len(t.references) > 0 {
		if _, err := t.byProperty().resolve(root); err != nil {
			return err
		}
	}
	return nil
}

func (t *transform) followDependencies(v any) {
	switch x := v.(type) {
	case *dict:
		if s, ok := text(x.get("DependsOn")); ok && t.renamed[s] != "" {
			x.set("DependsOn", t.renamed[s])
		}
		if list, ok := x.get("DependsOn").([]any); ok {
			for i, e := range list {
				if s, ok := text(e); ok && t.renamed[s] != "" {
					list[i] = t.renamed[s]
				}
			}
		}
		for _, e := range x.all() {
			t.followDependencies(e)
		}
	case []any:
		for _, e := range x {
			t.followDependencies(e)
		}
	}
}

func (t *transform) byID() *resolver {
	return &resolver{
		ref: func(arg any) (any, bool, error) {
			s, _ := text(arg)
			to := t.renamed[s]
			return ref(to), to != "", nil
		},
		variable: func(whole, name string) any {
			id, _, _ := strings.Cut(name, ".")
			if to := t.renamed[id]; to != "" {
				return strings.ReplaceAll(whole, id, to)
			}
			return whole
		},
		callName: "Fn::GetAtt",
		call: func(arg any) (any, bool, error) {
			parts, ok := attributePath(arg)
			if !ok || t.renamed[parts[0]] == "" {
				return nil, false, nil
			}
			parts[0] = t.renamed[parts[0]]
			return dictOf("Fn::GetAtt", anyList(parts)), true, nil
		},
	}
}

func (t *transform) byProperty() *resolver {
	return &resolver{
		ref: func(arg any) (any, bool, error) {
			s, _ := text(arg)
			id, property, _ := strings.Cut(s, ".")
			to := t.references[id][property]
			return ref(to), to != "", nil
		},
		variable: func(whole, name string) any {
			parts := strings.SplitN(name, ".", 3)
			if len(parts) < 2 || t.references[parts[0]][parts[1]] == "" {
				return whole
			}
			return strings.ReplaceAll(whole, parts[0]+"."+parts[1], t.references[parts[0]][parts[1]])
		},
		callName: "Fn::GetAtt",
		call: func(arg any) (any, bool, error) {
			parts, ok := attributePath(arg)
			if !ok || t.references[parts[0]][parts[1]] == "" {
				return nil, false, nil
			}
			return dictOf("Fn::GetAtt", anyList(append([]string{t.references[parts[0]][parts[1]]}, parts[2:]...))), true, nil
		},
	}
}

// attributePath splits the argument of Fn::GetAtt at its dots; there are at least two parts.
func attributePath(arg any) ([]string, bool) {
	list, ok := arg.([]any)
	if !ok || len(list) < 2 {
		return nil, false
	}
	parts := make([]string, len(list))
	for i, e := range list {
		if parts[i], ok = text(e); !ok {
			return nil, false
		}
	}
	return strings.Split(strings.Join(parts, "."), "."), true
}

func anyList(s []string) []any {
	out := make([]any, len(s))
	for i, e := range s {
		out[i] = e
	}
	return out
}
