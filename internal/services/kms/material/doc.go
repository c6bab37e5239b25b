// Package material is the cryptography of keys: what their material is made of, and what each kind does with it.
//
// Material of symmetric and HMAC keys is the secret itself. That of all others is a private key in PKCS #8 (RFC 5208), as AWS takes it in an
// import; public keys are SubjectPublicKeyInfo (RFC 5280). ML-DSA and the curve secp256k1 are written as RFC 9881 and RFC 5480 have them.
//
// The package keeps nothing and knows no service. Its errors about what a caller sent are [ErrMaterial], [ErrDigest], [ErrPublicKey],
// [ErrCiphertext] and [ErrSignature]; an algorithm that a spec does not have is a mistake of the calling code.
package material
