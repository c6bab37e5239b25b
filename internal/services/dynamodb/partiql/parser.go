package partiql

import (
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
)

// maxNesting bounds nested conditions and values, so that no statement exhausts the stack.
const maxNesting = 64

// parser is a recursive-descent parser. Its methods do not return errors: the first one is kept, and from then on the parser sees the end of
// the statement, so that every method comes to its end.
type parser struct {
	lexer
	tok        token
	parameters []attr.Value
	used       int // parameters
	// top tells that the next map is an item, and at is the place in the value at hand, for messages about numbers.
	top     bool
	at      []string
	nesting int
	err     error
}

func (p *parser) advance() {
	if p.err == nil {
		p.tok = p.next()
	}
}

// fail ends the parse with what is wrong, unless it ended before.
func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = errorf("Statement wasn't well formed, can't be processed: "+format, args...)
	}
	p.tok = token{kind: end, start: len(p.src)}
}

// leftOver fails for a token after what is complete. A character that is part of no token has no detail.
func (p *parser) leftOver() {
	if p.tok.kind == junk {
		p.fail("")
		return
	}
	p.fail("Unexpected token after expression")
}

// refuse ends the parse with a message that stands for itself.
func (p *parser) refuse(message string) {
	if p.err == nil {
		p.err = errorf("%s", message)
	}
	p.fail("")
}

// nest enters one level; the caller leaves it with p.nesting--.
func (p *parser) nest() {
	if p.nesting++; p.nesting > maxNesting {
		p.fail("it is nested more than %d levels deep", maxNesting)
	}
}

func (p *parser) isKeyword(kw string) bool {
	return p.tok.kind == word && strings.EqualFold(p.tok.text, kw)
}

func (p *parser) takeKeyword(kw string) bool {
	if !p.isKeyword(kw) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) wantKeyword(kw string) {
	if !p.takeKeyword(kw) {
		p.fail("expected %s, found %q", kw, p.tok.text)
	}
}

func (p *parser) isSymbol(s string) bool { return p.tok.kind == symbol && p.tok.text == s }

func (p *parser) take(s string) bool {
	if !p.isSymbol(s) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) want(s string) {
	if !p.take(s) {
		p.fail("expected %q, found %q", s, p.tok.text)
	}
}

// name takes a bare or a quoted name.
func (p *parser) name() string {
	if p.tok.kind != word && p.tok.kind != quoted || p.tok.text == "" {
		p.fail("expected a name, found %q", p.tok.text)
		return "?"
	}
	name := p.tok.text
	p.advance()
	return name
}

func (p *parser) statement() *Statement {
	switch {
	case p.isKeyword("SELECT"):
		return p.selection()
	case p.takeKeyword("EXISTS"):
		p.want("(")
		s := p.selection()
		s.Kind = Exists
		p.want(")")
		return s
	case p.takeKeyword("INSERT"):
		return p.insert()
	case p.takeKeyword("UPDATE"):
		return p.update()
	case p.takeKeyword("DELETE"):
		s := &Statement{Kind: Delete}
		p.wantKeyword("FROM")
		p.table(s)
		p.where(s)
		p.returning(s)
		return s
	}
	p.fail("expected SELECT, INSERT, UPDATE, DELETE or EXISTS, found %q", p.tok.text)
	return &Statement{}
}

func (p *parser) selection() *Statement {
	s := &Statement{Kind: Select}
	p.wantKeyword("SELECT")
	if !p.take("*") {
		s.Columns = []attr.Path{p.path()}
		for p.take(",") {
			s.Columns = append(s.Columns, p.path())
		}
	}
	p.wantKeyword("FROM")
	p.table(s)
	p.where(s)
	if !p.takeKeyword("ORDER") {
		return s
	}
	p.wantKeyword("BY")
	for {
		o := Order{Name: p.name()}
		if !p.takeKeyword("ASC") {
			o.Descending = p.takeKeyword("DESC")
		}
		s.Order = append(s.Order, o)
		if !p.take(",") {
			return s
		}
	}
}

// table takes a table with an index.
func (p *parser) table(s *Statement) {
	s.Table = p.component()
	if p.take(".") {
		s.Index = p.component()
	}
	if p.isSymbol(".") {
		p.refuse("A path may contain at most 2 components in the FROM clause")
	}
	if s.Kind == Insert || p.tok.kind != word && p.tok.kind != quoted {
		return
	}
	if slices.ContainsFunc([]string{"WHERE", "ORDER", "SET", "REMOVE", "RETURNING"}, p.isKeyword) {
		return
	}
	p.refuse("Aliasing is not supported")
}

