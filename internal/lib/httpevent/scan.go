package httpevent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// scan reads a response in the form in which nearly all come: an object of statusCode, headers, body and isBase64Encoded
// with values of their usual types. ok is false for every other, about which decode decides; the two agree on what they both accept.
func scan(payload []byte, contentType string) (a *Answer, ok bool) {
	s := scanner{b: payload}
	a = &Answer{Headers: make(map[string]string, 4)}
	var body []byte
	var seen struct{ status, headers, body, encoded bool }
	encoded := false
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
			ok = once(&seen.headers) && s.headers(a.Headers)
		case "body":
			body, ok = s.text()
			ok = ok && once(&seen.body)
		case "isBase64Encoded":
			encoded, ok = s.boolean()
			ok = ok && once(&seen.encoded)
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
	if s.failed || s.rest() || a.Status < 100 || a.Status > 599 {
		return nil, false
	}
	if encoded {
		decoded := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
		n, err := base64.StdEncoding.Decode(decoded, body)
		if err != nil {
			return nil, false
		}
		body = decoded[:n]
	}
	a.Body = body
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
				var text string
				err := json.Unmarshal(s.b[from-1:s.i], &text)
				return []byte(text), err == nil
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

// headers reads an object of strings, by their lower-case names.
func (s *scanner) headers(into map[string]string) bool {
	for first := true; ; first = false {
		name, more := s.member(first)
		if !more {
			return !s.failed
		}
		value, ok := s.text()
		if !ok || !ValidHeader(string(name), string(value)) {
			return false
		}
		lower := string(bytes.ToLower(name))
		if _, twice := into[lower]; twice {
			return false
		}
		into[lower] = string(value)
	}
}
