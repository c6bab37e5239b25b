package saml_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	dsig "github.com/russellhaering/goxmldsig"

	"lambent.dev/lambent/internal/auth/saml"
	"lambent.dev/lambent/internal/auth/saml/samltest"
)

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func metadata(t testing.TB, doc string) *saml.Metadata {
	t.Helper()
	m, err := saml.ParseMetadata(doc)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestWhatASignatureCoversIsRead(t *testing.T) {
	p, old := samltest.New(t, "https://id.example.com"), samltest.New(t, "https://id.example.com")
	m := metadata(t, p.Metadata(old))
	if m.EntityID != "https://id.example.com" || len(m.Certificates) != 2 || !m.ValidUntil.IsZero() {
		t.Fatalf("metadata = %+v", m)
	}
	plain := p.Assertion(start, map[string][]string{"team": {"blue", "red"}})
	for name, response := range map[string]string{
		"the assertion is signed":                            samltest.Response(p.Sign(t, plain)),
		"the response is signed":                             p.Sign(t, samltest.Response(plain)),
		"both are":                                           p.Sign(t, samltest.Response(p.Sign(t, plain))),
		"the key before is used":                             samltest.Response(old.Sign(t, plain)),
		"the namespaces are declared by the response":        strings.Replace(samltest.Response(p.Sign(t, plain)), "<samlp:Response ", `<samlp:Response xmlns:x="urn:x" `, 1),
		"a comment is added, which canonical XML leaves out": strings.Replace(samltest.Response(p.Sign(t, plain)), ">ann<", ">a<!-- x -->nn<", 1),
	} {
		a, err := m.Prove([]byte(response))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a.Issuer != m.EntityID || a.Subject != "ann" || !strings.HasSuffix(a.Format, ":persistent") || a.Recipient != "https://signin.aws.amazon.com/saml" ||
			!a.Issued.Equal(start) || !a.Confirmed.Equal(start.Add(5*time.Minute)) || !a.NotBefore.Equal(start.Add(-time.Minute)) || !a.NotOnOrAfter.Equal(start.Add(time.Hour)) ||
			!a.SessionEnds.Equal(start.Add(8*time.Hour)) || !slices.Equal(a.Audiences, []string{"urn:amazon:webservices"}) || !slices.Equal(a.Attributes["team"], []string{"blue", "red"}) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatIsNotSignedIsRefused(t *testing.T) {
	p, stranger := samltest.New(t, "https://id.example.com"), samltest.New(t, "https://id.example.com")
	m := metadata(t, p.Metadata())
	plain := p.Assertion(start, nil)
	evil := strings.NewReplacer(">ann<", ">root<", `"_a1"`, `"_evil"`).Replace(plain)
	signed := p.Sign(t, plain)
	whole := p.Sign(t, samltest.Response(plain))
	signature := signed[strings.Index(signed, "<ds:Signature") : strings.Index(signed, "</ds:Signature>")+len("</ds:Signature>")]
	for name, tc := range map[string]struct {
		response string
		unproven bool
	}{
		"nothing is signed":                     {samltest.Response(plain), true},
		"a stranger signed the assertion":       {samltest.Response(stranger.Sign(t, plain)), true},
		"a stranger signed the response":        {stranger.Sign(t, samltest.Response(signed)), true},
		"the assertion was changed":             {samltest.Response(strings.Replace(signed, ">ann<", ">root<", 1)), true},
		"the response was changed":              {strings.Replace(whole, ">ann<", ">root<", 1), true},
		"the signature is of another assertion": {samltest.Response(strings.Replace(evil, "<saml:Subject>", signature+"<saml:Subject>", 1)), true},
		"the signed one is wrapped in another":  {samltest.Response(strings.Replace(evil, "<saml:Subject>", signature+"<saml:Advice>"+plain+"</saml:Advice><saml:Subject>", 1)), true},
		"the signed one hides in an extension":  {samltest.Response("<samlp:Extensions>"+signed+"</samlp:Extensions>", evil), true},
		"the signed one hides with the same id": {samltest.Response("<samlp:Extensions>"+signed+"</samlp:Extensions>", strings.Replace(evil, "_evil", "_a1", 1)), true},
		"a second assertion stands beside":      {samltest.Response(signed, evil), false},
		"SHA-1 signed it":                       {samltest.Response(p.SignWith(t, dsig.RSASHA1SignatureMethod, plain)), true},
		"there is no assertion":                 {samltest.Response(), false},
		"the assertion is encrypted":            {samltest.Response(`<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>`), false},
		"it is no response":                     {signed, false},
		"it is no XML":                          {"response", false},
		"it is empty":                           {"", false},
		"an entity is declared":                 {`<!DOCTYPE r [<!ENTITY e "x">]>` + strings.Replace(samltest.Response(signed), ">ann<", ">&e;<", 1), false},
		"a time that is none":                   {samltest.Response(p.Sign(t, p.Assertion(start, nil, `IssueInstant="2026`, `IssueInstant="x`))), false},
		"two confirmations":                     {samltest.Response(p.Sign(t, p.Assertion(start, nil, "</saml:Subject>", "<saml:SubjectConfirmation/></saml:Subject>"))), false},
		"no subject":                            {samltest.Response(p.Sign(t, p.Assertion(start, nil, "saml:Subject>", "saml:Sub>"))), false},
	} {
		a, err := m.Prove([]byte(tc.response))
		if err == nil || errors.Is(err, saml.ErrSignature) != tc.unproven {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func TestMetadataThatCannotBeUsedIsRefused(t *testing.T) {
	good := samltest.New(t, "https://id.example.com").Metadata()
	for name, change := range map[string][2]string{
		"no XML":                            {good, "metadata"},
		"another document":                  {"EntityDescriptor", "EntitiesDescriptor"},
		"no entity id":                      {`entityID="https://id.example.com"`, ""},
		"a service provider":                {"IDPSSODescriptor", "SPSSODescriptor"},
		"no key that signs":                 {`use="signing"`, `use="encryption"`},
		"a certificate that is none":        {"Certificate>M", "Certificate>N"},
		"a certificate in another encoding": {"Certificate>M", "Certificate>*"},
		"an end that is no time":            {"entityID=", `validUntil="soon" entityID=`},
	} {
		if m, err := saml.ParseMetadata(strings.ReplaceAll(good, change[0], change[1])); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	m := metadata(t, strings.Replace(good, "entityID=", `validUntil="2030-01-02T03:04:05.5Z" entityID=`, 1))
	if m.ValidUntil.Year() != 2030 {
		t.Errorf("valid until %v", m.ValidUntil)
	}
}

func FuzzProve(f *testing.F) {
	p := samltest.New(f, "https://id.example.com")
	m := metadata(f, p.Metadata())
	f.Add([]byte(samltest.Response(p.Sign(f, p.Assertion(start, nil)))))
	f.Add([]byte(`<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol"><Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"/></Response>`))
	f.Fuzz(func(t *testing.T, response []byte) {
		if a, err := m.Prove(response); err == nil && a.Subject != "ann" {
			t.Errorf("proven: %+v", a)
		}
	})
}
