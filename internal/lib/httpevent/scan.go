package httpevent

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"lambent.dev/lambent/internal/lib/jsonscan"
)

// Usual is a response in the form in which nearly all come: an object of statusCode, headers, body and isBase64Encoded with values of their usual types.
type Usual struct {
	// Status is from 100 to 599.
	Status int
	// Headers are in their order, with names as they are written. Two may have one name.
	Headers []Header
	// Body is the text of the body, a part of what was read where that is possible; empty for none.
	Body []byte
	// Base64 tells that Body is in base64.
	Base64 bool
}

// Header is one of the headers of a [Usual] response.
type Header struct{ Name, Value string }

// Scan reads a response of the usual form. ok is false for every other, which says nothing about whether it is one.
func Scan(payload []byte) (a Usual, ok bool) {
	s := scanner{b: payload}
	var seen struct{ status, headers, multi, body, encoded bool }
	for first := true; ; first = false {
		name, more := s.member(first)
		if !more {
			break
		}
		switch string(name) {
		case "statusCode":
			a.Status, ok = s.status()
			ok = ok && once(&seen.status)
		case "headers":
			a.Headers, ok = s.headers()
			ok = ok && once(&seen.headers)
		case "multiValueHeaders":
			ok = s.null() && once(&seen.multi)
		case "body":
			a.Body, ok = s.text()
			ok = ok && once(&seen.body)
		case "isBase64Encoded":
			a.Base64, ok = s.boolean()
			ok = ok && once(&seen.encoded)
		default:
			ok = false
		}
		if !ok {
			return a, false
		}
	}
	return a, !s.failed && !s.rest() && a.Status >= 100 && a.Status <= 599
}

// scan makes an answer of a response of the usual form. ok is false for every other, about which decode decides; the two agree on what they both accept.
func scan(payload []byte, contentType string) (a *Answer, ok bool) {
	u, ok := Scan(payload)
	if !ok {
		return nil, false
	}
	a = &Answer{Status: u.Status, Headers: make(map[string]string, len(u.Headers)+1), Body: u.Body}
	for _, h := range u.Headers {
		lower := strings.ToLower(h.Name)
		if _, twice := a.Headers[lower]; twice {
			return nil, false
		}
		a.Headers[lower] = h.Value
	}
	if u.Base64 {
		decoded := make([]byte, base64.StdEncoding.DecodedLen(len(u.Body)))
		n, err := base64.StdEncoding.Decode(decoded, u.Body)
		if err != nil {
			return nil, false
		}
		a.Body = decoded[:n]
	}
	if _, ok := a.Headers["content-type"]; !ok {
		a.Headers["content-type"] = contentType
	}
	return a, true
}

// once sets a flag, and reports whether it was not set before.
func once(flag *bool) bool {
	before := *flag
	*flag = true
	return !before
}

// scanner reads JSON from left to right.
type scanner struct {
	b      []byte
	i      int
	failed bool
}

func (s *scanner) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\t' || s.b[s.i] == '\r') {
		s.i++
	}
}

// take skips space and then c, if it comes next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// rest tells whether anything follows.
func (s *scanner) rest() bool {
	s.space()
	return s.i < len(s.b)
}

// member reads up to a member's value. more is false at the end of the object, and when it is not read.
func (s *scanner) member(first bool) (name []byte, more bool) {
	if first && !s.take('{') {
		s.failed = true
		return nil, false
	}
	if s.take('}') {
		return nil, false
	}
	if !first && !s.take(',') {
		s.failed = true
		return nil, false
	}
	name, ok := s.text()
	s.failed = !ok || !s.take(':')
	return name, !s.failed
}

// text reads a string. It is a part of the payload unless it has escapes.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	from, escaped := s.i, false
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			raw := s.b[from:s.i]
			s.i++
			if escaped {
				return jsonscan.Unquote(s.b[from-1 : s.i])
			}
			return raw, utf8.Valid(raw)
		case c < ' ':
			return nil, false
		case c == '\\':
			escaped = true
			s.i++
		}
		s.i++
	}
	return nil, false
}

// status reads a number of three digits.
func (s *scanner) status() (int, bool) {
	s.space()
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	n, err := strconv.Atoi(string(s.b[from:s.i]))
	return n, err == nil && s.i-from == 3 && s.b[from] != '0'
}

func (s *scanner) boolean() (value, ok bool) {
	s.space()
	switch rest := s.b[s.i:]; {
	case bytes.HasPrefix(rest, []byte("true")):
		s.i += 4
		return true, true
	case bytes.HasPrefix(rest, []byte("false")):
		s.i += 5
		return false, true
	}
	return false, false
}

// null reads null.
func (s *scanner) null() bool {
	s.space()
	if !bytes.HasPrefix(s.b[s.i:], []byte("null")) {
		return false
	}
	s.i += 4
	return true
}

// headers reads an object of strings, or null.
func (s *scanner) headers() (list []Header, ok bool) {
	if s.null() {
		return nil, true
	}
	for first := true; ; first = false {
		name, more := s.member(first)
		if !more {
			return list, !s.failed
		}
		text, ok := s.text()
		h := Header{string(name), string(text)}
		if !ok || !ValidHeader(h.Name, h.Value) {
			return nil, false
		}
		if list == nil {
			list = make([]Header, 0, 4)
		}
		list = append(list, h)
	}
}
