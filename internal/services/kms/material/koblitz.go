package material

import (
	"encoding/asn1"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// The structures below are those of RFC 5208 (PKCS #8), RFC 5915 (EC private keys) and RFC 5280 (SubjectPublicKeyInfo), which crypto/x509 does not
// write for curves that it does not know.

type algorithmID struct{ Algorithm, Curve asn1.ObjectIdentifier }

type pkcs8 struct {
	Version   int
	Algorithm algorithmID
	Key       []byte
}

type ecPrivateKey struct {
	Version int
	Key     []byte
	Curve   asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	Public  asn1.BitString        `asn1:"optional,explicit,tag:1"`
}

type publicKeyInfo struct {
	Algorithm algorithmID
	Key       asn1.BitString
}

// koblitzID names the curve secp256k1 (SEC 2, section 2.4.1).
func koblitzID() algorithmID {
	return algorithmID{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.ObjectIdentifier{1, 3, 132, 0, 10}}
}

func (a algorithmID) is(b algorithmID) bool {
	return a.Algorithm.Equal(b.Algorithm) && a.Curve.Equal(b.Curve)
}

func pointOf(k *secp256k1.PublicKey) asn1.BitString {
	b := k.SerializeUncompressed()
	return asn1.BitString{Bytes: b, BitLength: 8 * len(b)}
}

func marshalKoblitz(k *secp256k1.PrivateKey) ([]byte, error) {
	inner, err := asn1.Marshal(ecPrivateKey{Version: 1, Key: k.Serialize(), Public: pointOf(k.PubKey())})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(pkcs8{Algorithm: koblitzID(), Key: inner})
}

func parseKoblitz(b []byte) (*secp256k1.PrivateKey, error) {
	var outer pkcs8
	if rest, err := asn1.Unmarshal(b, &outer); err != nil || len(rest) > 0 || !outer.Algorithm.is(koblitzID()) {
		return nil, ErrMaterial
	}
	var inner ecPrivateKey
	if rest, err := asn1.Unmarshal(outer.Key, &inner); err != nil || len(rest) > 0 || len(inner.Key) != secp256k1.PrivKeyBytesLen {
		return nil, ErrMaterial
	}
	var scalar secp256k1.ModNScalar
	if overflow := scalar.SetByteSlice(inner.Key); overflow || scalar.IsZero() {
		return nil, ErrMaterial
	}
	return secp256k1.NewPrivateKey(&scalar), nil
}

func marshalKoblitzPublic(k *secp256k1.PublicKey) ([]byte, error) {
	return asn1.Marshal(publicKeyInfo{koblitzID(), pointOf(k)})
}
