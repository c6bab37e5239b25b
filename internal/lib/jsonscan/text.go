package jsonscan

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Unquote returns the text of a JSON string, which quoted holds with its quotes: escapes of one letter are replaced here, and encoding/json does what else there is.
// It is false for what is no JSON string.
func Unquote(quoted []byte) ([]byte, bool) {
	raw := quoted[1 : len(quoted)-1]
	if !utf8.Valid(raw) {
		return unmarshalText(quoted)
	}
	out := make([]byte, 0, len(raw))
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(out, raw...), true
		}
		if i+1 == len(raw) {
			return nil, false
		}
		c := letter(raw[i+1])
		if c == 0 {
			return unmarshalText(quoted)
		}
		out, raw = append(append(out, raw[:i]...), c), raw[i+2:]
	}
}

// letter is what an escape of one letter stands for (RFC 8259, section 7); 0 for other escapes.
func letter(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

func unmarshalText(quoted []byte) ([]byte, bool) {
	var text string
	err := json.Unmarshal(quoted, &text)
	return []byte(text), err == nil
}
