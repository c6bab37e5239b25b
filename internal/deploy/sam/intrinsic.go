package sam

import "strings"

const noValue = "AWS::NoValue"

func ref(id any) *dict                { return dictOf("Ref", id) }
func getAtt(id, attribute string) any { return dictOf("Fn::GetAtt", []any{id, attribute}) }

// sub is Fn::Sub; variables take turns as name and value.
func sub(s any, variables ...any) *dict {
	if len(variables) == 0 {
		return dictOf("Fn::Sub", s)
	}
	return dictOf("Fn::Sub", []any{s, dictOf(variables...)})
}

// when is a value that depends on a condition; without otherwise there is none if the condition does not hold.
func when(condition, then, otherwise any) *dict {
	if otherwise == nil {
		otherwise = ref(noValue)
	}
	return dictOf("Fn::If", []any{condition, then, otherwise})
}

func not(condition string) *dict {
	return dictOf("Fn::Not", []any{dictOf("Condition", condition)})
}

// combine is Fn::Or or Fn::And of conditions.
func combine(function string, conditions ...any) *dict {
	list := make([]any, len(conditions))
	for i, c := range conditions {
		list[i] = dictOf("Condition", c)
	}
	return dictOf(function, list)
}

// mostConditions is how many conditions Fn::Or takes, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html.
const mostConditions = 10

// orConditions returns conditions of which the one with the given name holds when one of a list holds. Of long lists it makes several, numbered ones
// for the parts of the last.
func orConditions(list []any, name string) *dict {
	out := newDict()
	if len(list) < 2 {
		return out
	}
	for number := (len(list) - 2) / (mostConditions - 1); len(list) > 1; number-- {
		part := name
		if number > 0 {
			part += python(int64(number))
		}
		n := min(len(list), mostConditions)
		out.set(part, combine("Fn::Or", list[:n]...))
		list = append(append([]any{}, list[n:]...), part)
	}
	return out
}

// intrinsic returns the name and the argument of an intrinsic function.
func intrinsic(v any) (string, any, bool) {
	d, ok := v.(*dict)
	if !ok || d.len() != 1 {
		return "", nil, false
	}
	k := d.names()[0].text
	return k, d.values[k], k == "Ref" || k == "Condition" || strings.HasPrefix(k, "Fn::")
}

func isIntrinsic(v any) bool { _, _, ok := intrinsic(v); return ok }

func isNoValue(v any) bool {
	k, arg, ok := intrinsic(v)
	return ok && k == "Ref" && is(arg, noValue)
}

// asIf returns the argument of Fn::If; ok tells that v is that function, and err that it does not have three arguments.
func asIf(v any) (arguments []any, ok bool, err error) {
	k, arg, isCall := intrinsic(v)
	if !isCall || k != "Fn::If" {
		return nil, false, nil
	}
	list, isList := arg.([]any)
	if !isList || len(list) != 3 {
		return nil, true, errIfArguments
	}
	return list, true, nil
}

type ifError string

func (e ifError) Error() string { return string(e) }

const errIfArguments = ifError("Fn::If requires 3 arguments")

// target is the logical id that a Ref or Fn::GetAtt names.
func target(v any) string {
	if !isIntrinsic(v) {
		return ""
	}
	d, _ := v.(*dict)
	if s, ok := text(d.get("Ref")); ok {
		return s
	}
	arg := d.get("Fn::GetAtt")
	if list, ok := arg.([]any); ok && len(list) == 2 {
		s, _ := text(list[0])
		return s
	}
	if s, ok := text(arg); ok && strings.Count(s, ".") == 1 {
		s, _, _ = strings.Cut(s, ".")
		return s
	}
	return ""
}
