package partiql

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
)

// never is the condition in the place of one that is not well formed.
func never() *expr.Condition {
	return expr.In(expr.ValueOperand(attr.NullValue()), nil)
}

// condition takes conditions joined by OR.
func (p *parser) condition() *expr.Condition {
	p.nest()
	defer func() { p.nesting-- }()
	left := p.conjunction()
	for p.takeKeyword("OR") {
		left = expr.Or(left, p.conjunction())
	}
	return left
}

func (p *parser) conjunction() *expr.Condition {
	left := p.negation()
	for p.takeKeyword("AND") {
		left = expr.And(left, p.negation())
	}
	return left
}

func (p *parser) negation() *expr.Condition {
	if !p.takeKeyword("NOT") {
		return p.test()
	}
	p.nest()
	defer func() { p.nesting-- }()
	return expr.Not(p.negation())
}

// test takes a comparison, a function or a condition in parentheses.
func (p *parser) test() *expr.Condition {
	if p.take("(") {
		c := p.condition()
		p.want(")")
		return c
	}
	if p.tok.kind == word && p.callFollows() && !p.isKeyword("size") {
		return p.call()
	}
	left := p.operand()
	switch {
	case p.takeKeyword("BETWEEN"):
		low := p.operand()
		p.wantKeyword("AND")
		return expr.Between(left, low, p.operand())
	case p.takeKeyword("IN"):
		return p.membership(left)
	case p.takeKeyword("NOT"):
		p.wantKeyword("IN")
		return expr.Not(p.membership(left))
	case p.takeKeyword("IS"):
		return p.identity(left)
	}
	operator := p.tok.text
	if operator == "!=" {
		operator = "<>"
	}
	if p.tok.kind == symbol {
		if _, ok := expr.Compare(operator, left, left); ok {
			p.advance()
			right := p.operand()
			for _, o := range []expr.Operand{left, right} {
				t := o.Value().Type()
				if o.Value() != nil && operator != "=" && operator != "<>" && t != attr.S && t != attr.N && t != attr.B {
					p.refuse("Incorrect operand type for operator or function; operator or function: " + operator + ", operand type: " + t.String())
				}
			}
			c, _ := expr.Compare(operator, left, right)
			return c
		}
	}
	p.fail("expected a comparison, found %q", p.tok.text)
	return never()
}

// membership takes the list of IN, in round or square brackets.
func (p *parser) membership(left expr.Operand) *expr.Condition {
	closing := ")"
	if p.take("[") {
		closing = "]"
	} else {
		p.want("(")
	}
	list := []expr.Operand{p.operand()}
	for p.take(",") {
		list = append(list, p.operand())
	}
	p.want(closing)
	return expr.In(left, list)
}

// identity takes what follows IS: MISSING or NULL, or NOT before these. What is missing is NULL as well.
func (p *parser) identity(left expr.Operand) *expr.Condition {
	not := p.takeKeyword("NOT")
	if left.Path() == nil {
		p.fail("IS needs an attribute before it")
		return never()
	}
	c, _ := expr.Call("attribute_not_exists", left)
	if !p.takeKeyword("MISSING") {
		p.wantKeyword("NULL")
		null, _ := expr.Call("attribute_type", left, expr.ValueOperand(attr.String("NULL")))
		c = expr.Or(c, null)
	}
	if not {
		return expr.Not(c)
	}
	return c
}

// callFollows tells whether the next token opens the arguments of a function.
func (p *parser) callFollows() bool {
	l := p.lexer
	t := l.next()
	return t.kind == symbol && t.text == "("
}

// call takes a function that is a condition.
func (p *parser) call() *expr.Condition {
	name := strings.ToLower(p.name())
	p.want("(")
	args := []expr.Operand{p.operand()}
	for p.take(",") {
		args = append(args, p.operand())
	}
	p.want(")")
	c, ok := expr.Call(name, args...)
	if !ok {
		p.fail("unsupported function %s with %d arguments", name, len(args))
		return never()
	}
	return c
}

