package template

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// LanguageExtensions is the name of the transform that [Extend] carries out.
const LanguageExtensions = "AWS::LanguageExtensions"

// Extend carries out the transform AWS::LanguageExtensions: it unrolls Fn::ForEach and evaluates what needs no resource. env has the values that
// these may use: parameters, mappings and pseudo parameters. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-languageextensions.html.
func Extend(d *Document, env *Env) (*Document, error) {
	x := &extension{env: env}
	root, err := x.value(d.Root, nil)
	if err != nil {
		return nil, err
	}
	return d.WithRoot(root.(map[string]any)), nil
}

// MaxNodesExtended is how many values a template may have after its loops are unrolled.
const MaxNodesExtended = MaxNodes

type extension struct {
	env   *Env
	nodes int
}

func tooLarge() error {
	return Errorf("Template format error: more than %d values after Fn::ForEach; check the collections.", MaxNodesExtended)
}

// value copies v with its loops unrolled; loop has the values of the identifiers of the loops around it.
func (x *extension) value(v any, loop map[string]string) (any, error) {
	if x.nodes++; x.nodes > MaxNodesExtended {
		return nil, tooLarge()
	}
	switch t := v.(type) {
	case string:
		return substitute(t, loop), nil
	case []any:
		out := make([]any, 0, len(t))
		for _, e := range t {
			r, err := x.value(e, loop)
			if err != nil {
				return nil, err
			}
			out = append(out, r)
		}
		return out, nil
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
		if name, isLoop := strings.CutPrefix(k, "Fn::ForEach::"); isLoop {
			if err := x.each(out, name, m[k], loop); err != nil {
				return nil, err
			}
			continue
		}
		v, err := x.value(m[k], loop)
		if err != nil {
			return nil, err
		}
		if err := put(out, substitute(k, loop), v); err != nil {
			return nil, err
		}
	}
	return x.reduce(out)
}

// reduce evaluates what the transform's own functions say when no resource is needed for it, and what is the same whatever the stack.
func (x *extension) reduce(m map[string]any) (any, error) {
	name, _, ok := function(m)
	if !ok {
		return m, nil
	}
	refs, err := References(m)
	if err != nil {
		return nil, err
	}
	switch name {
	case "Fn::Length", "Fn::ToJsonString", "Fn::FindInMap":
		if slices.ContainsFunc(refs, func(r Reference) bool {
			_, has := x.env.Parameters[r.Name]
			return !has && !slices.Contains(pseudoParameters, r.Name)
		}) {
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

// calls tells whether a value holds the call of a function.
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

func put(out map[string]any, k string, v any) error {
	if _, twice := out[k]; twice {
		return Errorf("Template error: Fn::ForEach makes the key %s more than once.", k)
	}
	out[k] = v
	return nil
}

// each adds what one loop makes to out.
func (x *extension) each(out map[string]any, name string, v any, loop map[string]string) error {
	layout := Errorf("Template error: Fn::ForEach::%s could not be resolved: it takes a list of an identifier, a collection and an object of what is repeated.", name)
	args, ok := v.([]any)
	if !ok || len(args) != 3 {
		return layout
	}
	identifier, ok := args[0].(string)
	body, ok2 := args[2].(map[string]any)
	if !ok || !ok2 || identifier == "" {
		return layout
	}
	if _, taken := loop[identifier]; taken {
		return Errorf("Template error: Fn::ForEach::%s uses the identifier %s of a loop around it.", name, identifier)
	}
	items, err := x.collection(name, args[1], loop)
	if err != nil {
		return err
	}
	for _, item := range items {
		inner := map[string]string{identifier: item}
		maps.Copy(inner, loop)
		made, err := x.mapping(body, inner)
		if err != nil {
			return err
		}
		for k, v := range made.(map[string]any) {
			if err := put(out, k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// collection evaluates what a loop runs over.
func (x *extension) collection(name string, v any, loop map[string]string) ([]string, error) {
	v, err := x.value(v, loop)
	if err != nil {
		return nil, err
	}
	if v, err = x.env.Resolve(v); err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, Errorf("Template error: the collection of Fn::ForEach::%s is not a list.", name)
	}
	var out []string
	for _, e := range list {
		if inner, isList := e.([]any); isList {
			for _, i := range inner {
				s, _ := Text(i)
				out = append(out, s)
			}
			continue
		}
		s, ok := Text(e)
		if !ok {
			return nil, Errorf("Template error: the collection of Fn::ForEach::%s has something that is not a string.", name)
		}
		out = append(out, s)
	}
	return out, nil
}

var loopVariable = regexp.MustCompile(`[$&]\{([A-Za-z0-9]+)\}`)

// substitute puts the values of loops into a text: ${X} as they are, and &{X} without what a logical id cannot hold.
func substitute(text string, loop map[string]string) string {
	if len(loop) == 0 || !strings.ContainsAny(text, "$&") {
		return text
	}
	return loopVariable.ReplaceAllStringFunc(text, func(m string) string {
		v, ok := loop[m[2:len(m)-1]]
		if !ok {
			return m
		}
		if m[0] == '$' {
			return v
		}
		return strings.Map(func(c rune) rune {
			if alphanumeric(c) {
				return c
			}
			return -1
		}, v)
	})
}
