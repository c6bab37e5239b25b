package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"lambent.dev/lambent/internal/awsapi"
)

// jsonDecoder reads one JSON document into a struct, guided by nodes.
type jsonDecoder struct {
	trail
	data []byte
	pos  int
}

// decodeJSON reads a document into v; an empty body counts as an empty object.
func decodeJSON(data []byte, f *field, v reflect.Value, t *trail) error {
	d := jsonDecoder{trail: *t, data: data}
	d.space()
	var err error
	if d.pos == len(data) {
		if f.kind == awsapi.Structure {
			d.finish(f.node, 0)
		}
	} else if err = d.value(f, v); err == nil {
		if d.space(); d.pos != len(data) {
			err = d.errorf("unexpected text after the document")
		}
	}
	*t = d.trail
	return err
}

func (d *jsonDecoder) errorf(format string, args ...any) error {
	return &syntaxError{fmt.Sprintf(format, args...), d.pos}
}

// syntaxError is a body that is not what its protocol says.
type syntaxError struct {
	message string
	offset  int
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s (at byte %d)", e.message, e.offset) }

// mismatch is a body with a value of the wrong type. The messages are AWS's.
type mismatch struct{ message string }

func (e *mismatch) Error() string { return e.message }

// conversion is a body with a scalar of the wrong type.
type conversion struct{ got, want string }

func (e *conversion) Error() string { return e.got + " cannot be converted to " + e.want }

// inClasses says the same with the names of Java's classes, as some services do.
func (e *conversion) inClasses() string {
	class := map[string]string{
		"STRING_VALUE": "java.lang.String", "NUMBER_VALUE": "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
		"TRUE_VALUE": "java.lang.Boolean", "FALSE_VALUE": "java.lang.Boolean",
	}[e.got]
	return "class " + class + " can not be converted to an " + e.want
}

func (d *jsonDecoder) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

func (d *jsonDecoder) peek() byte {
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return 0
}

// value reads one value, at whose first byte the decoder stands.
func (d *jsonDecoder) value(f *field, v reflect.Value) error {
	if d.tooDeep() {
		return d.errorf("the document is nested too deeply")
	}
	switch f.kind {
	case awsapi.Structure:
		return d.structure(f.node, v)
	case awsapi.List:
		return d.list(f.node, v)
	case awsapi.Map:
		return d.mapping(f, v)
	case awsapi.Document:
		start := d.pos
		if err := d.skip(0); err != nil {
			return err
		}
		v.SetBytes(append([]byte(nil), d.data[start:d.pos]...))
		return nil
	case awsapi.Opaque:
		codec, ok := v.Addr().Interface().(awsapi.JSONCodec)
		if !ok {
			return fmt.Errorf("%v is not an awsapi.JSONCodec", f.typ)
		}
		n, err := codec.DecodeJSON(d.data[d.pos:])
		d.pos += n
		if err != nil {
			return &mismatch{err.Error()}
		}
		return nil
	}
	return d.scalar(f, v)
}

func (d *jsonDecoder) scalar(f *field, v reflect.Value) error {
	c := d.peek()
	switch {
	case c == '"':
		return d.stringValue(f, v)
	case c == 't' || c == 'f':
		word := "true"
		if c == 'f' {
			word = "false"
		}
		if err := d.word(word); err != nil {
			return err
		}
		if f.kind != awsapi.Boolean {
			return d.wrongType(map[bool]string{true: "TRUE_VALUE", false: "FALSE_VALUE"}[c == 't'], f)
		}
		v.SetBool(c == 't')
		return nil
	case c == '-' || c >= '0' && c <= '9':
		return d.numberValue(f, v)
	case c == '{':
		return &mismatch{"Start of structure or map found where not expected."}
	case c == '[':
		return &mismatch{"Start of list found where not expected"}
	}
	return d.errorf("a value is expected")
}

func (d *jsonDecoder) stringValue(f *field, v reflect.Value) error {
	switch f.kind {
	case awsapi.String:
		s, err := d.string()
		if err == nil {
			v.SetString(s)
		}
		return err
	case awsapi.Blob:
		raw, err := d.rawString()
		if err != nil {
			return err
		}
		b := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
		n, err := base64.StdEncoding.Decode(b, raw)
		if err != nil {
			return &mismatch{d.path("") + " is not valid base64"}
		}
		v.SetBytes(b[:n])
		return nil
	}
	s, err := d.string()
	if err != nil {
		return err
	}
	switch f.kind {
	case awsapi.Timestamp:
		err = f.setText(v, s)
	case awsapi.Float, awsapi.Double:
		if s != "NaN" && s != "Infinity" && s != "-Infinity" {
			return d.wrongType("STRING_VALUE", f)
		}
		err = f.setText(v, s)
	default:
		return d.wrongType("STRING_VALUE", f)
	}
	if err != nil {
		return &mismatch{err.Error()}
	}
	return nil
}

func (d *jsonDecoder) numberValue(f *field, v reflect.Value) error {
	text, err := d.number()
	if err != nil {
		return err
	}
	switch f.kind {
	case awsapi.Integer, awsapi.Long:
		n, err := strconv.ParseInt(string(text), 10, v.Type().Bits())
		if err != nil {
			n, err = wholeNumber(string(text), v.Type().Bits())
		}
		if err != nil {
			return &mismatch{err.Error()}
		}
		v.SetInt(n)
	case awsapi.Float, awsapi.Double:
		n, err := strconv.ParseFloat(string(text), v.Type().Bits())
		if err != nil {
			return &mismatch{fmt.Sprintf("%s is out of range", text)}
		}
		v.SetFloat(n)
	case awsapi.Timestamp:
		n, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return &mismatch{fmt.Sprintf("%s is out of range", text)}
		}
		t, err := epochTime(n)
		if err != nil {
			return &mismatch{err.Error()}
		}
		v.Set(reflect.ValueOf(t))
	default:
		return d.wrongType("NUMBER_VALUE", f)
	}
	return nil
}

