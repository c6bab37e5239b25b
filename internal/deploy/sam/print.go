package sam

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	gounicode "unicode"

	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/lib/order"
)

// idDigits are the digits of a digest that logical ids end with.
const idDigits = 10

// digest is the SHA-1 of a text, in hexadecimal digits.
func digest(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// logicalID appends ten digits that stand for data to a prefix: of a text itself, of other values as compact JSON with sorted keys.
// Data that is empty adds nothing.
func logicalID(prefix string, data any) string {
	if !truthy(data) {
		return prefix
	}
	s, ok := text(data)
	if !ok {
		s = compactJSON.format(data)
	}
	return prefix + digest(s)[:idDigits]
}

// jsonStyle is a way of Python's json.dumps to write JSON. All write only ASCII.
type jsonStyle struct {
	item, colon string
	sorted      bool
	// indent is the number of blanks by which a level is indented; 0 writes one line.
	indent int
}

var (
	compactJSON  = jsonStyle{item: ",", colon: ":", sorted: true}
	plainJSON    = jsonStyle{item: ", ", colon: ": "}
	indentedJSON = jsonStyle{item: ",", colon: ": ", sorted: true, indent: 4}
)

func (s jsonStyle) format(v any) string {
	var b strings.Builder
	s.write(&b, v, 0)
	return b.String()
}

func (s jsonStyle) write(b *strings.Builder, v any, level int) {
	switch x := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(x))
	case string:
		quoteJSON(b, x)
	case unicode:
		quoteJSON(b, string(x))
	case []any:
		s.writeItems(b, "[", "]", len(x), level, func(i int) { s.write(b, x[i], level+1) })
	case *dict:
		names := x.names()
		if s.sorted {
			names = slices.Clone(names)
			order.Sort(names, func(a, b name) int { return strings.Compare(a.text, b.text) })
		}
		s.writeItems(b, "{", "}", len(names), level, func(i int) {
			quoteJSON(b, names[i].text)
			b.WriteString(s.colon)
			s.write(b, x.values[names[i].text], level+1)
		})
	default:
		b.WriteString(number(v))
	}
}

func (s jsonStyle) writeItems(b *strings.Builder, opening, closing string, n, level int, item func(i int)) {
	b.WriteString(opening)
	for i := range n {
		if i > 0 {
			b.WriteString(s.item)
		}
		s.newLine(b, level+1)
		item(i)
	}
	if n > 0 {
		s.newLine(b, level)
	}
	b.WriteString(closing)
}

func (s jsonStyle) newLine(b *strings.Builder, level int) {
	if s.indent > 0 {
		b.WriteString("\n" + strings.Repeat(" ", s.indent*level))
	}
}

// number writes a number as Python does.
func number(v any) string {
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1e16 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	if s, ok := template.Text(v); ok {
		return s
	}
	return fmt.Sprint(v)
}

func quoteJSON(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, c := range s {
		if short, ok := jsonEscapes[c]; ok {
			b.WriteString(short)
			continue
		}
		switch {
		case c < 0x20 || c > 0x7f && c <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, c)
		case c > 0xffff:
			hi, lo := utf16.EncodeRune(c)
			fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

// python writes a value as Python's str does: a text as it is, and in other values as a literal.
func python(v any) string { return pythonStyle{}.format(v) }

// python2 is python for a value as Python 2 held it: texts of templates show their mark.
func python2(v any) string { return pythonStyle{marked: true}.format(v) }

type pythonStyle struct{ marked bool }

func (s pythonStyle) format(v any) string {
	if plain, ok := text(v); ok {
		return plain
	}
	var b strings.Builder
	s.write(&b, v)
	return b.String()
}

func (s pythonStyle) write(b *strings.Builder, v any) {
	switch x := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if x {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case string:
		quotePython(b, x, false)
	case unicode:
		quotePython(b, string(x), s.marked)
	case []any:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteString(", ")
			}
			s.write(b, e)
		}
		b.WriteByte(']')
	case *dict:
		b.WriteByte('{')
		for i, k := range x.names() {
			if i > 0 {
				b.WriteString(", ")
			}
			quotePython(b, k.text, k.unicode && s.marked)
			b.WriteString(": ")
			s.write(b, x.values[k.text])
		}
		b.WriteByte('}')
	default:
		b.WriteString(number(v))
	}
}

// quotePython writes a literal of a text: in single quotes, unless there are such and no double ones in it. Those of Python 2's unicode
// texts hold ASCII only.
func quotePython(b *strings.Builder, s string, marked bool) {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	if marked {
		b.WriteByte('u')
	}
	b.WriteByte(quote)
	for _, c := range s {
		switch {
		case c == '\\':
			b.WriteString(`\\`)
		case c == rune(quote):
			b.WriteByte('\\')
			b.WriteByte(quote)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c >= ' ' && c < 0x7f || c > 0x7f && !marked && gounicode.IsPrint(c):
			b.WriteRune(c)
		case c <= 0xff:
			fmt.Fprintf(b, `\x%02x`, c)
		case c <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			fmt.Fprintf(b, `\U%08x`, c)
		}
	}
	b.WriteByte(quote)
}

// texts writes names as a Python list of texts.
func texts(names ...string) string {
	list := make([]any, len(names))
	for i, n := range names {
		list[i] = n
	}
	return python(list)
}

// alphanumeric tells whether a text has letters and digits only, and at least one.
func alphanumeric(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !gounicode.IsLetter(c) && !gounicode.IsNumber(c) })
}

// sortedKeys returns the keys of a Go map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
