package expr

import (
	"slices"

	"lambent.dev/lambent/internal/lib/attr"
)

// Operand is a part of a condition or of an update that has a value. Other languages than DynamoDB's own, such as PartiQL, build conditions and
// updates of operands.
type Operand struct{ node *node }

// PathOperand returns the operand that reads a path of the item.
func PathOperand(path attr.Path) Operand { return Operand{&node{op: opPath, path: path}} }

// ValueOperand returns the operand that is a value.
func ValueOperand(v attr.Value) Operand { return Operand{&node{op: opValue, value: v}} }

// SizeOperand returns the size of an operand.
func SizeOperand(o Operand) Operand {
	return Operand{&node{op: opFunction, name: "size", args: []*node{o.node}}}
}

// SumOperand returns a + b, or a - b when subtract is set. It is for updates.
func SumOperand(a, b Operand, subtract bool) Operand {
	name := "+"
	if subtract {
		name = "-"
	}
	return Operand{&node{op: opFunction, name: name, args: []*node{a.node, b.node}}}
}

// AppendOperand returns the list of the elements of two lists. It is for updates.
func AppendOperand(a, b Operand) Operand {
	return Operand{&node{op: opFunction, name: "list_append", args: []*node{a.node, b.node}}}
}

// Value returns the value of an operand that is one, or nil.
func (o Operand) Value() attr.Value {
	if o.node == nil {
		return nil
	}
	return o.node.value
}

// Path returns the path of an operand that is one, or nil.
func (o Operand) Path() attr.Path {
	if o.node == nil {
		return nil
	}
	return o.node.path
}

// Compare returns the condition that two operands compare by one of the operators =, <>, <, <=, > and >=.
func Compare(operator string, left, right Operand) (c *Condition, ok bool) {
	for _, known := range comparators {
		if known.text == operator {
			return &Condition{root: &node{op: known.op, args: []*node{left.node, right.node}}}, true
		}
	}
	return nil, false
}

// Between returns the condition that low <= v and v <= high.
func Between(v, low, high Operand) *Condition {
	return &Condition{root: &node{op: opBetween, args: []*node{v.node, low.node, high.node}}}
}

// In returns the condition that an operand equals one of a list.
func In(v Operand, list []Operand) *Condition {
	n := &node{op: opIn, args: []*node{v.node}}
	for _, o := range list {
		n.args = append(n.args, o.node)
	}
	return &Condition{root: n}
}

// Call returns the condition that a function is true: attribute_exists, attribute_not_exists, attribute_type, begins_with or contains.
// ok is false for another function or number of arguments.
func Call(function string, args ...Operand) (c *Condition, ok bool) {
	if want, known := operandCounts[function]; !known || want != len(args) || function == "size" {
		return nil, false
	}
	n := &node{op: opFunction, name: function}
	for _, a := range args {
		n.args = append(n.args, a.node)
	}
	return &Condition{root: n}, true
}

// And returns the condition that both hold. Either may be nil, which always holds. Conditions are joined that were made of operands, as those that
// were parsed have values of their own.
func And(a, b *Condition) *Condition {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &Condition{root: &node{op: opAnd, args: []*node{a.root, b.root}}}
}

// Or returns the condition that one of two holds.
func Or(a, b *Condition) *Condition {
	return &Condition{root: &node{op: opOr, args: []*node{a.root, b.root}}}
}

// Not returns the condition that c does not hold.
func Not(c *Condition) *Condition { return &Condition{root: &node{op: opNot, args: []*node{c.root}}} }

// Conjuncts returns the conditions that all must hold for c to hold.
func (c *Condition) Conjuncts() []*Condition {
	if c == nil {
		return nil
	}
	if c.root.op != opAnd {
		return []*Condition{c}
	}
	return slices.Concat((&Condition{root: c.root.args[0], values: c.values}).Conjuncts(), (&Condition{root: c.root.args[1], values: c.values}).Conjuncts())
}

// KeyTest returns what the condition asks of one top-level attribute, when it compares it with values and Query can answer it from keys alone.
func (c *Condition) KeyTest() (t KeyTest, ok bool) {
	switch c.root.op {
	case opEqual, opLess, opLessEqual, opGreater, opGreaterEqual, opBetween:
	case opFunction:
		if c.root.name != "begins_with" {
			return t, false
		}
	default:
		return t, false
	}
	for _, a := range c.root.args {
		if a.op == opFunction || a.op > opFunction {
			return t, false
		}
	}
	t, err := c.root.keyTest(c.values)
	return t, err == nil && t.Low != nil && (t.Op != KeyBetween || t.High != nil)
}

// Choices returns the values of which an attribute must equal one, when that is what the condition asks.
func (c *Condition) Choices() (name string, values []attr.Value, ok bool) {
	n := c.root
	if n.op != opIn || n.args[0].op != opPath || len(n.args[0].path) != 1 {
		return "", nil, false
	}
	for _, a := range n.args[1:] {
		if a.op != opValue {
			return "", nil, false
		}
		values = append(values, a.constant(c.values))
	}
	return n.args[0].path[0].Name, values, true
}

// Set adds the assignment of an operand to a path.
func (u *Update) Set(path attr.Path, o Operand) { u.sets = append(u.sets, assignment{path, o.node}) }

// Remove adds the removal of a path.
func (u *Update) Remove(path attr.Path) { u.removes = append(u.removes, path) }

// Add adds a value, a number or a set, to what is at a path.
func (u *Update) Add(path attr.Path, o Operand) { u.adds = append(u.adds, assignment{path, o.node}) }

// Delete removes the elements of a set from the set at a path.
func (u *Update) Delete(path attr.Path, o Operand) {
	u.deletes = append(u.deletes, assignment{path, o.node})
}

// Empty tells whether the update changes nothing.
func (u *Update) Empty() bool { return len(u.sets)+len(u.removes)+len(u.adds)+len(u.deletes) == 0 }

// Check finds paths of the update that overlap or conflict.
func (u *Update) Check() error {
	var p parser
	p.checkPaths(u.paths(true))
	if message := p.findings.first(); message != "" {
		return &Error{message}
	}
	return nil
}
