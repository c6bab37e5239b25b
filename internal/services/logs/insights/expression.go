package insights

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// expression computes a value of a row.
type expression struct {
	value func(r *row) any
	// time tells that the value is a time.
	time bool
	// field is the name of a field that stands alone.
	field string
}

func constant(v any) expression { return expression{value: func(*row) any { return v }} }

func truth(b bool) any {
	if b {
		return float64(1)
	}
	return float64(0)
}

// holds tells whether a value is true.
func holds(v any) bool {
	if n, ok := num(v); ok {
		return n != 0
	}
	return false
}

// parser reads a query.
type parser struct {
	scanner

	tok   token
	last  int // where the token before it ends
	err   *Error
	depth int
	// columns are the names that the commands before have made, and whether they are times.
	columns map[string]bool
	// aggregates collects those of a stats command while its columns are read; nil elsewhere.
	aggregates *[]aggregate
}

// maxNested bounds the expressions in each other.
const maxNested = 64

func (p *parser) advance() {
	if p.err != nil {
		return
	}
	p.last = p.tok.to
	if p.tok, p.err = p.next(); p.err != nil {
		p.tok = token{kind: end, from: len(p.query), to: len(p.query)}
	}
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = malformed(p.tok.from, p.tok.to, format, args...)
	}
	p.tok = token{kind: end, from: len(p.query), to: len(p.query)}
}

// is tells whether the token is a symbol, or a word in any case.
func (p *parser) is(what string) bool {
	return p.tok.kind == symbol && p.tok.text == what || p.tok.kind == word && strings.EqualFold(p.tok.text, what)
}

// take takes a symbol or a word when it is there.
func (p *parser) take(what string) bool {
	if p.err != nil || !p.is(what) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expect(what string) {
	if p.err == nil && !p.take(what) {
		p.fail("unexpected %s, %s was expected", p.tok.shown(), what)
	}
}

func (t token) shown() string {
	if t.kind == end {
		return "end of the query"
	}
	return t.text
}

// expression reads an expression: or binds least, then and, not, comparisons, sums, products and powers.
func (p *parser) expression() expression {
	if p.depth++; p.depth > maxNested {
		p.fail("more than %d expressions lie in each other", maxNested)
	}
	defer func() { p.depth-- }()
	left := p.both()
	for p.take("or") {
		a, b := left.value, p.both().value
		left = expression{value: func(r *row) any { return truth(holds(a(r)) || holds(b(r))) }}
	}
	return left
}

func (p *parser) both() expression {
	left := p.negation()
	for p.take("and") {
		a, b := left.value, p.negation().value
		left = expression{value: func(r *row) any { return truth(holds(a(r)) && holds(b(r))) }}
	}
	return left
}

func (p *parser) negation() expression {
	negative := false
	for p.take("not") {
		negative = !negative
	}
	e := p.comparison()
	if !negative {
		return e
	}
	return expression{value: func(r *row) any { return truth(!holds(e.value(r))) }}
}

// operators are how comparisons read the order of two values.
var operators = map[string]func(c int) bool{
	"=": func(c int) bool { return c == 0 }, "!=": func(c int) bool { return c != 0 },
	"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 }, ">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
}

func (p *parser) comparison() expression {
	left := p.sum()
	if met := operators[p.tok.text]; p.tok.kind == symbol && met != nil {
		p.advance()
		right := p.sum()
		return expression{value: func(r *row) any {
			a, b := left.value(r), right.value(r)
			return truth(a != nil && b != nil && met(compare(a, b)))
		}}
	}
	negative := p.take("not")
	switch {
	case p.take("like"), p.take("=~"):
		match := p.pattern()
		return expression{value: func(r *row) any {
			v := left.value(r)
			return truth(v != nil && match(shown(v, left.time)) != negative)
		}}
	case p.take("in"):
		list := p.list()
		return expression{value: func(r *row) any {
			v := left.value(r)
			return truth(v != nil && slices.ContainsFunc(list, func(e expression) bool { return compare(v, e.value(r)) == 0 }) != negative)
		}}
	case negative:
		p.fail("unexpected %s after not: like or in was expected", p.tok.shown())
	}
	return left
}

// pattern reads what a text is like: a part of it, or a regular expression.
func (p *parser) pattern() func(string) bool {
	t := p.tok
	switch t.kind {
	case text:
		p.advance()
		return func(s string) bool { return strings.Contains(s, t.text) }
	case regex:
		re := p.regexp()
		return func(s string) bool { return re.MatchString(s) }
	}
	p.fail("unexpected %s: like is followed by a text or a regular expression between slashes", t.shown())
	return func(string) bool { return false }
}

// regexp reads a regular expression.
func (p *parser) regexp() *regexp.Regexp {
	re, err := regexp.Compile(p.tok.text)
	if err != nil {
		p.fail("the regular expression /%s/ is malformed, or looks around or back, which is not supported", p.tok.text)
		return regexp.MustCompile("")
	}
	p.advance()
	return re
}

func (p *parser) list() (out []expression) {
	p.expect("[")
	for p.err == nil && !p.take("]") {
		out = append(out, p.sum())
		if !p.take(",") && !p.is("]") {
			p.fail("unexpected %s in a list", p.tok.shown())
		}
	}
	return out
}

// arithmetic makes an expression of two numbers.
func arithmetic(a, b expression, f func(x, y float64) float64) expression {
	return expression{value: func(r *row) any {
		x, okX := num(a.value(r))
		y, okY := num(b.value(r))
		if v := f(x, y); okX && okY && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v
		}
		return nil
	}}
}

