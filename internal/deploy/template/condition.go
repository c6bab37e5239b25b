package template

import (
	"errors"
	"reflect"
	"slices"
	"strings"
)

// Condition evaluates a condition by name; the empty name is always true.
func (e *Env) Condition(name string) (bool, error) {
	if name == "" {
		return true, nil
	}
	if v, ok := e.conditions[name]; ok {
		return v, nil
	}
	expr, ok := e.Template.Conditions[name]
	if !ok {
		return false, Errorf("Template format error: Unresolved condition dependency %s in the Conditions block of the template", name)
	}
	if slices.Contains(e.evaluating, name) {
		return false, Errorf("Template error: Found circular condition dependency between conditions: [%s]", strings.Join(append(e.evaluating, name), ", "))
	}
	e.evaluating = append(e.evaluating, name)
	v, err := e.truth(expr)
	e.evaluating = e.evaluating[:len(e.evaluating)-1]
	if err != nil {
		return false, e.Template.Document.Locate(err, "Conditions", name)
	}
	if e.conditions == nil {
		e.conditions = map[string]bool{}
	}
	e.conditions[name] = v
	return v, nil
}

func (e *Env) truth(expr any) (bool, error) {
	m, ok := expr.(map[string]any)
	if !ok {
		if s, isText := Text(expr); isText && (s == "true" || s == "false") {
			return s == "true", nil
		}
		return false, Errorf("Template error: every condition must be an Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition")
	}
	name, argument, _ := function(m)
	if name == "Condition" {
		return e.Condition(argument.(string))
	}
	list, ok := argument.([]any)
	if !ok {
		return false, Errorf("Template error: %s requires a list argument", name)
	}
	switch name {
	case "Fn::Equals":
		return e.equal(list)
	case "Fn::Not":
		if len(list) != 1 {
			return false, Errorf("Template error: Fn::Not requires a list argument with one element")
		}
		v, err := e.truth(list[0])
		return !v, err
	case "Fn::And", "Fn::Or":
		if len(list) < 2 || len(list) > 10 {
			return false, Errorf("Template error: %s requires a list argument with two to ten elements", name)
		}
		// All are evaluated, so that a mistake or a cycle is found whatever the values.
		some, all := false, true
		for _, x := range list {
			v, err := e.truth(x)
			if err != nil {
				return false, err
			}
			some, all = some || v, all && v
		}
		return name == "Fn::Or" && some || name == "Fn::And" && all, nil
	}
	return false, Errorf("Template error: every condition must be an Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition")
}

func (e *Env) equal(list []any) (bool, error) {
	if len(list) != 2 {
		return false, Errorf("Template error: every Fn::Equals object requires a list of 2 string parameters")
	}
	refs, err := References(list)
	if err != nil {
		return false, err
	}
	for _, r := range refs {
		if _, isResource := e.Template.Resources[r.Name]; isResource {
			return false, Errorf("Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", r.Name)
		}
	}
	a, err := e.Resolve(list[0])
	var b any
	if err == nil {
		b, err = e.Resolve(list[1])
	}
	if errors.Is(err, ErrNoValue) {
		err = Errorf("Template error: every Fn::Equals object requires a list of 2 string parameters")
	}
	if err != nil {
		return false, err
	}
	x, ok1 := Text(a)
	y, ok2 := Text(b)
	if ok1 && ok2 {
		return x == y, nil
	}
	for _, v := range []any{a, b} {
		if _, isMap := v.(map[string]any); isMap {
			return false, Errorf("Template error: every Fn::Equals object requires a list of 2 string parameters")
		}
	}
	return reflect.DeepEqual(a, b), nil
}
