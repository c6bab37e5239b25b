package material

import (
	"crypto"
	"crypto/ecdh"
	"crypto/elliptic"
	"errors"
	"slices"

	"filippo.io/mldsa"
)

// The errors about what a caller sent.
var (
	// ErrMaterial is that bytes are no material for a spec.
	ErrMaterial = errors.New("not the material of such a key")
	// ErrDigest is that a digest has not the length of its algorithm.
	ErrDigest = errors.New("digest of a wrong length")
	// ErrPublicKey is that bytes are no public key of a spec.
	ErrPublicKey = errors.New("not a public key of such a key")
	// ErrCiphertext is that a ciphertext was not made by the key, or was changed.
	ErrCiphertext = errors.New("not a ciphertext of this key")
	// ErrSignature is that a signature or a MAC does not belong to the message.
	ErrSignature = errors.New("not a signature of this message")
)

// The names of usages and of the symmetric spec, as the API writes them.
const (
	UsageEncrypt = "ENCRYPT_DECRYPT"
	UsageSign    = "SIGN_VERIFY"
	UsageMAC     = "GENERATE_VERIFY_MAC"
	UsageAgree   = "KEY_AGREEMENT"

	Symmetric = "SYMMETRIC_DEFAULT"
)

// Spec is a kind of key, see https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html.
type Spec struct {
	// Name is the KeySpec of the API.
	Name string
	// Encryption, Signing, MAC and Agreement are the algorithms that a key of each usage has; a spec has the usages that have some.
	Encryption, Signing, MAC, Agreement []string
	// DataKeyPair tells that data key pairs can be of this spec.
	DataKeyPair bool

	secret int // bytes of a key that is a plain secret
	rsa    int // bits
	curve  elliptic.Curve
	ecdh   ecdh.Curve
	koblitz,
	edwards bool
	mldsa *mldsa.Parameters
}

// Specs returns all specs.
func Specs() []Spec {
	oaep := []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}
	rsaSigning := []string{
		"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
		"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
	}
	agreement := []string{"ECDH"}
	lattice := []string{"ML_DSA_SHAKE_256"}
	m44, m65, m87 := mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()
	return []Spec{
		{Name: Symmetric, Encryption: []string{Symmetric}, secret: 32},
		{Name: "RSA_2048", Encryption: oaep, Signing: rsaSigning, DataKeyPair: true, rsa: 2048},
		{Name: "RSA_3072", Encryption: oaep, Signing: rsaSigning, DataKeyPair: true, rsa: 3072},
		{Name: "RSA_4096", Encryption: oaep, Signing: rsaSigning, DataKeyPair: true, rsa: 4096},
		{Name: "ECC_NIST_P256", Signing: []string{"ECDSA_SHA_256"}, Agreement: agreement, DataKeyPair: true, curve: elliptic.P256(), ecdh: ecdh.P256()},
		{Name: "ECC_NIST_P384", Signing: []string{"ECDSA_SHA_384"}, Agreement: agreement, DataKeyPair: true, curve: elliptic.P384(), ecdh: ecdh.P384()},
		{Name: "ECC_NIST_P521", Signing: []string{"ECDSA_SHA_512"}, Agreement: agreement, DataKeyPair: true, curve: elliptic.P521(), ecdh: ecdh.P521()},
		{Name: "ECC_SECG_P256K1", Signing: []string{"ECDSA_SHA_256"}, DataKeyPair: true, koblitz: true},
		{Name: "ECC_NIST_EDWARDS25519", Signing: []string{"ED25519_SHA_512", "ED25519_PH_SHA_512"}, DataKeyPair: true, edwards: true},
		{Name: "HMAC_224", MAC: []string{"HMAC_SHA_224"}, secret: 28},
		{Name: "HMAC_256", MAC: []string{"HMAC_SHA_256"}, secret: 32},
		{Name: "HMAC_384", MAC: []string{"HMAC_SHA_384"}, secret: 48},
		{Name: "HMAC_512", MAC: []string{"HMAC_SHA_512"}, secret: 64},
		{Name: "ML_DSA_44", Signing: lattice, mldsa: &m44},
		{Name: "ML_DSA_65", Signing: lattice, mldsa: &m65},
		{Name: "ML_DSA_87", Signing: lattice, mldsa: &m87},
	}
}

// SpecOf returns the spec of a name, and whether there is one.
func SpecOf(name string) (Spec, bool) {
	all := Specs()
	i := slices.IndexFunc(all, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return Spec{}, false
	}
	return all[i], true
}

// Algorithms returns those of a usage; none when the spec does not have the usage.
func (s Spec) Algorithms(usage string) []string {
	switch usage {
	case UsageEncrypt:
		return s.Encryption
	case UsageSign:
		return s.Signing
	case UsageMAC:
		return s.MAC
	case UsageAgree:
		return s.Agreement
	}
	return nil
}

// IsAsymmetric tells whether keys of the spec have a public key.
func (s Spec) IsAsymmetric() bool { return s.secret == 0 }

// IsSlow tells that making a key takes long enough to be limited: a tenth of a second and more.
func (s Spec) IsSlow() bool { return s.rsa > 0 }

// hashes are the hash functions at the end of the names of algorithms.
func hashOf(algorithm string) crypto.Hash {
	for suffix, h := range map[string]crypto.Hash{"SHA_1": crypto.SHA1, "SHA_224": crypto.SHA224, "SHA_256": crypto.SHA256, "SHA_384": crypto.SHA384, "SHA_512": crypto.SHA512} {
		if len(algorithm) > len(suffix) && algorithm[len(algorithm)-len(suffix)-1:] == "_"+suffix {
			return h
		}
	}
	return 0
}
