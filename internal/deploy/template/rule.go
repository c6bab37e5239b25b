package template

import (
	"maps"
	"slices"
	"strings"
)

// Rule is one entry of a template's Rules: assertions about parameters that must hold when its condition does, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html.
type Rule struct {
	Name string
	// Condition is an expression of rule functions; nil always holds.
	Condition  any
	Assertions []Assertion
}

// Assertion is one assertion of a rule.
type Assertion struct {
	Expression  any
	Description string
}

func (t *Template) readRules() error {
	m, err := section(t.Document, "Rules")
	if err != nil {
		return err
	}
	t.Rules = make([]Rule, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		rule, _ := m[name].(map[string]any)
		list, ok := rule["Assertions"].([]any)
		if !ok || len(list) == 0 {
			return t.Document.at(Errorf("Template format error: the rule %s needs a list of Assertions.", name), "Rules", name)
		}
		r := Rule{Name: name, Condition: rule["RuleCondition"]}
		for _, a := range list {
			am, _ := a.(map[string]any)
			if am["Assert"] == nil {
				return t.Document.at(Errorf("Template format error: an assertion of the rule %s has no Assert.", name), "Rules", name)
			}
			text, _ := am["AssertDescription"].(string)
			r.Assertions = append(r.Assertions, Assertion{Expression: am["Assert"], Description: text})
		}
		t.Rules = append(t.Rules, r)
	}
	return nil
}

// CheckRules fails when a rule of the template does not hold for the parameters of e.
func (e *Env) CheckRules() error {
	var failed []string
	for _, r := range e.Template.Rules {
		if r.Condition != nil {
			if applies, err := e.rule(r.Condition); err != nil || !applies {
				if err != nil {
					return e.Template.Document.Locate(err, "Rules", r.Name)
				}
				continue
			}
		}
		for _, a := range r.Assertions {
			holds, err := e.rule(a.Expression)
			if err != nil {
				return e.Template.Document.Locate(err, "Rules", r.Name)
			}
			if !holds {
				failed = append(failed, a.Description)
			}
		}
	}
	if len(failed) > 0 {
		return Errorf("Template error: Parameters failed to satisfy the rules of the template: %s", strings.Join(failed, "; "))
	}
	return nil
}

// rule evaluates an expression of rule functions.
func (e *Env) rule(expr any) (bool, error) {
	m, _ := expr.(map[string]any)
	name, argument, _ := function(m)
	list, _ := argument.([]any)
	switch name {
	case "Fn::And", "Fn::Or":
		for _, x := range list {
			if v, err := e.rule(x); err != nil || v == (name == "Fn::Or") {
				return v, err
			}
		}
		return name == "Fn::And" && len(list) > 0, nil
	case "Fn::Not":
		if len(list) != 1 {
			return false, Errorf("Template error: Fn::Not requires a list argument with one element")
		}
		v, err := e.rule(list[0])
		return !v, err
	case "Fn::Equals":
		return e.equal(list)
	case "Fn::Contains", "Fn::EachMemberIn", "Fn::EachMemberEquals":
		return e.membership(name, list)
	}
	return false, Errorf("Template error: Lambent does not support the rule function %s. Use Fn::And, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::Equals, Fn::Not or Fn::Or.", name)
}

// membership evaluates the rule functions that compare lists.
func (e *Env) membership(name string, list []any) (bool, error) {
	if len(list) != 2 {
		return false, Errorf("Template error: %s requires a list argument with two elements", name)
	}
	a, err := e.ruleList(list[0])
	if err != nil {
		return false, err
	}
	b, err := e.ruleList(list[1])
	if err != nil {
		return false, err
	}
	switch name {
	case "Fn::Contains":
		return len(b) == 1 && slices.Contains(a, b[0]), nil
	case "Fn::EachMemberIn":
		return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) }), nil
	}
	return len(b) == 1 && !slices.ContainsFunc(a, func(s string) bool { return s != b[0] }), nil
}

func (e *Env) ruleList(v any) ([]string, error) {
	r, err := e.Resolve(v)
	if err != nil {
		return nil, err
	}
	list, ok := r.([]any)
	if !ok {
		list = []any{r}
	}
	out := make([]string, len(list))
	for i, x := range list {
		if out[i], ok = Text(x); !ok {
			return nil, Errorf("Template error: a rule compares something that is not a string")
		}
	}
	return out, nil
}
