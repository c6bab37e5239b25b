package ion

import (
	"encoding/base64"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
)

// Append appends an item as Amazon Ion text, in the form of DynamoDB's exports: numbers are decimals, sets are annotated lists
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html).
func Append(dst []byte, item attr.Map) []byte {
	dst = append(dst, '{')
	first := true
	for name, v := range item.All() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendSymbol(dst, string(name)), ':')
		dst = appendValue(dst, v)
	}
	return append(dst, '}')
}

func appendValue(dst []byte, v attr.Value) []byte {
	switch v.Type() {
	case attr.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case attr.N:
		return appendDecimal(dst, v.Number())
	case attr.S:
		return appendString(dst, v.Bytes(), '"')
	case attr.B:
		return appendBlob(dst, v.Bytes())
	case attr.M:
		return Append(dst, v.Map())
	case attr.L:
		dst = append(dst, '[')
		for i, e := range v.List() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, e)
		}
		return append(dst, ']')
	case attr.SS, attr.NS, attr.BS:
		return appendSet(dst, v)
	}
	return append(dst, "null"...)
}

func appendSet(dst []byte, v attr.Value) []byte {
	dst = append(dst, "$dynamodb_"+v.Type().String()+"::["...)
	first := true
	for e := range v.Elements() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		switch v.Type() {
		case attr.SS:
			dst = appendString(dst, e, '"')
		case attr.NS:
			dst = appendDecimal(dst, attr.Number(e))
		default:
			dst = appendBlob(dst, e)
		}
	}
	return append(dst, ']')
}

// appendIonDecimal appends a number; the point makes it a decimal.
func appendDecimal(dst []byte, n attr.Number) []byte {
	text := n.String()
	dst = append(dst, text...)
	if !strings.ContainsAny(text, ".eE") {
		dst = append(dst, '.')
	}
	return dst
}

func appendBlob(dst, b []byte) []byte {
	dst = append(dst, "{{"...)
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, "}}"...)
}

// appendIonSymbol appends a field name, in quotes unless it is an identifier that is no keyword.
func appendSymbol(dst []byte, name string) []byte {
	plain := name != "" && name != "null" && name != "true" && name != "false" && name != "nan"
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
		plain = plain && (letter || i > 0 && c >= '0' && c <= '9')
	}
	if plain {
		return append(dst, name...)
	}
	return appendString(dst, []byte(name), '\'')
}

// appendIonString appends text between quotes.
func appendString(dst, text []byte, quote byte) []byte {
	dst = append(dst, quote)
	for _, c := range text {
		switch {
		case c == quote || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, quote)
}
