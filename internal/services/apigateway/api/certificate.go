package api

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"lambent.dev/lambent/internal/service/port"
)

// keyUse binds the private key of a client certificate to where it belongs.
func (c *ClientCertificate) keyUse(s Scope) port.KeyUse {
	return port.KeyUse{Service: "apigateway", Account: s.Account, Region: s.Region, Context: map[string]string{"aws:apigateway:clientcertificate": c.ID}}
}

// Seal puts the private key of a certificate into its record, encrypted under a data key of its own.
func (c *ClientCertificate) Seal(ctx context.Context, keys port.Keys, s Scope, private crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	k, err := keys.GenerateDataKey(ctx, c.keyUse(s))
	if err != nil {
		return err
	}
	box, err := sealer(k.Plain)
	if err != nil {
		return err
	}
	c.SealedKey, c.WrappedKey = box.Seal(nil, nil, der, nil), k.Wrapped
	return nil
}

// Open returns the certificate with its private key, for connections to backends.
func (c *ClientCertificate) Open(ctx context.Context, keys port.Keys, s Scope) (*tls.Certificate, error) {
	plain, err := keys.Decrypt(ctx, c.keyUse(s), c.WrappedKey)
	if err != nil {
		return nil, err
	}
	box, err := sealer(plain)
	if err != nil {
		return nil, err
	}
	der, err := box.Open(nil, nil, c.SealedKey, nil)
	if err != nil {
		return nil, fmt.Errorf("open the key of client certificate %s: %w", c.ID, err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(c.PEM))
	if block == nil {
		return nil, fmt.Errorf("client certificate %s is no PEM", c.ID)
	}
	return &tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: private}, nil
}

func sealer(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
