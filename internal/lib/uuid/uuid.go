// Package uuid makes universally unique identifiers (RFC 9562) in the form of AWS's request ids.
package uuid

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// New returns a random one (version 4). random must be a source of cryptographic randomness.
func New(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("make a uuid: %w", err)
	}
	return format(b, 4), nil
}

// Of returns the one that belongs to parts (version 8): the same for the same parts, and as good as unique.
func Of(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = io.WriteString(h, p+"\x00")
	}
	return format([16]byte(h.Sum(nil)), 8)
}

func format(b [16]byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	out := hex.AppendEncode(text[:0], b[:4])
	for _, part := range [][]byte{b[4:6], b[6:8], b[8:10], b[10:]} {
		out = hex.AppendEncode(append(out, '-'), part)
	}
	return string(out)
}