// wholeNumber reads an integer that is written with a fraction or an exponent,
// which some clients do; a fraction is cut off as AWS does.
func wholeNumber(text string, bits int) (int64, error) {
	n, err := strconv.ParseFloat(text, 64)
	limit := math.Ldexp(1, bits-1)
	if err != nil || n >= limit || n < -limit {
		return 0, fmt.Errorf("%s is out of range", text)
	}
	return int64(n), nil
}

func (d *jsonDecoder) wrongType(got string, f *field) error {
	want := map[awsapi.Kind]string{
		awsapi.String: "String", awsapi.Boolean: "Boolean", awsapi.Integer: "Integer", awsapi.Long: "Long",
		awsapi.Float: "Float", awsapi.Double: "Double", awsapi.Timestamp: "Timestamp", awsapi.Blob: "Blob",
	}[f.kind]
	return &conversion{got, want}
}

func (d *jsonDecoder) structure(n *node, v reflect.Value) error {
	if err := d.open('{'); err != nil {
		return err
	}
	seen, set := uint64(0), 0
	for first := true; ; first = false {
		name, done, err := d.name(first)
		if err != nil {
			return err
		}
		if done {
			break
		}
		i, known := n.byJSON[string(name)]
		if !known || !n.fields[i].body() {
			if err := d.skip(0); err != nil {
				return err
			}
			continue
		}
		f := &n.fields[i]
		if d.peek() == 'n' {
			if err := d.word("null"); err != nil {
				return err
			}
			continue
		}
		d.push(f.Name)
		if err := d.value(f, f.target(v)); err != nil {
			return err
		}
		d.pop()
		seen |= f.ordinal
		set++
	}
	if n.shape.Union && set != 1 {
		return &mismatch{fmt.Sprintf("The union %s must have exactly one member set", n.shape.Name)}
	}
	d.finish(n, seen)
	return nil
}