func (p *parser) sum() expression {
	left := p.product()
	for p.err == nil {
		switch {
		case p.take("+"):
			left = arithmetic(left, p.product(), func(x, y float64) float64 { return x + y })
		case p.take("-"):
			left = arithmetic(left, p.product(), func(x, y float64) float64 { return x - y })
		default:
			return left
		}
	}
	return left
}

func (p *parser) product() expression {
	left := p.power()
	for p.err == nil {
		switch {
		case p.take("*"):
			left = arithmetic(left, p.power(), func(x, y float64) float64 { return x * y })
		case p.take("/"):
			left = arithmetic(left, p.power(), func(x, y float64) float64 { return x / y })
		case p.take("%"):
			left = arithmetic(left, p.power(), math.Mod)
		default:
			return left
		}
	}
	return left
}

func (p *parser) power() expression {
	base := p.operand()
	if p.take("^") {
		if p.depth++; p.depth > maxNested {
			p.fail("more than %d expressions lie in each other", maxNested)
		}
		e := arithmetic(base, p.power(), math.Pow)
		p.depth--
		return e
	}
	return base
}

func (p *parser) operand() expression {
	t := p.tok
	switch {
	case p.take("("):
		e := p.expression()
		p.expect(")")
		return e
	case p.take("-"):
		return arithmetic(constant(float64(0)), p.operand(), func(x, y float64) float64 { return x - y })
	case t.kind == number:
		n, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.fail("%s is no number", t.text)
		}
		p.advance()
		return constant(n)
	case t.kind == text:
		p.advance()
		return constant(t.text)
	case t.kind == quoted:
		p.advance()
		return p.field(t.text)
	case t.kind == word:
		p.advance()
		if p.is("(") {
			return p.function(t)
		}
		switch strings.ToLower(t.text) {
		case "true":
			return constant(float64(1))
		case "false":
			return constant(float64(0))
		}
		return p.field(t.text)
	}
	p.fail("unexpected %s: a field, a value or a function was expected", t.shown())
	return constant(nil)
}

// field returns the expression of a field, or of a column that a command before has made.
func (p *parser) field(name string) expression {
	e := fieldOf(name)
	if isTime, made := p.columns[name]; made {
		e.time = isTime
	}
	return e
}

func fieldOf(name string) expression {
	return expression{value: func(r *row) any { return r.get(name) }, time: timed(name), field: name}
}
