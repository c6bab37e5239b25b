package pattern

import (
	"slices"
)

// anythingBut reads the value of anything-but: a value, a list of values of one type, or an expression over text.
func (c *compiler) anythingBut(t token) (test, *Error) {
	if t.kind == beginObject {
		made, err := c.anythingButExpression()
		if err == nil {
			err = c.close("Too many elements in numeric expression")
		}
		return made, err
	}
	switch t.kind {
	case stringValue:
		return test{op: opNot, not: []test{{op: opText, text: t.text}}}, nil
	case numberValue:
		n, ok := parseNumber(t.text)
		if !ok {
			return test{}, plain("Cannot compare number : %s", t.text)
		}
		return test{op: opNot, not: []test{{op: opNumber, low: n, text: t.text}}}, nil
	case beginArray:
		return c.anythingButList()
	}
	return test{}, c.fail(t.at, "Value of anything-but must be an array or single string/number value.")
}

// anythingButList reads a list of strings or of numbers.
func (c *compiler) anythingButList() (test, *Error) {
	made := test{op: opNot}
	numbers := 0
	for {
		t, err := c.next()
		if err != nil {
			return test{}, err
		}
		switch t.kind {
		case endArray:
			if numbers != 0 && numbers != len(made.not) || len(made.not) == 0 {
				return test{}, c.fail(t.at, "Inside anything but list, either all values are number or string, mixed type is not supported")
			}
			return made, nil
		case stringValue:
			made.not = append(made.not, test{op: opText, text: t.text})
		case numberValue:
			n, ok := parseNumber(t.text)
			if !ok {
				return test{}, c.fail(t.at, "Cannot compare number : %s", t.text)
			}
			numbers++
			made.not = append(made.not, test{op: opNumber, low: n, text: t.text})
		default:
			return test{}, c.fail(t.at, "Inside anything but list, start|null|boolean is not supported.").repeated()
		}
	}
}

// exclusion is an operator inside of anything-but.
type exclusion struct {
	name, mistyped string
	op             op
}

var exclusions = []exclusion{
	{"equals-ignore-case", "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.", opFold},
	{"prefix", "prefix/suffix match pattern must be a string", opPrefix},
	{"suffix", "prefix/suffix match pattern must be a string", opSuffix},
	{"wildcard", "wildcard match pattern must be a string", opWildcard},
}

// anythingButExpression reads an operator over a string or a list of strings.
func (c *compiler) anythingButExpression() (test, *Error) {
	t, err := c.next()
	if err != nil {
		return test{}, err
	}
	if t.kind != fieldName {
		return test{}, c.fail(t.at, "Anything-But expression name not found")
	}
	i := slices.IndexFunc(exclusions, func(e exclusion) bool { return e.name == t.text })
	if i < 0 || c.dialect == SNS && t.text != "prefix" {
		return test{}, c.fail(t.at, "Unsupported anything-but pattern: %s", t.text)
	}
	e := exclusions[i]
	if t, err = c.next(); err != nil {
		return test{}, err
	}
	made := test{op: opNot}
	switch t.kind {
	case stringValue, numberValue:
		inner, err := c.excluded(e, t)
		made.not = []test{inner}
		return made, err
	case beginArray:
	default:
		if c.dialect == SNS {
			return test{}, c.fail(t.end, "%s match pattern must be a string", e.name)
		}
		return test{}, c.fail(t.at, "Value of anything-but must be an array or single string/number value.")
	}
	for {
		if t, err = c.next(); err != nil {
			return test{}, err
		}
		if t.kind == endArray {
			return made, nil
		}
		inner, err := c.excluded(e, t)
		if err != nil {
			return test{}, err.repeated()
		}
		made.not = append(made.not, inner)
	}
}

// excluded makes the test of one excluded text.
func (c *compiler) excluded(e exclusion, t token) (test, *Error) {
	if t.kind != stringValue {
		return test{}, c.fail(t.at, "%s", e.mistyped)
	}
	made := test{op: e.op, text: t.text}
	var err *Error
	switch e.op {
	case opFold:
		made.text = fold(t.text)
	case opWildcard:
		made.glob, err = c.glob(t)
	default:
		if t.text == "" {
			err = c.fail(t.end, "Null prefix/suffix not allowed")
		}
	}
	return made, err
}
