package ion

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"lambent.dev/lambent/internal/lib/attr"
)

// maxDepth is how deep values may lie in each other, as in DynamoDB, with the structures around an item.
const maxDepth = 34

// Parse reads a structure, which a version marker may precede.
func Parse(text []byte) (attr.Map, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the text is not UTF-8")
	}
	p := &parser{src: string(text)}
	p.space()
	for strings.HasPrefix(p.rest(), "$ion_1_0") && !isIdentifierPart(p.at(len("$ion_1_0"))) {
		p.pos += len("$ion_1_0")
		p.space()
	}
	if p.at(0) != '{' || p.at(1) == '{' {
		return nil, p.errorf("a structure is expected")
	}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.src) {
		return nil, p.errorf("the line goes on behind its structure")
	}
	return v.Map().Clone(), nil
}

// parser reads Ion text.
type parser struct {
	src string
	pos int
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: "+format, append([]any{p.pos}, args...)...)
}

func (p *parser) rest() string { return p.src[p.pos:] }

// at returns a byte ahead, 0 behind the end.
func (p *parser) at(i int) byte {
	if p.pos+i >= len(p.src) {
		return 0
	}
	return p.src[p.pos+i]
}

// space skips white space and comments.
func (p *parser) space() {
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case strings.IndexByte(" \t\r\n\v\f", c) >= 0:
			p.pos++
		case strings.HasPrefix(p.rest(), "//"):
			end := strings.IndexByte(p.rest(), '\n')
			if end < 0 {
				end = len(p.rest())
			}
			p.pos += end
		case strings.HasPrefix(p.rest(), "/*"):
			end := strings.Index(p.rest(), "*/")
			if end < 0 {
				return
			}
			p.pos += end + 2
		default:
			return
		}
	}
}

// take takes a byte behind white space if it is next.
func (p *parser) take(c byte) bool {
	p.space()
	if p.at(0) != c {
		return false
	}
	p.pos++
	return true
}

