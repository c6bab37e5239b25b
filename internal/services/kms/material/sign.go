package material

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"hash"
	"strings"

	"filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	koblitz "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// Form says what a caller gives of a message.
type Form string

// The forms of messages, as the API writes them.
const (
	// Raw is the message.
	Raw Form = "RAW"
	// Digest is the hash of it.
	Digest Form = "DIGEST"
	// ExternalMu is the representative μ of FIPS 204, for ML-DSA.
	ExternalMu Form = "EXTERNAL_MU"
)

const (
	ed25519Hashed = "ED25519_PH_SHA_512"
	muSize        = 64
)

// toBeSigned returns the hash function and the digest that an algorithm signs; a hash of 0 is one that signs the message itself.
func toBeSigned(algorithm string, form Form, message []byte) (crypto.Hash, []byte, error) {
	h := hashOf(algorithm)
	switch {
	case algorithm == "ED25519_SHA_512":
		h = 0
	case strings.HasPrefix(algorithm, "ML_DSA"):
		h = 0
		if form == ExternalMu {
			if len(message) != muSize {
				return 0, nil, ErrDigest
			}
			h = mldsacrypto.MLDSAMu
		}
	}
	switch {
	case form == Raw && h != 0:
		return h, sum(h.New(), message), nil
	case form == Digest && h == 0, form == Digest && len(message) != h.Size():
		return 0, nil, ErrDigest
	}
	return h, message, nil
}

func sum(h hash.Hash, message []byte) []byte {
	_, _ = h.Write(message) // a hash never fails
	return h.Sum(nil)
}

// options returns what crypto's signers need to know.
func options(algorithm string, h crypto.Hash) crypto.SignerOpts {
	switch {
	case strings.HasPrefix(algorithm, "RSASSA_PSS"):
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
	case algorithm == ed25519Hashed:
		return &ed25519.Options{Hash: h}
	}
	return h
}

// Sign signs a message.
func (s Spec) Sign(b []byte, algorithm string, form Form, message []byte) ([]byte, error) {
	h, digest, err := toBeSigned(algorithm, form, message)
	if err != nil {
		return nil, err
	}
	private, err := s.parse(b)
	if err != nil {
		return nil, err
	}
	if k, ok := private.(*secp256k1.PrivateKey); ok {
		return koblitz.Sign(k, digest).Serialize(), nil
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T does not sign", private)
	}
	return signer.Sign(rand.Reader, digest, options(algorithm, h))
}

// Verify returns [ErrSignature] unless the key signed the message.
func (s Spec) Verify(b []byte, algorithm string, form Form, message, signature []byte) error {
	h, digest, err := toBeSigned(algorithm, form, message)
	if err != nil {
		return err
	}
	private, err := s.parse(b)
	if err != nil {
		return err
	}
	valid := false
	switch k := private.(type) {
	case *rsa.PrivateKey:
		if o, ok := options(algorithm, h).(*rsa.PSSOptions); ok {
			valid = rsa.VerifyPSS(&k.PublicKey, h, digest, signature, o) == nil
		} else {
			valid = rsa.VerifyPKCS1v15(&k.PublicKey, h, digest, signature) == nil
		}
	case *ecdsa.PrivateKey:
		valid = ecdsa.VerifyASN1(&k.PublicKey, digest, signature)
	case *secp256k1.PrivateKey:
		parsed, err := koblitz.ParseDERSignature(signature)
		valid = err == nil && parsed.Verify(digest, k.PubKey())
	case ed25519.PrivateKey:
		public, _ := k.Public().(ed25519.PublicKey)
		valid = ed25519.VerifyWithOptions(public, digest, signature, &ed25519.Options{Hash: h}) == nil
	case *mldsa.PrivateKey:
		// The library has no verification of a representative alone; callers refuse it before.
		valid = h == 0 && mldsa.Verify(k.PublicKey(), digest, signature, nil) == nil
	}
	if !valid {
		return ErrSignature
	}
	return nil
}

// MAC returns the code of a message under the secret b.
func MAC(b []byte, algorithm string, message []byte) []byte {
	return sum(hmac.New(hashOf(algorithm).New, b), message)
}

// VerifyMAC returns [ErrSignature] unless mac is the code of the message.
func VerifyMAC(b []byte, algorithm string, message, mac []byte) error {
	if !hmac.Equal(MAC(b, algorithm, message), mac) {
		return ErrSignature
	}
	return nil
}
