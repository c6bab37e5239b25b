package partiql

import "strings"

// kind is the kind of a token.
type kind uint8

const (
	end    kind = iota
	word        // a bare word: a name, a keyword or a function
	quoted      // a "quoted" name
	text        // a 'quoted' string
	number
	symbol
	junk // a character that is part of no token, or a quote without its end
)

// token is a piece of a statement. The text of names and strings is without quotes.
type token struct {
	kind  kind
	text  string
	start int
}

// lexer cuts a statement into tokens.
type lexer struct {
	src string
	pos int
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c >= 0x80
}

// next returns the next token; at the end it returns the end token again and again.
func (l *lexer) next() token {
	l.space()
	start := l.pos
	if start >= len(l.src) {
		return token{kind: end, start: start}
	}
	switch c := l.src[start]; {
	case isWord(c):
		for l.pos < len(l.src) && (isWord(l.src[l.pos]) || isDigit(l.src[l.pos])) {
			l.pos++
		}
		return token{word, l.src[start:l.pos], start}
	case isDigit(c) || c == '.' && start+1 < len(l.src) && isDigit(l.src[start+1]):
		return l.number()
	case c == '\'':
		return l.quote(text)
	case c == '"':
		return l.quote(quoted)
	}
	if strings.HasPrefix(l.src[start:], "/*") { // without an end
		l.pos = len(l.src)
		return token{junk, l.src[start:], start}
	}
	for _, s := range []string{"<<", ">>", "<>", "<=", ">=", "!="} {
		if strings.HasPrefix(l.src[start:], s) {
			l.pos += len(s)
			return token{symbol, s, start}
		}
	}
	l.pos++
	k := junk
	if strings.IndexByte("(),.[]{}:=<>+-*?;", l.src[start]) >= 0 {
		k = symbol
	}
	return token{k, l.src[start:l.pos], start}
}

// space skips white space and comments: from two dashes to the end of the line, and between /* and */.
func (l *lexer) space() {
	for l.pos < len(l.src) {
		switch {
		case strings.IndexByte(" \t\r\n", l.src[l.pos]) >= 0:
			l.pos++
		case strings.HasPrefix(l.src[l.pos:], "/*"):
			n := strings.Index(l.src[l.pos:], "*/")
			if n < 0 {
				return
			}
			l.pos += n + 2
		case strings.HasPrefix(l.src[l.pos:], "--"):
			n := strings.IndexByte(l.src[l.pos:], '\n')
			if n < 0 {
				n = len(l.src) - l.pos
			}
			l.pos += n
		default:
			return
		}
	}
}

// number takes digits with a fraction and an exponent.
func (l *lexer) number() token {
	start := l.pos
	digits := func() {
		for l.pos < len(l.src) && isDigit(l.src[l.pos]) {
			l.pos++
		}
	}
	digits()
	if l.pos < len(l.src) && l.src[l.pos] == '.' {
		l.pos++
		digits()
	}
	if l.pos < len(l.src) && (l.src[l.pos] == 'e' || l.src[l.pos] == 'E') {
		l.pos++
		if l.pos < len(l.src) && (l.src[l.pos] == '+' || l.src[l.pos] == '-') {
			l.pos++
		}
		digits()
	}
	return token{number, l.src[start:l.pos], start}
}

// quote takes a quoted text, in which the quote is doubled.
func (l *lexer) quote(k kind) token {
	start, q := l.pos, l.src[l.pos]
	var b strings.Builder
	for l.pos++; l.pos < len(l.src); l.pos++ {
		if l.src[l.pos] != q {
			b.WriteByte(l.src[l.pos])
			continue
		}
		if l.pos+1 == len(l.src) || l.src[l.pos+1] != q {
			l.pos++
			return token{k, b.String(), start}
		}
		b.WriteByte(q)
		l.pos++
	}
	return token{junk, l.src[start:], start}
}
