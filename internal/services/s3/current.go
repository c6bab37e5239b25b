package s3

import (
	"encoding/binary"
	"errors"

	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/store"
)

// current is what a listing shows of an object, and the sequence number of its version. Its rows are the ones that are read most, and in
// thousands, so that they have an encoding of their own.
type current struct {
	Seq       uint64
	Size      int64
	ETag      string
	Modified  int64 // Unix seconds
	Algorithm string
	Type      string
	Class     string
	Versioned bool
}

func (v *version) current() current {
	return current{
		Seq: v.Seq, Size: v.Size, ETag: v.ETag, Modified: v.Modified.Unix(), Algorithm: v.Sum.Algorithm, Type: v.Sum.Type,
		Class: v.Class, Versioned: v.Versioned,
	}
}

// encode writes the numbers as varints and each text with its length in front.
func (c *current) encode() []byte {
	b := make([]byte, 0, 96)
	b = binary.AppendUvarint(b, c.Seq)
	b = binary.AppendVarint(b, c.Size)
	b = binary.AppendVarint(b, c.Modified)
	if c.Versioned {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	for _, text := range [...]string{c.ETag, c.Algorithm, c.Type, c.Class} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return b
}

var errBadCurrent = errors.New("decode the row of an object: it is cut off")

func decodeCurrent(b []byte) (current, error) {
	var c current
	n := 0
	ok := true
	step := func(used int) {
		if used <= 0 {
			ok = false
			return
		}
		n += used
	}
	seq, used := binary.Uvarint(b)
	step(used)
	c.Seq = seq
	for _, to := range [...]*int64{&c.Size, &c.Modified} {
		v, used := binary.Varint(b[n:])
		step(used)
		*to = v
	}
	if !ok || n >= len(b) {
		return c, errBadCurrent
	}
	c.Versioned = b[n] == 1
	n++
	for _, to := range [...]*string{&c.ETag, &c.Algorithm, &c.Type, &c.Class} {
		length, used := binary.Uvarint(b[n:])
		step(used)
		if !ok || length > uint64(len(b)-n) {
			return c, errBadCurrent
		}
		*to = word(b[n : n+int(length)])
		n += int(length)
	}
	return c, nil
}

// word returns b as a string. The words that stand in nearly every row cost no memory of their own.
func word(b []byte) string {
	switch string(b) {
	case integrity.CRC64NVME:
		return integrity.CRC64NVME
	case integrity.CRC32:
		return integrity.CRC32
	case fullObject:
		return fullObject
	}
	return string(b)
}

// getCurrent returns the row of an object; ok is false when it has no current version.
func getCurrent(r store.Reader, b *bucket, object string) (c current, ok bool, err error) {
	row, err := r.Get(b.currentKey(object))
	if notFound(err) {
		return c, false, nil
	}
	if err == nil {
		c, err = decodeCurrent(row)
	}
	return c, err == nil, wrap("read object", err)
}

// setCurrent makes v the version that reads without an id and listings show.
func setCurrent(tx store.Txn, b *bucket, object string, v *version) {
	c := v.current()
	tx.Set(b.currentKey(object), c.encode())
}
