package pattern

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the kind of a token of a pattern's text.
type kind uint8

const (
	beginObject kind = iota
	endObject
	beginArray
	endArray
	fieldName
	stringValue
	numberValue
	literalValue // true, false or null
)

// token is one token. at is where the reader of AWS stands when it has it: behind the token, except that it stands behind the opening quote of
// a string whose text nobody has asked for, and behind the beginning of the value when the token is a field's name.
type token struct {
	kind kind
	text string
	at   int
	end  int
}

// lexer cuts a pattern into tokens.
type lexer struct {
	text  string
	pos   int
	stack []kind // of beginObject and beginArray
	first bool   // no member of the innermost object or array has been read
	named bool   // the name of a member has been read, its value comes next
}

func (l *lexer) fail(at int, format string, args ...any) *Error {
	return &Error{Reason: fmt.Sprintf(format, args...), Place: place(l.text, at)}
}

func (l *lexer) space() {
	for l.pos < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.pos]) >= 0 {
		l.pos++
	}
}

// next returns the next token.
func (l *lexer) next() (token, *Error) {
	l.space()
	if l.pos >= len(l.text) {
		return token{}, l.fail(l.pos, "Unexpected end-of-input")
	}
	inside := len(l.stack) > 0
	if inside && !l.named {
		if t, ok := l.closing(); ok {
			return t, nil
		}
		if !l.first {
			if l.text[l.pos] != ',' {
				return token{}, l.unexpected("was expecting comma to separate %s entries", map[kind]string{beginObject: "Object", beginArray: "Array"}[l.stack[len(l.stack)-1]])
			}
			l.pos++
			l.space()
		}
		l.first = false
		if l.stack[len(l.stack)-1] == beginObject {
			return l.name()
		}
	}
	l.named = false
	return l.value()
}

// closing reads the end of the innermost object or array.
func (l *lexer) closing() (token, bool) {
	top := l.stack[len(l.stack)-1]
	c := l.text[l.pos]
	if top == beginObject && c != '}' || top == beginArray && c != ']' {
		return token{}, false
	}
	l.pos++
	l.stack = l.stack[:len(l.stack)-1]
	l.first = false
	k := endArray
	if top == beginObject {
		k = endObject
	}
	return token{kind: k, at: l.pos, end: l.pos}, true
}

// name reads a field's name and looks at the value behind it, as AWS's reader does.
func (l *lexer) name() (token, *Error) {
	if l.pos >= len(l.text) || l.text[l.pos] != '"' {
		return token{}, l.unexpected("was expecting double-quote to start field name")
	}
	text, err := l.string()
	if err != nil {
		return token{}, err
	}
	l.space()
	if l.pos >= len(l.text) || l.text[l.pos] != ':' {
		return token{}, l.unexpected("was expecting a colon to separate field name and value")
	}
	l.pos++
	l.named = true
	ahead := lexer{text: l.text, pos: l.pos}
	ahead.space()
	v, err := ahead.value()
	if err != nil {
		return token{}, err
	}
	return token{kind: fieldName, text: text, at: v.at, end: v.at}, nil
}

// value reads the beginning of an object or array, or a whole value of another kind.
func (l *lexer) value() (token, *Error) {
	if l.pos >= len(l.text) {
		return token{}, l.fail(l.pos, "Unexpected end-of-input")
	}
	start := l.pos
	switch c := l.text[l.pos]; {
	case c == '{' || c == '[':
		k := beginObject
		if c == '[' {
			k = beginArray
		}
		l.pos++
		l.stack = append(l.stack, k)
		l.first = true
		return token{kind: k, at: l.pos, end: l.pos}, nil
	case c == '"':
		text, err := l.string()
		return token{kind: stringValue, text: text, at: start + 1, end: l.pos}, err
	case c == '-' || c >= '0' && c <= '9':
		for l.pos < len(l.text) && strings.IndexByte("+-.0123456789eE", l.text[l.pos]) >= 0 {
			l.pos++
		}
		text := l.text[start:l.pos]
		if !json.Valid([]byte(text)) {
			return token{}, l.fail(l.pos, "Invalid numeric value: %s", text)
		}
		return token{kind: numberValue, text: text, at: l.pos, end: l.pos}, nil
	}
	return l.word()
}

// word reads true, false or null.
func (l *lexer) word() (token, *Error) {
	start := l.pos
	for l.pos < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[l.pos:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '$' {
			break
		}
		l.pos += n
	}
	text := l.text[start:l.pos]
	switch text {
	case "true", "false", "null":
		return token{kind: literalValue, text: text, at: l.pos, end: l.pos}, nil
	case "":
		return token{}, l.unexpected("expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')")
	}
	return token{}, l.fail(l.pos, "Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", text)
}

func (l *lexer) unexpected(format string, args ...any) *Error {
	if l.pos >= len(l.text) {
		return l.fail(l.pos, "Unexpected end-of-input")
	}
	r, _ := utf8.DecodeRuneInString(l.text[l.pos:])
	return l.fail(l.pos, "Unexpected character ('%c' (code %d)): %s", r, r, fmt.Sprintf(format, args...))
}

// string reads a quoted string.
func (l *lexer) string() (string, *Error) {
	start := l.pos
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch l.text[l.pos] {
		case '\\':
			l.pos++
		case '"':
			l.pos++
			var s string
			if err := json.Unmarshal([]byte(l.text[start:l.pos]), &s); err != nil {
				return "", l.fail(l.pos, "Unrecognized character escape or illegal character in a string")
			}
			return s, nil
		}
	}
	l.pos = len(l.text)
	return "", l.fail(l.pos, "Unexpected end-of-input: was expecting closing quote for a string value")
}