func (d *jsonDecoder) list(n *node, v reflect.Value) error {
	if c := d.peek(); c != '[' {
		if c == '{' {
			return &mismatch{"Start of structure or map found where not expected."}
		}
		return &mismatch{"Unexpected field type"}
	}
	d.pos++
	if v.IsNil() {
		v.Set(reflect.MakeSlice(n.typ, 0, 4))
	}
	d.space()
	if d.peek() == ']' {
		d.pos++
		return nil
	}
	for i := 0; ; i++ {
		d.space()
		d.pushIndex(i)
		if err := d.listElement(n, v); err != nil {
			return err
		}
		d.pop()
		d.space()
		switch d.peek() {
		case ',':
			d.pos++
		case ']':
			d.pos++
			return nil
		default:
			return d.errorf("',' or ']' is expected in a list")
		}
	}
}

// listElement reads one element onto the end of a slice. A null is kept in a
// sparse list and dropped in any other.
func (d *jsonDecoder) listElement(n *node, v reflect.Value) error {
	if d.peek() == 'n' {
		if err := d.word("null"); err != nil {
			return err
		}
		if n.shape.Sparse {
			grow(v)
		}
		return nil
	}
	return d.value(n.element, n.element.inside(grow(v)))
}

// grow lengthens a slice by one and returns the new element.
func grow(v reflect.Value) reflect.Value {
	n := v.Len()
	if n == v.Cap() {
		v.Grow(1)
	}
	v.SetLen(n + 1)
	v.Index(n).SetZero()
	return v.Index(n)
}

// inside returns the value to decode an element into.
func (f *field) inside(v reflect.Value) reflect.Value {
	if !f.pointer {
		return v
	}
	v.Set(reflect.New(f.typ))
	return v.Elem()
}

func (d *jsonDecoder) mapping(f *field, v reflect.Value) error {
	n := f.node
	if err := d.open('{'); err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(n.typ))
	}
	for first := true; ; first = false {
		name, done, err := d.name(first)
		if err != nil || done {
			return err
		}
		key := string(name)
		if d.peek() == 'n' {
			if err := d.word("null"); err != nil {
				return err
			}
			if n.shape.Sparse || f.nullTexts {
				v.SetMapIndex(reflect.ValueOf(key), reflect.Zero(n.typ.Elem()))
			}
			continue
		}
		element := reflect.New(n.typ.Elem()).Elem()
		d.push("\x00" + key)
		if err := d.value(n.element, n.element.inside(element)); err != nil {
			return err
		}
		d.pop()
		v.SetMapIndex(reflect.ValueOf(key), element)
	}
}

// open takes the brace of an object.
func (d *jsonDecoder) open(brace byte) error {
	switch d.peek() {
	case brace:
		d.pos++
		return nil
	case '[':
		return &mismatch{"Start of list found where not expected"}
	case '"', '-', 't', 'f', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return &mismatch{"Unexpected field type"}
	}
	return d.errorf("'{' is expected")
}

// name reads the next member's name and colon, or the end of the object. The
// name is valid until the next call.
func (d *jsonDecoder) name(first bool) (name []byte, done bool, err error) {
	d.space()
	if d.peek() == '}' {
		d.pos++
		return nil, true, nil
	}
	if !first {
		if d.peek() != ',' {
			return nil, false, d.errorf("',' or '}' is expected")
		}
		d.pos++
		d.space()
	}
	if name, err = d.rawString(); err != nil {
		return nil, false, err
	}
	d.space()
	if d.peek() != ':' {
		return nil, false, d.errorf("':' is expected")
	}
	d.pos++
	d.space()
	return name, false, nil
}

func (d *jsonDecoder) word(word string) error {
	if len(d.data)-d.pos < len(word) || string(d.data[d.pos:d.pos+len(word)]) != word {
		return d.errorf("%q is expected", word)
	}
	d.pos += len(word)
	return nil
}

func (d *jsonDecoder) number() ([]byte, error) {
	start := d.pos
	for d.pos < len(d.data) {
		c := d.data[d.pos]
		if c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E' {
			d.pos++
			continue
		}
		break
	}
	text := d.data[start:d.pos]
	if !json.Valid(text) {
		return nil, d.errorf("%q is not a number", text)
	}
	return text, nil
}

func (d *jsonDecoder) string() (string, error) {
	raw, err := d.rawString()
	if err != nil {
		return "", err
	}
	return string(raw), nil
}

