package domain

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/front"
)

// Quotas of a trust store (https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html), in bytes and certificates.
const (
	maxTrustStore  = 1 << 20
	maxCertificate = 1000
)

// readTrustStore reads the certificates of authorities from the object that m names, with the permissions of the caller.
func (d *Domains) readTrustStore(ctx context.Context, m *MutualTLS) error {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(m.URI, "s3://"), "/")
	if !strings.HasPrefix(m.URI, "s3://") || !ok || bucket == "" || key == "" {
		return badRequest("Invalid truststoreUri %q: give s3://bucket/key.", m.URI)
	}
	body, _, err := d.options.Objects.OpenObject(ctx, bucket, key, m.Version)
	if err != nil {
		return badRequest("The trust store %s cannot be read: %v", m.URI, err)
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(io.LimitReader(body, maxTrustStore+1))
	if err != nil {
		return err
	}
	if len(text) > maxTrustStore {
		return badRequest("The trust store %s has more than %d bytes.", m.URI, maxTrustStore)
	}
	var kept bytes.Buffer
	certificates := 0
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		switch {
		case block.Type != "CERTIFICATE" || err != nil:
			m.Warnings = append(m.Warnings, fmt.Sprintf("a PEM block %q is no certificate that can be read", block.Type))
			continue
		case d.deps.Clock.Now().After(c.NotAfter):
			m.Warnings = append(m.Warnings, fmt.Sprintf("the certificate of %s has expired", c.Subject))
		}
		if err := pem.Encode(&kept, block); err != nil {
			return err
		}
		certificates++
	}
	if certificates == 0 || certificates > maxCertificate {
		return badRequest("The trust store %s has %d certificates; 1 to %d are needed.", m.URI, certificates, maxCertificate)
	}
	m.PEM = kept.Bytes()
	return nil
}

// clientPool are the authorities whose certificates clients of a name have to show.
type clientPool struct{ pool *x509.CertPool }

func newClientPool(text []byte) *clientPool {
	p := &clientPool{x509.NewCertPool()}
	p.pool.AppendCertsFromPEM(text)
	return p
}

// proven reports whether a request came with a certificate of one of the authorities: the connection asked for one by the name of its own handshake, which
// need not be the one that the request names.
func (p *clientPool) proven(r *http.Request, now time.Time) bool {
	shown := front.Certificates(r)
	if len(shown) == 0 {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		Roots: p.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

// ClientCAs returns the authorities of which a client of a host has to show a certificate; nil when it needs none.
func (d *Domains) ClientCAs(ctx context.Context, host string) *x509.CertPool {
	h, err := d.find(ctx, host, "")
	if err != nil || h == nil || h.pool == nil {
		return nil
	}
	return h.pool.pool
}
