package dynamodb

import (
	"encoding/base64"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
)

// appendIon appends an item as Amazon Ion text, in the form of DynamoDB's exports: numbers are decimals, sets are annotated lists
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html).
func appendIon(dst []byte, item attr.Map) []byte {
	dst = append(dst, '{')
	first := true
	for name, v := range item.All() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendIonSymbol(dst, string(name)), ':')
		dst = appendIonValue(dst, v)
	}
	return append(dst, '}')
}

func appendIonValue(dst []byte, v attr.Value) []byte {
	switch v.Type() {
	case attr.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case attr.N:
		return appendIonDecimal(dst, v.Number())
	case attr.S:
		return appendIonString(dst, v.Bytes(), '"')
	case attr.B:
		return appendIonBlob(dst, v.Bytes())
	case attr.M:
		return appendIon(dst, v.Map())
	case attr.L:
		dst = append(dst, '[')
		for i, e := range v.List() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendIonValue(dst, e)
		}
		return append(dst, ']')
	case attr.SS, attr.NS, attr.BS:
		return appendIonSet(dst, v)
	}
	return append(dst, "null"...)
}

func appendIonSet(dst []byte, v attr.Value) []byte {
	dst = append(dst, "$dynamodb_"+v.Type().String()+"::["...)
	first := true
	for e := range v.Elements() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		switch v.Type() {
		case attr.SS:
			dst = appendIonString(dst, e, '"')
		case attr.NS:
			dst = appendIonDecimal(dst, attr.Number(e))
		default:
			dst = appendIonBlob(dst, e)
		}
	}
	return append(dst, ']')
}

// appendIonDecimal appends a number; the point makes it a decimal.
func appendIonDecimal(dst []byte, n attr.Number) []byte {
	text := n.String()
	dst = append(dst, text...)
	if !strings.ContainsAny(text, ".eE") {
		dst = append(dst, '.')
	}
	return dst
}

func appendIonBlob(dst, b []byte) []byte {
	dst = append(dst, "{{"...)
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, "}}"...)
}

// appendIonSymbol appends a field name, in quotes unless it is an identifier that is no keyword.
func appendIonSymbol(dst []byte, name string) []byte {
	plain := name != "" && name != "null" && name != "true" && name != "false" && name != "nan"
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
		plain = plain && (letter || i > 0 && c >= '0' && c <= '9')
	}
	if plain {
		return append(dst, name...)
	}
	return appendIonString(dst, []byte(name), '\'')
}

// appendIonString appends text between quotes.
func appendIonString(dst, text []byte, quote byte) []byte {
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
