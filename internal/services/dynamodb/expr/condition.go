package expr

import (
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
)

// op is what a node of a condition does.
type op uint8

const (
	opPath op = iota
	opValue
	opFunction
	opOr
	opAnd
	opNot
	opEqual
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opBetween
	opIn
)

// comparators are the operators between two operands.
var comparators = [...]struct {
	text string
	op   op
}{{"=", opEqual}, {"<>", opNotEqual}, {"<", opLess}, {"<=", opLessEqual}, {">", opGreater}, {">=", opGreaterEqual}}

// String returns the operator as messages write it.
func (o op) String() string {
	for _, c := range comparators {
		if c.op == o {
			return c.text
		}
	}
	return map[op]string{opOr: "OR", opAnd: "AND", opNot: "NOT", opBetween: "BETWEEN", opIn: "IN"}[o]
}

// node is an operand, a test or a combination of tests.
type node struct {
	op    op
	args  []*node
	name  string     // of a function
	path  attr.Path  // of opPath
	value attr.Value // of opValue; nil for one that is in a slot
	slot  int        // of opValue: its place among the values that a request gives
	// parens tells that the node stands in parentheses.
	parens bool
}

// test tells whether the node is true or false, rather than a value.
func (n *node) test() bool { return n.op > opFunction || n.op == opFunction && n.name != "size" }

// constant returns the value of a node that is one: its own, or that of its slot. It is nil for other nodes.
func (n *node) constant(values []attr.Value) attr.Value {
	if n.op != opValue || n.value != nil || n.slot >= len(values) {
		return n.value
	}
	return values[n.slot]
}

// Condition is a parsed condition, filter or key condition.
type Condition struct {
	root   *node
	values []attr.Value // of the slots
	// attributes are what Names returns, when the condition is kept.
	attributes []string
}

// wantTest refuses an operand in the place of a condition.
func (p *parser) wantTest(n *node) {
	if n.test() {
		return
	}
	if n.op == opFunction {
		p.findings.add(rankMisusedFunction, "The function is not allowed to be used this way in an expression; function: %s", n.name)
		return
	}
	p.fail()
}

// wantOperand refuses a condition in the place of an operand.
func (p *parser) wantOperand(n *node) {
	switch {
	case !n.test():
	case n.op == opFunction:
		p.findings.add(rankMisusedFunction, "The function is not allowed to be used this way in an expression; function: %s", n.name)
	default:
		p.fail()
	}
}

func (p *parser) or() *node {
	left := p.and()
	for p.isKeyword("OR") {
		left = p.logical(opOr, left, (*parser).and)
	}
	return left
}

func (p *parser) and() *node {
	left := p.not()
	for p.isKeyword("AND") {
		left = p.logical(opAnd, left, (*parser).not)
	}
	return left
}

// logical takes the operator AND or OR and what follows it.
func (p *parser) logical(o op, left *node, operand func(*parser) *node) *node {
	p.wantTest(left)
	p.operator()
	p.advance()
	right := operand(p)
	p.wantTest(right)
	return &node{op: o, args: []*node{left, right}}
}

func (p *parser) not() *node {
	if !p.isKeyword("NOT") {
		return p.comparison()
	}
	p.operator()
	p.nest()
	p.advance()
	arg := p.not()
	p.nesting--
	p.wantTest(arg)
	return &node{op: opNot, args: []*node{arg}}
}

// comparison takes an operand and a comparison with it, or anything in parentheses.
func (p *parser) comparison() *node {
	left := p.operand()
	for _, c := range comparators {
		if p.isSymbol(c.text) {
			p.wantOperand(left)
			p.operator()
			p.advance()
			return p.compare(c.op, left, p.operand())
		}
	}
	switch {
	case p.isKeyword("BETWEEN"):
		p.wantOperand(left)
		p.operator()
		p.advance()
		low := p.operand()
		if !p.takeKeyword("AND") {
			p.fail()
		}
		return p.compare(opBetween, left, low, p.operand())
	case p.isKeyword("IN"):
		p.wantOperand(left)
		p.operator()
		p.advance()
		p.expect("(")
		args := append([]*node{left}, p.list()...)
		if len(args) > 101 {
			p.findings.add(rankOperandCount, "Incorrect number of operands for operator or function; operator or function: IN, number of operands: %d", len(args)-1)
		}
		return p.compare(opIn, args...)
	}
	return left
}

// list takes operands up to the closing bracket.
func (p *parser) list() []*node {
	args := []*node{p.operand()}
	for p.take(",") {
		args = append(args, p.operand())
	}
	p.expect(")")
	return args
}

// operand takes a path, a value, a function call or anything in parentheses.
func (p *parser) operand() *node {
	switch {
	case p.tok.kind == value:
		return p.value()
	case p.isSymbol("("):
		return p.inParens()
	case p.tok.kind == word && p.callFollows():
		return p.function()
	case p.isPath():
		return &node{op: opPath, path: p.path()}
	}
	p.fail()
	return &node{op: opValue, value: attr.NullValue()}
}

// callFollows tells whether the next token opens the arguments of a function.
func (p *parser) callFollows() bool {
	l := p.lexer
	next := l.next()
	return next.kind == symbol && next.text == "("
}

func (p *parser) inParens() *node {
	p.nest()
	p.advance()
	inner := p.or()
	p.expect(")")
	p.nesting--
	if inner.parens {
		p.findings.add(rankParens, "The expression has redundant parentheses;")
	}
	inner.parens = true
	return inner
}

