package saml

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// The namespaces of SAML 2.0.
const (
	protocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertion = "urn:oasis:names:tc:SAML:2.0:assertion"
)

// ErrSignature is wrapped by the error of a response that no certificate of the metadata signed.
var ErrSignature = errors.New("the signature is not one of the identity provider")

// Assertion is what a provider says of a user (SAML 2.0 Core, section 2.3.3). Times that are not given are zero.
type Assertion struct {
	Issuer string
	Issued time.Time
	// Subject is the NameID, Format its format, empty when it is not given.
	Subject, Format string
	// Recipient and Confirmed are those of the one confirmation of the subject: for whom it is, and until when.
	Recipient string
	Confirmed time.Time
	// NotBefore and NotOnOrAfter are the times of the conditions, Audiences whom they restrict it to.
	NotBefore, NotOnOrAfter time.Time
	Audiences               []string
	// SessionEnds is when the session of the user at the provider ends.
	SessionEnds time.Time
	// Attributes are the values by the attributes' names.
	Attributes map[string][]string
}

// Prove returns the assertion of a response, which is XML, that a key of the provider signed. It looks at no time and at no audience.
func (m *Metadata) Prove(response []byte) (*Assertion, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(response); err != nil {
		return nil, fmt.Errorf("the response is not XML: %w", err)
	}
	root := doc.Root()
	switch {
	case root == nil || root.Tag != "Response" || root.NamespaceURI() != protocol:
		return nil, errors.New("the document is no Response of SAML 2.0")
	case len(children(root, assertion, "EncryptedAssertion")) > 0:
		return nil, errors.New("the assertion is encrypted; have the provider send it in plain")
	case len(children(root, assertion, "Assertion")) != 1:
		return nil, errors.New("the response does not have exactly one Assertion; its Status tells why the provider gave none")
	}
	if weak(root) {
		return nil, fmt.Errorf("it is made with SHA-1, which is refused: %w", ErrSignature)
	}
	for _, c := range m.Certificates {
		if signed := proven(root, c); signed != nil {
			return read(signed)
		}
	}
	return nil, ErrSignature
}

// weak tells whether an algorithm of a signature rests on SHA-1.
func weak(root *etree.Element) bool {
	for _, a := range root.FindElements("//[@Algorithm]") {
		if strings.HasSuffix(a.SelectAttrValue("Algorithm", ""), "sha1") {
			return true
		}
	}
	return false
}

// proven returns the assertion as it was signed by the key of a certificate, alone or with the whole response; nil when neither was.
func proven(root *etree.Element, c *x509.Certificate) *etree.Element {
	ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{c}})
	ctx.Clock = dsig.NewFakeClockAt(c.NotBefore) // Trusted for being in the metadata, at any time.
	if len(children(root, dsig.Namespace, dsig.SignatureTag)) > 0 {
		whole, err := ctx.Validate(root)
		if err != nil || whole.Tag != "Response" || whole.NamespaceURI() != protocol {
			return nil
		}
		if list := children(whole, assertion, "Assertion"); len(list) == 1 {
			return list[0]
		}
		return nil
	}
	names, err := etreeutils.NSBuildParentContext(children(root, assertion, "Assertion")[0])
	if err != nil {
		return nil
	}
	alone, err := etreeutils.NSDetatch(names, children(root, assertion, "Assertion")[0])
	if err != nil {
		return nil
	}
	signed, err := ctx.Validate(alone)
	if err != nil || signed.Tag != "Assertion" || signed.NamespaceURI() != assertion {
		return nil
	}
	return signed
}

// children returns the children of a name.
func children(e *etree.Element, space, tag string) (out []*etree.Element) {
	for _, c := range e.ChildElements() {
		if c.Tag == tag && c.NamespaceURI() == space {
			out = append(out, c)
		}
	}
	return out
}

// text returns the whole text of an element, also what stands behind a comment.
func text(e *etree.Element) string {
	var b strings.Builder
	for _, t := range e.Child {
		if c, ok := t.(*etree.CharData); ok {
			b.WriteString(c.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

// reader reads times, and keeps the first error.
type reader struct{ err error }

// at returns the time of an attribute; zero when there is none.
func (r *reader) at(e *etree.Element, name string) time.Time {
	value := e.SelectAttrValue(name, "")
	if value == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s of %s is no time: %q", name, e.Tag, value)
	}
	return t
}

// read takes what is needed from an assertion that was proven.
func read(e *etree.Element) (*Assertion, error) {
	r := &reader{}
	a := &Assertion{Issued: r.at(e, "IssueInstant"), Attributes: map[string][]string{}}
	for _, c := range children(e, assertion, "Issuer") {
		a.Issuer = text(c)
	}
	if err := a.readSubject(r, e); err != nil {
		return nil, err
	}
	for _, c := range children(e, assertion, "Conditions") {
		a.NotBefore, a.NotOnOrAfter = r.at(c, "NotBefore"), r.at(c, "NotOnOrAfter")
		for _, only := range children(c, assertion, "AudienceRestriction") {
			for _, who := range children(only, assertion, "Audience") {
				a.Audiences = append(a.Audiences, text(who))
			}
		}
	}
	for _, c := range children(e, assertion, "AuthnStatement") {
		a.SessionEnds = r.at(c, "SessionNotOnOrAfter")
	}
	for _, c := range children(e, assertion, "AttributeStatement") {
		for _, named := range children(c, assertion, "Attribute") {
			name := named.SelectAttrValue("Name", "")
			for _, value := range children(named, assertion, "AttributeValue") {
				a.Attributes[name] = append(a.Attributes[name], text(value))
			}
		}
	}
	return a, r.err
}

func (a *Assertion) readSubject(r *reader, e *etree.Element) error {
	subjects := children(e, assertion, "Subject")
	if len(subjects) != 1 {
		return errors.New("the assertion does not have exactly one Subject")
	}
	for _, c := range children(subjects[0], assertion, "NameID") {
		a.Subject, a.Format = text(c), c.SelectAttrValue("Format", "")
	}
	confirmations := children(subjects[0], assertion, "SubjectConfirmation")
	if len(confirmations) != 1 {
		return errors.New("the Subject does not have exactly one SubjectConfirmation")
	}
	for _, c := range children(confirmations[0], assertion, "SubjectConfirmationData") {
		a.Recipient, a.Confirmed = c.SelectAttrValue("Recipient", ""), r.at(c, "NotOnOrAfter")
	}
	return nil
}
