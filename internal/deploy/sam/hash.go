package sam

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"

	"lambent.dev/lambent/internal/deploy/template"
)

// logicalID appends ten digits that stand for data to a prefix, as SAM does: the SHA-1 of Python's compact JSON with sorted
// keys. Text stands for itself.
func logicalID(prefix string, data any) (string, error) {
	text, ok := data.(string)
	if !ok {
		var err error
		if text, err = canonical(data); err != nil {
			return "", err
		}
	}
	sum := sha1.Sum([]byte(text))
	return prefix + hex.EncodeToString(sum[:])[:10], nil
}

// canonical writes v as Python's json.dumps(v, separators=(",", ":"), sort_keys=True) does: ASCII only, keys by code point,
// floats in their shortest form.
func canonical(v any) (string, error) {
	var b strings.Builder
	err := writeCanonical(&b, v)
	return b.String(), err
}

func writeCanonical(b *strings.Builder, v any) error {
	switch x := v.(type) {
	case nil:
		b.WriteString("null")
	case string:
		quote(b, x)
	case object:
		b.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(x)) {
			if i > 0 {
				b.WriteByte(',')
			}
			quote(b, k)
			b.WriteByte(':')
			if err := writeCanonical(b, x[k]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeCanonical(b, e); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		text, ok := template.Text(v)
		if !ok {
			return fmt.Errorf("cannot write a %T as JSON", v)
		}
		b.WriteString(text)
	}
	return nil
}

func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\b':
			b.WriteString(`\b`)
		case c == '\f':
			b.WriteString(`\f`)
		case c < 0x20 || c > 0x7e && c <= 0xffff:
			if c == 0x7f {
				b.WriteRune(c)
				continue
			}
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
