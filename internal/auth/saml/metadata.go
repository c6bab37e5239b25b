package saml

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxCertificates bounds the certificates of a provider: each may have to be tried.
const maxCertificates = 10

// Metadata is what the document of an identity provider says (SAML 2.0 Metadata, section 2.3.2).
type Metadata struct {
	// EntityID is the issuer of its responses.
	EntityID string
	// Certificates have the keys that sign.
	Certificates []*x509.Certificate
	// ValidUntil is when the document ends; zero when it does not say.
	ValidUntil time.Time
}

// descriptor is the part of an EntityDescriptor that is read.
type descriptor struct {
	XMLName    xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
	EntityID   string   `xml:"entityID,attr"`
	ValidUntil string   `xml:"validUntil,attr"`
	Roles      []struct {
		Protocols string `xml:"protocolSupportEnumeration,attr"`
		Keys      []struct {
			Use          string   `xml:"use,attr"`
			Certificates []string `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo>X509Data>X509Certificate"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:metadata IDPSSODescriptor"`
}

// ParseMetadata reads the metadata document of an identity provider. Its errors tell what is wrong with it.
func ParseMetadata(doc string) (*Metadata, error) {
	var d descriptor
	if err := xml.Unmarshal([]byte(doc), &d); err != nil {
		return nil, fmt.Errorf("the document is no EntityDescriptor: %w", err)
	}
	m := &Metadata{EntityID: strings.TrimSpace(d.EntityID)}
	switch {
	case m.EntityID == "":
		return nil, errors.New("the EntityDescriptor has no entityID")
	case len(d.Roles) == 0:
		return nil, errors.New("the EntityDescriptor has no IDPSSODescriptor: it is not that of an identity provider")
	}
	if d.ValidUntil != "" {
		var err error
		if m.ValidUntil, err = time.Parse(time.RFC3339Nano, d.ValidUntil); err != nil {
			return nil, fmt.Errorf("validUntil is no time: %w", err)
		}
	}
	for _, r := range d.Roles {
		for _, k := range r.Keys {
			if k.Use != "" && k.Use != "signing" {
				continue
			}
			for _, text := range k.Certificates {
				c, err := certificate(text)
				if err != nil {
					return nil, err
				}
				m.Certificates = append(m.Certificates, c)
			}
		}
	}
	if n := len(m.Certificates); n == 0 || n > maxCertificates {
		return nil, fmt.Errorf("the IDPSSODescriptor has %d certificates that sign; there must be 1 to %d", n, maxCertificates)
	}
	return m, nil
}

func certificate(text string) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fmt.Errorf("a certificate is not in base 64: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("a certificate cannot be read: %w", err)
	}
	return c, nil
}
