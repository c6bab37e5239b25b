package s3

import (
	"testing"

	"lambent.dev/lambent/internal/lib/integrity"
)

func FuzzCurrent(f *testing.F) {
	c := current{Seq: 1 << 60, Size: 7, ETag: "5d41402abc4b2a76b9719d911017c592", Modified: -5, Algorithm: integrity.CRC32, Type: fullObject, Class: "GLACIER", Versioned: true}
	f.Add(c.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, row []byte) {
		c, err := decodeCurrent(row)
		if err != nil {
			return
		}
		if again, err := decodeCurrent(c.encode()); err != nil || again != c {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}
