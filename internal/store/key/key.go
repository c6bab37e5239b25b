// Package key is the one encoding of store keys: tuples whose bytes sort as their elements do.
//
// A key is a sequence of elements written one after another. The first is the name of the service,
// then come the account and the region where the resource has them:
//
//	key.New("s3", account, region).Str(bucket).Uint(version)
//
// Elements carry no type: whoever builds a key reads it back with the same calls on a [Decoder].
//
//	Str, Bytes   0x00 becomes 0x00 0xff, and 0x00 0x01 ends the element
//	Uint, UintDesc  8 bytes big-endian; Desc is inverted, so that the greatest comes first
//	Int, Time    8 bytes big-endian with the sign flipped; times are nanoseconds since 1970, UTC
//	Raw          the bytes as they are, only as the last element or with a length known to the reader
//
// A key is also the prefix of every key that continues it, and of none that does not: an ended
// element is never the beginning of a longer one. [Key.Span] selects exactly these keys.
package key

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"lambent.dev/lambent/internal/store"
)

// Key is an encoded tuple. Its methods return a longer key and leave the receiver as it was.
type Key []byte

// New returns the key of the string elements parts, the first of which is a service's name.
func New(parts ...string) Key {
	n := 0
	for _, p := range parts {
		n += len(p) + 2
	}
	k := make(Key, 0, n)
	for _, p := range parts {
		k = AppendString(k, p)
	}
	return k
}

// Str adds a string element.
func (k Key) Str(s string) Key { return AppendString(k.grow(len(s)+2), s) }

// StrPrefix adds the beginning of a string element, without its end: with [Key.Span] it
// selects the keys whose element begins with s.
func (k Key) StrPrefix(s string) Key {
	k = AppendString(k.grow(len(s)+2), s)
	return k[:len(k)-2]
}

// Bytes adds a byte string element.
func (k Key) Bytes(b []byte) Key { return AppendBytes(k.grow(len(b)+2), b) }

// Uint adds an unsigned element.
func (k Key) Uint(v uint64) Key { return binary.BigEndian.AppendUint64(k.grow(8), v) }

// UintDesc adds an unsigned element that sorts from the greatest to the least.
func (k Key) UintDesc(v uint64) Key { return k.Uint(^v) }

// Int adds a signed element.
func (k Key) Int(v int64) Key { return k.Uint(uint64(v) ^ 1<<63) }

// Time adds a time element with a resolution of 1 ns. It is exact from the year 1678 to 2262.
func (k Key) Time(t time.Time) Key { return k.Int(t.UnixNano()) }

// Raw adds bytes as they are.
func (k Key) Raw(b []byte) Key { return append(k.grow(len(b)), b...) }

// Span returns the span of k itself and all keys that continue it.
func (k Key) Span() store.Span { return store.Prefix(k) }

// End returns the least key that is greater than k and all keys that continue it.
func (k Key) End() []byte { return store.PrefixEnd(k) }

// grow returns a copy of k with room for n more bytes, so that two keys built on one prefix never share bytes.
func (k Key) grow(n int) Key {
	return append(make(Key, 0, len(k)+n), k...)
}

// AppendString appends a string element to dst, for callers that reuse a buffer.
func AppendString[B ~[]byte](dst B, s string) B {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0x00, 0x01)
}

// AppendBytes appends a byte string element to dst.
func AppendBytes[B ~[]byte](dst B, b []byte) B {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			break
		}
		dst = append(append(dst, b[:i+1]...), 0xff)
		b = b[i+1:]
	}
	return append(append(dst, b...), 0x00, 0x01)
}

// ErrMalformed is reported by a [Decoder] for bytes that the calls made on it cannot have written.
var ErrMalformed = errors.New("malformed key")

// Decoder reads the elements of a key in order. After an error its methods return zero values.
type Decoder struct {
	rest []byte
	err  error
}

// Decode returns a decoder of k.
func Decode(k []byte) *Decoder { return &Decoder{rest: k} }

// Skip drops the prefix p, which the key must begin with.
func (d *Decoder) Skip(p Key) *Decoder {
	rest, ok := bytes.CutPrefix(d.rest, p)
	if !ok {
		d.fail()
		return d
	}
	d.rest = rest
	return d
}

// Str reads a string element.
func (d *Decoder) Str() string {
	if i := bytes.IndexByte(d.rest, 0); d.err == nil && i >= 0 && i+1 < len(d.rest) && d.rest[i+1] == 0x01 {
		s := string(d.rest[:i])
		d.rest = d.rest[i+2:]
		return s
	}
	return string(d.Bytes())
}

// Bytes reads a byte string element into memory of its own.
func (d *Decoder) Bytes() []byte {
	out := []byte{}
	for b := d.rest; d.err == nil; {
		i := bytes.IndexByte(b, 0)
		if i < 0 || i+1 == len(b) {
			break
		}
		out = append(out, b[:i]...)
		switch b[i+1] {
		case 0x01:
			d.rest = b[i+2:]
			return out
		case 0xff:
			out = append(out, 0)
			b = b[i+2:]
			continue
		}
		break
	}
	d.fail()
	return nil
}

// Uint reads an unsigned element.
func (d *Decoder) Uint() uint64 {
	if len(d.rest) < 8 || d.err != nil {
		d.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(d.rest)
	d.rest = d.rest[8:]
	return v
}

// UintDesc reads an unsigned element that was written by [Key.UintDesc].
func (d *Decoder) UintDesc() uint64 {
	v := d.Uint()
	if d.err != nil {
		return 0
	}
	return ^v
}

// Int reads a signed element.
func (d *Decoder) Int() int64 {
	v := d.Uint()
	if d.err != nil {
		return 0
	}
	return int64(v ^ 1<<63)
}

// Time reads a time element.
func (d *Decoder) Time() time.Time {
	v := d.Int()
	if d.err != nil {
		return time.Time{}
	}
	return time.Unix(0, v).UTC()
}

// Rest returns the bytes that are left, and takes them all.
func (d *Decoder) Rest() []byte {
	r := d.rest
	d.rest = nil
	if d.err != nil {
		return nil
	}
	return r
}

// Err returns ErrMalformed when a read failed.
func (d *Decoder) Err() error { return d.err }

// Done returns ErrMalformed when a read failed or bytes are left.
func (d *Decoder) Done() error {
	if d.err == nil && len(d.rest) > 0 {
		d.fail()
	}
	return d.err
}

func (d *Decoder) fail() {
	d.err = ErrMalformed
	d.rest = nil
}
