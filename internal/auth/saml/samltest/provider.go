// Package samltest has an identity provider of SAML for tests.
package samltest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Provider signs assertions with a key of its own.
type Provider struct {
	// EntityID is its issuer.
	EntityID string

	key  *rsa.PrivateKey
	cert []byte
}

// New returns a provider, whose certificate ended long ago.
func New(t testing.TB, entityID string) *Provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: entityID},
		NotBefore: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2002, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &Provider{EntityID: entityID, key: key, cert: der}
}

// Metadata returns the document of the provider with its certificate and those of others.
func (p *Provider) Metadata(others ...*Provider) string {
	var keys strings.Builder
	for _, o := range append(others, p) {
		keys.WriteString(`<KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>` +
			base64.StdEncoding.EncodeToString(o.cert) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>`)
	}
	return `<?xml version="1.0"?><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + p.EntityID +
		`"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + keys.String() +
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://id.example.com/sso"/></IDPSSODescriptor></EntityDescriptor>`
}

// Assertion returns an unsigned assertion as AWS wants it, made at a time, with attributes by name. Changes replace texts in it.
func (p *Provider) Assertion(at time.Time, attributes map[string][]string, changes ...string) string {
	stamp := func(d time.Duration) string { return at.Add(d).UTC().Format(time.RFC3339) }
	var b strings.Builder
	fmt.Fprintf(&b, `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="%s"><saml:Issuer>%s</saml:Issuer>`, stamp(0), p.EntityID)
	fmt.Fprintf(&b, `<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann</saml:NameID>`+
		`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="%s" Recipient="https://signin.aws.amazon.com/saml"/></saml:SubjectConfirmation></saml:Subject>`, stamp(5*time.Minute))
	fmt.Fprintf(&b, `<saml:Conditions NotBefore="%s" NotOnOrAfter="%s"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions>`, stamp(-time.Minute), stamp(time.Hour))
	fmt.Fprintf(&b, `<saml:AuthnStatement AuthnInstant="%s" SessionNotOnOrAfter="%s"/><saml:AttributeStatement>`, stamp(0), stamp(8*time.Hour))
	for name, values := range attributes {
		fmt.Fprintf(&b, `<saml:Attribute Name="%s">`, name)
		for _, v := range values {
			fmt.Fprintf(&b, `<saml:AttributeValue>%s</saml:AttributeValue>`, v)
		}
		b.WriteString(`</saml:Attribute>`)
	}
	b.WriteString(`</saml:AttributeStatement></saml:Assertion>`)
	return strings.NewReplacer(changes...).Replace(b.String())
}

// Response returns a response around assertions, unsigned.
func Response(assertions ...string) string {
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r1" Version="2.0"><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
		strings.Join(assertions, "") + `</samlp:Response>`
}

// Sign signs an element by its root, with RSA and SHA-256.
func (p *Provider) Sign(t testing.TB, element string) string {
	t.Helper()
	return p.SignWith(t, dsig.RSASHA256SignatureMethod, element)
}

// SignWith is Sign with an algorithm.
func (p *Provider) SignWith(t testing.TB, algorithm, element string) string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(element); err != nil {
		t.Fatal(err)
	}
	ctx, err := dsig.NewSigningContext(p.key, [][]byte{p.cert})
	if err != nil {
		t.Fatal(err)
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := ctx.SetSignatureMethod(algorithm); err != nil {
		t.Fatal(err)
	}
	signed, err := ctx.SignEnveloped(doc.Root())
	if err != nil {
		t.Fatal(err)
	}
	out := etree.NewDocument()
	out.SetRoot(signed)
	text, err := out.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
