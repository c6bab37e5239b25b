package sns

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of the signature is defined with it
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	keyBits = 2048
	// certificateLife is how long the certificate of the signing key is valid.
	certificateLife = 10 * 365 * 24 * time.Hour
)

// signer signs messages.
type signer struct {
	key  *rsa.PrivateKey
	pem  []byte
	file string // the name of the certificate in its URL
}

// keyRecord is the record of the signing key, in DER.
type keyRecord struct{ Key, Certificate []byte }

// signer returns the platform's signer. Its key is made with the first message that is signed.
func (s *Service) signer(ctx context.Context) (*signer, error) {
	s.signers.mu.Lock()
	defer s.signers.mu.Unlock()
	if s.signers.one != nil {
		return s.signers.one, nil
	}
	var r keyRecord
	var ok bool
	err := s.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		r, ok, err = record.Get[keyRecord](rd, signingKey())
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	if !ok {
		if r, err = s.newKey(); err != nil {
			return nil, fmt.Errorf("make the signing key: %w", err)
		}
		err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
			old, ok, err := record.Get[keyRecord](tx, signingKey())
			if err != nil {
				return err
			}
			if ok {
				r = old
				return nil
			}
			return record.Set(tx, signingKey(), r)
		})
		if err != nil {
			return nil, storeError(err)
		}
	}
	parsed, err := x509.ParsePKCS8PrivateKey(r.Key)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read the signing key: it is a %T", parsed)
	}
	sum := sha256.Sum256(r.Certificate)
	s.signers.one = &signer{
		key: private, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}),
		file: "SimpleNotificationService-" + hex.EncodeToString(sum[:16]) + ".pem",
	}
	return s.signers.one, nil
}

func (s *Service) newKey() (keyRecord, error) {
	private, err := rsa.GenerateKey(s.deps.Random, keyBits)
	if err != nil {
		return keyRecord{}, err
	}
	now := s.deps.Clock.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "sns.amazonaws.com", Organization: []string{"Lambent"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), KeyUsage: x509.KeyUsageDigitalSignature, DNSNames: []string{"sns.amazonaws.com"},
	}
	certificate, err := x509.CreateCertificate(s.deps.Random, template, template, &private.PublicKey, private)
	if err != nil {
		return keyRecord{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	return keyRecord{der, certificate}, err
}

// sign signs the lines that stand for a message, as of version "1" or "2".
func (g *signer) sign(version, text string) (string, error) {
	var sum []byte
	hash := crypto.SHA1
	if version == "2" {
		h := sha256.Sum256([]byte(text))
		sum, hash = h[:], crypto.SHA256
	} else {
		h := sha1.Sum([]byte(text)) //nolint:gosec // see above
		sum = h[:]
	}
	b, err := rsa.SignPKCS1v15(nil, g.key, hash, sum)
	return base64.StdEncoding.EncodeToString(b), err
}

// certificatePath is where the platform serves its certificates.
const certificatePath = "/_aws/sns/"

// serveCertificate gives the certificate of the signing key to whoever asks.
func (s *Service) serveCertificate(w http.ResponseWriter, r *http.Request) {
	g, err := s.signer(r.Context())
	if err != nil {
		http.Error(w, "The signing key cannot be read now. Try again.", http.StatusServiceUnavailable)
		return
	}
	if strings.TrimPrefix(front.RoutePath(r), "/") != g.file {
		http.Error(w, "There is no certificate of this name. Messages carry the URL of theirs in SigningCertURL.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(g.pem) // who went away needs no certificate
}
