package template

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

var pseudoParameters = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// Unknown stands for a value that only a deploy can tell, because a resource it is built from is not there yet or will be replaced.
type Unknown struct {
	// Resource is the logical id of the (first) resource it waits for.
	Resource string
	// Attribute is the attribute of it, or empty for its Ref.
	Attribute string
}

// ErrNoValue is what the expression {"Ref": "AWS::NoValue"} evaluates to: its place in a list or mapping is left out.
var ErrNoValue = errors.New("no value")

// ErrNotYet is returned by [Env.Import] for a value that only a deploy can tell.
var ErrNotYet = errors.New("not known before the deploy")

// Env is what expressions are evaluated against.
type Env struct {
	Template *Template
	// Parameters are the values of the parameters, as [Template.Values] returns them.
	Parameters map[string]any
	// StackName, StackID, Account and Region are the pseudo parameters, and Notifications are the ARNs of AWS::NotificationARNs.
	StackName, StackID, Account, Region string
	Notifications                       []string
	// Resource returns the Ref (attribute "") or an attribute of a resource: a value or an [Unknown].
	Resource func(logicalID, attribute string) (any, error)
	// Import returns the value of an export. [ErrNotYet] means that it is not known before the deploy.
	Import func(name string) (string, error)

	conditions map[string]bool
	evaluating []string
}

// Resolve evaluates an expression.
func (e *Env) Resolve(v any) (any, error) {
	switch t := v.(type) {
	case []any:
		return e.resolveList(t)
	case map[string]any:
		if name, argument, ok := function(t); ok {
			return e.call(name, argument)
		}
		out := make(map[string]any, len(t))
		for _, k := range slices.Sorted(maps.Keys(t)) {
			r, err := e.Resolve(t[k])
			if errors.Is(err, ErrNoValue) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out[k] = r
		}
		return out, nil
	}
	return v, nil
}

func (e *Env) resolveList(l []any) (any, error) { return each(l, e.Resolve) }

// each returns what resolve makes of the members of a list, without those that it makes nothing of.
func each(l []any, resolve func(any) (any, error)) ([]any, error) {
	out := make([]any, 0, len(l))
	for _, v := range l {
		r, err := resolve(v)
		if errors.Is(err, ErrNoValue) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// function tells whether a mapping is the call of an intrinsic function.
func function(m map[string]any) (string, any, bool) {
	if len(m) != 1 {
		return "", nil, false
	}
	for k, v := range m {
		if k == "Ref" || strings.HasPrefix(k, "Fn::") {
			return k, v, true
		}
		if k == "Condition" {
			if _, isName := v.(string); isName {
				return k, v, true
			}
		}
	}
	return "", nil, false
}

func (e *Env) call(name string, argument any) (any, error) {
	switch name {
	case "Ref":
		return e.ref(argument)
	case "Fn::GetAtt":
		return e.getAtt(argument)
	case "Fn::Sub":
		return e.sub(argument)
	case "Fn::If":
		return e.choose(argument)
	case "Condition":
		// Outside of conditions a key of this name is data, such as in a policy statement.
		v, err := e.Resolve(argument)
		return map[string]any{"Condition": v}, err
	case "Fn::FindInMap":
		return e.findInMap(argument)
	}
	f, ok := functions[name]
	if !ok {
		return nil, Errorf("Template error: Lambent does not support the function %s.", name)
	}
	args, err := e.Resolve(argument)
	if err != nil {
		return nil, err
	}
	if u, waits := findUnknown(args); waits {
		return u, nil
	}
	return f(e, args)
}

// findUnknown returns the first unknown inside a value.
func findUnknown(v any) (Unknown, bool) {
	switch t := v.(type) {
	case Unknown:
		return t, true
	case []any:
		for _, x := range t {
			if u, ok := findUnknown(x); ok {
				return u, true
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(t)) {
			if u, ok := findUnknown(t[k]); ok {
				return u, true
			}
		}
	}
	return Unknown{}, false
}

func (e *Env) ref(argument any) (any, error) {
	name, ok := argument.(string)
	if !ok {
		return nil, Errorf("Template error: every Ref object must have a single String value.")
	}
	switch name {
	case "AWS::NoValue":
		return nil, ErrNoValue
	case "AWS::AccountId":
		return e.Account, nil
	case "AWS::Region":
		return e.Region, nil
	case "AWS::Partition":
		return "aws", nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	case "AWS::StackName":
		return e.StackName, nil
	case "AWS::StackId":
		return e.StackID, nil
	case "AWS::NotificationARNs":
		list := make([]any, len(e.Notifications))
		for i, arn := range e.Notifications {
			list[i] = arn
		}
		return list, nil
	}
	if v, ok := e.Parameters[name]; ok {
		if v == "AWS::NoValue" { // which a parameter may stand for, too
			return nil, ErrNoValue
		}
		return v, nil
	}
	if _, ok := e.Template.Resources[name]; ok && e.Resource != nil {
		return e.Resource(name, "")
	}
	return nil, Errorf("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", name)
}

func (e *Env) getAtt(argument any) (any, error) {
	name, expr, err := getAtt(argument)
	if err != nil {
		return nil, err
	}
	v, err := e.Resolve(expr)
	if err != nil {
		return nil, err
	}
	attribute, ok := v.(string)
	if _, known := e.Template.Resources[name]; !known || !ok || e.Resource == nil {
		return nil, Errorf("Template error: instance of Fn::GetAtt references undefined resource %s", name)
	}
	return e.Resource(name, attribute)
}

func (e *Env) sub(argument any) (any, error) {
	text, exprs, err := subArguments(argument)
	if err != nil {
		return nil, err
	}
	parts, err := splitSub(text)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	var unknown *Unknown
	for _, p := range parts {
		b.WriteString(p.literal)
		if p.name == "" {
			continue
		}
		v, err := e.variable(p.name, exprs)
		if err != nil {
			return nil, err
		}
		if u, ok := v.(Unknown); ok {
			if unknown == nil {
				unknown = &u
			}
			continue
		}
		s, ok := Text(v)
		if !ok {
			return nil, Errorf("Template error: variable %s in Fn::Sub does not resolve to a string", p.name)
		}
		b.WriteString(s)
	}
	if unknown != nil {
		return *unknown, nil
	}
	return b.String(), nil
}

func (e *Env) variable(name string, exprs map[string]any) (any, error) {
	if expr, ok := exprs[name]; ok {
		return e.Resolve(expr)
	}
	if resource, attribute, ok := strings.Cut(name, "."); ok {
		return e.getAtt([]any{resource, attribute})
	}
	return e.ref(name)
}

func (e *Env) choose(argument any) (any, error) {
	l, ok := argument.([]any)
	if !ok || len(l) != 3 {
		return nil, Errorf("Template error: Fn::If requires a list argument with three elements")
	}
	name, ok := l[0].(string)
	if !ok {
		return nil, Errorf("Template error: Fn::If requires the name of a condition as its first element")
	}
	yes, err := e.Condition(name)
	if err != nil {
		return nil, err
	}
	if yes {
		return e.Resolve(l[1])
	}
	return e.Resolve(l[2])
}
