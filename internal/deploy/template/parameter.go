package template

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Parameter is one entry of a template's Parameters.
type Parameter struct {
	Name, Type, Description string
	// Default is nil when there is none.
	Default               *string
	NoEcho                bool
	AllowedValues         []string
	AllowedPattern        string
	ConstraintDescription string
	MinLength, MaxLength  *int64
	MinValue, MaxValue    *float64
}

var parameterKeys = []string{
	"AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description", "MaxLength", "MaxValue", "MinLength", "MinValue", "NoEcho", "Type",
}

func (t *Template) readParameters() error {
	d := t.Document
	m, err := section(d, "Parameters")
	if err != nil {
		return err
	}
	if err := checkNumber("parameters", len(m), maxParameters); err != nil {
		return err
	}
	t.Parameters = make(map[string]Parameter, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		p, err := readParameter(name, m[name])
		if err != nil {
			return d.Locate(err, "Parameters", name)
		}
		t.Parameters[name] = p
	}
	return nil
}

func readParameter(name string, v any) (Parameter, error) {
	p := Parameter{Name: name}
	m, ok := v.(map[string]any)
	if !ok {
		return p, Errorf("Template format error: Any Parameters member must be an object (%s).", name)
	}
	if strings.ContainsFunc(name, func(c rune) bool { return !alphanumeric(c) }) {
		return p, Errorf("Template format error: Parameter name %s is non alphanumeric.", name)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(parameterKeys, k) {
			return p, Errorf("Invalid template parameter property '%s' (%s)", k, name)
		}
	}
	if p.Type, _ = m["Type"].(string); p.Type == "" {
		return p, Errorf("Template format error: Every Parameters object must contain a Type member. (%s)", name)
	}
	if err := checkParameterType(name, p.Type); err != nil {
		return p, err
	}
	if v, has := m["Default"]; has {
		s, ok := Text(v)
		if !ok {
			return p, Errorf("Template format error: Every Default member must be a string. (%s)", name)
		}
		p.Default = &s
	}
	p.Description, _ = m["Description"].(string)
	p.ConstraintDescription, _ = m["ConstraintDescription"].(string)
	if s, ok := Text(m["NoEcho"]); ok {
		p.NoEcho = strings.EqualFold(s, "true")
	}
	return p, p.readConstraints(m)
}

func (p *Parameter) readConstraints(m map[string]any) error {
	if list, ok := m["AllowedValues"].([]any); ok {
		for _, v := range list {
			s, _ := Text(v)
			p.AllowedValues = append(p.AllowedValues, s)
		}
	}
	if s, ok := m["AllowedPattern"].(string); ok {
		if _, err := regexp.Compile("^(?:" + s + ")$"); err != nil {
			return Errorf("Template format error: AllowedPattern of parameter %s is not a pattern that Lambent can check: %v", p.Name, err)
		}
		p.AllowedPattern = s
	}
	for key, to := range map[string]**int64{"MinLength": &p.MinLength, "MaxLength": &p.MaxLength} {
		if s, ok := Text(m[key]); ok {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return Errorf("Template format error: %s of parameter %s must be a number.", key, p.Name)
			}
			*to = &n
		}
	}
	for key, to := range map[string]**float64{"MinValue": &p.MinValue, "MaxValue": &p.MaxValue} {
		if s, ok := Text(m[key]); ok {
			n, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return Errorf("Template format error: %s of parameter %s must be a number.", key, p.Name)
			}
			*to = &n
		}
	}
	return nil
}

// checkParameterType accepts the plain types and the AWS-specific ones, which are strings here; see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html.
func checkParameterType(name, typ string) error {
	inner := strings.TrimSuffix(strings.TrimPrefix(typ, "List<"), ">")
	switch {
	case typ == "String", typ == "Number", typ == "CommaDelimitedList", typ == "List<Number>", typ == "List<String>":
		return nil
	case strings.HasPrefix(typ, ssmValue) && strings.HasSuffix(typ, ">"):
		return checkParameterType(name, typ[len(ssmValue):len(typ)-1])
	case strings.HasPrefix(inner, "AWS::") && strings.Count(inner, "::") >= 2:
		return nil
	}
	return Errorf("Template format error: Unrecognized parameter type: %s (%s)", typ, name)
}

// IsList tells whether the parameter's value is a list of strings.
func (p Parameter) IsList() bool {
	typ := p.Type
	if p.Stored() {
		typ = strings.TrimSuffix(strings.TrimPrefix(typ, ssmValue), ">")
	}
	return typ == "CommaDelimitedList" || strings.HasPrefix(typ, "List<")
}

const ssmValue = "AWS::SSM::Parameter::Value<"

// Stored tells that the parameter names an entry of the Parameter Store, whose value it stands for.
func (p Parameter) Stored() bool { return strings.HasPrefix(p.Type, ssmValue) }

// Values gives every parameter a value, from given or from its default, and checks the constraints.
// Lists are returned as []any of strings. stored returns the value of a parameter that names an entry of the Parameter Store.
func (t *Template) Values(given map[string]string, stored func(parameter, name string) (string, error)) (map[string]any, error) {
	var unknown, missing []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := t.Parameters[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return nil, Errorf("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	}
	values := make(map[string]any, len(t.Parameters))
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		p := t.Parameters[name]
		text, ok := given[name]
		if !ok {
			if p.Default == nil {
				missing = append(missing, name)
				continue
			}
			text = *p.Default
		}
		if p.Stored() {
			// The constraints are about the name.
			if err := p.check(text); err != nil {
				return nil, err
			}
			var err error
			if text, err = stored(name, text); err != nil {
				return nil, err
			}
		}
		v, err := p.value(text)
		if err != nil {
			return nil, err
		}
		values[name] = v
	}
	if len(missing) > 0 {
		return nil, Errorf("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return values, nil
}

func (p Parameter) value(text string) (any, error) {
	check := p.check
	if p.Stored() {
		check = func(string) error { return nil }
	}
	if !p.IsList() {
		return text, check(text)
	}
	list := []any{}
	if text == "" {
		return list, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if err := check(part); err != nil {
			return nil, err
		}
		list = append(list, part)
	}
	return list, nil
}

func (p Parameter) check(s string) error {
	fail := func(format string, args ...any) error {
		if p.ConstraintDescription != "" {
			return Errorf("Parameter %s failed to satisfy constraint: %s", p.Name, p.ConstraintDescription)
		}
		return Errorf("Parameter '"+p.Name+"' must "+format, args...)
	}
	length := int64(len([]rune(s)))
	switch {
	case len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, s):
		return fail("be one of AllowedValues")
	case p.MinLength != nil && length < *p.MinLength:
		return fail("contain at least %d characters", *p.MinLength)
	case p.MaxLength != nil && length > *p.MaxLength:
		return fail("contain at most %d characters", *p.MaxLength)
	}
	if p.AllowedPattern != "" {
		re, err := regexp.Compile("^(?:" + p.AllowedPattern + ")$")
		if err != nil || !re.MatchString(s) {
			return fail("match pattern %s", p.AllowedPattern)
		}
	}
	if p.Type != "Number" && p.Type != "List<Number>" {
		return nil
	}
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil:
		return Errorf("Parameter '%s' must be a number.", p.Name)
	case p.MinValue != nil && n < *p.MinValue:
		return fail("be a number not less than %v", *p.MinValue)
	case p.MaxValue != nil && n > *p.MaxValue:
		return fail("be a number not greater than %v", *p.MaxValue)
	}
	return nil
}
