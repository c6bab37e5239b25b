package kinesis

import (
	"encoding/binary"
	"math/big"
	"time"

	"lambent.dev/lambent/internal/store"
)

// A sequence number is a number of 186 bits, in the layout that the Kinesis Client Library checks (its SequenceNumberValidator), so that all numbers have 56
// decimal digits:
//
//	2 bits    the version of the layout, 2
//	36 bits   the second in which the stream was made
//	64 bits   the commit's version
//	16 bits   the ordinal of the row in its commit
//	32 bits   zero
//	32 bits   the number of the shard
//	4 bits    2
//
// All but the stamp (commit and ordinal) is the same within a shard, and the second is the same within a stream: numbers are in the order of the stamps.
const sequenceSize = 24 // bytes that hold it, with zeros in front

// stamp is the place of a row in commit order.
type stamp = store.Stamp

// stampOf returns the stamp at the end of a row's key.
func stampOf(k []byte) (s stamp) {
	if len(k) >= len(s) {
		copy(s[:], k[len(k)-len(s):])
	}
	return s
}

// after returns the least stamp that is greater.
func after(s stamp) stamp {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i]++; s[i] != 0 {
			break
		}
	}
	return s
}

func sequenceHead(created time.Time) uint64 { return 2<<36 | uint64(created.Unix())&(1<<36-1) }

// sequence returns the sequence number of a row in a shard of a stream that was made at created.
func sequence(created time.Time, shard uint64, s stamp) string {
	// Nibbles, from the right: 1 for the 2, 8 for the shard, 8 of zeros, 4 and 16 for the stamp, and the head.
	n := new(big.Int).SetUint64(sequenceHead(created))
	n.Lsh(n, 80)
	n.Or(n, new(big.Int).SetBytes(s[:]))
	n.Lsh(n, 32+32)
	n.Or(n, new(big.Int).SetUint64(shard&(1<<32-1)))
	n.Lsh(n, 4)
	return n.Or(n, big.NewInt(2)).String()
}

// parseSequence is the inverse of sequence. ok is false for a number that no row of the stream can have.
func parseSequence(text string, created time.Time) (shard uint64, s stamp, ok bool) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Sign() <= 0 || n.BitLen() != 186 {
		return 0, s, false
	}
	var b [sequenceSize]byte
	n.FillBytes(b[:])
	// The number is a nibble off the bytes.
	if b[sequenceSize-1]&0xf != 2 {
		return 0, s, false
	}
	n.Rsh(n, 4).FillBytes(b[:])
	shard = uint64(binary.BigEndian.Uint32(b[20:]))
	zero := binary.BigEndian.Uint32(b[16:])
	copy(s[:], b[6:16])
	head := n.Rsh(n, 32+32+80)
	return shard, s, zero == 0 && head.Uint64() == sequenceHead(created)
}
