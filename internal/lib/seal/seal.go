// Package seal encrypts a body in frames, so that any part of it can be read and proven without the rest.
//
// # Format
//
//	salt (16 bytes), then frames of up to [FrameSize] bytes, each followed by a tag of 16 bytes
//
// Every body has a key of its own, derived from the caller's key and the salt with HKDF-SHA-256, and every frame is AES-256-GCM with its
// number as nonce and a mark on the last one. A frame that was changed, moved, left out or cut off is refused as
// [ErrDamaged]; so is a body that another key sealed. An empty body has one empty frame.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// FrameSize is how many bytes of a body one frame holds.
	FrameSize = 64 << 10
	// KeySize is the length of a key in bytes.
	KeySize = 32

	saltSize = 16
	tagSize  = 16
	purpose  = "lambent sealed body 1"
)

// ErrDamaged is returned when the bytes read are not those that were sealed with the key.
var ErrDamaged = errors.New("sealed body is damaged or its key is another one")

// Size returns how many bytes a body of plain bytes takes when it is sealed.
func Size(plain int64) int64 { return saltSize + plain + frames(plain)*tagSize }

// Start returns where the frame with the byte at offset of a body begins in its sealed form; the salt belongs to the first one.
func Start(offset int64) int64 {
	if offset < FrameSize {
		return 0
	}
	return saltSize + offset/FrameSize*(FrameSize+tagSize)
}

// End returns where the frame with the byte before end ends in the sealed form of a body of plain bytes.
func End(plain, end int64) int64 {
	whole := (end + FrameSize - 1) / FrameSize * (FrameSize + tagSize)
	return min(saltSize+whole, Size(plain))
}

// frames returns how many frames a body of plain bytes has.
func frames(plain int64) int64 { return max((plain+FrameSize-1)/FrameSize, 1) }

func newAEAD(key, salt []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("seal: a key of %d bytes", len(key))
	}
	derived, err := hkdf.Key(sha256.New, key, salt, purpose, KeySize)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return cipher.NewGCM(block)
}

func nonce(frame int64, last bool) []byte {
	n := make([]byte, 12)
	binary.BigEndian.PutUint64(n, uint64(frame))
	if last {
		n[11] = 1
	}
	return n
}

// Writer seals what is written to it.
type Writer struct {
	w     io.Writer
	aead  cipher.AEAD
	buf   []byte
	out   []byte
	frame int64
}

// NewWriter writes the salt to w and returns a writer that seals under key. The body is whole only after Close.
func NewWriter(w io.Writer, key []byte, random io.Reader) (*Writer, error) {
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := newAEAD(key, salt)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(salt); err != nil {
		return nil, err
	}
	return &Writer{w: w, aead: aead, buf: make([]byte, 0, FrameSize)}, nil
}

// Write seals each frame when more follows it.
func (w *Writer) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(w.buf) == FrameSize {
			if err := w.flush(false); err != nil {
				return n, err
			}
		}
		room := min(FrameSize-len(w.buf), len(p)-n)
		w.buf = append(w.buf, p[n:n+room]...)
		n += room
	}
	return n, nil
}

// Close seals the last frame. It does not close the writer below.
func (w *Writer) Close() error { return w.flush(true) }

func (w *Writer) flush(last bool) error {
	w.out = w.aead.Seal(w.out[:0], nonce(w.frame, last), w.buf, nil)
	w.frame++
	w.buf = w.buf[:0]
	_, err := w.w.Write(w.out)
	return err
}

// Reader opens a part of a sealed body. It is not safe for concurrent use.
type Reader struct {
	src   io.ReaderAt
	aead  cipher.AEAD
	size  int64 // of the body
	next  int64 // frame to read
	skip  int64 // bytes of the next frame before the part
	left  int64 // bytes of the part that were not read
	raw   []byte
	plain []byte // opened and not read
}

// NewReader returns a reader of length bytes from offset on, of a body of size bytes that is sealed in src under key.
func NewReader(src io.ReaderAt, key []byte, size, offset, length int64) (*Reader, error) {
	if offset < 0 || length < 0 || offset+length > size {
		return nil, fmt.Errorf("seal: bytes %d to %d of a body of %d", offset, offset+length, size)
	}
	salt := make([]byte, saltSize)
	if n, err := src.ReadAt(salt, 0); n < saltSize {
		return nil, short(err)
	}
	aead, err := newAEAD(key, salt)
	if err != nil {
		return nil, err
	}
	return &Reader{
		src: src, aead: aead, size: size, next: offset / FrameSize, skip: offset % FrameSize, left: length, raw: make([]byte, FrameSize+tagSize),
	}, nil
}

// short tells an early end of the source from its other errors.
func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return ErrDamaged
	}
	return err
}

// Read returns bytes of frames that are proven.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if len(r.plain) == 0 {
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.plain[:min(int64(len(r.plain)), r.left)])
	r.plain = r.plain[n:]
	r.left -= int64(n)
	return n, nil
}

func (r *Reader) open() error {
	all := frames(r.size)
	last := r.next == all-1
	length := int64(FrameSize)
	if last {
		length = r.size - r.next*FrameSize
	}
	raw := r.raw[:length+tagSize]
	if n, err := r.src.ReadAt(raw, saltSize+r.next*(FrameSize+tagSize)); n < len(raw) {
		return short(err)
	}
	plain, err := r.aead.Open(raw[:0], nonce(r.next, last), raw, nil)
	if err != nil {
		return ErrDamaged
	}
	r.plain = plain[r.skip:]
	r.skip = 0
	r.next++
	return nil
}
