package template

import (
	"errors"
	"maps"
	"slices"
)

// LanguageExtensions is the name of the transform that [Extend] carries out.
const LanguageExtensions = "AWS::LanguageExtensions"

// Extend carries out the transform AWS::LanguageExtensions: it unrolls Fn::ForEach, evaluates what needs no resource, and finds the names that expressions in Ref and Fn::GetAtt
// stand for. env has the values that these may use: parameters, mappings, conditions and pseudo parameters. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-languageextensions.html.
func Extend(d *Document, env *Env) (*Document, error) {
	x := &extension{env: env, parameters: env.Template.Parameters}
	root := make(map[string]any, len(d.Root))
	for _, name := range x.order(d.Root) {
		v, err := x.section(name, d.Root[name])
		if err != nil {
			return nil, d.Locate(err, name)
		}
		root[name] = v
	}
	return d.WithRoot(root), nil
}

// MaxNodesExtended is how many values a template may have after its loops are unrolled.
const MaxNodesExtended = MaxNodes

// extension is one run of the transform.
type extension struct {
	env        *Env
	parameters map[string]Parameter
	nodes      int
	// taken are the names that a loop of the section at hand cannot have, and identifiers those of its loops' identifiers.
	taken, identifiers map[string]bool
	// around are the names of the loops around what is at hand.
	around []string
	// dropped tells that what is at hand has a condition that does not hold: what cannot be found for it is not missed.
	dropped bool
}

// order is the order of the sections: conditions first, since others are evaluated with them.
func (x *extension) order(root map[string]any) []string {
	names := slices.Sorted(maps.Keys(root))
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case a == "Conditions" && b != a:
			return -1
		case b == "Conditions" && a != b:
			return 1
		}
		return 0
	})
	return names
}

// section carries out the transform on a section of the template.
func (x *extension) section(name string, v any) (any, error) {
	x.taken, x.identifiers = map[string]bool{}, map[string]bool{}
	m, isMap := v.(map[string]any)
	looped := isMap && slices.Contains([]string{"Conditions", "Outputs", "Resources"}, name)
	if !looped {
		return x.value(v, nil)
	}
	for k := range m {
		x.taken[k] = true
	}
	identifiers(v, x.identifiers)
	out := make(map[string]any, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if err := x.member(out, k, m[k], nil); err != nil {
			return nil, err
		}
	}
	for _, k := range slices.Sorted(maps.Keys(out)) {
		if invalidName(k) {
			return nil, Errorf("OutputKey '%s' should be alphanumeric.", k)
		}
	}
	if name == "Conditions" {
		x.env.Template.Conditions = out
	}
	return out, nil
}

// member adds a member of a mapping to out: what it is, or what a loop makes of it.
func (x *extension) member(out map[string]any, k string, v any, loop map[string]string) error {
	if name, isLoop := loopName(k); isLoop {
		return x.each(out, name, v, loop)
	}
	before := x.dropped
	x.dropped = before || x.fails(v, loop)
	defer func() { x.dropped = before }()
	made, err := x.value(v, loop)
	if errors.Is(err, ErrNoValue) {
		return nil
	}
	if err != nil {
		return err
	}
	return put(out, substitute(k, loop), made)
}

// fails tells whether a resource or output has a condition that does not hold.
func (x *extension) fails(v any, loop map[string]string) bool {
	m, _ := v.(map[string]any)
	name, _ := m["Condition"].(string)
	if len(m) < 2 || name == "" {
		return false
	}
	if _, known := x.env.Template.Conditions[substitute(name, loop)]; !known {
		return false
	}
	holds, err := x.env.Condition(substitute(name, loop))
	return err == nil && !holds
}

func tooLarge() error {
	return Errorf("Template format error: more than %d values after Fn::ForEach; check the collections.", MaxNodesExtended)
}

// value copies v with its loops unrolled; loop has the values of the identifiers of the loops around it. [ErrNoValue] means that nothing is left of it.
func (x *extension) value(v any, loop map[string]string) (any, error) {
	if x.nodes++; x.nodes > MaxNodesExtended {
		return nil, tooLarge()
	}
	switch t := v.(type) {
	case string:
		return substitute(t, loop), nil
	case []any:
		return each(t, func(v any) (any, error) { return x.value(v, loop) })
	case map[string]any:
		return x.mapping(t, loop)
	}
	return v, nil
}

