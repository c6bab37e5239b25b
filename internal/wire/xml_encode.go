package wire

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"lambent.dev/lambent/internal/awsapi"
)

// xmlEncoder writes XML for restXml, awsQuery and ec2Query.
type xmlEncoder struct{ buf []byte }

const xmlProlog = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

func (e *xmlEncoder) open(name, attrs string) {
	e.buf = append(e.buf, '<')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, attrs...)
	e.buf = append(e.buf, '>')
}

func (e *xmlEncoder) close(name string) {
	// In an end tag a name is without attributes.
	e.buf = append(e.buf, '<', '/')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '>')
}

// leaf writes an element with text.
func (e *xmlEncoder) leaf(name, text string) {
	e.open(name, "")
	e.text(text)
	e.close(name)
}

func (e *xmlEncoder) text(s string) { e.buf = appendXMLText(e.buf, s) }

func namespace(prefix, uri string) string {
	switch {
	case uri == "":
		return ""
	case prefix != "":
		return fmt.Sprintf(` xmlns:%s="%s"`, prefix, uri)
	}
	return fmt.Sprintf(` xmlns="%s"`, uri)
}

// member writes a field under a name: wrapped, flattened or plain.
func (e *xmlEncoder) member(f *field, name string, v reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("encode %s: nested too deeply", f.shape.Name)
	}
	ns := namespace(f.NamespacePrefix, f.Namespace)
	switch f.kind {
	case awsapi.Structure:
		if ns == "" {
			ns = namespace(f.shape.NamespacePrefix, f.shape.Namespace)
		}
		e.open(name, ns+e.attributes(f.node, v))
		if err := e.members(f.node, v, depth); err != nil {
			return err
		}
		e.close(name)
		return nil
	case awsapi.List:
		return e.list(f, name, ns, v, depth)
	case awsapi.Map:
		return e.mapping(f, name, ns, v, depth)
	case awsapi.Document, awsapi.Opaque:
		return fmt.Errorf("encode %s: no form in XML", f.shape.Name)
	}
	e.open(name, ns)
	e.scalar(f, v)
	e.close(name)
	return nil
}

// scalar writes the text of a scalar. Numbers and times hold nothing to escape.
func (e *xmlEncoder) scalar(f *field, v reflect.Value) {
	switch f.kind {
	case awsapi.Integer, awsapi.Long:
		e.buf = strconv.AppendInt(e.buf, v.Int(), 10)
	case awsapi.Timestamp:
		t, _ := v.Interface().(time.Time)
		e.buf = appendTime(e.buf, t, f.format(formatISO8601))
	default:
		e.text(f.text(v, formatISO8601))
	}
}

func (e *xmlEncoder) attributes(n *node, v reflect.Value) string {
	var b strings.Builder
	for i := range n.fields {
		f := &n.fields[i]
		if !f.XMLAttribute {
			continue
		}
		if value, present := f.value(v); present {
			fmt.Fprintf(&b, ` %s="%s"`, f.xmlName, appendXMLText(nil, f.text(value, formatISO8601)))
		}
	}
	return b.String()
}

// members writes a structure's members that travel in the body.
func (e *xmlEncoder) members(n *node, v reflect.Value, depth int) error {
	for i := range n.fields {
		f := &n.fields[i]
		if !f.body() || f.XMLAttribute {
			continue
		}
		value, present := f.value(v)
		if !present {
			continue
		}
		if err := e.member(f, f.xmlName, value, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (e *xmlEncoder) list(f *field, name, ns string, v reflect.Value, depth int) error {
	itemName := name
	if !f.flat() {
		e.open(name, ns)
		defer e.close(name)
		itemName = firstOf(f.element.WireName, "member")
	}
	for i := range v.Len() {
		item, present := f.element.item(v.Index(i))
		if !present {
			continue
		}
		if err := e.member(f.element, itemName, item, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (e *xmlEncoder) mapping(f *field, name, ns string, v reflect.Value, depth int) error {
	entry := name
	if !f.flat() {
		e.open(name, ns)
		defer e.close(name)
		entry = "entry"
	}
	for _, key := range sortedKeys(v) {
		item, present := f.element.item(v.MapIndex(key))
		if !present {
			continue
		}
		e.open(entry, "")
		e.leaf(firstOf(f.key.WireName, "key"), key.String())
		if err := e.member(f.element, firstOf(f.element.WireName, "value"), item, depth+1); err != nil {
			return err
		}
		e.close(entry)
	}
	return nil
}

// appendXMLText appends escaped text. Characters that XML 1.0 cannot hold
// become U+FFFD; carriage returns are escaped so that a parser keeps them.
func appendXMLText(dst []byte, s string) []byte {
	done := 0 // how much of s is in dst
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf && c >= ' ' && c != '<' && c != '>' && c != '&' && c != '"' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if instead := xmlEscape(r, size); instead != "" {
			dst = append(append(dst, s[done:i]...), instead...)
			done = i + size
		}
		i += size
	}
	return append(dst, s[done:]...)
}

// xmlEscape returns what stands for the rune r of size bytes in XML text, or "" when it stands for itself.
func xmlEscape(r rune, size int) string {
	switch {
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '&':
		return "&amp;"
	case r == '"':
		return "&quot;"
	case r == '\r':
		return "&#13;"
	case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF, r == utf8.RuneError && size == 1:
		return "\ufffd"
	}
	return ""
}