// rawString reads a string and returns its decoded bytes, which are a part of
// the input where it has no escapes.
func (d *jsonDecoder) rawString() ([]byte, error) {
	if d.peek() != '"' {
		return nil, d.errorf("a string is expected")
	}
	start := d.pos + 1
	for i := start; i < len(d.data); i++ {
		switch c := d.data[i]; {
		case c == '"':
			s := d.data[start:i]
			d.pos = i + 1
			if !utf8.Valid(s) {
				return nil, d.errorf("a string is not valid UTF-8")
			}
			return s, nil
		case c == '\\':
			return d.escaped(start, i)
		case c < ' ':
			return nil, d.errorf("a string has a control character")
		}
	}
	return nil, d.errorf("a string does not end")
}

func (d *jsonDecoder) escaped(start, i int) ([]byte, error) {
	out := append([]byte(nil), d.data[start:i]...)
	for i < len(d.data) {
		c := d.data[i]
		switch {
		case c == '"':
			d.pos = i + 1
			if !utf8.Valid(out) {
				return nil, d.errorf("a string is not valid UTF-8")
			}
			return out, nil
		case c == '\\':
			var err error
			if out, i, err = d.escape(out, i); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, d.errorf("a string has a control character")
		default:
			out = append(out, c)
			i++
		}
	}
	return nil, d.errorf("a string does not end")
}

// escape reads the escape sequence at i.
func (d *jsonDecoder) escape(out []byte, i int) ([]byte, int, error) {
	if i+1 >= len(d.data) {
		return nil, 0, d.errorf("a string does not end")
	}
	switch c := d.data[i+1]; c {
	case '"', '\\', '/':
		return append(out, c), i + 2, nil
	case 'b':
		return append(out, '\b'), i + 2, nil
	case 'f':
		return append(out, '\f'), i + 2, nil
	case 'n':
		return append(out, '\n'), i + 2, nil
	case 'r':
		return append(out, '\r'), i + 2, nil
	case 't':
		return append(out, '\t'), i + 2, nil
	case 'u':
		r, ok := d.hex4(i + 2)
		if !ok {
			break
		}
		i += 6
		if utf16.IsSurrogate(r) {
			low, ok := rune(0), false
			if i+1 < len(d.data) && d.data[i] == '\\' && d.data[i+1] == 'u' {
				low, ok = d.hex4(i + 2)
			}
			if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
				i += 6
			}
		}
		return utf8.AppendRune(out, r), i, nil
	}
	d.pos = i
	return nil, 0, d.errorf("a string has an invalid escape sequence")
}

func (d *jsonDecoder) hex4(i int) (rune, bool) {
	if i+4 > len(d.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.data[i:i+4]), 16, 16)
	return rune(n), err == nil
}

// skip passes over one value of any type.
func (d *jsonDecoder) skip(depth int) error {
	if depth > maxDepth {
		return d.errorf("the document is nested too deeply")
	}
	switch c := d.peek(); {
	case c == '"':
		_, err := d.rawString()
		return err
	case c == '{' || c == '[':
		return d.skipNested(c, depth)
	case c == 't':
		return d.word("true")
	case c == 'f':
		return d.word("false")
	case c == 'n':
		return d.word("null")
	case c == '-' || c >= '0' && c <= '9':
		_, err := d.number()
		return err
	}
	return d.errorf("a value is expected")
}

func (d *jsonDecoder) skipNested(open byte, depth int) error {
	d.pos++
	end := open + 2 // '}' and ']' stand two behind '{' and '['
	for first := true; ; first = false {
		d.space()
		if d.peek() == end {
			d.pos++
			return nil
		}
		if !first {
			if d.peek() != ',' {
				return d.errorf("',' or %q is expected", end)
			}
			d.pos++
			d.space()
		}
		if open == '{' {
			if _, err := d.rawString(); err != nil {
				return err
			}
			d.space()
			if d.peek() != ':' {
				return d.errorf("':' is expected")
			}
			d.pos++
			d.space()
		}
		if err := d.skip(depth + 1); err != nil {
			return err
		}
	}
}
