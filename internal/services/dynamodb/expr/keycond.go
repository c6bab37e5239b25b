package expr

import "lambent.dev/lambent/internal/lib/attr"

// KeyOp is how a key condition compares an attribute.
type KeyOp uint8

// The comparisons of key conditions.
const (
	KeyEqual KeyOp = iota
	KeyLess
	KeyLessEqual
	KeyGreater
	KeyGreaterEqual
	KeyBetween
	KeyBeginsWith
)

// KeyTest is what a key condition asks of one attribute.
type KeyTest struct {
	Name string
	Op   KeyOp
	// Low is the operand; of KeyBetween it is the lower bound, and High the upper one.
	Low, High attr.Value
}

// Condition returns the test as a condition.
func (t KeyTest) Condition() *Condition {
	n := &node{args: []*node{{op: opPath, path: attr.Path{{Name: t.Name}}}, {op: opValue, value: t.Low}}}
	switch t.Op {
	case KeyBetween:
		n.op, n.args = opBetween, append(n.args, &node{op: opValue, value: t.High})
	case KeyBeginsWith:
		n.op, n.name = opFunction, "begins_with"
	case KeyLess:
		n.op = opLess
	case KeyLessEqual:
		n.op = opLessEqual
	case KeyGreater:
		n.op = opGreater
	case KeyGreaterEqual:
		n.op = opGreaterEqual
	default:
		n.op = opEqual
	}
	return &Condition{root: n}
}

// KeyTests appends to dst what the condition asks of each attribute, when it is one that Query can answer from keys alone.
func (c *Condition) KeyTests(dst []KeyTest) ([]KeyTest, error) { return c.root.keyTests(dst, c.values) }

func (n *node) keyTests(tests []KeyTest, values []attr.Value) ([]KeyTest, error) {
	switch n.op {
	case opAnd:
		tests, err := n.args[0].keyTests(tests, values)
		if err != nil {
			return nil, err
		}
		return n.args[1].keyTests(tests, values)
	case opOr, opNot, opIn, opNotEqual:
		return nil, errorf("Invalid operator used in KeyConditionExpression: %s", keyword(n))
	case opFunction:
		if n.name != "begins_with" {
			return nil, errorf("Invalid operator used in KeyConditionExpression: %s", n.name)
		}
	}
	t, err := n.keyTest(values)
	if err != nil {
		return nil, err
	}
	for _, other := range tests {
		if other.Name == t.Name {
			return nil, errorf("KeyConditionExpressions must only contain one condition per key")
		}
	}
	return append(tests, t), nil
}

// keyTest reads one comparison; the attribute may stand on either side of a comparator.
func (n *node) keyTest(values []attr.Value) (KeyTest, error) {
	at := -1
	for i, a := range n.args {
		switch {
		case a.op == opFunction:
			return KeyTest{}, errorf("KeyConditionExpressions cannot contain nested operations")
		case a.op == opPath && at >= 0:
			return KeyTest{}, errorf("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		case a.op == opPath && len(a.path) > 1:
			return KeyTest{}, errorf("KeyConditionExpressions cannot have conditions on nested attributes")
		case a.op == opPath:
			at = i
		}
	}
	if at != 0 && (n.op == opBetween || n.op == opFunction) {
		return KeyTest{}, errorf("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", keyword(n))
	}
	if at < 0 {
		return KeyTest{}, errorf("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	t := KeyTest{Name: n.args[at].path[0].Name, Op: keyOp(n.op, at > 0), Low: n.args[1].constant(values)}
	if at > 0 {
		t.Low = n.args[0].constant(values)
	}
	if n.op == opBetween {
		t.High = n.args[2].constant(values)
	}
	return t, nil
}

// keyOp returns the comparison of a node, turned round when the attribute stands on the right.
func keyOp(o op, reversed bool) KeyOp {
	switch o {
	case opBetween:
		return KeyBetween
	case opFunction:
		return KeyBeginsWith
	case opEqual:
		return KeyEqual
	}
	ops := [...][2]KeyOp{
		opLess: {KeyLess, KeyGreater}, opLessEqual: {KeyLessEqual, KeyGreaterEqual}, opGreater: {KeyGreater, KeyLess}, opGreaterEqual: {KeyGreaterEqual, KeyLessEqual},
	}[o]
	if reversed {
		return ops[1]
	}
	return ops[0]
}
