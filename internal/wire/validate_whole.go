package wire

import (
	"fmt"
	"reflect"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
)

// scalar reports whether values of the field have no parts.
func (f *field) scalar() bool {
	switch f.kind {
	case awsapi.String, awsapi.Integer, awsapi.Long, awsapi.Float, awsapi.Double:
		return true
	}
	return false
}

// broken reports whether a scalar breaks one of its constraints.
func (v *validator) broken(f *field, value reflect.Value) bool {
	one := &validator{patterns: v.patterns, dialect: v.dialect}
	one.value(f, value)
	return len(one.found) > 0
}

// members checks the scalars of a list. One that breaks a constraint makes the list the value at fault, with all constraints of its members.
func (v *validator) members(f *field, value reflect.Value) {
	for i := range value.Len() {
		if item, present := f.element.item(value.Index(i)); present && v.broken(f.element, item) {
			rules := constraints(f.element.shape)
			if v.path("") == v.dialect.plainList {
				v.add(f.shape, showList(value), "%s", rules[0])
				return
			}
			if !v.dialect.bareWhole {
				rules = append(rules, "Member must not be null")
			}
			v.addWhole(f.shape, showList(value), "Member", rules)
			return
		}
	}
}

// entries is members for the keys and the values of a map.
func (v *validator) entries(f *field, value reflect.Value) {
	shown := make([]string, 0, value.Len())
	keys, values := false, false
	for _, key := range sortedKeys(value) {
		item, present := f.element.item(value.MapIndex(key))
		keys = keys || v.broken(f.key, key)
		values = values || present && v.broken(f.element, item)
		shown = append(shown, key.String()+"="+showScalar(item))
	}
	text := "'{" + strings.Join(shown, ", ") + "}'"
	if keys {
		v.addWhole(f.shape, text, "Map keys", constraints(f.key.shape))
	}
	if values {
		v.addWhole(f.shape, text, "Map value", append(constraints(f.element.shape), "Member must not be null"))
	}
}

func (v *validator) addWhole(s *awsapi.Shape, shown, subject string, rules []string) {
	v.found = append(v.found, violation{
		path: v.path(""), value: shown, hidden: s.Sensitive || len(shown) > maxShown, rule: fmt.Sprintf("%s must satisfy constraint: [%s]", subject, strings.Join(rules, ", ")),
	})
}

// constraints words all constraints of a scalar.
func constraints(s *awsapi.Shape) []string {
	noun := "length"
	if s.Kind != awsapi.String {
		noun = "value"
	}
	var rules []string
	if s.Max != nil {
		rules = append(rules, fmt.Sprintf("Member must have %s less than or equal to %s", noun, showNumber(s, *s.Max)))
	}
	if s.Min != nil {
		rules = append(rules, fmt.Sprintf("Member must have %s greater than or equal to %s", noun, showNumber(s, *s.Min)))
	}
	if len(s.Enum) > 0 {
		rules = append(rules, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
	}
	if s.Pattern != "" {
		rules = append(rules, "Member must satisfy regular expression pattern: "+s.Pattern)
	}
	return rules
}

// showNumber writes a bound as the services do: with a fraction where the value may have one.
func showNumber(s *awsapi.Shape, n float64) string {
	text := formatFloat(n, 64)
	if (s.Kind == awsapi.Float || s.Kind == awsapi.Double) && !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func showScalar(v reflect.Value) string {
	if v.Kind() == reflect.Float64 || v.Kind() == reflect.Float32 {
		return showNumber(&awsapi.Shape{Kind: awsapi.Double}, v.Float())
	}
	return fmt.Sprint(v.Interface())
}
