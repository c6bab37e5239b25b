package vtl

import (
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/jsonpath"
)

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) expect(c byte) error {
	p.space()
	if p.at == len(p.text) || p.text[p.at] != c {
		return p.fault("expected " + string(rune(c)))
	}
	p.at++
	return nil
}

// sign skips a sign if it comes next.
func (p *parser) sign(text string) bool {
	if !strings.HasPrefix(p.text[p.at:], text) {
		return false
	}
	p.at += len(text)
	return true
}

// word skips a word if it comes next.
func (p *parser) word(text string) bool {
	rest, ok := strings.CutPrefix(p.text[p.at:], text)
	if !ok || rest != "" && isName(rest[0]) {
		return false
	}
	p.at += len(text)
	return true
}

// operator is a way to write an operator: a sign or a word.
type operator struct {
	sign, word string
	op         op
}

// precedence lists the binary operators, those that bind least first. A sign stands before the signs that begin it.
var precedence = [][]operator{
	{{"||", "or", opOr}},
	{{"&&", "and", opAnd}},
	{{"==", "eq", opEqual}, {"!=", "ne", opUnequal}},
	{{"<=", "le", opAtMost}, {">=", "ge", opAtLeast}, {"<", "lt", opLess}, {">", "gt", opGreater}},
	{{"+", "", opAdd}, {"-", "", opSubtract}},
	{{"*", "", opMultiply}, {"/", "", opDivide}, {"%", "", opRemainder}},
}

func (p *parser) expression() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.binary(0)
}

func (p *parser) binary(level int) (expr, error) {
	if level == len(precedence) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for count := 0; err == nil; count++ {
		if count > maxDepth {
			return nil, p.fault("the expression has too many parts")
		}
		p.space()
		o, ok := p.operatorOf(precedence[level])
		if !ok {
			return left, nil
		}
		var right expr
		right, err = p.binary(level + 1)
		left = &binaryExpr{op: o, left: left, right: right}
	}
	return nil, err
}

func (p *parser) operatorOf(list []operator) (op, bool) {
	for _, o := range list {
		if p.sign(o.sign) || o.word != "" && p.word(o.word) {
			return o.op, true
		}
	}
	return 0, false
}

func (p *parser) unary() (expr, error) {
	p.space()
	if p.sign("!") || p.word("not") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		e, err := p.unary()
		return notExpr{e}, err
	}
	return p.primary()
}

func (p *parser) primary() (expr, error) {
	if p.at == len(p.text) {
		return nil, p.fault("expected a value")
	}
	switch c := p.text[p.at]; {
	case c == '$':
		return p.needReference()
	case c == '"' || c == '\'':
		return p.quoted()
	case c == '(':
		p.at++
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		return e, p.expect(')')
	case c == '[':
		p.at++
		return p.list()
	case c == '{':
		p.at++
		return p.mapping()
	case c == '-' || c == '.' || c >= '0' && c <= '9':
		return p.number()
	case p.word("true"):
		return constant{true}, nil
	case p.word("false"):
		return constant{false}, nil
	case p.word("null"):
		return constant{nil}, nil
	}
	return nil, p.fault("expected a value: a reference, a string, a number, a list or a map")
}

func (p *parser) number() (expr, error) {
	start := p.at
	p.sign("-")
	whole := true
	for p.at < len(p.text) {
		c := p.text[p.at]
		// Two dots are those of a range.
		if c == '.' && whole && !strings.HasPrefix(p.text[p.at:], "..") {
			whole = false
		} else if c < '0' || c > '9' {
			break
		}
		p.at++
	}
	if n := exponent(p.text[p.at:]); n > 0 && p.at > start {
		p.at += n
		whole = false
	}
	text := p.text[start:p.at]
	if whole {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return constant{n}, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, p.fault("expected a number")
	}
	return constant{f}, nil
}

// exponent is the length of the exponent that a text begins with, such as e+3; 0 without one.
func exponent(text string) int {
	if text == "" || text[0] != 'e' && text[0] != 'E' {
		return 0
	}
	n := 1
	if n < len(text) && (text[n] == '+' || text[n] == '-') {
		n++
	}
	digits := len(text[n:]) - len(strings.TrimLeft(text[n:], "0123456789"))
	if digits == 0 {
		return 0
	}
	return n + digits
}