// operand takes a path, a value or size(path).
func (p *parser) operand() expr.Operand {
	switch {
	case p.isKeyword("size") && p.callFollows():
		p.advance()
		p.want("(")
		o := p.operand()
		p.want(")")
		return expr.SizeOperand(o)
	case p.tok.kind == quoted, p.tok.kind == word && !p.isLiteralWord():
		return expr.PathOperand(p.path())
	}
	return expr.ValueOperand(p.value())
}

// isLiteralWord tells whether a bare word is a value.
func (p *parser) isLiteralWord() bool {
	return p.isKeyword("TRUE") || p.isKeyword("FALSE") || p.isKeyword("NULL")
}

// value takes a value: a literal or a parameter.
func (p *parser) value() attr.Value {
	p.nest()
	defer func() { p.nesting-- }()
	switch tok := p.tok; {
	case tok.kind == text:
		p.advance()
		return attr.String(tok.text)
	case tok.kind == number:
		return p.number("")
	case p.take("-"):
		return p.number("-")
	case p.take("?"):
		p.used++
		if p.used > len(p.parameters) {
			p.err = errorf("Number of parameters in request and statement don't match.")
			p.fail("")
			return attr.NullValue()
		}
		return p.parameters[p.used-1]
	case p.takeKeyword("TRUE"):
		return attr.Boolean(true)
	case p.takeKeyword("FALSE"):
		return attr.Boolean(false)
	case p.takeKeyword("NULL"):
		return attr.NullValue()
	case p.take("["):
		return attr.List(p.values("]")...)
	case p.take("<<"):
		return p.set()
	case p.take("{"):
		return p.object()
	}
	p.fail("expected a value, found %q", p.tok.text)
	return attr.NullValue()
}

// fits tells whether the exponent and the scale of a number are 32-bit integers, without which it is not read.
func fits(text string) bool {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	_, fraction, _ := strings.Cut(mantissa, ".")
	e := int64(0)
	if exponent != "" {
		var err error
		if e, err = strconv.ParseInt(exponent, 10, 32); err != nil {
			return false
		}
	}
	return int64(len(fraction))-e <= math.MaxInt32
}

func (p *parser) number(sign string) attr.Value {
	if p.tok.kind != number {
		p.fail("expected a number, found %q", p.tok.text)
		return attr.NullValue()
	}
	if !fits(p.tok.text) {
		p.fail("")
		return attr.NullValue()
	}
	n, err := attr.ParseNumber(sign + p.tok.text)
	if err != nil {
		p.refuse(err.Error() + " under root" + strings.Join(p.at, ""))
		return attr.NullValue()
	}
	p.advance()
	return n.Value()
}

// values takes values up to a closing bracket.
func (p *parser) values(closing string) (list []attr.Value) {
	if p.take(closing) {
		return nil
	}
	for {
		p.at = append(p.at, fmt.Sprintf("[%d]", len(list)))
		list = append(list, p.value())
		p.at = p.at[:len(p.at)-1]
		if !p.take(",") {
			break
		}
	}
	p.want(closing)
	return list
}

// set takes a set of strings, numbers or binaries.
func (p *parser) set() attr.Value {
	set, ok := attr.Set(p.values(">>")...)
	if !ok {
		p.fail("a set holds one or more different strings, numbers or binaries of one type")
		return attr.NullValue()
	}
	return set
}

// object takes a map.
func (p *parser) object() attr.Value {
	var fields []attr.Field
	top := p.top
	p.top = false
	for !p.take("}") {
		if len(fields) > 0 {
			p.want(",")
		}
		if p.tok.kind != text {
			p.fail("expected the name of an attribute as a string, found %q", p.tok.text)
			break
		}
		f := attr.Field{Name: p.tok.text}
		p.advance()
		p.want(":")
		if !top {
			p.at = append(p.at, "."+f.Name)
		}
		f.Value = p.value()
		if !top {
			p.at = p.at[:len(p.at)-1]
		}
		for _, other := range fields {
			if other.Name == f.Name {
				p.fail("the attribute %q is there twice", f.Name)
			}
		}
		fields = append(fields, f)
	}
	return attr.NewMap(fields...).Value()
}
