package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"lambent.dev/lambent/internal/lib/seal"
)

func sealed(t testing.TB, key, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := seal.NewWriter(&out, key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for len(body) > 0 {
		n := min(len(body), 7000)
		if _, err := w.Write(body[:n]); err != nil {
			t.Fatal(err)
		}
		body = body[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func body(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 2)
	}
	return b
}

func open(key, raw []byte, size, offset, length int64) ([]byte, error) {
	r, err := seal.NewReader(bytes.NewReader(raw), key, size, offset, length)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestEveryPartOfASealedBodyReadsBack(t *testing.T) {
	key := body(seal.KeySize)
	for _, n := range []int{0, 1, seal.FrameSize - 1, seal.FrameSize, seal.FrameSize + 1, 3*seal.FrameSize + 5} {
		plain := body(n)
		raw := sealed(t, key, plain)
		if int64(len(raw)) != seal.Size(int64(n)) {
			t.Errorf("%d bytes take %d, and Size says %d", n, len(raw), seal.Size(int64(n)))
		}
		for _, at := range [][2]int{{0, n}, {n / 2, n - n/2}, {n / 3, n / 3}, {max(n-1, 0), min(n, 1)}} {
			got, err := open(key, raw, int64(n), int64(at[0]), int64(at[1]))
			if err != nil || !bytes.Equal(got, plain[at[0]:at[0]+at[1]]) {
				t.Errorf("%d bytes, %d from %d on: %d bytes, %v", n, at[1], at[0], len(got), err)
			}
		}
	}
}

func TestDamageIsRefused(t *testing.T) {
	key := body(seal.KeySize)
	plain := body(2*seal.FrameSize + 100)
	raw := sealed(t, key, plain)
	frame := seal.FrameSize + 16
	damage := map[string]func(b []byte) ([]byte, int){
		"a bit in the salt":      func(b []byte) ([]byte, int) { b[3] ^= 1; return b, len(plain) },
		"a bit in a frame":       func(b []byte) ([]byte, int) { b[16+frame+9] ^= 1; return b, len(plain) },
		"a bit in the last tag":  func(b []byte) ([]byte, int) { b[len(b)-1] ^= 1; return b, len(plain) },
		"the last frame is gone": func(b []byte) ([]byte, int) { return b[:16+2*frame], 2 * seal.FrameSize },
		"the end is cut off":     func(b []byte) ([]byte, int) { return b[:len(b)-20], len(plain) },
		"two frames changed place": func(b []byte) ([]byte, int) {
			return append(append(append(bytes.Clone(b[:16]), b[16+frame:16+2*frame]...), b[16:16+frame]...), b[16+2*frame:]...), len(plain)
		},
	}
	for name, change := range damage {
		b, size := change(bytes.Clone(raw))
		if _, err := open(key, b, int64(size), 0, int64(size)); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := body(seal.KeySize)
	other[0] ^= 1
	if _, err := open(other, raw, int64(len(plain)), 0, int64(len(plain))); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	key := body(seal.KeySize)
	f.Add(sealed(f, key, body(100)), int64(100), int64(0), int64(100))
	f.Add([]byte{}, int64(0), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, size, offset, length int64) {
		got, err := open(key, raw, size&0xffffff, offset&0xffffff, length&0xffffff)
		if err == nil && int64(len(got)) != length&0xffffff {
			t.Errorf("%d bytes of %d without an error", len(got), length&0xffffff)
		}
	})
}

func TestFramesOfAPartLieWhereTheyAreSaid(t *testing.T) {
	const size = 3*seal.FrameSize + 5
	key := make([]byte, seal.KeySize)
	raw := sealed(t, key, body(size))
	for _, at := range [][2]int64{{0, size}, {0, 1}, {1, seal.FrameSize}, {seal.FrameSize, 1}, {2*seal.FrameSize + 1, seal.FrameSize}, {3 * seal.FrameSize, 5}} {
		src := &touched{r: bytes.NewReader(raw)}
		r, err := seal.NewReader(src, key, size, at[0], at[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if lo, hi := seal.Start(at[0]), seal.End(size, at[0]+at[1]); src.lo != max(lo, 16) || src.hi != hi {
			t.Errorf("bytes %d+%d were read from %d to %d of the sealed body, said were %d to %d", at[0], at[1], src.lo, src.hi, lo, hi)
		}
	}
}

// touched notes which bytes behind the salt were read.
type touched struct {
	r      *bytes.Reader
	lo, hi int64
}

func (r *touched) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.r.ReadAt(p, off)
	if off > 0 {
		if r.hi == 0 {
			r.lo = off
		}
		r.hi = off + int64(n)
	}
	return n, err
}
