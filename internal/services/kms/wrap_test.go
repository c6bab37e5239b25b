package kms

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"
)

// wrap encrypts key material as a user does before an import.
func wrap(t *testing.T, public, secret []byte) []byte {
	t.Helper()
	k, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	to, ok := k.(*rsa.PublicKey)
	if !ok {
		t.Fatalf("the wrapping key is a %T", k)
	}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, to, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}
