package kinesis

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/bits"
)

// hashKey is a place in the range of hash keys: an unsigned number of 128 bits.
type hashKey struct{ hi, lo uint64 }

// maxHash is the greatest hash key.
var maxHash = hashKey{^uint64(0), ^uint64(0)}

// hashOf returns the hash key of a partition key: its MD5
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html).
func hashOf(partition string) hashKey {
	sum := md5.Sum([]byte(partition))
	return hashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])}
}

// parseHash reads the decimal form of a hash key.
func parseHash(text string) (h hashKey, ok bool) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return h, false
	}
	var b [16]byte
	n.FillBytes(b[:])
	return hashKey{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}, true
}

func (h hashKey) bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], h.hi)
	binary.BigEndian.PutUint64(b[8:], h.lo)
	return b
}

// String returns the decimal form.
func (h hashKey) String() string {
	b := h.bytes()
	return new(big.Int).SetBytes(b[:]).String()
}

// MarshalText gives the form in which records of shards hold hash keys: 32 hexadecimal digits.
func (h hashKey) MarshalText() ([]byte, error) {
	b := h.bytes()
	return hex.AppendEncode(nil, b[:]), nil
}

// UnmarshalText reads it.
func (h *hashKey) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	if err != nil || len(b) != 16 {
		return fmt.Errorf("%q is not a hash key", text)
	}
	*h = hashKey{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	return nil
}

func (h hashKey) compare(o hashKey) int {
	if c := cmp.Compare(h.hi, o.hi); c != 0 {
		return c
	}
	return cmp.Compare(h.lo, o.lo)
}

// minus returns h - o modulo 2^128.
func (h hashKey) minus(o hashKey) hashKey {
	lo, borrow := bits.Sub64(h.lo, o.lo, 0)
	hi, _ := bits.Sub64(h.hi, o.hi, borrow)
	return hashKey{hi, lo}
}

func (h hashKey) plus(o hashKey) hashKey {
	lo, carry := bits.Add64(h.lo, o.lo, 0)
	hi, _ := bits.Add64(h.hi, o.hi, carry)
	return hashKey{hi, lo}
}

// next and previous are the neighbours.
func (h hashKey) half() hashKey     { return hashKey{hi: h.hi >> 1, lo: h.lo>>1 | h.hi<<63} }
func (h hashKey) next() hashKey     { return h.plus(hashKey{lo: 1}) }
func (h hashKey) previous() hashKey { return h.minus(hashKey{lo: 1}) }

// evenStarts returns where n shards of the same size begin: at multiples of 2^128 / n rounded down
// (https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-resharding.html).
func evenStarts(n int) []hashKey {
	whole := new(big.Int).Lsh(big.NewInt(1), 128)
	width := whole.Div(whole, big.NewInt(int64(n)))
	out := make([]hashKey, n)
	for i := range out[1:] {
		start, _ := parseHash(new(big.Int).Mul(width, big.NewInt(int64(i+1))).String())
		out[i+1] = start
	}
	return out
}
