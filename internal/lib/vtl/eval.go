package vtl

import (
	"fmt"
	"math"
)

// expr is a part of an expression.
type expr interface {
	eval(r *run) (any, error)
}

type constant struct{ value any }

func (e constant) eval(*run) (any, error) { return e.value, nil }

// interpolation is a double-quoted string with references in it.
type interpolation struct{ nodes []node }

func (e *interpolation) eval(r *run) (any, error) { return r.capture(e.nodes) }

type listExpr struct{ items []expr }

func (e *listExpr) eval(r *run) (any, error) {
	l := &List{Items: make([]any, len(e.items))}
	if err := r.step(len(e.items)); err != nil {
		return nil, err
	}
	for i, item := range e.items {
		var err error
		if l.Items[i], err = item.eval(r); err != nil {
			return nil, err
		}
	}
	return l, nil
}

type rangeExpr struct{ first, last expr }

func (e *rangeExpr) eval(r *run) (any, error) {
	first, err := e.first.eval(r)
	if err != nil {
		return nil, err
	}
	last, err := e.last.eval(r)
	if err != nil {
		return nil, err
	}
	from, ok1 := first.(int64)
	to, ok2 := last.(int64)
	if !ok1 || !ok2 {
		return nil, nil
	}
	by := int64(1)
	if to < from {
		by = -1
	}
	n := math.Abs(float64(to)-float64(from)) + 1
	if n > float64(r.steps) {
		return nil, fmt.Errorf("%w of steps", ErrLimit)
	}
	l := &List{Items: make([]any, int(n))}
	for i := range l.Items {
		l.Items[i] = from + int64(i)*by
	}
	return l, r.step(len(l.Items))
}

type mapExpr struct{ keys, values []expr }

func (e *mapExpr) eval(r *run) (any, error) {
	m := NewMap()
	if err := r.step(len(e.keys)); err != nil {
		return nil, err
	}
	for i, key := range e.keys {
		k, err := key.eval(r)
		if err != nil {
			return nil, err
		}
		name, err := r.string(k)
		if err != nil {
			return nil, err
		}
		v, err := e.values[i].eval(r)
		if err != nil {
			return nil, err
		}
		m.Put(name, v)
	}
	return m, nil
}

type notExpr struct{ of expr }

func (e notExpr) eval(r *run) (any, error) {
	v, err := e.of.eval(r)
	return !truth(v), err
}

// op is a binary operator.
type op int

const (
	opOr op = iota
	opAnd
	opEqual
	opUnequal
	opLess
	opAtMost
	opGreater
	opAtLeast
	opAdd
	opSubtract
	opMultiply
	opDivide
	opRemainder
)

type binaryExpr struct {
	op          op
	left, right expr
}

func (e *binaryExpr) eval(r *run) (any, error) {
	if err := r.step(1); err != nil {
		return nil, err
	}
	left, err := e.left.eval(r)
	if err != nil {
		return nil, err
	}
	if e.op == opOr && truth(left) {
		return true, nil
	}
	if e.op == opAnd && !truth(left) {
		return false, nil
	}
	right, err := e.right.eval(r)
	if err != nil {
		return nil, err
	}
	switch e.op {
	case opOr, opAnd:
		return truth(right), nil
	case opEqual, opUnequal:
		same, err := r.equal(left, right)
		return same == (e.op == opEqual), err
	case opLess, opAtMost, opGreater, opAtLeast:
		return compare(e.op, left, right), nil
	}
	return r.arithmetic(e.op, left, right)
}

// equal compares numbers by value and everything else by kind and text, as Velocity does.
func (r *run) equal(a, b any) (bool, error) {
	if a == nil || b == nil {
		return a == b, nil
	}
	if x, ok := double(a); ok {
		if y, ok := double(b); ok {
			return x == y, nil
		}
	}
	x, err := r.string(a)
	if err != nil {
		return false, err
	}
	y, err := r.string(b)
	return x == y, err
}

// double returns the value of a number.
func double(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// compare orders numbers; other values are in no order.
func compare(o op, left, right any) bool {
	a, ok1 := double(left)
	b, ok2 := double(right)
	if !ok1 || !ok2 {
		return false
	}
	switch o {
	case opLess:
		return a < b
	case opAtMost:
		return a <= b
	case opGreater:
		return a > b
	}
	return a >= b
}

// arithmetic calculates. What cannot be calculated is nothing; + joins where one side is a string.
func (r *run) arithmetic(o op, left, right any) (any, error) {
	a, ok1 := double(left)
	b, ok2 := double(right)
	if !ok1 || !ok2 {
		_, s1 := left.(string)
		_, s2 := right.(string)
		if o != opAdd || !s1 && !s2 {
			return nil, nil
		}
		x, err := r.string(left)
		if err != nil {
			return nil, err
		}
		y, err := r.string(right)
		if err != nil {
			return nil, err
		}
		if err := r.spend(len(x) + len(y)); err != nil {
			return nil, err
		}
		return x + y, nil
	}
	m, whole1 := left.(int64)
	n, whole2 := right.(int64)
	if (o == opDivide || o == opRemainder) && b == 0 {
		return nil, nil
	}
	if whole1 && whole2 {
		if v, ok := integer(o, m, n); ok {
			return v, nil
		}
	}
	switch o {
	case opAdd:
		return a + b, nil
	case opSubtract:
		return a - b, nil
	case opMultiply:
		return a * b, nil
	case opDivide:
		return a / b, nil
	}
	return math.Mod(a, b), nil
}

// integer calculates with whole numbers. It reports false where the result does not fit.
func integer(o op, m, n int64) (int64, bool) {
	switch o {
	case opAdd:
		v := m + n
		return v, (v > m) == (n > 0)
	case opSubtract:
		v := m - n
		return v, (v < m) == (n > 0)
	case opMultiply:
		v := m * n
		return v, math.Abs(float64(m)*float64(n)) < math.MaxInt64
	case opDivide:
		return m / n, m != math.MinInt64 || n != -1
	}
	return m % n, true
}
