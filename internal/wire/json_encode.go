package wire

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"lambent.dev/lambent/internal/awsapi"
)

// appendJSON appends a value of any kind.
func appendJSON(dst []byte, f *field, v reflect.Value, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("encode %s: nested too deeply", f.shape.Name)
	}
	switch f.kind {
	case awsapi.Structure:
		dst = append(dst, '{')
		dst, err := appendJSONMembers(dst, f.node, v, true, depth)
		return append(dst, '}'), err
	case awsapi.List:
		return appendJSONList(dst, f.node, v, depth)
	case awsapi.Map:
		return appendJSONMap(dst, f, v, depth)
	case awsapi.Opaque:
		codec, ok := v.Interface().(interface {
			AppendJSON(dst []byte) ([]byte, error)
		})
		if !ok && v.CanAddr() {
			codec, ok = v.Addr().Interface().(awsapi.JSONCodec)
		}
		if !ok {
			return nil, fmt.Errorf("encode %s: %v is not an awsapi.JSONCodec", f.shape.Name, f.typ)
		}
		return codec.AppendJSON(dst)
	}
	return appendJSONScalar(dst, f, v)
}

func appendJSONScalar(dst []byte, f *field, v reflect.Value) ([]byte, error) {
	switch f.kind {
	case awsapi.String:
		return appendJSONString(dst, v.String()), nil
	case awsapi.Boolean:
		return strconv.AppendBool(dst, v.Bool()), nil
	case awsapi.Integer, awsapi.Long:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case awsapi.Float, awsapi.Double:
		n := v.Float()
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return strconv.AppendQuote(dst, formatFloat(n, 64)), nil
		}
		return appendJSONNumber(dst, formatFloat(n, v.Type().Bits())), nil
	case awsapi.Timestamp:
		t, _ := v.Interface().(time.Time)
		if format := f.format(formatEpoch); format != formatEpoch {
			return append(appendTime(append(dst, '"'), t, format), '"'), nil
		}
		return appendTime(dst, t, formatEpoch), nil
	case awsapi.Blob:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"'), nil
	case awsapi.Document:
		return append(dst, v.Bytes()...), nil
	}
	return nil, fmt.Errorf("encode %s: no form in JSON", f.shape.Name)
}

// appendJSONNumber appends a number with a fraction, which AWS writes with one also where it is whole.
func appendJSONNumber(dst []byte, text string) []byte {
	dst = append(dst, text...)
	if strings.ContainsAny(text, ".e") {
		return dst
	}
	return append(dst, ".0"...)
}

// appendJSONMembers appends the members that travel in the body, without the
// braces. first tells whether none was written before.
func appendJSONMembers(dst []byte, n *node, v reflect.Value, first bool, depth int) ([]byte, error) {
	for i := range n.fields {
		f := &n.fields[i]
		if !f.body() || f.shape.EventStream {
			continue
		}
		value, present := f.value(v)
		if !present {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, f.jsonKey...)
		var err error
		if dst, err = appendJSON(dst, f, value, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func appendJSONList(dst []byte, n *node, v reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		element, present := n.element.item(v.Index(i))
		if !present {
			dst = append(dst, "null"...)
			continue
		}
		var err error
		if dst, err = appendJSON(dst, n.element, element, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// item returns the value of an element and whether it is present.
func (f *field) item(v reflect.Value) (reflect.Value, bool) {
	if !f.pointer {
		return v, true
	}
	return v.Elem(), !v.IsNil()
}

func appendJSONMap(dst []byte, f *field, v reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, '{')
	for i, key := range sortedKeys(v) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, key.String()), ':')
		element, present := f.element.item(v.MapIndex(key))
		if !present || f.nullTexts && element.Len() == 0 {
			dst = append(dst, "null"...)
			continue
		}
		var err error
		if dst, err = appendJSON(dst, f.element, element, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// sortedKeys returns a map's keys in order, so that answers are repeatable.
func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch {
		case a.String() < b.String():
			return -1
		case a.String() > b.String():
			return 1
		}
		return 0
	})
	return keys
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends a quoted string. Invalid UTF-8 becomes U+FFFD.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
