package expr

import (
	"bytes"
	"unicode/utf8"

	"lambent.dev/lambent/internal/lib/attr"
)

// Match tells whether the condition is true for an item. An item that does not exist is a nil Map.
func (c *Condition) Match(item attr.Map) bool { return c.root.match(item, c.values) }

func (n *node) match(item attr.Map, values []attr.Value) bool {
	switch n.op {
	case opOr:
		return n.args[0].match(item, values) || n.args[1].match(item, values)
	case opAnd:
		return n.args[0].match(item, values) && n.args[1].match(item, values)
	case opNot:
		return !n.args[0].match(item, values)
	case opFunction:
		return n.call(item, values)
	}
	left := n.args[0].eval(item, values)
	switch n.op {
	case opIn:
		for _, a := range n.args[1:] {
			if equal(left, a.eval(item, values)) {
				return true
			}
		}
		return false
	case opBetween:
		return ordered(opLessEqual, n.args[1].eval(item, values), left) && ordered(opLessEqual, left, n.args[2].eval(item, values))
	case opEqual:
		return equal(left, n.args[1].eval(item, values))
	case opNotEqual:
		return !equal(left, n.args[1].eval(item, values))
	}
	return ordered(n.op, left, n.args[1].eval(item, values))
}

// equal tells whether two values are there and equal.
func equal(a, b attr.Value) bool { return a != nil && b != nil && attr.Equal(a, b) }

// ordered tells whether two values are of one type that has an order, and in the order o.
func ordered(o op, a, b attr.Value) bool {
	order, ok := attr.Compare(a, b)
	if !ok {
		return false
	}
	switch o {
	case opLess:
		return order < 0
	case opLessEqual:
		return order <= 0
	case opGreater:
		return order > 0
	}
	return order >= 0
}

// eval returns the value of an operand, or nil.
func (n *node) eval(item attr.Map, values []attr.Value) attr.Value {
	switch n.op {
	case opPath:
		return item.Lookup(n.path)
	case opValue:
		return n.constant(values)
	}
	return size(n.args[0].eval(item, values)) // the one function that is an operand
}

// size returns the number that the function size gives for v, or nil when it has no size.
func size(v attr.Value) attr.Value {
	switch t := v.Type(); {
	case t == attr.S:
		return attr.Int(int64(utf8.RuneCount(v.Bytes())))
	case t >= attr.B:
		return attr.Int(int64(v.Len()))
	}
	return nil
}

// call runs a function that is true or false.
func (n *node) call(item attr.Map, values []attr.Value) bool {
	v := n.args[0].eval(item, values)
	switch n.name {
	case "attribute_exists":
		return v != nil
	case "attribute_not_exists":
		return v == nil
	}
	arg := n.args[1].eval(item, values)
	if v == nil || arg == nil {
		return false
	}
	switch n.name {
	case "attribute_type":
		return v.Type().String() == arg.Text()
	case "begins_with":
		t := v.Type()
		return t == arg.Type() && (t == attr.S || t == attr.B) && bytes.HasPrefix(v.Bytes(), arg.Bytes())
	}
	return contains(v, arg)
}

// contains tells whether v has arg as a part: of text, of bytes, of a set or of a list.
func contains(v, arg attr.Value) bool {
	switch t := v.Type(); t {
	case attr.S, attr.B:
		return t == arg.Type() && bytes.Contains(v.Bytes(), arg.Bytes())
	case attr.L:
		for _, e := range v.List() {
			if attr.Equal(e, arg) {
				return true
			}
		}
		return false
	}
	return v.Contains(arg)
}
