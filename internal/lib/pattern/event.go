package pattern

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrEvent is returned for an event that is not a JSON object.
var ErrEvent = errors.New("the event is not a JSON object")

// segment is a step of the paths that a set's patterns name.
type segment struct {
	children map[string]*segment
	id       int // of the path that ends here, or -1
}

// find adds the path to the tree and returns its segment.
func (s *segment) find(path string) *segment {
	for name := range strings.SplitSeq(path, ".") {
		next := s.children[name]
		if next == nil {
			next = &segment{id: -1}
			if s.children == nil {
				s.children = map[string]*segment{}
			}
			s.children[name] = next
		}
		s = next
	}
	return s
}

// descend returns the segment below s for an object's key, or nil. A dot in the key separates steps.
func (s *segment) descend(key []byte) *segment {
	for s != nil {
		name, rest, more := bytes.Cut(key, dot)
		s = s.children[string(name)]
		if !more {
			return s
		}
		key = rest
	}
	return nil
}

var dot = []byte{'.'}

// member is an element of an array in which a value lies.
type member struct{ array, index int32 }

// value is a leaf of an event.
type value struct {
	kind    kind // stringValue, numberValue or literalValue
	text    []byte
	exact   bool // number holds the value
	number  float64
	lower   []byte // text in the form in which case makes no difference, once it is known
	address netip.Addr
	noAddr  bool // text is not an address
	// from and to delimit the array elements in which the value lies, outermost first, in event.members.
	from, to int
}

// folded returns the form of the text in which case makes no difference.
func (v *value) folded() []byte {
	if v.lower == nil {
		v.lower = v.text
		if bytes.ContainsFunc(v.text, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf }) {
			v.lower = bytes.ToLower(v.text)
		}
	}
	return v.lower
}

// addr returns the address that the text is, or an invalid one.
func (v *value) addr() netip.Addr {
	if v.noAddr || v.address.IsValid() {
		return v.address
	}
	v.noAddr = true
	if v.kind != stringValue || len(v.text) > 45 || bytes.IndexByte(v.text, '%') >= 0 {
		return v.address
	}
	if a, err := netip.ParseAddr(string(v.text)); err == nil {
		v.address, v.noAddr = a, false
	}
	return v.address
}

// event holds the leaves of one event that lie on paths of a set.
type event struct {
	data    []byte
	pos     int
	depth   int
	values  [][]value // by path
	used    []int     // the paths that have values
	members []member
	stack   []member
	fixed   []member // room for a search
	arrays  int32
	text    []byte // of strings with escapes
}

var events = sync.Pool{New: func() any { return new(event) }}

// reset prepares e for another event and a number of paths.
func (e *event) reset(data []byte, paths int) {
	for _, id := range e.used {
		e.values[id] = e.values[id][:0]
	}
	for len(e.values) < paths {
		e.values = append(e.values, nil)
	}
	e.data, e.pos, e.depth, e.arrays = data, 0, 0, 0
	e.used, e.members, e.stack = e.used[:0], e.members[:0], e.stack[:0]
	e.text = e.text[:0]
}

// read takes the event apart along the paths of root.
func (e *event) read(root *segment) error {
	if e.peek() != '{' || !e.value(root) {
		return ErrEvent
	}
	if e.space(); e.pos != len(e.data) {
		return ErrEvent
	}
	return nil
}

func (e *event) space() {
	for e.pos < len(e.data) && (e.data[e.pos] == ' ' || e.data[e.pos] == '\n' || e.data[e.pos] == '\t' || e.data[e.pos] == '\r') {
		e.pos++
	}
}

// peek returns the next byte that is not space, or 0.
func (e *event) peek() byte {
	if e.space(); e.pos < len(e.data) {
		return e.data[e.pos]
	}
	return 0
}

// value reads a value; s, which may be nil, is where it lies. It reports false for what is not JSON.
func (e *event) value(s *segment) bool {
	switch c := e.peek(); c {
	case '{':
		return e.nested(s, e.object)
	case '[':
		return e.nested(s, e.array)
	case '"':
		text, ok := e.string(s != nil && s.id >= 0)
		if ok {
			e.leaf(s, value{kind: stringValue, text: text})
		}
		return ok
	case 't':
		return e.literal(s, "true")
	case 'f':
		return e.literal(s, "false")
	case 'n':
		return e.literal(s, "null")
	default:
		return e.number(s)
	}
}

func (e *event) nested(s *segment, read func(*segment) bool) bool {
	if e.depth++; e.depth > maxDepth {
		return false
	}
	e.pos++
	ok := read(s)
	e.depth--
	return ok
}

