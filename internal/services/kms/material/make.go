package material

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"

	"filippo.io/mldsa"
	"filippo.io/mldsa/x509"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// New returns new material for a key. random is used for secrets; private keys come from the system's randomness.
func New(s Spec, random io.Reader) ([]byte, error) {
	if s.secret > 0 {
		return NewSecret(s.secret, random)
	}
	private, err := s.private()
	if err != nil {
		return nil, fmt.Errorf("make key material: %w", err)
	}
	return marshal(private)
}

// NewSecret returns n bytes of random.
func NewSecret(n int, random io.Reader) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("make a secret: %w", err)
	}
	return b, nil
}

func (s Spec) private() (crypto.PrivateKey, error) {
	switch {
	case s.rsa > 0:
		return rsa.GenerateKey(rand.Reader, s.rsa)
	case s.curve != nil:
		return ecdsa.GenerateKey(s.curve, rand.Reader)
	case s.koblitz:
		return secp256k1.GeneratePrivateKey()
	case s.edwards:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case s.mldsa != nil:
		return mldsa.GenerateKey(*s.mldsa)
	}
	return nil, fmt.Errorf("spec %q has no private key", s.Name)
}

func marshal(private crypto.PrivateKey) ([]byte, error) {
	if k, ok := private.(*secp256k1.PrivateKey); ok {
		return marshalKoblitz(k)
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

// Check returns [ErrMaterial] unless b, which comes from a caller, is material for keys of the spec.
func (s Spec) Check(b []byte) error {
	if s.secret > 0 {
		if len(b) != s.secret {
			return ErrMaterial
		}
		return nil
	}
	_, err := s.parse(b)
	return err
}

// parse returns the private key of a spec.
func (s Spec) parse(b []byte) (crypto.PrivateKey, error) {
	if s.koblitz {
		return parseKoblitz(b)
	}
	private, err := x509.ParsePKCS8PrivateKey(b)
	if err != nil {
		return nil, ErrMaterial
	}
	fits := false
	switch k := private.(type) {
	case *rsa.PrivateKey:
		fits = s.rsa > 0 && k.N.BitLen() == s.rsa
	case *ecdsa.PrivateKey:
		fits = s.curve != nil && k.Curve == s.curve
	case ed25519.PrivateKey:
		fits = s.edwards
	case *mldsa.PrivateKey:
		fits = s.mldsa != nil && k.PublicKey().Parameters() == *s.mldsa
	}
	if !fits {
		return nil, ErrMaterial
	}
	return private, nil
}

// Public returns the public key of an asymmetric key.
func (s Spec) Public(b []byte) ([]byte, error) {
	private, err := s.parse(b)
	if err != nil {
		return nil, err
	}
	if k, ok := private.(*secp256k1.PrivateKey); ok {
		return marshalKoblitzPublic(k.PubKey())
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T has no public key", private)
	}
	return x509.MarshalPKIXPublicKey(signer.Public())
}
