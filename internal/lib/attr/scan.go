package attr

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The messages with which DynamoDB refuses JSON of the wrong shape.
const (
	msgNotValue  = "Unexpected value type in payload"
	msgNotMap    = "Unexpected field type"
	msgNotList   = "Unexpected field type"
	msgBase64    = "Invalid last non-pad Base64 character dectected"
	msgStructure = "Start of structure or map found where not expected"
	msgToken     = "Unexpected token received from parser"
)

func syntaxf(format string, args ...any) error { return &SyntaxError{fmt.Sprintf(format, args...)} }

// scanner reads JSON tokens from src, strictly by RFC 8259.
type scanner struct {
	src []byte
	pos int
}

// broken returns the error for malformed JSON at the current position.
func (s *scanner) broken() error {
	if s.pos >= len(s.src) {
		return &SyntaxError{"Unexpected end of the JSON document"}
	}
	return syntaxf("Unexpected character %q in the JSON document", s.src[s.pos])
}

// space skips white space.
func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// null takes the literal null if it is next.
func (s *scanner) null() bool {
	if s.peek() == 'n' && bytes.HasPrefix(s.src[s.pos:], []byte("null")) {
		s.pos += 4
		return true
	}
	return false
}

// open takes the bracket c, or fails with what DynamoDB says of the value that is there.
func (s *scanner) open(c byte, other string) error {
	s.space()
	got := s.peek()
	switch {
	case got == c:
		s.pos++
		return nil
	case got == '{':
		return &SyntaxError{msgStructure}
	case got == '[':
		return &SyntaxError{"Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue"}
	case got == '"', got == 't', got == 'f', got == 'n', got == '-', got >= '0' && got <= '9':
		return &SyntaxError{other}
	}
	return s.broken()
}

// next moves to the next member or element; done is true when the closing bracket was taken.
func (s *scanner) next(closing byte, first bool) (done bool, err error) {
	s.space()
	if s.peek() == closing {
		s.pos++
		return true, nil
	}
	if !first {
		if s.peek() != ',' {
			return false, s.broken()
		}
		s.pos++
		s.space()
	}
	return false, nil
}

// colon takes the colon after a member's name.
func (s *scanner) colon() error {
	s.space()
	if s.peek() != ':' {
		return s.broken()
	}
	s.pos++
	return nil
}

// str takes a string and returns what stands between its quotes, and whether that holds escapes. The text is valid UTF-8,
// and its escapes are well formed.
func (s *scanner) str() (raw []byte, escaped bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.broken()
	}
	src, start := s.src, s.pos+1
	high := false
	for i := start; i < len(src); i++ {
		c := src[i]
		if c >= 0x20 && c < 0x80 && c != '"' && c != '\\' {
			continue
		}
		switch {
		case c == '"':
			s.pos = i + 1
			raw = src[start:i]
			if high && !utf8.Valid(raw) {
				return nil, false, &SyntaxError{"Invalid UTF-8 in the JSON document"}
			}
			return raw, escaped, nil
		case c == '\\':
			n := escapeLen(src[i:])
			if n == 0 {
				s.pos = i
				return nil, false, s.broken()
			}
			escaped = true
			i += n - 1
		case c < 0x20:
			s.pos = i
			return nil, false, s.broken()
		default:
			high = true
		}
	}
	s.pos = len(src)
	return nil, false, s.broken()
}

// escapeLen returns the length of the escape at the front of b (a surrogate pair counts as one), or 0 when it is not well formed.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if b[1] != 'u' {
		if strings.IndexByte(`"\/bfnrt`, b[1]) < 0 {
			return 0
		}
		return 2
	}
	r, ok := hex4(b)
	switch {
	case !ok, r >= 0xdc00 && r < 0xe000:
		return 0
	case r >= 0xd800 && r < 0xdc00:
		if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
			return 0
		}
		if low, ok := hex4(b[6:]); !ok || low < 0xdc00 || low > 0xdfff {
			return 0
		}
		return 12
	}
	return 6
}

// hex4 reads the four digits of \uXXXX.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 {
		return 0, false
	}
	for _, c := range b[2:6] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			r |= rune(c-'A') + 10
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape appends raw, which str returned, with its escapes resolved.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			end := bytes.IndexByte(raw[i:], '\\')
			if end < 0 {
				return append(dst, raw[i:]...)
			}
			dst = append(dst, raw[i:i+end]...)
			i += end
			continue
		}
		if raw[i+1] == 'u' {
			n := escapeLen(raw[i:])
			r, _ := hex4(raw[i:])
			if n == 12 {
				low, _ := hex4(raw[i+6:])
				r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
			}
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		c := raw[i+1]
		if k := strings.IndexByte("bfnrt", c); k >= 0 {
			c = "\b\f\n\r\t"[k]
		}
		dst = append(dst, c)
		i += 2
	}
	return dst
}