func (p *parser) quoted() (expr, error) {
	quote := p.text[p.at]
	start := p.at + 1
	i := start
	doubled := false
	for ; ; i++ {
		if i >= len(p.text) {
			return nil, p.fault("the string has no end")
		}
		if p.text[i] != quote {
			continue
		}
		if i+1 < len(p.text) && p.text[i+1] == quote && (i > start || i+2 < len(p.text) && isName(p.text[i+2])) {
			doubled = true
			i++
			continue
		}
		break
	}
	text := p.text[start:i]
	if doubled {
		text = strings.ReplaceAll(text, strings.Repeat(string(rune(quote)), 2), string(rune(quote)))
	}
	if quote == '\'' || !strings.ContainsAny(text, "$#") {
		p.at = i + 1
		return constant{text}, nil
	}
	inner := parser{text: text, depth: p.depth, slots: p.slots}
	nodes, end, err := inner.block()
	if err != nil || end != "" {
		message := "#" + end + " without the directive that it belongs to"
		if err != nil {
			message = err.Error()
		}
		return nil, p.fault("in the string: " + message)
	}
	p.at = i + 1
	return &interpolation{nodes}, nil
}

// list reads a list or a range whose bracket has been read.
func (p *parser) list() (expr, error) {
	p.space()
	if p.sign("]") {
		return &listExpr{}, nil
	}
	first, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.space()
	if p.sign("..") {
		last, err := p.expression()
		if err != nil {
			return nil, err
		}
		return &rangeExpr{first, last}, p.expect(']')
	}
	l := &listExpr{items: []expr{first}}
	for p.space(); p.sign(","); p.space() {
		item, err := p.expression()
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, item)
	}
	return l, p.expect(']')
}

// mapping reads a map whose brace has been read.
func (p *parser) mapping() (expr, error) {
	m := &mapExpr{}
	p.space()
	if p.sign("}") {
		return m, nil
	}
	for {
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(':'); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		m.keys, m.values = append(m.keys, key), append(m.values, value)
		p.space()
		if !p.sign(",") {
			return m, p.expect('}')
		}
	}
}

func (p *parser) needReference() (*reference, error) {
	if p.at < len(p.text) && p.text[p.at] == '$' {
		ref, err := p.reference()
		if ref != nil || err != nil {
			return ref, err
		}
	}
	return nil, p.fault("expected a reference such as $name")
}

// reference reads a reference and notes what it uses; nil where the dollar sign is text.
func (p *parser) reference() (*reference, error) {
	ref, err := p.path()
	if ref != nil {
		p.slots.use(ref)
	}
	return ref, err
}

// path reads a reference.
func (p *parser) path() (*reference, error) {
	p.at++
	p.sign("!")
	formal := p.sign("{")
	name := p.name()
	if name == "" {
		return nil, nil
	}
	ref := &reference{slot: p.slots.of(name)}
	for p.at < len(p.text) {
		var s step
		var err error
		switch {
		case p.text[p.at] == '.' && p.at+1 < len(p.text) && isLetter(p.text[p.at+1]):
			p.at++
			s.name = p.name()
			if p.sign("(") {
				s.call = true
				s.args, err = p.arguments()
				s.path = s.constantPath()
			}
		case p.text[p.at] == '[':
			start := p.at
			p.at++
			if s.index, err = p.expression(); err == nil {
				err = p.expect(']')
			}
			if err != nil && !formal { // the bracket is text
				p.at = start
				return ref, nil
			}
		default:
			return ref, p.closeFormal(formal)
		}
		if err != nil {
			return nil, err
		}
		ref.steps = append(ref.steps, s)
	}
	return ref, p.closeFormal(formal)
}

// constantPath returns the path that a call of json or path names, when it is a constant; nil for another argument, and for one that the call will refuse.
func (s *step) constantPath() *jsonpath.Path {
	if len(s.args) != 1 || s.name != "json" && s.name != "path" {
		return nil
	}
	c, ok := s.args[0].(constant)
	if !ok {
		return nil
	}
	text, ok := c.value.(string)
	if !ok {
		return nil
	}
	path, err := bodyPath(text)
	if err != nil {
		return nil
	}
	return path
}

func (p *parser) closeFormal(formal bool) error {
	if !formal || p.sign("}") {
		return nil
	}
	return p.fault("expected the } of a reference")
}

func (p *parser) name() string {
	start := p.at
	if p.at == len(p.text) || !isLetter(p.text[p.at]) {
		return ""
	}
	for p.at < len(p.text) && isName(p.text[p.at]) {
		p.at++
	}
	return p.text[start:p.at]
}

func (p *parser) arguments() (args []expr, err error) {
	p.space()
	if p.sign(")") {
		return nil, nil
	}
	for {
		arg, err := p.expression()
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
		p.space()
		if !p.sign(",") {
			return args, p.expect(')')
		}
	}
}