func (x *extension) mapping(m map[string]any, loop map[string]string) (any, error) {
	if name, ok := m["Ref"].(string); ok && len(m) == 1 {
		if v, isLoop := loop[name]; isLoop {
			return v, nil
		}
	}
	out := make(map[string]any, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if err := x.member(out, k, m[k], loop); err != nil {
			return nil, err
		}
	}
	r, err := x.reduce(out)
	if err != nil && !errors.Is(err, ErrNoValue) && x.dropped {
		return out, nil
	}
	return r, err
}

// reduce evaluates what the transform's own functions say when no resource is needed for it, and what is the same whatever the stack.
func (x *extension) reduce(m map[string]any) (any, error) {
	name, argument, ok := function(m)
	if !ok {
		return m, nil
	}
	switch name {
	case "Ref", "Fn::GetAtt":
		return x.named(name, argument)
	case "Fn::FindInMap":
		if err := x.checkKeys(argument); err != nil {
			return nil, err
		}
	case "Fn::ToJsonString":
		if err := checkToJSON(argument); err != nil {
			return nil, err
		}
	}
	refs, err := References(m)
	if err != nil {
		return nil, err
	}
	switch name {
	case "Fn::Length", "Fn::ToJsonString", "Fn::FindInMap":
		if slices.ContainsFunc(refs, x.open) {
			return m, nil
		}
	case "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split":
		if len(refs) > 0 || calls(m[name]) {
			return m, nil
		}
	default:
		return m, nil
	}
	return x.env.Resolve(m)
}

// open tells whether a reference is to something that has no value yet.
func (x *extension) open(r Reference) bool {
	_, has := x.env.Parameters[r.Name]
	return !has && !slices.Contains(pseudoParameters, r.Name)
}

// named evaluates the expressions by which Ref and Fn::GetAtt name a resource, a parameter or an attribute.
func (x *extension) named(name string, argument any) (any, error) {
	if list, isList := argument.([]any); isList && name == "Fn::GetAtt" {
		out := make([]any, len(list))
		for i, e := range list {
			r, err := x.name(e)
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		return map[string]any{name: out}, nil
	}
	r, err := x.name(argument)
	return map[string]any{name: r}, err
}

// name evaluates an expression that stands for a name. One that needs something that has no value stays, and is refused with the template.
func (x *extension) name(expr any) (any, error) {
	if !calls(expr) {
		return expr, nil
	}
	refs, err := References(expr)
	if err != nil || slices.ContainsFunc(refs, x.open) {
		return expr, err
	}
	v, err := x.env.Resolve(expr)
	if errors.Is(err, ErrNoValue) {
		return nil, Errorf("Template error: every Ref object must have a single String value.")
	}
	return v, err
}

// checkKeys refuses resources as the keys of Fn::FindInMap.
func (x *extension) checkKeys(argument any) error {
	l, _ := argument.([]any)
	refs, err := References(l[:min(3, len(l))])
	if err != nil {
		return err
	}
	for _, r := range refs {
		if _, isParameter := x.parameters[r.Name]; !isParameter && !slices.Contains(pseudoParameters, r.Name) {
			return Errorf("Template error: Fn::FindInMap names its map and keys by %s, which is no parameter.", r.Name)
		}
	}
	return nil
}

// checkToJSON refuses what Fn::ToJsonString does not take.
func checkToJSON(argument any) error {
	switch argument.(type) {
	case map[string]any, []any:
	default:
		return Errorf("Template error: Fn::ToJsonString takes an object or a list.")
	}
	refs, err := References(argument)
	if err == nil && slices.Contains(refs, Reference{Name: "AWS::NotificationARNs"}) {
		return Errorf("Template error: Fn::ToJsonString cannot use AWS::NotificationARNs.")
	}
	return err
}

// calls tells whether a value is or holds the call of a function.
func calls(v any) bool {
	switch t := v.(type) {
	case []any:
		return slices.ContainsFunc(t, calls)
	case map[string]any:
		if _, _, is := function(t); is {
			return true
		}
		for _, e := range t {
			if calls(e) {
				return true
			}
		}
	}
	return false
}
