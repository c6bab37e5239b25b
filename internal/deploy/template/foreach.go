package template

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
)

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
	if err := x.checkLoop(name, identifier, loop); err != nil {
		return err
	}
	x.around = append(x.around, name)
	defer func() { x.around = x.around[:len(x.around)-1] }()
	items, err := x.collection(name, args[1], loop)
	if err != nil {
		return err
	}
	for _, item := range items {
		inner := map[string]string{identifier: item}
		maps.Copy(inner, loop)
		for _, k := range slices.Sorted(maps.Keys(body)) {
			if err := x.member(out, k, body[k], inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLoop refuses the names of a loop that mean something else already. The name of a loop is unique beside logical ids, parameters, identifiers and the loops around it, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html.
func (x *extension) checkLoop(name, identifier string, loop map[string]string) error {
	_, parameter := x.parameters[name]
	if parameter || x.taken[name] || x.identifiers[name] || slices.Contains(x.around, name) {
		return Errorf("Template error: the name of Fn::ForEach::%s is that of something else in the template.", name)
	}
	_, parameter = x.parameters[identifier]
	if _, around := loop[identifier]; parameter || around || x.taken[identifier] {
		return Errorf("Template error: the identifier %s of Fn::ForEach::%s is the name of something else in the template.", identifier, name)
	}
	return nil
}

// loopName returns the name of a loop whose key k is.
func loopName(k string) (string, bool) { return strings.CutPrefix(k, "Fn::ForEach::") }

// identifiers collects the identifiers of the loops in a value.
func identifiers(v any, into map[string]bool) {
	switch t := v.(type) {
	case []any:
		for _, e := range t {
			identifiers(e, into)
		}
	case map[string]any:
		for k, e := range t {
			identifiers(e, into)
			if args, isList := e.([]any); isList && len(args) > 0 {
				if name, ok := args[0].(string); ok && strings.HasPrefix(k, "Fn::ForEach::") {
					into[name] = true
				}
			}
		}
	}
}

// collection evaluates what a loop runs over.
func (x *extension) collection(name string, v any, loop map[string]string) ([]string, error) {
	v, err := x.value(v, loop)
	if err == nil {
		v, err = x.env.Resolve(v)
	}
	list, ok := v.([]any)
	if errors.Is(err, ErrNoValue) || err == nil && !ok {
		return nil, Errorf("Template error: the collection of Fn::ForEach::%s is not a list.", name)
	}
	if err != nil {
		return nil, err
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
