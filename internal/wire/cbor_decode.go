package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"

	"lambent.dev/lambent/internal/awsapi"
)

// CBOR major types (RFC 8949 §3.1).
const (
	cborUnsigned = 0
	cborNegative = 1
	cborBytes    = 2
	cborText     = 3
	cborArray    = 4
	cborMap      = 5
	cborTag      = 6
	cborSimple   = 7
)

// cborIndefinite is the length of an item that ends with a break.
const cborIndefinite = math.MaxUint64

// cborDecoder reads one CBOR data item into a struct, guided by nodes.
type cborDecoder struct {
	trail
	data []byte
	pos  int
	// millis reads times in milliseconds.
	millis bool
}

func decodeCBOR(data []byte, f *field, v reflect.Value, t *trail, millis bool) error {
	d := cborDecoder{trail: *t, data: data, millis: millis}
	var err error
	if len(data) == 0 {
		d.finish(f.node, 0)
	} else if err = d.value(f, v); err == nil && d.pos != len(data) {
		err = d.errorf("unexpected bytes after the document")
	}
	*t = d.trail
	return err
}

func (d *cborDecoder) errorf(format string, args ...any) error {
	return &syntaxError{fmt.Sprintf(format, args...), d.pos}
}

// head reads the head of an item: its major type, its argument (a count or a
// value) and its additional information.
func (d *cborDecoder) head() (major byte, arg uint64, info byte, err error) {
	if d.pos >= len(d.data) {
		return 0, 0, 0, d.errorf("the document ends early")
	}
	b := d.data[d.pos]
	d.pos++
	major, info = b>>5, b&31
	switch {
	case info < 24:
		return major, uint64(info), info, nil
	case info <= 27:
		size := 1 << (info - 24)
		if len(d.data)-d.pos < size {
			return 0, 0, 0, d.errorf("the document ends early")
		}
		var wide [8]byte
		copy(wide[8-size:], d.data[d.pos:d.pos+size])
		d.pos += size
		return major, binary.BigEndian.Uint64(wide[:]), info, nil
	case info == 31 && major != cborUnsigned && major != cborNegative && major != cborTag:
		return major, cborIndefinite, info, nil
	}
	return 0, 0, 0, d.errorf("additional information %d is reserved", info)
}

// null takes a null or undefined if one comes.
func (d *cborDecoder) null() bool {
	if d.pos < len(d.data) && (d.data[d.pos] == 0xf6 || d.data[d.pos] == 0xf7) {
		d.pos++
		return true
	}
	return false
}

// more reports whether an array or map goes on, taking its break.
func (d *cborDecoder) more(i, count uint64) (bool, error) {
	if count != cborIndefinite {
		return i < count, nil
	}
	if d.pos >= len(d.data) {
		return false, d.errorf("the document ends early")
	}
	if d.data[d.pos] == 0xff {
		d.pos++
		return false, nil
	}
	return true, nil
}

func (d *cborDecoder) value(f *field, v reflect.Value) error {
	if d.tooDeep() {
		return d.errorf("the document is nested too deeply")
	}
	switch f.kind {
	case awsapi.Structure:
		return d.structure(f.node, v)
	case awsapi.List:
		return d.list(f.node, v)
	case awsapi.Map:
		return d.mapping(f.node, v)
	case awsapi.Document, awsapi.Opaque:
		return d.errorf("shape %s has no form in CBOR", f.shape.Name)
	}
	return d.scalar(f, v)
}

func (d *cborDecoder) scalar(f *field, v reflect.Value) error {
	major, arg, info, err := d.head()
	if err != nil {
		return err
	}
	switch major {
	case cborText, cborBytes:
		b, err := d.bytes(major, arg)
		if err != nil {
			return err
		}
		switch {
		case major == cborText && f.kind == awsapi.String:
			if !utf8.Valid(b) {
				return d.errorf("a string is not valid UTF-8")
			}
			v.SetString(string(b))
		case major == cborBytes && f.kind == awsapi.Blob:
			v.SetBytes(append([]byte{}, b...))
		default:
			return d.wrongType("STRING_VALUE", f)
		}
		return nil
	case cborTag:
		return d.tagged(arg, f, v)
	case cborUnsigned, cborNegative:
		return d.integer(major, arg, f, v)
	case cborSimple:
		return d.simple(arg, info, f, v)
	}
	return &mismatch{"Start of structure or map found where not expected."}
}

