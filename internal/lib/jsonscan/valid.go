// Package jsonscan tells whether a text is a JSON document, by the rules of encoding/json and several times faster: events, templates and answers are checked on
// every request.
package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth is how deep a document may nest; encoding/json has the same bound.
const maxDepth = 10_000

// Valid reports whether data is one JSON document (RFC 8259), exactly where [encoding/json.Valid] does. Bytes in strings that are no UTF-8 are let through.
func Valid(data []byte) bool {
	s := scanner{data: data}
	return s.document()
}

// scanner reads one document.
type scanner struct {
	data []byte
	at   int
	// open holds for each object or array that has begun whether it is an object, the innermost at the end.
	open []bool
}

func (s *scanner) document() bool {
	for {
		begun, ok := s.value()
		if !ok {
			return false
		}
		if begun {
			continue
		}
		more, ok := s.after()
		if !ok || !more {
			return ok
		}
	}
}

// value reads a value, or the beginning of an object or an array that has something in it, up to its first value.
func (s *scanner) value() (begun, ok bool) {
	switch c := s.next(); {
	case c == '"':
		return false, s.text()
	case c == '{':
		empty, ok := s.begin('}')
		return !empty, ok && (empty || s.name())
	case c == '[':
		empty, ok := s.begin(']')
		return !empty, ok
	case c == 't':
		return false, s.word("true")
	case c == 'f':
		return false, s.word("false")
	case c == 'n':
		return false, s.word("null")
	case c == '-' || c-'0' <= 9:
		return false, s.number(c)
	}
	return false, false
}

// begin notes an object or an array, which ends with end, unless it is empty.
func (s *scanner) begin(end byte) (empty, ok bool) {
	if len(s.open) >= maxDepth {
		return false, false
	}
	if s.next() == end {
		return true, true
	}
	s.at--
	s.open = append(s.open, end == '}')
	return false, true
}

// after reads what follows a value: the ends of what it is the last one of, and a comma up to the next value. There is no more after the last value of the document.
func (s *scanner) after() (more, ok bool) {
	for len(s.open) > 0 {
		object := s.open[len(s.open)-1]
		switch c := s.next(); {
		case c == ',':
			return true, !object || s.name()
		case c == '}' && object, c == ']' && !object:
			s.open = s.open[:len(s.open)-1]
		default:
			return false, false
		}
	}
	for ; s.at < len(s.data); s.at++ {
		if !blank(s.data[s.at]) {
			return false, false
		}
	}
	return false, true
}

// name reads the name of a member and its colon.
func (s *scanner) name() bool { return s.next() == '"' && s.text() && s.next() == ':' }

// next reads the next byte that is not blank; at the end it is 0, which is nowhere allowed.
func (s *scanner) next() byte {
	for i := s.at; i < len(s.data); i++ {
		if c := s.data[i]; c > ' ' || !blank(c) {
			s.at = i + 1
			return c
		}
	}
	s.at = len(s.data) + 1 // what steps back from here is at the end
	return 0
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// text reads the rest of a string.
func (s *scanner) text() bool {
	data := s.data
	for i := plain(data, s.at); i < len(data); i = plain(data, i+1) {
		switch data[i] {
		case '"':
			s.at = i + 1
			return true
		case '\\':
			n := escape(data, i+1)
			if n == 0 {
				return false
			}
			i += n
		default: // a control character
			return false
		}
	}
	return false
}

// plain returns where the first quote, backslash or control character is from at on, or len(data). It looks at eight bytes at a time: a byte of x-n&^x has its highest
// bit set where that of x is less than n, and x is below 0x80; bytes above the first such one may have it set, too.
func plain(data []byte, at int) int {
	const each = 0x0101010101010101
	for ; at+8 <= len(data); at += 8 {
		x := binary.LittleEndian.Uint64(data[at:])
		quote, backslash := x^each*'"', x^each*'\\'
		if found := (x-each*' ')&^x | (quote-each)&^quote | (backslash-each)&^backslash; found&(each<<7) != 0 {
			return at + bits.TrailingZeros64(found&(each<<7))/8
		}
	}
	for ; at < len(data); at++ {
		if c := data[at]; c == '"' || c == '\\' || c < ' ' {
			break
		}
	}
	return at
}

// escape returns the length of the escape whose backslash is before at; 0 for what is none.
func escape(data []byte, at int) int {
	if at >= len(data) {
		return 0
	}
	switch data[at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if at+4 >= len(data) {
			return 0
		}
		for _, c := range data[at+1 : at+5] {
			if c-'0' > 9 && c|0x20-'a' > 5 {
				return 0
			}
		}
		return 5
	}
	return 0
}

// word reads a literal name whose first byte has been read.
func (s *scanner) word(name string) bool {
	from := s.at - 1
	if len(s.data)-from < len(name) || string(s.data[from:from+len(name)]) != name {
		return false
	}
	s.at = from + len(name)
	return true
}

// number reads the rest of a number that begins with c.
func (s *scanner) number(c byte) bool {
	if c == '-' {
		if c = s.peek(); c-'0' > 9 {
			return false
		}
		s.at++
	}
	if c != '0' {
		s.digits()
	}
	if s.peek() == '.' {
		s.at++
		if s.digits() == 0 {
			return false
		}
	}
	if s.peek()|0x20 == 'e' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		return s.digits() > 0
	}
	return true
}

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// digits reads digits and returns how many there are.
func (s *scanner) digits() int {
	from := s.at
	for s.peek()-'0' <= 9 {
		s.at++
	}
	return s.at - from
}
