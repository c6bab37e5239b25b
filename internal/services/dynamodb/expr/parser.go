package expr

import (
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
)

// Limits of an expression. DynamoDB publishes the first; nesting is bounded by it and by the second, so that no
// expression exhausts the stack.
const (
	maxOperators = 300
	maxNesting   = 150
)

// parser holds what the grammars share. Its methods do not return errors: the first syntax error is kept, and from then on
// the parser sees the end of the text, so that every method comes to its end.
type parser struct {
	lexer
	placeholders *Placeholders
	findings     findings
	prev, tok    token
	operators    int
	nesting      int
	syntax       string // the message of the first syntax error
	// What is checked again when the expression meets other values: their types, the bounds of BETWEEN, and the names of types.
	guards    []guard
	pairs     [][2]int
	typeNames []int
	names     []rename
	slots     []string // the placeholders of the values, in the order of their slots
	nodes     int
}

// run parses src with one grammar. parameter is the name that messages begin with.
func run(parameter, src string, p *Placeholders, grammar func(*parser)) (*parser, error) {
	if src == "" {
		return nil, errorf("Invalid %s: The expression can not be empty;", parameter)
	}
	if len(src) > MaxLength {
		return nil, errorf("Invalid %s: Expression size has exceeded the maximum allowed size; expression size: %d", parameter, len(src))
	}
	ps := &parser{lexer: lexer{src: src}, placeholders: p}
	ps.advance()
	grammar(ps)
	if ps.tok.kind != end {
		ps.fail()
	}
	if ps.syntax != "" {
		return nil, errorf("Invalid %s: %s", parameter, ps.syntax)
	}
	if message := ps.findings.first(); message != "" {
		return nil, errorf("Invalid %s: %s", parameter, message)
	}
	return ps, nil
}

func (p *parser) advance() { p.prev, p.tok = p.tok, p.next() }

// fail reports the current token as a syntax error.
func (p *parser) fail() {
	l := p.lexer
	next := l.next()
	stop := next.end
	if p.tok.kind == end {
		stop = p.tok.end
	}
	start := p.tok.start
	if p.prev.text != "" {
		start = p.prev.start
	}
	p.stop("Syntax error; token: \"" + p.tok.text + "\", near: \"" + p.src[start:stop] + "\"")
}

// stop ends the parse with a message, unless it ended before.
func (p *parser) stop(message string) {
	if p.syntax == "" {
		p.syntax = message
	}
	p.pos = len(p.src)
	p.tok = token{kind: end, start: p.pos, end: p.pos}
}

// operator counts one operator or function against the limit.
func (p *parser) operator() {
	if p.operators++; p.operators > maxOperators {
		p.stop("The expression contains too many operators; operator count: " + strconv.Itoa(p.operators))
	}
}

// nest enters one level; the caller leaves it with p.nesting--.
func (p *parser) nest() {
	if p.nesting++; p.nesting > maxNesting {
		p.stop("The expression is nested too deeply;")
	}
}

// isKeyword tells whether the current token is the keyword kw, in any case of letters.
func (p *parser) isKeyword(kw string) bool {
	return p.tok.kind == word && strings.EqualFold(p.tok.text, kw)
}

// takeKeyword takes the keyword kw if it is next.
func (p *parser) takeKeyword(kw string) bool {
	if !p.isKeyword(kw) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) isSymbol(s string) bool { return p.tok.kind == symbol && p.tok.text == s }

// take takes the symbol s if it is next.
func (p *parser) take(s string) bool {
	if !p.isSymbol(s) {
		return false
	}
	p.advance()
	return true
}

// expect takes the symbol s or fails.
func (p *parser) expect(s string) {
	if !p.take(s) {
		p.fail()
	}
}

// isPath tells whether a document path is next.
func (p *parser) isPath() bool { return p.tok.kind == word || p.tok.kind == name }

// path takes a document path.
func (p *parser) path() attr.Path {
	path := attr.Path{p.pathName()}
	for {
		switch {
		case p.take("."):
			path = append(path, p.pathName())
		case p.take("["):
			i, err := strconv.Atoi(p.tok.text)
			if p.tok.kind != number {
				p.fail()
			} else if err != nil || i > 1<<31-1 {
				p.findings.add(rankOperandCount, "List index is not within the allowable range; index: [%s]", p.tok.text)
			}
			p.advance()
			p.expect("]")
			path = append(path, attr.Step{Index: i})
		default:
			return path
		}
	}
}

// pathName takes one name of a path.
func (p *parser) pathName() attr.Step {
	if !p.isPath() {
		p.fail()
	}
	text := p.tok.text
	p.nodes++
	if p.tok.kind == word {
		if isReserved(text) {
			p.findings.add(rankReserved, "Attribute name is a reserved keyword; reserved keyword: %s", text)
		}
	} else {
		text = p.attribute(text)
	}
	p.advance()
	if text == "" { // undefined, and reported; a step needs a name to be one
		text = "?"
	}
	return attr.Step{Name: text}
}

// attribute returns what a #name stands for.
func (p *parser) attribute(placeholder string) string {
	name, ok := p.placeholders.names[placeholder]
	if !ok {
		p.findings.add(rankPlaceholder, "An expression attribute name used in the document path is not defined; attribute name: %s", placeholder)
		return ""
	}
	name = strings.Clone(name) // it outlives the request
	if r := (rename{placeholder, name}); !slices.Contains(p.names, r) {
		p.names = append(p.names, r)
	}
	return name
}

// value takes a :value.
func (p *parser) value() *node {
	v := p.placeholders.values.Get(p.tok.text)
	if v == nil {
		p.findings.add(rankPlaceholder, "An expression attribute value used in expression is not defined; attribute value: %s", p.tok.text)
		v = attr.NullValue()
	}
	slot := slices.Index(p.slots, p.tok.text)
	if slot < 0 {
		slot = len(p.slots)
		p.slots = append(p.slots, p.tok.text)
	}
	p.advance()
	return &node{op: opValue, value: v, slot: slot}
}

// bracketed returns a path as DynamoDB's messages write it: [a, b, [0]].
func bracketed(path attr.Path) string {
	steps := make([]string, len(path))
	for i, s := range path {
		steps[i] = s.Name
		if s.Name == "" {
			steps[i] = "[" + strconv.Itoa(s.Index) + "]"
		}
	}
	return "[" + strings.Join(steps, ", ") + "]"
}

// checkPaths finds paths that overlap (one begins with the other) or conflict (one uses as a list what the other uses as a map).
func (p *parser) checkPaths(paths []attr.Path) {
	for i, b := range paths {
		for _, a := range paths[:i] {
			p.checkPair(a, b)
		}
	}
}

func (p *parser) checkPair(a, b attr.Path) {
	const rewrite = "must remove or rewrite one of these paths; path one: %s, path two: %s"
	for i := range min(len(a), len(b)) {
		if (a[i].Name == "") != (b[i].Name == "") {
			p.findings.add(rankConflict, "Two document paths conflict with each other; "+rewrite, bracketed(a), bracketed(b))
			return
		}
		if a[i] != b[i] {
			return
		}
	}
	p.findings.add(rankOverlap, "Two document paths overlap with each other; "+rewrite, bracketed(a), bracketed(b))
}
