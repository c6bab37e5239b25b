package vtl

import (
	"errors"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/jsonscan"
)

// errJSON tells that a text is not a JSON document.
var errJSON = errors.New("the text is not a JSON document")

// ParseJSON returns the value of a JSON document. The order of members is kept; of two with one name the last counts.
func ParseJSON(text string) (any, error) {
	if !jsonscan.Valid([]byte(text)) {
		return nil, errJSON
	}
	d := document{text: text}
	return d.value(), nil
}

// document reads a text that is known to be JSON.
type document struct {
	text string
	at   int
}

// peek returns the next byte that is not blank.
func (d *document) peek() byte {
	for strings.IndexByte(" \t\r\n", d.text[d.at]) >= 0 {
		d.at++
	}
	return d.text[d.at]
}

func (d *document) value() any {
	switch d.peek() {
	case '{':
		return d.object()
	case '[':
		return d.array()
	case '"':
		return d.string()
	case 't':
		d.at += len("true")
		return true
	case 'f':
		d.at += len("false")
		return false
	case 'n':
		d.at += len("null")
		return nil
	}
	return d.number()
}

func (d *document) object() *Map {
	m := NewMap()
	for d.at++; d.peek() != '}'; {
		if d.text[d.at] == ',' {
			d.at++
			d.peek()
		}
		name := d.string()
		d.peek()
		d.at++ // the colon
		m.Put(name, d.value())
	}
	d.at++
	return m
}

func (d *document) array() *List {
	l := &List{json: true}
	for d.at++; d.peek() != ']'; {
		if d.text[d.at] == ',' {
			d.at++
		}
		l.Items = append(l.Items, d.value())
	}
	d.at++
	return l
}

func (d *document) string() string {
	start := d.at
	plain := true
	for d.at++; d.text[d.at] != '"'; d.at++ {
		if d.text[d.at] == '\\' {
			plain = false
			d.at++
		}
	}
	d.at++
	if plain {
		return strings.ToValidUTF8(d.text[start+1:d.at-1], "\ufffd")
	}
	s, ok := jsonscan.Unquote([]byte(d.text[start:d.at]))
	if !ok {
		return d.text[start+1 : d.at-1]
	}
	return string(s)
}

func (d *document) number() any {
	start := d.at
	for d.at < len(d.text) && strings.IndexByte("+-.0123456789eE", d.text[d.at]) >= 0 {
		d.at++
	}
	text := d.text[start:d.at]
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if strings.ContainsAny(text, ".eE") {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	}
	return numeral(text)
}
