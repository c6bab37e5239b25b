package attr

import "bytes"

// Equal tells whether two values are equal: of one type, numbers by value, sets and maps without regard to order.
func Equal(a, b Value) bool { return bytes.Equal(a, b) }

// Compare orders two values of one of the types S, N and B; ok is false for all others, which have no order.
// Strings and binaries are ordered by their bytes, the latter as unsigned ones.
func Compare(a, b Value) (order int, ok bool) {
	t := a.Type()
	if t != b.Type() || t != S && t != N && t != B {
		return 0, false
	}
	x, _ := chunk(a[1:])
	y, _ := chunk(b[1:])
	return bytes.Compare(x, y), true
}

// AppendSortKey appends an encoding of an S, N or B that sorts as bytes like the values of its type, and that is no prefix of
// the encoding of another value of the type. For other types it appends nothing.
//
// Strings and binaries have the encoding of package store/key: they end with 00 01, and a zero byte in them becomes 00 FF.
func AppendSortKey(dst []byte, v Value) []byte {
	switch v.Type() {
	case N:
		return append(dst, v.Number()...)
	case S, B:
		return append(AppendSortPrefix(dst, v), 0, 1)
	}
	return dst
}

// AppendSortPrefix appends what the sort keys begin with of all strings or binaries that begin with v.
func AppendSortPrefix(dst []byte, v Value) []byte {
	b := v.Bytes()
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(append(dst, b[:i]...), 0, 0xff)
		b = b[i+1:]
	}
}

// Size returns the size of an item by DynamoDB's rules, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
func (m Map) Size() int {
	size := 0
	for name, v := range m.All() {
		size += len(name) + v.Size()
	}
	return size
}

// Size returns the part of a value in an item's size, in bytes.
func (v Value) Size() int {
	size := 0
	switch v.Type() {
	case Null, Bool:
		return 1
	case S, B:
		return len(v.Bytes())
	case N:
		return v.Number().size()
	case SS, BS:
		for e := range v.Elements() {
			size += len(e)
		}
	case NS:
		for e := range v.Elements() {
			size += Number(e).size()
		}
	case L:
		size = 3
		for _, e := range v.List() {
			size += 1 + e.Size()
		}
	case M:
		size = 3 + v.Len() + v.Map().Size()
	}
	return size
}
