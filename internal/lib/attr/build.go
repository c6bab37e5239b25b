package attr

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
)

// String returns an S.
func String(s string) Value { return appendChunk(Value{tagS}, s) }

// Binary returns a B.
func Binary(b []byte) Value { return appendChunk(Value{tagB}, b) }

// Boolean returns a BOOL.
func Boolean(b bool) Value {
	if b {
		return Value{tagTrue}
	}
	return Value{tagFalse}
}

// NullValue returns a NULL.
func NullValue() Value { return Value{tagNull} }

// Int returns an N.
func Int(i int64) Value { return intNumber(i).Value() }

// intNumber returns the encoding of i.
func intNumber(i int64) Number {
	var d decimal
	var text [20]byte
	scanNumber(strconv.AppendInt(text[:0], i, 10), &d) // an int64 always fits
	return d.append(make([]byte, 0, maxNumber))
}

// StringSet returns an SS of the given strings; duplicates count once. It is nil without any.
func StringSet(elems ...string) Value {
	chunks := make([][]byte, len(elems))
	for i, e := range elems {
		chunks[i] = []byte(e)
	}
	return makeSet(tagSS, chunks)
}

// Set returns the set of the given strings, numbers or binaries. ok is false when they are of several types, of another type, not all different, or none.
func Set(elems ...Value) (set Value, ok bool) {
	if len(elems) == 0 {
		return nil, false
	}
	tags := map[Type]byte{S: tagSS, N: tagNS, B: tagBS}
	tag, ok := tags[elems[0].Type()]
	chunks := make([][]byte, len(elems))
	for i, e := range elems {
		if e.Type() != elems[0].Type() {
			return nil, false
		}
		if ok {
			chunks[i], _ = chunk(e[1:])
		}
	}
	if !ok {
		return nil, false
	}
	set = makeSet(tag, chunks)
	return set, set.Len() == len(elems)
}

// List returns an L of the given values.
func List(elems ...Value) Value {
	v := make(Value, headSize)
	v[0] = tagL
	for _, e := range elems {
		v = append(v, e...)
	}
	return v.close(len(elems))
}

// close fills in the length and the count of a container whose elements are complete.
func (v Value) close(count int) Value {
	binary.BigEndian.PutUint32(v[1:], uint32(len(v)-1-countSize))
	binary.BigEndian.PutUint32(v[1+countSize:], uint32(count))
	return v
}

// makeSet returns a set of elems, which it sorts, or nil when there are none.
func makeSet(tag byte, elems [][]byte) Value {
	if len(elems) == 0 {
		return nil
	}
	slices.SortFunc(elems, bytes.Compare)
	elems = slices.CompactFunc(elems, bytes.Equal)
	v := make(Value, headSize)
	v[0] = tag
	for _, e := range elems {
		v = appendChunk(v, e)
	}
	return v.close(len(elems))
}

// Union returns the set of the elements of two sets of one type.
func Union(a, b Value) Value {
	return makeSet(a[0], slices.AppendSeq(slices.Collect(a.Elements()), b.Elements()))
}

// Difference returns the set of the elements of a that b does not have, or nil when none are left.
func Difference(a, b Value) Value {
	drop := slices.Collect(b.Elements())
	var keep [][]byte
	for e := range a.Elements() {
		if _, found := slices.BinarySearchFunc(drop, e, bytes.Compare); !found {
			keep = append(keep, e)
		}
	}
	return makeSet(a[0], keep)
}

func appendChunk[T string | []byte](dst Value, b T) Value {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// Field is one entry of a map under construction.
type Field struct {
	Name  string
	Value Value
}

// NewMap returns a map of fields in any order. Of fields with the same name the last one counts, and fields
// without a value are left out.
func NewMap(fields ...Field) Map {
	return Map(emptyCount).With(fields...)
}

// With returns a map with the entries of m and of fields. A field takes the place of an entry with its name, and removes it when it has no value.
func (m Map) With(fields ...Field) Map {
	fields = slices.Clone(fields)
	slices.SortStableFunc(fields, func(a, b Field) int { return compareText(a.Name, b.Name) })
	size := len(m) + countSize
	for _, f := range fields {
		size += len(f.Name) + len(f.Value) + 3
	}
	out := append(make(Map, 0, size), emptyCount...)
	count := 0
	add := func(name string, v Value) {
		if v != nil {
			out = append(Map(appendChunk(Value(out), name)), v...)
			count++
		}
	}
	takeBefore := func(name string, all bool) { // the fields that sort before name
		for len(fields) > 0 && (all || fields[0].Name < name) {
			if len(fields) == 1 || fields[1].Name != fields[0].Name {
				add(fields[0].Name, fields[0].Value)
			}
			fields = fields[1:]
		}
	}
	for name, v := range m.All() {
		takeBefore(string(name), false)
		if len(fields) > 0 && fields[0].Name == string(name) {
			continue
		}
		out = append(Map(appendChunk(Value(out), name)), v...)
		count++
	}
	takeBefore("", true)
	binary.BigEndian.PutUint32(out, uint32(count))
	return out
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
