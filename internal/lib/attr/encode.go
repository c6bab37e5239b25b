package attr

import (
	"encoding/base64"
	"unicode/utf8"
)

// AppendJSON appends the map as a JSON object of attribute values. It fails for an invalid map.
func (m Map) AppendJSON(dst []byte) ([]byte, error) {
	if err := m.Err(); err != nil {
		return dst, err
	}
	return m.appendJSON(dst), nil
}

// AppendJSON appends the value as JSON, such as {"S":"text"}. It fails for an absent or an invalid value.
func (v Value) AppendJSON(dst []byte) ([]byte, error) {
	if err := v.Err(); err != nil {
		return dst, err
	}
	if len(v) == 0 {
		return append(dst, "null"...), nil
	}
	return v.appendJSON(dst), nil
}

func (m Map) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if m.Len() > 0 {
		rest := []byte(m[countSize:])
		for first := true; len(rest) > 0; first = false {
			name, v, n := entry(rest)
			if !first {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, name), ':')
			dst = v.appendJSON(dst)
			rest = rest[n:]
		}
	}
	return append(dst, '}')
}

func (v Value) appendJSON(dst []byte) []byte {
	switch v[0] {
	case tagNull:
		return append(dst, `{"NULL":true}`...)
	case tagFalse:
		return append(dst, `{"BOOL":false}`...)
	case tagTrue:
		return append(dst, `{"BOOL":true}`...)
	case tagS:
		b, _ := chunk(v[1:])
		return append(appendString(append(dst, `{"S":`...), b), '}')
	case tagN:
		b, _ := chunk(v[1:])
		return append(Number(b).AppendText(append(dst, `{"N":"`...)), `"}`...)
	case tagB:
		b, _ := chunk(v[1:])
		return append(appendBase64(append(dst, `{"B":`...), b), '}')
	case tagSS, tagNS, tagBS:
		return v.appendSet(dst)
	case tagM:
		return append(v.Map().appendJSON(append(dst, `{"M":`...)), '}')
	}
	dst = append(dst, `{"L":[`...)
	rest := v[headSize:]
	for first := true; len(rest) > 0; first = false {
		if !first {
			dst = append(dst, ',')
		}
		n := span(rest)
		dst = rest[:n].appendJSON(dst)
		rest = rest[n:]
	}
	return append(dst, `]}`...)
}

func (v Value) appendSet(dst []byte) []byte {
	dst = append(dst, `{"`...)
	dst = append(dst, v.Type().String()...)
	dst = append(dst, `":[`...)
	rest := []byte(v[headSize:])
	for first := true; len(rest) > 0; first = false {
		if !first {
			dst = append(dst, ',')
		}
		b, n := chunk(rest)
		switch v[0] {
		case tagNS:
			dst = append(Number(b).AppendText(append(dst, '"')), '"')
		case tagBS:
			dst = appendBase64(dst, b)
		default:
			dst = appendString(dst, b)
		}
		rest = rest[n:]
	}
	return append(dst, `]}`...)
}

func appendBase64(dst, b []byte) []byte {
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), b)
	return append(dst, '"')
}

// appendString appends b, which is valid UTF-8, as a JSON string.
func appendString(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i, c := range b {
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			continue
		}
		if c >= utf8.RuneSelf {
			continue
		}
		dst = append(dst, b[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, b[start:]...)
	return append(dst, '"')
}

// MarshalJSON implements [encoding/json.Marshaler] by AppendJSON; an absent map is null.
func (m Map) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	return m.AppendJSON(nil)
}

// MarshalJSON implements [encoding/json.Marshaler] by AppendJSON; an absent value is null.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil) }
