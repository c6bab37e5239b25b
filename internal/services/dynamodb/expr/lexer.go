package expr

// MaxLength is how long an expression may be, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
const MaxLength = 4096

// kind is the kind of a token.
type kind uint8

const (
	end    kind = iota
	word        // an attribute name, a keyword or a function
	name        // #name
	value       // :value
	number      // an index
	symbol      // an operator or a bracket
	junk        // a character that is part of no token
)

// token is a piece of an expression.
type token struct {
	kind       kind
	text       string
	start, end int
}

// lexer cuts an expression into tokens.
type lexer struct {
	src string
	pos int
}

func isWordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordPart(c byte) bool { return isWordStart(c) || isDigit(c) }

// next returns the next token; at the end it returns the end token again and again.
func (l *lexer) next() token {
	for l.pos < len(l.src) && (l.src[l.pos] == ' ' || l.src[l.pos] == '\t' || l.src[l.pos] == '\n' || l.src[l.pos] == '\r') {
		l.pos++
	}
	start := l.pos
	if start == len(l.src) {
		return token{end, "<EOF>", start, start}
	}
	c := l.src[start]
	k, part := junk, func(byte) bool { return false }
	switch {
	case isWordStart(c):
		k, part = word, isWordPart
	case isDigit(c):
		k, part = number, isDigit
	case c == '#' || c == ':':
		k, part = name, isWordPart
		if c == ':' {
			k = value
		}
	case c == '<' || c == '>':
		k = symbol
		part = func(next byte) bool { return l.pos == start+1 && (next == '=' || c == '<' && next == '>') }
	case c == '(' || c == ')' || c == ',' || c == '.' || c == '[' || c == ']' || c == '=' || c == '+' || c == '-':
		k = symbol
	}
	l.pos++
	for l.pos < len(l.src) && part(l.src[l.pos]) {
		l.pos++
	}
	text := l.src[start:l.pos]
	if (k == name || k == value) && len(text) == 1 {
		k = junk
	}
	return token{k, text, start, l.pos}
}
