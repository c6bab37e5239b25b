package insights

import (
	"fmt"
	"strings"
)

// tokenKind is what a token is.
type tokenKind byte

const (
	end    tokenKind = iota
	word             // a name, a keyword or a function
	quoted           // a name in backticks
	number
	text   // in quotation marks
	regex  // between slashes
	symbol // an operator, a bracket, a comma or a pipe
)

// token is a piece of a query, and the place of its beginning and end in it.
type token struct {
	kind     tokenKind
	text     string
	from, to int
}

// Error is a query that is malformed; From and To are where in its text.
type Error struct {
	From, To int
	Message  string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// scanner reads tokens from a query.
type scanner struct {
	query string
	at    int
	// value tells whether the token before this one was the end of a value: a slash divides then, and begins a regular expression otherwise.
	value bool
}

func malformed(from, to int, format string, args ...any) *Error {
	return &Error{from, to, fmt.Sprintf(format, args...)}
}

func letter(b byte) bool { return b == '_' || b == '@' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }
func digit(b byte) bool  { return b >= '0' && b <= '9' }

// blank skips white space and comments.
func (s *scanner) blank() {
	for s.at < len(s.query) {
		switch c := s.query[s.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			s.at++
		case c == '#':
			n := strings.IndexByte(s.query[s.at:], '\n')
			if n < 0 {
				n = len(s.query) - s.at
			}
			s.at += n
		default:
			return
		}
	}
}

// next returns the next token.
func (s *scanner) next() (t token, err *Error) {
	s.blank()
	t.from = s.at
	if s.at == len(s.query) {
		t.to = s.at
		return t, nil
	}
	switch c := s.query[s.at]; {
	case letter(c):
		t.kind, t.text = word, s.while(func(b byte) bool { return letter(b) || digit(b) || b == '.' })
	case digit(c) || c == '.' && s.at+1 < len(s.query) && digit(s.query[s.at+1]):
		t.kind, t.text = number, s.while(func(b byte) bool { return digit(b) || b == '.' })
	case c == '`':
		t.kind, t.text, err = s.until(quoted)
	case c == '"' || c == '\'':
		t.kind, t.text, err = s.until(text)
	case c == '/' && !s.value:
		t.kind, t.text, err = s.until(regex)
	default:
		t.kind, t.text = symbol, s.query[s.at:s.at+1]
		for _, two := range []string{"!=", "<=", ">=", "=~"} {
			if strings.HasPrefix(s.query[s.at:], two) {
				t.text = two
			}
		}
		if !strings.Contains("!=<=>==~()[],|+-*/%^", t.text) {
			return t, malformed(s.at, s.at+1, "unexpected symbol %s", t.text)
		}
		s.at += len(t.text)
	}
	t.to = s.at
	s.value = t.kind != symbol && !keyword(t) || t.text == ")" || t.text == "]"
	return t, err
}

// keyword tells whether a token is a word after which no value has ended.
func keyword(t token) bool {
	if t.kind != word {
		return false
	}
	switch strings.ToLower(t.text) {
	case "like", "in", "not", "and", "or", "by", "as", "filter", "parse":
		return true
	}
	return false
}

func (s *scanner) while(in func(byte) bool) string {
	from := s.at
	for s.at < len(s.query) && in(s.query[s.at]) {
		s.at++
	}
	return s.query[from:s.at]
}

// until reads a token that ends with the character that it begins with. A backslash keeps that from ending it; other backslashes are part of a regular expression, and of a text unless one follows.
func (s *scanner) until(kind tokenKind) (tokenKind, string, *Error) {
	from, mark := s.at, s.query[s.at]
	var b strings.Builder
	for s.at++; s.at < len(s.query); s.at++ {
		c := s.query[s.at]
		switch {
		case c == mark:
			s.at++
			return kind, b.String(), nil
		case c == '\\' && s.at+1 < len(s.query) && (s.query[s.at+1] == mark || kind == text && s.query[s.at+1] == '\\'):
			s.at++
			c = s.query[s.at]
		}
		b.WriteByte(c)
	}
	return kind, "", malformed(from, len(s.query), "%c has no end", mark)
}
