package iam

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
)

func malformedCertificate(format string, args ...any) *service.Error {
	return fail("MalformedCertificate", 400, format, args...)
}

// checkPair holds a certificate, its chain and its private key, all in PEM, against each other and the time, and returns when the certificate ends.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
func checkPair(body, chain, private string, now time.Time) (ends time.Time, err error) {
	leaves, err := certificatesIn(body)
	if err != nil || len(leaves) != 1 {
		return ends, malformedCertificate("Unable to parse certificate. Please ensure the certificate is in PEM format, and that CertificateBody has one; the others belong into CertificateChain.")
	}
	leaf := leaves[0]
	switch {
	case now.After(leaf.NotAfter):
		return ends, malformedCertificate("Certificate is no longer valid. The 'Not After' date restriction on the certificate has passed.")
	case now.Before(leaf.NotBefore):
		return ends, malformedCertificate("Certificate is not yet valid. The 'Not Before' date restriction on the certificate is in the future.")
	}
	if err := checkChain(leaf, chain); err != nil {
		return ends, err
	}
	key, err := privateKey(private)
	if err != nil {
		return ends, err
	}
	public, ok := key.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	if !ok || !public.Equal(leaf.PublicKey) {
		return ends, fail("KeyPairMismatch", 400, "The private key does not belong to the public key of the certificate.")
	}
	return leaf.NotAfter.UTC(), nil
}

// checkChain refuses a chain of which one certificate is not signed by the next.
func checkChain(leaf *x509.Certificate, chain string) error {
	if chain == "" {
		return nil
	}
	signers, err := certificatesIn(chain)
	if err != nil || len(signers) == 0 {
		return malformedCertificate("Unable to parse certificate chain. Please ensure that it is in PEM format and has nothing but certificates.")
	}
	for i, signer := range signers {
		if err := leaf.CheckSignatureFrom(signer); err != nil {
			e := malformedCertificate("Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, followed by any intermediaries in order. "+
				"The index within the chain of the invalid certificate is: %d", i-1)
			e.Err = err
			return e
		}
		leaf = signer
	}
	return nil
}

// certificatesIn returns the certificates of a PEM text that has nothing else.
func certificatesIn(text string) (out []*x509.Certificate, err error) {
	rest := []byte(strings.TrimSpace(text))
	for len(rest) > 0 {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil || b.Type != "CERTIFICATE" {
			return nil, x509.ErrUnsupportedAlgorithm
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err //nolint:wrapcheck // The callers answer that the text is malformed.
		}
		out = append(out, c)
	}
	return out, nil
}

// privateKey reads an unencrypted private key in PEM: PKCS #8, or the older forms of RSA and elliptic curves, of which the latter may begin with their parameters.
func privateKey(text string) (crypto.Signer, error) {
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return nil, malformedCertificate("Unable to parse private key. Please ensure that it is in PEM format and not encrypted.")
		}
		var key any
		var err error
		switch b.Type {
		case "EC PARAMETERS":
			continue
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(b.Bytes)
		default:
			key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
		}
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			e := malformedCertificate("Unable to parse private key of the form %q. Please ensure that it is an RSA or elliptic curve key in PEM format and not encrypted.", b.Type)
			e.Err = err
			return nil, e
		}
		return signer, nil
	}
}