func (e *event) object(s *segment) bool {
	if e.peek() == '}' {
		e.pos++
		return true
	}
	for {
		if e.peek() != '"' {
			return false
		}
		key, ok := e.string(s != nil)
		if !ok || e.peek() != ':' {
			return false
		}
		e.pos++
		var below *segment
		if s != nil {
			below = s.descend(key)
		}
		if !e.value(below) {
			return false
		}
		if end, ok := e.separator('}'); end || !ok {
			return ok
		}
	}
}

// separator reads a comma or the end of an object or array.
func (e *event) separator(closing byte) (end, ok bool) {
	c := e.peek()
	e.pos++
	return c == closing, c == closing || c == ','
}

func (e *event) array(s *segment) bool {
	if e.peek() == ']' {
		e.pos++
		return true
	}
	m := member{array: e.arrays}
	e.arrays++
	for ; ; m.index++ {
		// Only elements that are objects or arrays have several fields that could match in different elements.
		c := e.peek()
		inside := s != nil && (c == '{' || c == '[')
		if inside {
			e.stack = append(e.stack, m)
		}
		if !e.value(s) {
			return false
		}
		if inside {
			e.stack = e.stack[:len(e.stack)-1]
		}
		if end, ok := e.separator(']'); end || !ok {
			return ok
		}
	}
}

// leaf notes a value if a pattern asks for it.
func (e *event) leaf(s *segment, v value) {
	if s == nil || s.id < 0 {
		return
	}
	v.from = len(e.members)
	e.members = append(e.members, e.stack...)
	v.to = len(e.members)
	if len(e.values[s.id]) == 0 {
		e.used = append(e.used, s.id)
	}
	e.values[s.id] = append(e.values[s.id], v)
}

func (e *event) literal(s *segment, word string) bool {
	end := e.pos + len(word)
	if end > len(e.data) || string(e.data[e.pos:end]) != word {
		return false
	}
	e.leaf(s, value{kind: literalValue, text: e.data[e.pos:end]})
	e.pos = end
	return true
}

// number reads a number (RFC 8259, section 6).
func (e *event) number(s *segment) bool {
	start := e.pos
	e.accept('-', '-')
	if !e.accept('0', '0') && !e.digits() {
		return false
	}
	if e.accept('.', '.') && !e.digits() {
		return false
	}
	if e.accept('e', 'E') {
		e.accept('+', '-')
		if !e.digits() {
			return false
		}
	}
	if s != nil && s.id >= 0 {
		v := value{kind: numberValue, text: e.data[start:e.pos]}
		v.number, v.exact = parseNumber(string(v.text))
		e.leaf(s, v)
	}
	return true
}

func (e *event) accept(a, b byte) bool {
	if e.pos < len(e.data) && (e.data[e.pos] == a || e.data[e.pos] == b) {
		e.pos++
		return true
	}
	return false
}

func (e *event) digits() bool {
	start := e.pos
	for e.pos < len(e.data) && e.data[e.pos] >= '0' && e.data[e.pos] <= '9' {
		e.pos++
	}
	return e.pos > start
}

// string reads a string and, when it is wanted, returns its text.
func (e *event) string(wanted bool) ([]byte, bool) {
	e.pos++
	start := e.pos
	for escaped := false; e.pos < len(e.data); e.pos++ {
		switch c := e.data[e.pos]; {
		case c == '"':
			raw := e.data[start:e.pos]
			e.pos++
			if !escaped || !wanted {
				return raw, !escaped || checkEscapes(raw)
			}
			return e.unescape(raw)
		case c == '\\':
			escaped = true
			e.pos++
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

const simpleEscapes, escapeValues = `"\/bfnrt`, "\"\\/\b\f\n\r\t"

// checkEscapes reports whether every escape of a string is one of JSON's.
func checkEscapes(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if i++; i >= len(raw) {
			return false
		}
		if raw[i] == 'u' {
			if _, ok := hexRune(raw[i+1:]); !ok {
				return false
			}
		} else if strings.IndexByte(simpleEscapes, raw[i]) < 0 {
			return false
		}
	}
	return true
}

// unescape returns the text of a string with escapes.
func (e *event) unescape(raw []byte) ([]byte, bool) {
	start := len(e.text)
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			e.text = append(e.text, raw[i])
			continue
		}
		if i++; i >= len(raw) {
			return nil, false
		}
		if raw[i] != 'u' {
			at := strings.IndexByte(simpleEscapes, raw[i])
			if at < 0 {
				return nil, false
			}
			e.text = append(e.text, escapeValues[at])
			continue
		}
		r, ok := hexRune(raw[i+1:])
		if !ok {
			return nil, false
		}
		i += 4
		if utf16.IsSurrogate(r) {
			low, ok := rune(utf8.RuneError), false
			if i+6 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
				low, ok = hexRune(raw[i+3:])
			}
			if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
				i += 6
			}
		}
		e.text = utf8.AppendRune(e.text, r)
	}
	return e.text[start:len(e.text):len(e.text)], true
}

func hexRune(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(n), err == nil
}
