package logs

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/services/logs/transform"
)

// message is what patterns look into. It is taken apart when the first pattern asks for its parts, and once for all of them.
type message struct {
	text string // without the newline that ends it

	document any // of a message that is JSON
	form     form
	columns  []string
}

// form is what is known of a message.
type form byte

const (
	unread form = iota
	isJSON
	noJSON
)

func newMessage(text string) *message { return &message{text: strings.TrimSuffix(text, "\n")} }

// batch is the events of one write, as filters look at them.
type batch struct {
	lines    []line
	messages []*message
}

func newBatch(lines []line) batch {
	b := batch{lines, make([]*message, len(lines))}
	for i := range lines {
		b.messages[i] = newMessage(lines[i].message)
	}
	return b
}

// transformed returns what a transformer makes of the events; those that it cannot read are as they came.
func (b batch) transformed(t *transform.Transformer, s scope, group, stream string) batch {
	out := batch{slices.Clone(b.lines), slices.Clone(b.messages)}
	for i := range b.lines {
		if text, ok := t.Apply(transform.Event{Account: s.account, Region: s.region, Group: group, Stream: stream, Message: b.lines[i].message}); ok {
			out.lines[i].message, out.messages[i] = text, newMessage(text)
		}
	}
	return out
}

// decode returns the document of a message that is JSON. Nobody may change it.
func (m *message) decode() (document any, ok bool) {
	if m.form == unread {
		if m.document, ok = decodeJSON(m.text); ok {
			m.form = isJSON
		} else {
			m.form = noJSON
		}
	}
	return m.document, m.form == isJSON
}

// decodeJSON decodes a text that is one JSON document; its numbers are [json.Number].
func decodeJSON(text string) (document any, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&document); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return document, err == io.EOF //nolint:errorlint // Token returns io.EOF itself, and any other error says that this is no JSON document
}

// split returns the columns of a message. Nobody may change them.
func (m *message) split() []string {
	if m.columns == nil {
		m.columns = splitColumns(m.text)
	}
	return m.columns
}

// splitColumns takes a message apart.
func splitColumns(message string) []string {
	var out []string
	for {
		message = strings.TrimLeft(message, " \t\r\n")
		if message == "" {
			return out
		}
		end := " "
		switch message[0] {
		case '"':
			end = `"`
		case '[':
			end = "]"
		}
		if end != " " {
			if column, rest, ok := strings.Cut(message[1:], end); ok {
				out, message = append(out, column), rest
				continue
			}
		}
		var column string
		column, message, _ = strings.Cut(message, " ")
		out = append(out, strings.TrimRight(column, "\r\n\t"))
	}
}
