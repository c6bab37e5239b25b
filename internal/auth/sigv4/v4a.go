package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
)

// errNoKey tells that no counter gave a private key, which does not happen with any known secret.
var errNoKey = errors.New("derive a SigV4a key: no candidate is in range")

// checkECDSA verifies a V4a signature with the public key that belongs to the secret.
func (v *Verifier) checkECDSA(s *Signature, secret string, toSign []byte) (*Payload, bool) {
	key, err := v.publicKey(s.AccessKeyID, secret)
	if err != nil {
		return nil, false
	}
	return &Payload{ecdsa: key, seed: s.Value}, verifyECDSA(key, toSign, s.Value)
}

func verifyECDSA(key *ecdsa.PublicKey, msg []byte, hexSig string) bool {
	sig, err := hex.DecodeString(hexSig)
	if err != nil || hexSig != strings.ToLower(hexSig) {
		return false
	}
	sum := sha256.Sum256(msg)
	return ecdsa.VerifyASN1(key, sum[:], sig)
}

func (v *Verifier) publicKey(id, secret string) (*ecdsa.PublicKey, error) {
	if k, ok := v.ecdsas.Get(id); ok && k.secret == secret {
		return k.key, nil
	}
	priv, err := deriveECDSA(id, secret)
	if err != nil {
		return nil, err
	}
	v.ecdsas.Put(strings.Clone(id), ecKey{secret, &priv.PublicKey})
	return &priv.PublicKey, nil
}

// deriveECDSA derives the private key of an access key: NIST SP 800-108 in counter mode with
// HMAC-SHA256, tried with a rising byte until the candidate is below the order of P-256.
func deriveECDSA(id, secret string) (*ecdsa.PrivateKey, error) {
	curve := elliptic.P256()
	limit := new(big.Int).Sub(curve.Params().N, big.NewInt(2))
	key := []byte("AWS4A" + secret)
	for counter := byte(1); counter < 255; counter++ {
		msg := binary.BigEndian.AppendUint32(nil, 1)
		msg = append(msg, algV4a...)
		msg = append(msg, 0)
		msg = append(msg, id...)
		msg = append(msg, counter)
		msg = binary.BigEndian.AppendUint32(msg, 256)
		sum := hmac256(key, msg)
		c := new(big.Int).SetBytes(sum[:])
		if c.Cmp(limit) > 0 {
			continue
		}
		d := make([]byte, 32)
		return ecdsa.ParseRawPrivateKey(curve, c.Add(c, big.NewInt(1)).FillBytes(d))
	}
	return nil, errNoKey
}
