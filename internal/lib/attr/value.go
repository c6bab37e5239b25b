package attr

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// Value is one attribute value in its stored form.
type Value []byte

// Map is an item, a key or any other map from attribute names to values in its stored form, sorted by name.
type Map []byte

// Type is the type of a value.
type Type uint8

// The types of values. Their String is DynamoDB's name.
const (
	Absent Type = iota
	Null
	Bool
	N
	S
	B
	SS
	NS
	BS
	L
	M
)

// String returns DynamoDB's name of the type: "S", "NULL", "SS" and so on.
func (t Type) String() string {
	return [...]string{"", "NULL", "BOOL", "N", "S", "B", "SS", "NS", "BS", "L", "M"}[t]
}

// IsSet tells whether the type is one of the three sets.
func (t Type) IsSet() bool { return t >= SS && t <= BS }

// ParseType returns the type that DynamoDB calls name.
func ParseType(name string) (Type, bool) {
	for t := Null; t <= M; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return Absent, false
}

// The tags of the stored form. They are written to disk and never change their meaning.
const (
	tagNull    = 0x01
	tagFalse   = 0x02
	tagTrue    = 0x03
	tagN       = 0x04
	tagS       = 0x05
	tagB       = 0x06
	tagSS      = 0x07
	tagNS      = 0x08
	tagBS      = 0x09
	tagL       = 0x0a
	tagM       = 0x0b
	tagInvalid = 0xff
)

const (
	countSize  = 4                  // bytes of a count or a fixed length
	headSize   = 1 + 2*countSize    // tag, length and count of a container
	emptyCount = "\x00\x00\x00\x00" // the Map without entries
)

// Type returns the type of the value; [Absent] for nil and for an invalid one.
func (v Value) Type() Type {
	if len(v) == 0 {
		return Absent
	}
	switch v[0] {
	case tagNull:
		return Null
	case tagFalse, tagTrue:
		return Bool
	case tagN, tagS, tagB, tagSS, tagNS, tagBS, tagL, tagM:
		return Type(v[0]-tagN) + N
	}
	return Absent
}

// Bool returns the value of a BOOL.
func (v Value) Bool() bool { return len(v) > 0 && v[0] == tagTrue }

// Bytes returns the bytes of an S or a B, nil for other types. They belong to the value.
func (v Value) Bytes() []byte {
	if t := v.Type(); t != S && t != B {
		return nil
	}
	b, _ := chunk(v[1:])
	return b
}

// Text returns an S as a string, or an N in plain decimal notation.
func (v Value) Text() string {
	switch v.Type() {
	case S:
		return string(v.Bytes())
	case N:
		return v.Number().String()
	}
	return ""
}

// Number returns the number of an N; the zero Number for other types.
func (v Value) Number() Number {
	if v.Type() != N {
		return nil
	}
	b, _ := chunk(v[1:])
	return Number(b)
}

// Map returns the entries of an M, which share the value's memory.
func (v Value) Map() Map {
	if v.Type() != M {
		return nil
	}
	return Map(v[1+countSize:])
}

// Len returns the number of elements of a set, a list or a map, and the number of bytes of an S or a B.
func (v Value) Len() int {
	switch t := v.Type(); {
	case t >= SS:
		return int(binary.BigEndian.Uint32(v[1+countSize:]))
	case t == S || t == B:
		return len(v.Bytes())
	}
	return 0
}

// List yields the elements of an L with their indexes.
func (v Value) List() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.Type() != L {
			return
		}
		rest := v[headSize:]
		for i := 0; len(rest) > 0; i++ {
			n := span(rest)
			if !yield(i, rest[:n:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// At returns element i of an L, or nil.
func (v Value) At(i int) Value {
	for j, e := range v.List() {
		if j == i {
			return e
		}
	}
	return nil
}

// Elements yields the elements of a set as values of its element type's bytes: text, a [Number]'s encoding, or binary.
func (v Value) Elements() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !v.Type().IsSet() {
			return
		}
		rest := []byte(v[headSize:])
		for len(rest) > 0 {
			b, n := chunk(rest)
			if !yield(b) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Contains tells whether a set has the element e, given as an S, N or B of the set's element type.
func (v Value) Contains(e Value) bool {
	if !v.Type().IsSet() || elementType(v.Type()) != e.Type() {
		return false
	}
	want, _ := chunk(e[1:])
	for b := range v.Elements() {
		if bytes.Equal(b, want) {
			return true
		}
	}
	return false
}

// elementType returns the type of a set's elements.
func elementType(set Type) Type {
	switch set {
	case SS:
		return S
	case NS:
		return N
	}
	return B
}

// Len returns the number of entries.
func (m Map) Len() int {
	if len(m) < countSize || m[0] == tagInvalid {
		return 0
	}
	return int(binary.BigEndian.Uint32(m))
}

// All yields the entries in the order of their names. Names and values belong to the map.
func (m Map) All() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		if m.Len() == 0 {
			return
		}
		rest := []byte(m[countSize:])
		for len(rest) > 0 {
			name, v, n := entry(rest)
			if !yield(name, v) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Get returns the value of an attribute, or nil.
func (m Map) Get(name string) Value {
	if m.Len() == 0 {
		return nil
	}
	rest := []byte(m[countSize:])
	for len(rest) > 0 {
		key, v, n := entry(rest)
		if string(key) == name {
			return v
		}
		if string(key) > name {
			return nil
		}
		rest = rest[n:]
	}
	return nil
}

// Value returns the map as an M, in memory of its own.
func (m Map) Value() Value {
	v := append(make(Value, 0, 1+countSize+len(m)), tagM)
	v = binary.BigEndian.AppendUint32(v, uint32(len(m)))
	return append(v, m...)
}

// Clone returns a copy of the value in memory of its own.
func (v Value) Clone() Value { return bytes.Clone(v) }

// Clone returns a copy of the map in memory of its own.
func (m Map) Clone() Map { return bytes.Clone(m) }

// chunk returns the length-prefixed bytes at the front of b, and how many bytes they take with the prefix.
func chunk(b []byte) (data []byte, n int) {
	if b[0] < 0x80 {
		n = 1 + int(b[0])
		return b[1:n:n], n
	}
	length, k := binary.Uvarint(b)
	n = k + int(length)
	return b[k:n:n], n
}

// entry returns the entry of a map at the front of b, and how many bytes it takes.
func entry(b []byte) (name []byte, v Value, n int) {
	name, k := chunk(b)
	n = k + span(b[k:])
	return name, b[k:n:n], n
}

// span returns how many bytes the value at the front of b takes.
func span(b []byte) int {
	switch b[0] {
	case tagNull, tagFalse, tagTrue:
		return 1
	case tagN, tagS, tagB:
		_, n := chunk(b[1:])
		return 1 + n
	}
	return 1 + countSize + int(binary.BigEndian.Uint32(b[1:]))
}
