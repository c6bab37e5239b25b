package accesslog

import (
	"strings"

	"lambent.dev/lambent/internal/lib/jsonenc"
)

// maxFormat bounds the length of a format, in bytes.
const maxFormat = 8 << 10

// Format is a compiled format. It is immutable.
type Format struct {
	parts []part
	size  int
}

// part is a piece of text and the variable behind it, if there is one.
type part struct {
	text, name string
	// quoted tells that the variable stands within a string of JSON.
	quoted bool
}

// Parse compiles a format. Texts such as $context.identity.sourceIp are its variables; everything else stays as it is, but for line ends, which AWS does not allow
// within a line of the log and which become spaces.
func Parse(format string) *Format {
	format = strings.ReplaceAll(strings.TrimSpace(format[:min(len(format), maxFormat)]), "\n", " ")
	json := strings.HasPrefix(format, "{")
	f := &Format{size: len(format) + 128}
	quoted := false
	for {
		text, rest, found := strings.Cut(format, "$context.")
		quoted = quoted != (json && oddQuotes(text))
		if !found {
			f.parts = append(f.parts, part{text: text})
			return f
		}
		n := 0
		for n < len(rest) && (isName(rest[n]) || rest[n] == '.' && n+1 < len(rest) && isName(rest[n+1])) {
			n++
		}
		f.parts = append(f.parts, part{text: text, name: rest[:n], quoted: quoted})
		format = rest[n:]
	}
}

// isName tells the characters of a variable's name.
func isName(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// oddQuotes tells whether a text opens or closes a string of JSON.
func oddQuotes(text string) bool {
	odd := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			odd = !odd
		}
	}
	return odd
}

// Append appends the line of a request. value returns the value of a variable, named without "$context.", or "".
func (f *Format) Append(b []byte, value func(name string) string) []byte {
	for i := range f.parts {
		p := &f.parts[i]
		b = append(b, p.text...)
		if p.name == "" {
			continue
		}
		switch v := value(p.name); {
		case v == "":
			b = append(b, '-')
		case p.quoted && p.name != "error.messageString":
			from := len(b)
			b = jsonenc.String(b, v)
			b = append(b[:from], b[from+1:len(b)-1]...)
		default:
			b = append(b, v...)
		}
	}
	return b
}

// Names returns the variables of the format.
func (f *Format) Names() []string {
	var out []string
	for i := range f.parts {
		if n := f.parts[i].name; n != "" {
			out = append(out, n)
		}
	}
	return out
}

// Line returns the line of a request; see [Format.Append].
func (f *Format) Line(value func(name string) string) string {
	return string(f.Append(make([]byte, 0, f.size), value))
}
