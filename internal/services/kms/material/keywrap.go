package material

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
)

// The initial value of AES key wrap with padding, and the lengths in bytes of its blocks (RFC 5649, section 3).
const (
	wrapMark   = 0xa65959a6
	wrapBlock  = 8
	wrapRounds = 6
)

// unwrapPadded opens AES key wrap with padding (RFC 5649, section 4.2). It returns [ErrCiphertext] unless wrapped was made under key.
func unwrapPadded(key, wrapped []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil || len(wrapped)%wrapBlock != 0 || len(wrapped) < 2*wrapBlock {
		return nil, ErrCiphertext
	}
	n := len(wrapped)/wrapBlock - 1
	var buf [2 * wrapBlock]byte
	out := append([]byte(nil), wrapped...)
	if n == 1 {
		block.Decrypt(out, out)
	} else {
		// The index of RFC 3394, section 2.2.2: register A is the first block of out, R[i] the block i.
		for t := wrapRounds * n; t >= 1; t-- {
			i := (t-1)%n + 1
			copy(buf[:], out[:wrapBlock])
			binary.BigEndian.PutUint64(buf[:], binary.BigEndian.Uint64(buf[:])^uint64(t))
			copy(buf[wrapBlock:], out[i*wrapBlock:])
			block.Decrypt(buf[:], buf[:])
			copy(out, buf[:wrapBlock])
			copy(out[i*wrapBlock:], buf[wrapBlock:])
		}
	}
	size := int(binary.BigEndian.Uint32(out[4:]))
	if binary.BigEndian.Uint32(out) != wrapMark || size > n*wrapBlock || size <= (n-1)*wrapBlock {
		return nil, ErrCiphertext
	}
	padding := out[wrapBlock+size:]
	if subtle.ConstantTimeCompare(padding, make([]byte, len(padding))) != 1 {
		return nil, ErrCiphertext
	}
	return out[wrapBlock : wrapBlock+size], nil
}
