package material

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // for RSAES_OAEP_SHA_1
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"filippo.io/mldsa/x509"
)

// SaltSize is the length in bytes of the salt of a sealed text.
const SaltSize = 16

// Seal encrypts plain under a symmetric key and appends it to head, which it authenticates together with context, the encryption context of the API.
// head must end with a salt of [SaltSize] random bytes: each text has a key of its own, derived from the material and the salt with HKDF-SHA-256, so
// that there is no limit to how many texts one key seals (NIST SP 800-38D, section 8.3).
func Seal(b, head, plain []byte, context map[string]string) ([]byte, error) {
	aead, err := aeadFor(b, head)
	if err != nil {
		return nil, err
	}
	return aead.Seal(slices.Clone(head), make([]byte, aead.NonceSize()), plain, Bound(head, context)), nil
}

// Open decrypts what [Seal] appended to head. It returns [ErrCiphertext] unless the key, the head and the context are those of the sealing.
func Open(b, head, sealed []byte, context map[string]string) ([]byte, error) {
	aead, err := aeadFor(b, head)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open([]byte{}, make([]byte, aead.NonceSize()), sealed, Bound(head, context))
	if err != nil {
		return nil, ErrCiphertext
	}
	return plain, nil
}

func aeadFor(b, head []byte) (cipher.AEAD, error) {
	if len(head) < SaltSize {
		return nil, errors.New("seal under a key: the head has no salt")
	}
	key, err := hkdf.Key(sha256.New, b, head[len(head)-SaltSize:], "lambent kms ciphertext", 32)
	if err != nil {
		return nil, fmt.Errorf("seal under a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal under a key: %w", err)
	}
	return cipher.NewGCM(block)
}

// Bound returns what a ciphertext authenticates: head and the pairs of context in the order of their names, each text with its length in front, so that no two
// contexts give the same bytes.
func Bound(head []byte, context map[string]string) []byte {
	out := slices.Clone(head)
	for _, name := range slices.Sorted(maps.Keys(context)) {
		for _, text := range []string{name, context[name]} {
			out = binary.BigEndian.AppendUint32(out, uint32(len(text)))
			out = append(out, text...)
		}
	}
	return out
}

// Room returns how many bytes an asymmetric key encrypts at a time (RFC 8017, section 7.1.1).
func (s Spec) Room(algorithm string) int { return s.rsa/8 - 2*hashOf(algorithm).Size() - 2 }

// Encrypt encrypts plain, which is not longer than [Spec.Room], to an RSA key.
func (s Spec) Encrypt(b []byte, algorithm string, plain []byte) ([]byte, error) {
	k, err := s.rsaKey(b)
	if err != nil {
		return nil, err
	}
	return rsa.EncryptOAEP(hashOf(algorithm).New(), rand.Reader, &k.PublicKey, plain, nil)
}

// Decrypt decrypts what [Spec.Encrypt] made. It returns [ErrCiphertext] for anything else.
func (s Spec) Decrypt(b []byte, algorithm string, sealed []byte) ([]byte, error) {
	k, err := s.rsaKey(b)
	if err != nil {
		return nil, err
	}
	plain, err := rsa.DecryptOAEP(hashOf(algorithm).New(), nil, k, sealed, nil)
	if err != nil {
		return nil, ErrCiphertext
	}
	return plain, nil
}

func (s Spec) rsaKey(b []byte) (*rsa.PrivateKey, error) {
	private, err := s.parse(b)
	if err != nil {
		return nil, err
	}
	k, ok := private.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T does not encrypt", private)
	}
	return k, nil
}

// Agree returns the secret that the key shares with the owner of public (NIST SP 800-56A, section 5.7.1.2). It returns [ErrPublicKey] unless public is
// a key of the same curve.
func (s Spec) Agree(b, public []byte) ([]byte, error) {
	other, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return nil, ErrPublicKey
	}
	theirs, ok := other.(*ecdsa.PublicKey)
	if !ok || theirs.Curve != s.curve {
		return nil, ErrPublicKey
	}
	point, err := theirs.ECDH()
	if err != nil {
		return nil, ErrPublicKey
	}
	ours, err := s.agreementKey(b)
	if err != nil {
		return nil, err
	}
	return ours.ECDH(point)
}

func (s Spec) agreementKey(b []byte) (*ecdh.PrivateKey, error) {
	private, err := s.parse(b)
	if err != nil {
		return nil, err
	}
	k, ok := private.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T does not agree on secrets", private)
	}
	return k.ECDH()
}

// Wrapping is a key pair under which material comes from outside.
type Wrapping struct{ spec Spec }

// WrappingOf returns the wrapping of a WrappingKeySpec such as RSA_2048, and whether there is one.
func WrappingOf(name string) (Wrapping, bool) {
	s, ok := SpecOf(name)
	return Wrapping{s}, ok && s.rsa > 0
}

// Public returns the public key of material of the wrapping's spec.
func (w Wrapping) Public(private []byte) ([]byte, error) { return w.spec.Public(private) }

// Unwrap returns material that was wrapped with an algorithm: RSAES_OAEP_SHA_1 or _256, or RSA_AES_KEY_WRAP_SHA_1 or _256, which is a key for
// [unwrapPadded] under RSAES_OAEP followed by the material under that key (PKCS #11, CKM_RSA_AES_KEY_WRAP). It returns [ErrCiphertext] for anything else.
func (w Wrapping) Unwrap(private []byte, algorithm string, wrapped []byte) ([]byte, error) {
	if hashOf(algorithm) != crypto.SHA1 && hashOf(algorithm) != crypto.SHA256 {
		return nil, fmt.Errorf("unwrap key material: unknown algorithm %q", algorithm)
	}
	if algorithm[:len("RSAES")] == "RSAES" {
		return w.spec.Decrypt(private, algorithm, wrapped)
	}
	size := w.spec.rsa / 8
	if len(wrapped) <= size {
		return nil, ErrCiphertext
	}
	key, err := w.spec.Decrypt(private, algorithm, wrapped[:size])
	if err != nil {
		return nil, err
	}
	return unwrapPadded(key, wrapped[size:])
}
