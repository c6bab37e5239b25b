// Package scratch builds texts whose length is not known before, in buffers that are used again.
package scratch

import "sync"

// sizes of buffers, in bytes: of a new one, and of the largest that is kept.
const (
	newSize  = 4 << 10
	keptSize = 128 << 10
)

var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, newSize)
	return &b
}}

// Borrow lends fill an empty slice. The memory of what it returns is used again, so nobody may keep that.
func Borrow(fill func(b []byte) []byte) {
	p := buffers.Get().(*[]byte)
	*p = fill((*p)[:0])
	if cap(*p) <= keptSize {
		buffers.Put(p)
	}
}

// Build returns what fill appends to an empty slice, in memory of exactly that size. fill must not keep the slice.
func Build(fill func(b []byte) []byte) (out []byte) {
	Borrow(func(b []byte) []byte {
		b = fill(b)
		out = make([]byte, len(b))
		copy(out, b)
		return b
	})
	return out
}
