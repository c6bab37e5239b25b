package apigateway

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// certificateLife is how long a client certificate is valid, as on AWS.
const certificateLife = 365 * 24 * time.Hour

func noCertificate() error { return notFound("Invalid Client Certificate identifier specified") }

func certificateView(c *api.ClientCertificate) *aws.ClientCertificate {
	return &aws.ClientCertificate{
		ClientCertificateId: ptr(c.ID), Description: c.Description, PemEncodedCertificate: ptr(c.PEM), CreatedDate: ptr(c.Created), ExpirationDate: ptr(c.Expires), Tags: c.Tags,
	}
}

// mint makes a self-signed certificate for c and returns its key.
func (g *Gateway) mint(c *api.ClientCertificate) (*rsa.PrivateKey, error) {
	private, err := rsa.GenerateKey(g.deps.Random, 2048)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(g.deps.Random, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "ApiGateway", Organization: []string{"Lambent"}}, NotBefore: c.Created.Add(-time.Minute), NotAfter: c.Expires,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(g.deps.Random, &template, &template, &private.PublicKey, private)
	if err != nil {
		return nil, err
	}
	c.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return private, nil
}

func (g *Gateway) generateCertificate(ctx context.Context, in *aws.GenerateClientCertificateInput) (*aws.GenerateClientCertificateOutput, error) {
	id, err := g.idFor(ctx, 6)
	if err != nil {
		return nil, err
	}
	s, now := scopeOf(ctx), g.deps.Clock.Now().UTC().Truncate(time.Second)
	c := api.ClientCertificate{ID: id, Description: in.Description, Created: now, Expires: now.Add(certificateLife), Tags: in.Tags}
	private, err := g.mint(&c)
	if err != nil {
		return nil, err
	}
	if err := c.Seal(ctx, g.options.Keys, s, private); err != nil {
		return nil, err
	}
	if err := g.deps.Store.Update(ctx, func(tx store.Txn) error { return record.Set(tx, s.Certificate(id), c) }); err != nil {
		return nil, err
	}
	return certificateView(&c), nil
}

func loadCertificate(r store.Reader, s api.Scope, id string) (api.ClientCertificate, error) {
	c, ok, err := record.Get[api.ClientCertificate](r, s.Certificate(id))
	if err == nil && !ok {
		err = noCertificate()
	}
	return c, err
}

func (g *Gateway) getCertificate(ctx context.Context, in *aws.GetClientCertificateInput) (*aws.GetClientCertificateOutput, error) {
	var c api.ClientCertificate
	err := g.deps.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = loadCertificate(r, scopeOf(ctx), in.ClientCertificateId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return certificateView(&c), nil
}

func (g *Gateway) getCertificates(ctx context.Context, in *aws.GetClientCertificatesInput) (*aws.GetClientCertificatesOutput, error) {
	out := &aws.GetClientCertificatesOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		all, err := record.List[api.ClientCertificate](r, scopeOf(ctx).Certificates().Span())
		if err != nil {
			return err
		}
		var items []api.ClientCertificate
		items, out.Position, err = page(all, func(c *api.ClientCertificate) string { return c.ID }, in.Position, in.Limit)
		out.Items = make([]aws.ClientCertificate, len(items))
		for i := range items {
			out.Items[i] = *certificateView(&items[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var certificatePatches = patch.Table[api.ClientCertificate]{Wording: patch.Listed, Paths: []patch.Path[api.ClientCertificate]{
	{Pattern: "/description", Ops: "replace", Apply: patch.Text(func(c *api.ClientCertificate) **string { return &c.Description })},
}}

func (g *Gateway) updateCertificate(ctx context.Context, in *aws.UpdateClientCertificateInput) (*aws.UpdateClientCertificateOutput, error) {
	s := scopeOf(ctx)
	var c api.ClientCertificate
	err := g.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if c, err = loadCertificate(tx, s, in.ClientCertificateId); err != nil {
			return err
		}
		if err := certificatePatches.Apply(&c, in.PatchOperations); err != nil {
			return err
		}
		return record.Set(tx, s.Certificate(c.ID), c)
	})
	if err != nil {
		return nil, err
	}
	return certificateView(&c), nil
}

func (g *Gateway) deleteCertificate(ctx context.Context, in *aws.DeleteClientCertificateInput) (*aws.DeleteClientCertificateOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		if _, err := loadCertificate(tx, s, in.ClientCertificateId); err != nil {
			return err
		}
		for row, err := range record.Range[api.RestAPI](tx, s.APIs().Span()) {
			if err != nil {
				return err
			}
			stages, err := record.List[api.Stage](tx, s.Stages(row.Value.ID).Span())
			if err != nil {
				return err
			}
			for _, st := range stages {
				if text(st.ClientCertificateId) == in.ClientCertificateId {
					return inUse("Client certificate %s is in use by stage %s of API %s", in.ClientCertificateId, *st.StageName, row.Value.ID)
				}
			}
		}
		tx.Delete(s.Certificate(in.ClientCertificateId))
		return nil
	})
	return &aws.DeleteClientCertificateOutput{}, err
}