// component takes a name of the FROM clause.
func (p *parser) component() string {
	if p.tok.kind == quoted && p.tok.text == "" {
		p.refuse("Path component cannot be an empty string")
	}
	return p.name()
}

func (p *parser) where(s *Statement) {
	if p.takeKeyword("WHERE") {
		s.Where = p.condition()
	}
}

func (p *parser) insert() *Statement {
	s := &Statement{Kind: Insert}
	p.wantKeyword("INTO")
	p.table(s)
	if !p.isKeyword("VALUE") && (p.tok.kind == word || p.tok.kind == quoted) {
		p.leftOver()
	}
	p.wantKeyword("VALUE")
	p.top = true
	v := p.value()
	if p.err == nil && v.Type() != attr.M {
		p.fail("VALUE must be an item")
	}
	s.Item = v.Map()
	p.returning(s)
	return s
}

// returning takes RETURNING (ALL | MODIFIED) (OLD | NEW) *.
func (p *parser) returning(s *Statement) {
	if !p.takeKeyword("RETURNING") {
		return
	}
	modified := p.takeKeyword("MODIFIED")
	if !modified {
		p.wantKeyword("ALL")
	}
	renewed := p.takeKeyword("NEW")
	if !renewed {
		p.wantKeyword("OLD")
	}
	p.want("*")
	s.Returning = [2][2]Returning{{ReturnAllOld, ReturnAllNew}, {ReturnModifiedOld, ReturnModifiedNew}}[index(modified)][index(renewed)]
	switch {
	case s.Kind == Insert:
		p.fail("an INSERT returns nothing")
	case s.Kind == Delete && s.Returning != ReturnAllOld:
		clause := [2]string{"ALL", "MODIFIED"}[index(modified)] + " " + [2]string{"OLD", "NEW"}[index(renewed)]
		p.refuse("Invalid returning clause: RETURNING " + clause + " *. Only RETURNING ALL OLD * is allowed in DELETE statements.")
	}
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *parser) update() *Statement {
	s := &Statement{Kind: Update, Changes: &expr.Update{}}
	p.table(s)
	for {
		switch {
		case p.takeKeyword("SET"):
			p.assignment(s.Changes)
			for p.take(",") {
				p.assignment(s.Changes)
			}
		case p.takeKeyword("REMOVE"):
			s.Changes.Remove(p.path())
			for p.take(",") {
				s.Changes.Remove(p.path())
			}
		default:
			if s.Changes.Empty() {
				p.fail("expected SET or REMOVE, found %q", p.tok.text)
			}
			p.where(s)
			p.returning(s)
			return s
		}
	}
}

// assignment takes path = value.
func (p *parser) assignment(u *expr.Update) {
	path := p.path()
	p.want("=")
	if p.isKeyword("set_add") || p.isKeyword("set_delete") {
		add := p.isKeyword("set_add")
		p.advance()
		p.want("(")
		from := p.path()
		p.want(",")
		v := p.value()
		p.want(")")
		switch {
		case p.err != nil:
		case from.String() != path.String():
			p.fail("set_add and set_delete change the attribute that they are assigned to")
		case !v.Type().IsSet():
			p.fail("set_add and set_delete need a set")
		case add:
			u.Add(path, expr.ValueOperand(v))
		default:
			u.Delete(path, expr.ValueOperand(v))
		}
		return
	}
	left := p.term()
	for p.isSymbol("+") || p.isSymbol("-") {
		subtract := p.isSymbol("-")
		p.advance()
		left = expr.SumOperand(left, p.term(), subtract)
	}
	u.Set(path, left)
}

// term takes an operand of an assignment.
func (p *parser) term() expr.Operand {
	if !p.isKeyword("list_append") {
		return p.operand()
	}
	p.advance()
	p.want("(")
	a := p.operand()
	p.want(",")
	b := p.operand()
	p.want(")")
	return expr.AppendOperand(a, b)
}

// path takes a document path.
func (p *parser) path() attr.Path {
	path := attr.Path{{Name: p.name()}}
	for {
		switch {
		case p.take("."):
			path = append(path, attr.Step{Name: p.name()})
		case p.take("["):
			i, err := strconv.ParseInt(p.tok.text, 10, 32)
			if p.tok.kind == text && p.tok.text != "" { // a name in brackets
				path = append(path, attr.Step{Name: p.tok.text})
			} else if p.tok.kind != number || err != nil {
				p.fail("expected an index, found %q", p.tok.text)
			} else {
				path = append(path, attr.Step{Index: int(i)})
			}
			p.advance()
			p.want("]")
		default:
			return path
		}
	}
}
