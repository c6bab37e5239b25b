package vtl

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/jsonenc"
)

// Object is a value with methods of its own, such as $input.
type Object interface {
	// Property returns a property, or nil.
	Property(name string) any
	// Call calls a method. It reports false where there is no such method.
	Call(name string, args []any) (result any, ok bool, err error)
}

// Map is a map from strings that keeps the order in which its keys came. Its zero value is empty.
type Map struct {
	keys []string
	// few are the values in the order of the keys while there are no more than maxFew, many the values by key when there are.
	few  []any
	many map[string]any
	// quiet tells that the map has no text.
	quiet bool
}

// maxFew is how many keys are found sooner by looking at each than by a hash.
const maxFew = 16

// NewMap returns an empty map.
func NewMap() *Map { return &Map{} }

// NewQuietMap returns an empty map that prints as nothing, as those within $context do.
func NewQuietMap() *Map { return &Map{quiet: true} }

// Get returns the value of a key, or nil.
func (m *Map) Get(key string) any {
	v, _ := m.Member(key)
	return v
}

// Put sets the value of a key and returns the one before, or nil.
func (m *Map) Put(key string, value any) any {
	if m.many != nil {
		old, found := m.many[key]
		if m.many[key] = value; !found {
			m.keys = append(m.keys, key)
		}
		return old
	}
	for i, k := range m.keys {
		if k == key {
			old := m.few[i]
			m.few[i] = value
			return old
		}
	}
	if m.keys, m.few = append(m.keys, key), append(m.few, value); len(m.keys) > maxFew {
		m.many = make(map[string]any, 2*maxFew)
		for i, k := range m.keys {
			m.many[k] = m.few[i]
		}
		m.few = nil
	}
	return nil
}

// Remove removes a key and returns its value, or nil.
func (m *Map) Remove(key string) any {
	i := slices.Index(m.keys, key)
	if i < 0 {
		return nil
	}
	m.keys = append(m.keys[:i:i], m.keys[i+1:]...)
	if m.many != nil {
		old := m.many[key]
		delete(m.many, key)
		return old
	}
	old := m.few[i]
	m.few = append(m.few[:i:i], m.few[i+1:]...)
	return old
}

// Keys returns the keys in their order. It must not be changed.
func (m *Map) Keys() []string { return m.keys }

// Member returns the value of a key and whether there is one.
func (m *Map) Member(name string) (any, bool) {
	if m.many != nil {
		v, ok := m.many[name]
		return v, ok
	}
	for i, k := range m.keys {
		if k == name {
			return m.few[i], true
		}
	}
	return nil, false
}

// Children returns the values in the order of their keys.
func (m *Map) Children() []any {
	if m.many == nil {
		return slices.Clone(m.few)
	}
	out := make([]any, len(m.keys))
	for i, k := range m.keys {
		out[i] = m.many[k]
	}
	return out
}

// List is a list of values.
type List struct {
	// Items are the values.
	Items []any
	// json tells that the list is of a JSON document and prints as JSON.
	json bool
}

// Element returns the value at an index and whether there is one.
func (l *List) Element(index int) (any, bool) {
	if index < 0 || index >= len(l.Items) {
		return nil, false
	}
	return l.Items[index], true
}

// Children returns the values.
func (l *List) Children() []any { return l.Items }

// numeral is a JSON number that neither int64 nor float64 holds exactly.
type numeral string

// printer makes the text of values, at most max bytes of it.
type printer struct {
	out []byte
	max int
}

// text appends the value as Java's toString gives it.
func (p *printer) text(v any, depth int) error {
	if depth > maxDepth || len(p.out) > p.max {
		return ErrLimit
	}
	switch v := v.(type) {
	case nil:
		if depth > 0 {
			p.out = append(p.out, "null"...)
		}
	case string:
		if len(v) > p.max-len(p.out) {
			return ErrLimit
		}
		p.out = append(p.out, v...)
	case bool:
		p.out = strconv.AppendBool(p.out, v)
	case int64:
		p.out = strconv.AppendInt(p.out, v, 10)
	case float64:
		p.out = appendDouble(p.out, v)
	case numeral:
		p.out = append(p.out, v...)
	case *List:
		if v.json {
			return p.json(v, depth)
		}
		return p.list(v, depth)
	case *Map:
		if v.quiet {
			return nil
		}
		return p.mapping(v, depth)
	case *entry:
		p.out = append(append(p.out, v.key...), '=')
		return p.text(v.of.Get(v.key), depth+1)
	case Object:
		return p.text(v.Property("toString"), depth+1)
	}
	return nil
}

func (p *printer) list(l *List, depth int) error {
	p.out = append(p.out, '[')
	for i, item := range l.Items {
		if i > 0 {
			p.out = append(p.out, ", "...)
		}
		if err := p.text(item, depth+1); err != nil {
			return err
		}
	}
	p.out = append(p.out, ']')
	return nil
}

func (p *printer) mapping(m *Map, depth int) error {
	p.out = append(p.out, '{')
	for i, k := range m.keys {
		if i > 0 {
			p.out = append(p.out, ", "...)
		}
		p.out = append(append(p.out, k...), '=')
		if err := p.text(m.Get(k), depth+1); err != nil {
			return err
		}
	}
	p.out = append(p.out, '}')
	return nil
}

// json appends the value as JSON.
func (p *printer) json(v any, depth int) error {
	if depth > maxDepth || len(p.out) > p.max {
		return ErrLimit
	}
	switch v := v.(type) {
	case nil:
		p.out = append(p.out, "null"...)
	case string:
		if len(v) > p.max-len(p.out) {
			return ErrLimit
		}
		p.out = jsonenc.String(p.out, v)
	case *List:
		p.out = append(p.out, '[')
		for i, item := range v.Items {
			if i > 0 {
				p.out = append(p.out, ',')
			}
			if err := p.json(item, depth+1); err != nil {
				return err
			}
		}
		p.out = append(p.out, ']')
	case *Map:
		p.out = append(p.out, '{')
		for i, k := range v.keys {
			if i > 0 {
				p.out = append(p.out, ',')
			}
			p.out = append(jsonenc.String(p.out, k), ':')
			if err := p.json(v.Get(k), depth+1); err != nil {
				return err
			}
		}
		p.out = append(p.out, '}')
	default:
		return p.text(v, depth+1)
	}
	return nil
}

// appendDouble appends a number as Java's Double.toString does.
func appendDouble(b []byte, f float64) []byte {
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	case a != 0 && (a < 1e-3 || a >= 1e7):
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return b
		}
		return strconv.AppendInt(append(append(b, mantissa...), 'E'), int64(n), 10)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	b = append(b, text...)
	if !strings.Contains(text, ".") {
		b = append(b, ".0"...)
	}
	return b
}
