package expr

import (
	"maps"
	"slices"

	"lambent.dev/lambent/internal/lib/attr"
)

// Comparison is a condition of the time before expressions: an operator on one top-level attribute
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html).
type Comparison struct {
	Operator string
	Values   []attr.Value
}

// comparison is what is known of an operator of the time before expressions.
type comparison struct {
	least, most int // number of values; most < 0 is no limit
	types       []attr.Type
	node        func(path *node, values []*node) *node
}

// scalars are the types of values that have an order.
func scalars() []attr.Type { return []attr.Type{attr.S, attr.N, attr.B} }

// comparisonOf returns an operator by its name.
func comparisonOf(operator string) (comparison, bool) {
	binary := func(o op, types []attr.Type) comparison {
		return comparison{1, 1, types, func(path *node, values []*node) *node { return &node{op: o, args: []*node{path, values[0]}} }}
	}
	call := func(name string, count int, types []attr.Type) comparison {
		return comparison{count, count, types, func(path *node, values []*node) *node {
			return &node{op: opFunction, name: name, args: append([]*node{path}, values...)}
		}}
	}
	list := func(o op, least, most int) comparison {
		return comparison{least, most, scalars(), func(path *node, values []*node) *node { return &node{op: o, args: append([]*node{path}, values...)} }}
	}
	switch operator {
	case "EQ":
		return binary(opEqual, nil), true
	case "NE":
		return binary(opNotEqual, nil), true
	case "LT":
		return binary(opLess, scalars()), true
	case "LE":
		return binary(opLessEqual, scalars()), true
	case "GT":
		return binary(opGreater, scalars()), true
	case "GE":
		return binary(opGreaterEqual, scalars()), true
	case "NULL":
		return call("attribute_not_exists", 0, nil), true
	case "NOT_NULL":
		return call("attribute_exists", 0, nil), true
	case "CONTAINS":
		return call("contains", 1, scalars()), true
	case "NOT_CONTAINS":
		c := call("contains", 1, scalars())
		contains := c.node
		c.node = func(path *node, values []*node) *node { return &node{op: opNot, args: []*node{contains(path, values)}} }
		return c, true
	case "BEGINS_WITH":
		return call("begins_with", 1, []attr.Type{attr.S, attr.B}), true
	case "IN":
		return list(opIn, 1, -1), true
	case "BETWEEN":
		return list(opBetween, 2, 2), true
	}
	return comparison{}, false
}

const invalidParameters = "One or more parameter values were invalid: "

// Check checks the number and the types of the values.
func (c Comparison) Check() error {
	known, ok := comparisonOf(c.Operator)
	if !ok {
		return errorf("Unsupported operator on ExpectedAttributeValue: %s", c.Operator)
	}
	for _, v := range c.Values {
		if t := v.Type(); known.types != nil && !slices.Contains(known.types, t) {
			return errorf(invalidParameters+"ComparisonOperator %s is not valid for %s AttributeValue type", c.Operator, t)
		}
	}
	if n := len(c.Values); n < known.least || known.most >= 0 && n > known.most {
		return errorf(invalidParameters+"Invalid number of argument(s) for the %s ComparisonOperator", c.Operator)
	}
	for _, v := range c.Values {
		if v.Type() != c.Values[0].Type() {
			return errorf(invalidParameters + "AttributeValues inside AttributeValueList must be of same type")
		}
	}
	if c.Operator == "BETWEEN" {
		if order, ok := attr.Compare(c.Values[0], c.Values[1]); ok && order > 0 {
			return errorf("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
		}
	}
	return nil
}

// node returns the comparison of an attribute as part of a condition. The comparison was checked.
func (c Comparison) node(attribute string) *node {
	values := make([]*node, len(c.Values))
	for i, v := range c.Values {
		values[i] = &node{op: opValue, value: v}
	}
	known, _ := comparisonOf(c.Operator)
	return known.node(&node{op: opPath, path: attr.Path{{Name: attribute}}}, values)
}

// NewCondition returns the condition that all comparisons hold, or with either that one of them does. They were checked, and there is at least one.
func NewCondition(byAttribute map[string]Comparison, either bool) *Condition {
	joint := opAnd
	if either {
		joint = opOr
	}
	var root *node
	for _, attribute := range slices.Sorted(maps.Keys(byAttribute)) {
		next := byAttribute[attribute].node(attribute)
		if root != nil {
			next = &node{op: joint, args: []*node{root, next}}
		}
		root = next
	}
	return &Condition{root: root}
}

// KeyTest returns what a comparison asks of a key attribute, when Query can answer it from keys alone. The comparison was checked.
func (c Comparison) KeyTest(attribute string) (KeyTest, error) {
	ops := map[string]KeyOp{
		"EQ": KeyEqual, "LT": KeyLess, "LE": KeyLessEqual, "GT": KeyGreater, "GE": KeyGreaterEqual, "BETWEEN": KeyBetween, "BEGINS_WITH": KeyBeginsWith,
	}
	o, ok := ops[c.Operator]
	if !ok {
		return KeyTest{}, errorf("Attempted conditional constraint is not an indexable operation")
	}
	t := KeyTest{Name: attribute, Op: o, Low: c.Values[0]}
	if o == KeyBetween {
		t.High = c.Values[1]
	}
	return t, nil
}

// Change is an update of one top-level attribute of the time before expressions: PUT, ADD or DELETE. DELETE without a value removes the attribute.
type Change struct {
	Action string
	Value  attr.Value
}

// Check checks whether the action bears the value.
func (c Change) Check() error {
	t := c.Value.Type()
	switch {
	case c.Value == nil && c.Action != "DELETE":
		return errorf(invalidParameters + "Only DELETE action is allowed when no attribute value is specified")
	case c.Value != nil && c.Action == "DELETE" && !t.IsSet():
		return errorf(invalidParameters+"DELETE action with value is not supported for the type %s", t)
	case c.Action == "ADD" && !t.IsSet() && t != attr.N && t != attr.L:
		return errorf(invalidParameters+"ADD action is not supported for the type %s", t)
	}
	return nil
}

// NewUpdate returns the update that makes all changes. They were checked.
func NewUpdate(byAttribute map[string]Change) *Update {
	u := &Update{changes: changes{legacy: true}}
	for _, attribute := range slices.Sorted(maps.Keys(byAttribute)) {
		c := byAttribute[attribute]
		path := attr.Path{{Name: attribute}}
		operand := &node{op: opValue, value: c.Value}
		switch {
		case c.Action == "ADD":
			u.adds = append(u.adds, assignment{path, operand})
		case c.Action == "DELETE" && c.Value == nil:
			u.removes = append(u.removes, path)
		case c.Action == "DELETE":
			u.deletes = append(u.deletes, assignment{path, operand})
		default:
			u.sets = append(u.sets, assignment{path, operand})
		}
	}
	return u
}

// NewProjection returns the projection to top-level attributes.
func NewProjection(attributes []string) *Projection {
	paths := make([]attr.Path, len(attributes))
	for i, name := range attributes {
		paths[i] = attr.Path{{Name: name}}
	}
	return &Projection{attr.NewProjection(paths), paths}
}
