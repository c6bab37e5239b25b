package domain

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/lib/jsonenc"
)

// validityTime is the form of the times of a certificate in events, that of OpenSSL.
const validityTime = "Jan _2 15:04:05 2006 GMT"

// ClientCertificate is the certificate that a client of a custom domain name with mutual TLS showed, as events and logs have it
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html).
type ClientCertificate struct{ leaf *x509.Certificate }

// ClientCertificateOf returns the certificate that the client of r showed; ok is false when it showed none.
func ClientCertificateOf(r *http.Request) (c ClientCertificate, ok bool) {
	shown := front.Certificates(r)
	if len(shown) == 0 {
		return c, false
	}
	return ClientCertificate{shown[0]}, true
}

// Value returns a variable of $context.identity.clientCert, such as subjectDN or validity.notAfter; empty for another name.
func (c ClientCertificate) Value(name string) string {
	switch name {
	case "clientCertPem":
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.leaf.Raw}))
	case "subjectDN":
		return c.leaf.Subject.String()
	case "issuerDN":
		return c.leaf.Issuer.String()
	case "serialNumber":
		return c.leaf.SerialNumber.String()
	case "validity.notBefore":
		return c.leaf.NotBefore.UTC().Format(validityTime)
	case "validity.notAfter":
		return c.leaf.NotAfter.UTC().Format(validityTime)
	}
	return ""
}

// Append appends the object clientCert of events.
func (c ClientCertificate) Append(b []byte) []byte {
	member := func(name, value string) {
		b = append(b, name...)
		b = jsonenc.String(b, c.Value(value))
	}
	member(`{"clientCertPem":`, "clientCertPem")
	member(`,"subjectDN":`, "subjectDN")
	member(`,"issuerDN":`, "issuerDN")
	member(`,"serialNumber":`, "serialNumber")
	member(`,"validity":{"notBefore":`, "validity.notBefore")
	member(`,"notAfter":`, "validity.notAfter")
	return append(b, "}}"...)
}
