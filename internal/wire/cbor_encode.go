package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"

	"lambent.dev/lambent/internal/awsapi"
)

func appendCBORHead(dst []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < 24:
		return append(dst, major|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, major|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
}

func appendCBORInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendCBORHead(dst, cborNegative, uint64(-1-n))
	}
	return appendCBORHead(dst, cborUnsigned, uint64(n))
}

func appendCBORFloat(dst []byte, n float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, cborSimple<<5|27), math.Float64bits(n))
}

func appendCBORText(dst []byte, s string) []byte {
	return append(appendCBORHead(dst, cborText, uint64(len(s))), s...)
}

// cborEncoder writes values guided by nodes.
type cborEncoder struct {
	// millis writes times in milliseconds.
	millis bool
}

// append appends a value of any kind.
func (e cborEncoder) append(dst []byte, f *field, v reflect.Value, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("encode %s: nested too deeply", f.shape.Name)
	}
	switch f.kind {
	case awsapi.Structure:
		dst, err := e.members(append(dst, cborMap<<5|31), f.node, v, depth)
		return append(dst, 0xff), err
	case awsapi.List:
		dst = appendCBORHead(dst, cborArray, uint64(v.Len()))
		var err error
		for i := range v.Len() {
			item, present := f.element.item(v.Index(i))
			if !present {
				dst = append(dst, 0xf6)
			} else if dst, err = e.append(dst, f.element, item, depth+1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	case awsapi.Map:
		dst = appendCBORHead(dst, cborMap, uint64(v.Len()))
		var err error
		for _, key := range sortedKeys(v) {
			dst = appendCBORText(dst, key.String())
			item, present := f.element.item(v.MapIndex(key))
			if !present {
				dst = append(dst, 0xf6)
			} else if dst, err = e.append(dst, f.element, item, depth+1); err != nil {
				return nil, err
			}
		}
		return dst, nil
	}
	return e.scalar(dst, f, v)
}

// members appends the present members of a structure as pairs.
func (e cborEncoder) members(dst []byte, n *node, v reflect.Value, depth int) ([]byte, error) {
	for i := range n.fields {
		f := &n.fields[i]
		value, present := f.value(v)
		if !present || f.shape.EventStream {
			continue
		}
		var err error
		if dst, err = e.append(appendCBORText(dst, f.jsonName), f, value, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func (e cborEncoder) scalar(dst []byte, f *field, v reflect.Value) ([]byte, error) {
	switch f.kind {
	case awsapi.String:
		return appendCBORText(dst, v.String()), nil
	case awsapi.Boolean:
		if v.Bool() {
			return append(dst, 0xf5), nil
		}
		return append(dst, 0xf4), nil
	case awsapi.Integer, awsapi.Long:
		return appendCBORInt(dst, v.Int()), nil
	case awsapi.Float:
		return binary.BigEndian.AppendUint32(append(dst, cborSimple<<5|26), math.Float32bits(float32(v.Float()))), nil
	case awsapi.Double:
		return appendCBORFloat(dst, v.Float()), nil
	case awsapi.Timestamp:
		t, _ := v.Interface().(time.Time)
		return e.time(dst, t), nil
	case awsapi.Blob:
		return append(appendCBORHead(dst, cborBytes, uint64(v.Len())), v.Bytes()...), nil
	}
	return nil, fmt.Errorf("encode %s: no form in CBOR", f.shape.Name)
}

// time appends tag 1 with seconds since 1970: an integer where there
// is no fraction.
func (e cborEncoder) time(dst []byte, t time.Time) []byte {
	dst = append(dst, cborTag<<5|1)
	if e.millis {
		return appendCBORInt(dst, t.UnixMilli())
	}
	if t.Nanosecond()/int(time.Millisecond) == 0 {
		return appendCBORInt(dst, t.Unix())
	}
	return appendCBORFloat(dst, float64(t.UnixMilli())/1000)
}