// compare makes a comparison and checks its operands.
func (p *parser) compare(o op, args ...*node) *node {
	for _, a := range args {
		p.wantOperand(a)
	}
	if len(args) == 2 {
		p.checkDistinct(o.String(), args)
	}
	if o >= opLess && o <= opBetween {
		for _, a := range args {
			if !p.allow(a, typesOf(scalars()...)) {
				p.findings.add(rankOperandType, "Incorrect operand type for operator or function; operator: %s, operand type: %s", o, longType(a.value.Type()))
			}
		}
	}
	if o == opBetween {
		p.checkBounds(args[1], args[2])
	}
	return &node{op: o, args: args}
}

// checkBounds checks the bounds of BETWEEN when both are values.
func (p *parser) checkBounds(low, high *node) {
	if low.op != opValue || high.op != opValue {
		return
	}
	p.pairs = append(p.pairs, [2]int{low.slot, high.slot})
	const bounds = "lower bound operand: AttributeValue: {%s:%s}, upper bound operand: AttributeValue: {%s:%s}"
	a, b := low.value, high.value
	args := []any{a.Type(), a.Text(), b.Type(), b.Text()}
	if a.Type() != b.Type() {
		p.findings.add(rankOperandType, "The BETWEEN operator requires same data type for lower and upper bounds; "+bounds, args...)
	} else if order, ok := attr.Compare(a, b); ok && order > 0 {
		p.findings.add(rankOperandType, "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "+bounds, args...)
	}
}

// checkDistinct refuses two operands that are the same path.
func (p *parser) checkDistinct(operator string, args []*node) {
	a, b := args[0], args[1]
	if a.op == opPath && b.op == opPath && a.path.String() == b.path.String() {
		p.findings.add(rankDistinct, "The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s",
			operator, bracketed(a.path))
	}
}

// longType returns the name of a type that some messages use.
func longType(t attr.Type) string {
	switch t {
	case attr.S:
		return "STRING"
	case attr.N:
		return "NUMBER"
	case attr.B:
		return "BINARY"
	case attr.Bool:
		return "BOOLEAN"
	case attr.L:
		return "LIST"
	case attr.M:
		return "MAP"
	}
	return t.String()
}

// operandCounts says how many operands the functions of conditions have.
var operandCounts = map[string]int{
	"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2, "size": 1,
}

// function takes a function call.
func (p *parser) function() *node {
	n := &node{op: opFunction, name: p.tok.text}
	p.operator()
	p.nest()
	p.advance()
	p.advance() // the bracket, which operand saw
	n.args = p.list()
	p.nesting--
	for _, a := range n.args {
		if a.op == opFunction && a.name != "size" || a.op > opFunction {
			p.wantOperand(a)
		}
	}
	want, known := operandCounts[n.name]
	switch {
	case !known:
		p.findings.add(rankUnknownFunction, "Invalid function name; function: %s", n.name)
	case want != len(n.args):
		p.findings.add(rankOperandCount, "Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.name, len(n.args))
	default:
		if want == 2 {
			p.checkDistinct(n.name, n.args)
		}
		p.checkArguments(n)
	}
	return n
}

// checkArguments checks the operands of a function as far as their types are known.
func (p *parser) checkArguments(n *node) {
	wrong := func(t string) {
		p.findings.add(rankOperandType, "Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.name, t)
	}
	allow := func(a *node, types typeSet) {
		if !p.allow(a, types) {
			wrong(a.value.Type().String())
		}
	}
	switch n.name {
	case "attribute_exists", "attribute_not_exists":
		if n.args[0].op != opPath {
			p.findings.add(rankOperandType, "Operator or function requires a document path; operator or function: %s", n.name)
		}
	case "begins_with":
		for _, a := range n.args {
			allow(a, typesOf(attr.S, attr.B))
		}
	case "attribute_type":
		t := n.args[1].value
		switch {
		case t == nil:
			wrong("{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
		case !p.allow(n.args[1], typesOf(attr.S)):
			wrong(t.Type().String())
		default:
			p.typeNames = append(p.typeNames, n.args[1].slot)
			if _, ok := attr.ParseType(t.Text()); !ok {
				p.findings.add(rankOperandType, "Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", t.Text())
			}
		}
	case "size":
		allow(n.args[0], typesOf(attr.S, attr.B, attr.SS, attr.NS, attr.BS, attr.L, attr.M))
	}
}

// names appends the top-level attributes that the node reads.
func (n *node) names(dst []string) []string {
	if n.op == opPath {
		return append(dst, n.path[0].Name)
	}
	for _, a := range n.args {
		dst = a.names(dst)
	}
	return dst
}

// Names returns the top-level attributes that the condition reads, with repetitions.
func (c *Condition) Names() []string {
	if c.attributes != nil {
		return c.attributes
	}
	return c.root.names(nil)
}

// paths calls visit with each document path that the node reads.
func (n *node) paths(visit func(attr.Path)) {
	if n.op == opPath {
		visit(n.path)
	}
	for _, a := range n.args {
		a.paths(visit)
	}
}

// Paths returns the document paths that the condition reads and that lead into an attribute, with repetitions.
func (c *Condition) Paths() (inner []attr.Path) {
	c.root.paths(func(p attr.Path) {
		if len(p) > 1 {
			inner = append(inner, p)
		}
	})
	return inner
}

// keyword is used by messages that name an operator in capitals.
func keyword(n *node) string {
	if n.op == opFunction {
		return n.name
	}
	return strings.ToUpper(n.op.String())
}