func (d *cborDecoder) wrongType(got string, f *field) error {
	return (&jsonDecoder{}).wrongType(got, f)
}

func (d *cborDecoder) integer(major byte, arg uint64, f *field, v reflect.Value) error {
	if arg > math.MaxInt64 {
		return &mismatch{"an integer is out of range"}
	}
	n := int64(arg)
	if major == cborNegative {
		n = -1 - n
	}
	switch f.kind {
	case awsapi.Integer, awsapi.Long:
		if v.OverflowInt(n) {
			return &mismatch{fmt.Sprintf("%d is out of range", n)}
		}
		v.SetInt(n)
	case awsapi.Float, awsapi.Double:
		v.SetFloat(float64(n))
	case awsapi.Timestamp:
		return d.epoch(v, float64(n))
	default:
		return d.wrongType("NUMBER_VALUE", f)
	}
	return nil
}

func (d *cborDecoder) epoch(v reflect.Value, seconds float64) error {
	if d.millis {
		seconds /= 1000
	}
	t, err := epochTime(seconds)
	if err != nil {
		return &mismatch{err.Error()}
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

// tagged reads an item with a tag: 1 is a timestamp; others are passed over.
func (d *cborDecoder) tagged(_ uint64, f *field, v reflect.Value) error {
	if f.kind != awsapi.Timestamp {
		d.push("\x00tag")
		defer d.pop()
		return d.value(f, v)
	}
	major, arg, info, err := d.head()
	if err != nil {
		return err
	}
	switch major {
	case cborUnsigned, cborNegative:
		return d.integer(major, arg, f, v)
	case cborSimple:
		return d.simple(arg, info, f, v)
	case cborText:
		b, err := d.bytes(major, arg)
		if err != nil {
			return err
		}
		if err := f.setText(v, string(b)); err != nil {
			return &mismatch{err.Error()}
		}
		return nil
	}
	return &mismatch{"a timestamp must be a number"}
}

func (d *cborDecoder) simple(arg uint64, info byte, f *field, v reflect.Value) error {
	var n float64
	switch info {
	case 20, 21:
		if f.kind != awsapi.Boolean {
			return d.wrongType(map[byte]string{20: "FALSE_VALUE", 21: "TRUE_VALUE"}[info], f)
		}
		v.SetBool(info == 21)
		return nil
	case 25:
		n = halfFloat(uint16(arg))
	case 26:
		n = float64(math.Float32frombits(uint32(arg)))
	case 27:
		n = math.Float64frombits(arg)
	default:
		return d.errorf("simple value %d is not expected", arg)
	}
	switch f.kind {
	case awsapi.Float, awsapi.Double:
		v.SetFloat(n)
	case awsapi.Integer, awsapi.Long:
		if n != math.Trunc(n) || math.Abs(n) >= math.Ldexp(1, v.Type().Bits()-1) {
			return &mismatch{fmt.Sprintf("%v is not an integer in range", n)}
		}
		v.SetInt(int64(n))
	case awsapi.Timestamp:
		return d.epoch(v, n)
	default:
		return d.wrongType("NUMBER_VALUE", f)
	}
	return nil
}

// halfFloat widens an IEEE 754 half-precision number.
func halfFloat(h uint16) float64 {
	exp, frac := int(h>>10)&31, float64(h&1023)
	var n float64
	switch exp {
	case 0:
		n = math.Ldexp(frac, -24)
	case 31:
		n = math.Inf(1)
		if frac != 0 {
			n = math.NaN()
		}
	default:
		n = math.Ldexp(frac+1024, exp-25)
	}
	if h&0x8000 != 0 {
		n = -n
	}
	return n
}

// bytes reads the content of a byte or text string, whose head was read. The
// result may be a part of the input.
func (d *cborDecoder) bytes(major byte, length uint64) ([]byte, error) {
	if length != cborIndefinite {
		if length > uint64(len(d.data)-d.pos) {
			return nil, d.errorf("the document ends early")
		}
		b := d.data[d.pos : d.pos+int(length)]
		d.pos += int(length)
		return b, nil
	}
	out := []byte{}
	for {
		more, err := d.more(0, cborIndefinite)
		if err != nil || !more {
			return out, err
		}
		chunk, n, _, err := d.head()
		if err != nil {
			return nil, err
		}
		if chunk != major || n == cborIndefinite {
			return nil, d.errorf("a chunk of a string has another type")
		}
		b, err := d.bytes(major, n)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
}

func (d *cborDecoder) structure(n *node, v reflect.Value) error {
	count, err := d.container(cborMap)
	if err != nil {
		return err
	}
	seen, set := uint64(0), 0
	for i := uint64(0); ; i++ {
		more, err := d.more(i, count)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		name, err := d.mapKey()
		if err != nil {
			return err
		}
		at, known := n.byJSON[name]
		if !known {
			if err := d.skip(0); err != nil {
				return err
			}
			continue
		}
		if d.null() {
			continue
		}
		f := &n.fields[at]
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

// container reads the head of an array or map and returns its count.
func (d *cborDecoder) container(want byte) (uint64, error) {
	major, count, _, err := d.head()
	for err == nil && major == cborTag {
		major, count, _, err = d.head()
	}
	if err != nil {
		return 0, err
	}
	if major != want {
		return 0, &mismatch{"Unexpected field type"}
	}
	if count != cborIndefinite && count > uint64(len(d.data)-d.pos) {
		return 0, d.errorf("the document ends early")
	}
	return count, nil
}

func (d *cborDecoder) mapKey() (string, error) {
	major, length, _, err := d.head()
	if err != nil {
		return "", err
	}
	if major != cborText {
		return "", d.errorf("a map key is not a text string")
	}
	b, err := d.bytes(major, length)
	return string(b), err
}

func (d *cborDecoder) list(n *node, v reflect.Value) error {
	count, err := d.container(cborArray)
	if err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeSlice(n.typ, 0, 4))
	}
	for i := uint64(0); ; i++ {
		more, err := d.more(i, count)
		if err != nil || !more {
			return err
		}
		if d.null() {
			if n.shape.Sparse {
				grow(v)
			}
			continue
		}
		d.pushIndex(int(i))
		if err := d.value(n.element, n.element.inside(grow(v))); err != nil {
			return err
		}
		d.pop()
	}
}

func (d *cborDecoder) mapping(n *node, v reflect.Value) error {
	count, err := d.container(cborMap)
	if err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(n.typ))
	}
	for i := uint64(0); ; i++ {
		more, err := d.more(i, count)
		if err != nil || !more {
			return err
		}
		key, err := d.mapKey()
		if err != nil {
			return err
		}
		element := reflect.New(n.typ.Elem()).Elem()
		if d.null() {
			if n.shape.Sparse {
				v.SetMapIndex(reflect.ValueOf(key), element)
			}
			continue
		}
		d.push("\x00" + key)
		if err := d.value(n.element, n.element.inside(element)); err != nil {
			return err
		}
		d.pop()
		v.SetMapIndex(reflect.ValueOf(key), element)
	}
}

// skip passes over one item of any type.
func (d *cborDecoder) skip(depth int) error {
	if depth > maxDepth {
		return d.errorf("the document is nested too deeply")
	}
	major, arg, info, err := d.head()
	if err != nil {
		return err
	}
	per := uint64(1)
	switch major {
	case cborBytes, cborText:
		_, err := d.bytes(major, arg)
		return err
	case cborTag:
		return d.skip(depth + 1)
	case cborMap:
		per = 2
	case cborArray:
	case cborSimple:
		if info == 31 {
			return d.errorf("a break is not expected")
		}
		return nil
	default:
		return nil
	}
	for i := uint64(0); ; i++ {
		more, err := d.more(i, arg)
		if err != nil || !more {
			return err
		}
		for range per {
			if err := d.skip(depth + 1); err != nil {
				return err
			}
		}
	}
}