// wantString checks that a string is next, or fails with what DynamoDB says of the value that is there.
func (s *scanner) wantString(kind string) error {
	c := s.peek()
	switch {
	case c == '"':
		return nil
	case c == '{':
		return &SyntaxError{msgStructure}
	case c == '[' && kind == "Blob":
		return &SyntaxError{"Unrecognized collection type class java.nio.ByteBuffer"}
	case c == '[':
		return &SyntaxError{"Unrecognized collection type class java.lang.String"}
	case kind == "Blob" && (c == 't' || c == 'f' || c == '-' || c >= '0' && c <= '9'):
		return &SyntaxError{"only base-64-encoded strings are convertible to bytes"}
	}
	return s.scalarAs(kind)
}

// scalarAs returns DynamoDB's error for a literal or a number where kind is expected.
func (s *scanner) scalarAs(kind string) error {
	switch c := s.peek(); {
	case c == 't':
		return &SyntaxError{"TRUE_VALUE cannot be converted to " + kind}
	case c == 'f':
		return &SyntaxError{"FALSE_VALUE cannot be converted to " + kind}
	case c == 'n':
		return &SyntaxError{msgToken}
	case c == '-' || c >= '0' && c <= '9':
		token := s.src[s.pos:]
		if end := bytes.IndexAny(token, ",]} \t\r\n"); end >= 0 {
			token = token[:end]
		}
		if bytes.ContainsAny(token, ".eE") {
			return &SyntaxError{"DECIMAL_VALUE cannot be converted to " + kind}
		}
		return &SyntaxError{"NUMBER_VALUE cannot be converted to " + kind}
	}
	return s.broken()
}

// wantBool takes a boolean, or the string "true" or "false", which DynamoDB takes for one.
func (s *scanner) wantBool() (bool, error) {
	rest := s.src[s.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("true")):
		s.pos += 4
		return true, nil
	case bytes.HasPrefix(rest, []byte("false")):
		s.pos += 5
		return false, nil
	}
	switch s.peek() {
	case '"':
		raw, _, err := s.str()
		if err != nil {
			return false, err
		}
		if t := strings.ToLower(string(raw)); t == "true" || t == "false" {
			return t == "true", nil
		}
		return false, &SyntaxError{msgToken}
	case '{':
		return false, &SyntaxError{msgStructure}
	case '[':
		return false, &SyntaxError{"Unrecognized collection type class java.lang.Boolean"}
	}
	return false, s.scalarAs("Boolean")
}

// skip takes one JSON value of any shape. It needs no stack but one bit a level, and goes no deeper than 512 levels.
func (s *scanner) skip() error {
	var closers [512]byte
	depth := 0
	for {
		s.space()
		switch c := s.peek(); {
		case c == '{' || c == '[':
			if depth == len(closers) {
				return &SyntaxError{"The JSON document is nested too deeply"}
			}
			s.pos++
			closers[depth] = c + 2 // '}' and ']' follow their opening bracket by two
			depth++
			done, err := s.next(closers[depth-1], true)
			if err != nil {
				return err
			}
			if !done {
				if err := s.skipName(closers[depth-1]); err != nil {
					return err
				}
				continue
			}
			depth--
		default:
			if err := s.skipScalar(); err != nil {
				return err
			}
		}
		for depth > 0 { // after a value
			done, err := s.next(closers[depth-1], false)
			if err != nil {
				return err
			}
			if !done {
				if err := s.skipName(closers[depth-1]); err != nil {
					return err
				}
				break
			}
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// skipName takes the name and the colon of a member when it is in an object.
func (s *scanner) skipName(closer byte) error {
	if closer != '}' {
		return nil
	}
	if _, _, err := s.str(); err != nil {
		return err
	}
	return s.colon()
}

// skipScalar takes a string, a number or a literal.
func (s *scanner) skipScalar() error {
	if s.peek() == '"' {
		_, _, err := s.str()
		return err
	}
	start := s.pos
	for s.pos < len(s.src) && strings.IndexByte("+-.eE0123456789truefalsn", s.src[s.pos]) >= 0 {
		s.pos++
	}
	token := s.src[start:s.pos]
	switch string(token) {
	case "true", "false", "null":
		return nil
	}
	if !jsonNumber(token) {
		s.pos = start
		return s.broken()
	}
	return nil
}

// jsonNumber tells whether token is a number by RFC 8259, section 6.
func jsonNumber(token []byte) bool {
	digits := func() (n int) {
		for n < len(token) && token[n] >= '0' && token[n] <= '9' {
			n++
		}
		token = token[n:]
		return n
	}
	if len(token) > 0 && token[0] == '-' {
		token = token[1:]
	}
	zero := len(token) > 0 && token[0] == '0'
	if n := digits(); n == 0 || zero && n > 1 {
		return false
	}
	if len(token) > 0 && token[0] == '.' {
		token = token[1:]
		if digits() == 0 {
			return false
		}
	}
	if len(token) > 0 && (token[0] == 'e' || token[0] == 'E') {
		token = token[1:]
		if len(token) > 0 && (token[0] == '+' || token[0] == '-') {
			token = token[1:]
		}
		if digits() == 0 {
			return false
		}
	}
	return len(token) == 0
}
