package kms

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // RSAES_OAEP_SHA_1 is one of AWS's algorithms.
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"hash"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/services/kms/material"
)

// wrap encrypts key material with RSAES_OAEP_SHA_256, as a user does before an import.
func wrap(t *testing.T, public, secret []byte) []byte {
	t.Helper()
	return oaep(t, sha256.New(), public, secret)
}

func oaep(t *testing.T, h hash.Hash, public, secret []byte) []byte {
	t.Helper()
	k, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	to, ok := k.(*rsa.PublicKey)
	if !ok {
		t.Fatalf("the wrapping key is a %T", k)
	}
	wrapped, err := rsa.EncryptOAEP(h, rand.Reader, to, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// wrapWith encrypts key material with an algorithm for the wrapping key whose private half is given.
func wrapWith(t *testing.T, algorithm, spec string, private, secret []byte) []byte {
	t.Helper()
	w, _ := material.WrappingOf(spec)
	public, err := w.Public(private)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if strings.HasSuffix(algorithm, "SHA_1") {
		h = sha1.New() //nolint:gosec // see the import.
	}
	if !strings.HasPrefix(algorithm, "RSA_AES") {
		return oaep(t, h, public, secret)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return append(oaep(t, h, public, key), wrapPadded(t, key, secret)...)
}

// wrapPadded is AES key wrap with padding (RFC 5649, section 4.1) for secrets longer than 8 bytes.
func wrapPadded(t *testing.T, key, secret []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	n := (len(secret) + 7) / 8
	out := make([]byte, 8+8*n)
	binary.BigEndian.PutUint32(out, 0xa65959a6)
	binary.BigEndian.PutUint32(out[4:], uint32(len(secret)))
	copy(out[8:], secret)
	var buf [16]byte
	for step := 1; step <= 6*n; step++ {
		i := (step-1)%n + 1
		copy(buf[:], out[:8])
		copy(buf[8:], out[8*i:])
		block.Encrypt(buf[:], buf[:])
		binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(buf[:])^uint64(step))
		copy(out[8*i:], buf[8:])
	}
	return out
}