func isIdentifierStart(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isIdentifierPart(c byte) bool { return isIdentifierStart(c) || c >= '0' && c <= '9' }

// value reads a value.
func (p *parser) value(depth int) (attr.Value, error) {
	if depth > maxDepth {
		return nil, p.errorf("values lie more than %d deep in each other", maxDepth)
	}
	p.space()
	switch c := p.at(0); {
	case c == '{' && p.at(1) == '{':
		return p.blob()
	case c == '{':
		return p.structure(depth)
	case c == '[':
		elems, err := p.list(depth)
		return attr.List(elems...), err
	case c == '"' || strings.HasPrefix(p.rest(), "'''"):
		s, err := p.text()
		return attr.String(s), err
	case c == '\'' || isIdentifierStart(c):
		return p.word(depth)
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	return nil, p.errorf("a value is expected")
}

func (p *parser) structure(depth int) (attr.Value, error) {
	p.pos++
	var fields []attr.Field
	seen := map[string]bool{}
	for !p.take('}') {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, p.errorf("the field %q comes twice", name)
		}
		seen[name] = true
		if !p.take(':') {
			return nil, p.errorf("a colon is expected behind %q", name)
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		fields = append(fields, attr.Field{Name: name, Value: v})
		if p.take(',') {
			continue
		}
		if p.space(); p.at(0) != '}' {
			return nil, p.errorf("a comma or the end of the structure is expected")
		}
	}
	return attr.NewMap(fields...).Value(), nil
}

// name reads the name of a field.
func (p *parser) name() (string, error) {
	p.space()
	switch c := p.at(0); {
	case c == '"' || strings.HasPrefix(p.rest(), "'''"):
		return p.text()
	case c == '\'':
		return p.quoted('\'')
	case isIdentifierStart(c):
		return p.identifier(), nil
	}
	return "", p.errorf("the name of a field is expected")
}

func (p *parser) identifier() string {
	start := p.pos
	for isIdentifierPart(p.at(0)) {
		p.pos++
	}
	return p.src[start:p.pos]
}

func (p *parser) list(depth int) (elems []attr.Value, err error) {
	p.pos++
	for !p.take(']') {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		elems = append(elems, v)
		if p.take(',') {
			continue
		}
		if p.space(); p.at(0) != ']' {
			return nil, p.errorf("a comma or the end of the list is expected")
		}
	}
	return elems, nil
}

// word reads what begins with a symbol: a keyword, a symbol, or an annotation with its value.
func (p *parser) word(depth int) (attr.Value, error) {
	isQuoted := p.at(0) == '\''
	var text string
	if isQuoted {
		var err error
		if text, err = p.quoted('\''); err != nil {
			return nil, err
		}
	} else {
		text = p.identifier()
	}
	if p.space(); strings.HasPrefix(p.rest(), "::") {
		p.pos += 2
		return p.annotated(text, depth)
	}
	switch {
	case isQuoted:
	case text == "true", text == "false":
		return attr.Boolean(text == "true"), nil
	case text == "null":
		if p.at(0) == '.' && isIdentifierStart(p.at(1)) {
			p.pos++
			p.identifier()
		}
		return attr.NullValue(), nil
	case text == "nan":
		return nil, p.errorf("nan is not a number of DynamoDB")
	}
	return attr.String(text), nil
}

// annotated reads a set, which is a list behind the annotation of its type.
func (p *parser) annotated(annotation string, depth int) (attr.Value, error) {
	typ, known := attr.ParseType(strings.TrimPrefix(annotation, "$dynamodb_"))
	if p.space(); !known || !typ.IsSet() || annotation != "$dynamodb_"+typ.String() || p.at(0) != '[' {
		return nil, p.errorf("the annotation %q is not that of a set", annotation)
	}
	elems, err := p.list(depth)
	if err != nil {
		return nil, err
	}
	set, ok := attr.Set(elems...)
	if !ok || set.Type() != typ {
		return nil, p.errorf("the list is not a set of the type %s", typ)
	}
	return set, nil
}

// number reads an integer, a decimal or a float.
func (p *parser) number() (attr.Value, error) {
	start := p.pos
	for c := p.at(0); c != 0 && strings.IndexByte("0123456789+-._eEdD", c) >= 0; c = p.at(0) {
		p.pos++
	}
	text := strings.TrimSuffix(strings.NewReplacer("_", "", "d", "e", "D", "e").Replace(p.src[start:p.pos]), ".")
	text = strings.Replace(text, ".e", "e", 1)
	if isIdentifierPart(p.at(0)) || p.at(0) == ':' {
		return nil, p.errorf("%q is not a number in decimal notation", p.src[start:p.pos+1])
	}
	n, err := attr.ParseNumber(text)
	if err != nil {
		return nil, p.errorf("%q: %w", text, err)
	}
	return n.Value(), nil
}

func (p *parser) blob() (attr.Value, error) {
	p.pos += 2
	end := strings.Index(p.rest(), "}}")
	if end < 0 {
		return nil, p.errorf("the blob has no end")
	}
	text := strings.Join(strings.Fields(p.rest()[:end]), "")
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, p.errorf("the blob is not in base64: %w", err)
	}
	p.pos += end + 2
	return attr.Binary(b), nil
}

// text reads a string, or several long ones, which are one.
func (p *parser) text() (string, error) {
	if p.at(0) == '"' {
		return p.quoted('"')
	}
	var b strings.Builder
	for strings.HasPrefix(p.rest(), "'''") {
		p.pos += 3
		for !strings.HasPrefix(p.rest(), "'''") {
			if err := p.character(&b); err != nil {
				return "", err
			}
		}
		p.pos += 3
		p.space()
	}
	return b.String(), nil
}

// quoted reads text between quotes.
func (p *parser) quoted(quote byte) (string, error) {
	p.pos++
	var b strings.Builder
	for p.at(0) != quote {
		if c := p.at(0); c == '\n' || c == '\r' {
			return "", p.errorf("the line ends within quotes")
		}
		if err := p.character(&b); err != nil {
			return "", err
		}
	}
	p.pos++
	return b.String(), nil
}

// escapes are the characters behind a backslash, and what they stand for.
const escapes, escaped = `abtnfrv?0"'/\`, "\a\b\t\n\f\r\v?\x00\"'/\\"

// character adds one character of a text, which may be escaped.
func (p *parser) character(b *strings.Builder) error {
	if p.pos >= len(p.src) {
		return p.errorf("the text has no end")
	}
	c := p.at(0)
	p.pos++
	if c != '\\' {
		b.WriteByte(c)
		return nil
	}
	c = p.at(0)
	p.pos++
	if i := strings.IndexByte(escapes, c); i >= 0 {
		b.WriteByte(escaped[i])
		return nil
	}
	if c == '\n' { // the line goes on
		return nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits == 0 || len(p.rest()) < digits {
		return p.errorf("an unknown escape")
	}
	n, err := strconv.ParseUint(p.rest()[:digits], 16, 32)
	if err != nil || !utf8.ValidRune(rune(n)) {
		return p.errorf("an escape that is no character")
	}
	p.pos += digits
	b.WriteRune(rune(n))
	return nil
}

// Item returns the item of a line {Item: {…}}, the form in which DynamoDB exports and imports items.
func Item(line []byte) (attr.Map, error) {
	outer, err := Parse(line)
	if err != nil {
		return nil, err
	}
	v := outer.Get("Item")
	if v.Type() != attr.M || outer.Len() != 1 {
		return nil, errors.New("the line does not have the one field Item with a structure")
	}
	return slices.Clone(v.Map()), nil
}
