package iam_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
)

// pair is a certificate and its key, in PEM and as they are.
type pair struct {
	cert, key string
	parsed    *x509.Certificate
	signer    crypto.Signer
}

// newPair makes a certificate that by signs, or itself when by is nil, valid from the test's start for a day.
func newPair(t testing.TB, name string, by *pair, from time.Time) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: from.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	parent, signer := c, crypto.Signer(key)
	if by != nil {
		parent, signer = by.parsed, by.signer
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{cert: encode("CERTIFICATE", der), signer: key}
	if p.parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.key = encode("PRIVATE KEY", b)
	return p
}

func encode(typ string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

func TestAServerCertificateLivesFromUploadToDelete(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	ca := newPair(t, "ca", nil, start)
	leaf := newPair(t, "api.example.com", ca, start)
	made := call[api.UploadServerCertificateOutput](t, p, ctx, "UploadServerCertificate", &api.UploadServerCertificateInput{
		ServerCertificateName: "web", Path: ptr("/cloudfront/"), CertificateBody: leaf.cert, CertificateChain: &ca.cert, PrivateKey: leaf.key, Tags: []api.Tag{{Key: "a", Value: "b"}},
	})
	m := made.ServerCertificateMetadata
	if m.Arn != "arn:aws:iam::000000000000:server-certificate/cloudfront/web" || !strings.HasPrefix(m.ServerCertificateId, "ASCA") || !m.UploadDate.Equal(start) || !m.Expiration.Equal(start.Add(24*time.Hour)) {
		t.Errorf("metadata = %+v", m)
	}
	call[api.UpdateServerCertificateOutput](t, p, ctx, "UpdateServerCertificate", &api.UpdateServerCertificateInput{ServerCertificateName: "web", NewServerCertificateName: ptr("Web2"), NewPath: ptr("/team/")})
	call[api.TagServerCertificateOutput](t, p, ctx, "TagServerCertificate", &api.TagServerCertificateInput{ServerCertificateName: "web2", Tags: []api.Tag{{Key: "c", Value: "d"}}})
	call[api.UntagServerCertificateOutput](t, p, ctx, "UntagServerCertificate", &api.UntagServerCertificateInput{ServerCertificateName: "web2", TagKeys: []string{"a"}})
	tags := call[api.ListServerCertificateTagsOutput](t, p, ctx, "ListServerCertificateTags", &api.ListServerCertificateTagsInput{ServerCertificateName: "web2"})
	if !slices.Equal(tags.Tags, []api.Tag{{Key: "c", Value: "d"}}) {
		t.Errorf("tags = %v", tags.Tags)
	}
	got := call[api.GetServerCertificateOutput](t, p, ctx, "GetServerCertificate", &api.GetServerCertificateInput{ServerCertificateName: "web2"}).ServerCertificate
	if got.CertificateBody != leaf.cert || *got.CertificateChain != ca.cert || got.ServerCertificateMetadata.Arn != "arn:aws:iam::000000000000:server-certificate/team/Web2" ||
		got.ServerCertificateMetadata.ServerCertificateId != m.ServerCertificateId {
		t.Errorf("certificate = %+v %+v", got, got.ServerCertificateMetadata)
	}
	for prefix, want := range map[string]int{"/": 1, "/team/": 1, "/cloudfront/": 0} {
		list := call[api.ListServerCertificatesOutput](t, p, ctx, "ListServerCertificates", &api.ListServerCertificatesInput{PathPrefix: &prefix})
		if len(list.ServerCertificateMetadataList) != want {
			t.Errorf("below %s: %v", prefix, list.ServerCertificateMetadataList)
		}
	}
	if n := call[api.GetAccountSummaryOutput](t, p, ctx, "GetAccountSummary", &api.GetAccountSummaryInput{}).SummaryMap["ServerCertificates"]; n != 1 {
		t.Errorf("the summary counts %d certificates", n)
	}
	call[api.DeleteServerCertificateOutput](t, p, ctx, "DeleteServerCertificate", &api.DeleteServerCertificateInput{ServerCertificateName: "Web2"})
	for _, op := range []struct {
		name string
		in   any
	}{
		{"GetServerCertificate", &api.GetServerCertificateInput{ServerCertificateName: "web2"}}, {"DeleteServerCertificate", &api.DeleteServerCertificateInput{ServerCertificateName: "web2"}},
	} {
		if c := code(p, ctx, op.name, op.in); c != "NoSuchEntity" {
			t.Errorf("%s after the delete: %s", op.name, c)
		}
	}
}

func TestServerCertificatesAreRefusedAsByAWS(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	ca, other := newPair(t, "ca", nil, start), newPair(t, "other", nil, start)
	leaf := newPair(t, "api.example.com", ca, start)
	old, early := newPair(t, "old", nil, start.Add(-25*time.Hour)), newPair(t, "early", nil, start.Add(time.Hour))
	ec, err := x509.MarshalECPrivateKey(leaf.signer.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	upload := func(body, chain, key string) string {
		in := &api.UploadServerCertificateInput{ServerCertificateName: "c", CertificateBody: body, PrivateKey: key}
		if chain != "" {
			in.CertificateChain = &chain
		}
		c := code(p, ctx, "UploadServerCertificate", in)
		if c == "" {
			call[api.DeleteServerCertificateOutput](t, p, ctx, "DeleteServerCertificate", &api.DeleteServerCertificateInput{ServerCertificateName: "c"})
		}
		return c
	}
	for _, tc := range []struct{ name, body, chain, key, want string }{
		{"without a chain", leaf.cert, "", leaf.key, ""},
		{"with its chain", leaf.cert, ca.cert, leaf.key, ""},
		{"an elliptic curve key of the older form behind its parameters", leaf.cert, ca.cert, encode("EC PARAMETERS", []byte{6, 0}) + encode("EC PRIVATE KEY", ec), ""},
		{"no PEM", "certificate", "", leaf.key, "MalformedCertificate"},
		{"two in the body", leaf.cert + ca.cert, "", leaf.key, "MalformedCertificate"},
		{"a key as the body", leaf.key, "", leaf.key, "MalformedCertificate"},
		{"ended", old.cert, "", old.key, "MalformedCertificate"},
		{"not begun", early.cert, "", early.key, "MalformedCertificate"},
		{"the chain of another", leaf.cert, other.cert, leaf.key, "MalformedCertificate"},
		{"a chain in the wrong order", leaf.cert, other.cert + ca.cert, leaf.key, "MalformedCertificate"},
		{"a chain that is none", leaf.cert, "chain", leaf.key, "MalformedCertificate"},
		{"no key", leaf.cert, "", "key", "MalformedCertificate"},
		{"an encrypted key", leaf.cert, "", encode("ENCRYPTED PRIVATE KEY", ec), "MalformedCertificate"},
		{"the key of another", leaf.cert, "", other.key, "KeyPairMismatch"},
	} {
		if got := upload(tc.body, tc.chain, tc.key); got != tc.want {
			t.Errorf("%s = %q, want %q", tc.name, got, tc.want)
		}
	}
	for i := range 20 {
		call[api.UploadServerCertificateOutput](t, p, ctx, "UploadServerCertificate", &api.UploadServerCertificateInput{ServerCertificateName: fmt.Sprint("c-", i), CertificateBody: leaf.cert, PrivateKey: leaf.key})
	}
	for _, tc := range []struct {
		operation string
		in        any
		want      string
	}{
		{"UploadServerCertificate", &api.UploadServerCertificateInput{ServerCertificateName: "C-1", CertificateBody: leaf.cert, PrivateKey: leaf.key}, "EntityAlreadyExists"},
		{"UploadServerCertificate", &api.UploadServerCertificateInput{ServerCertificateName: "one-more", CertificateBody: leaf.cert, PrivateKey: leaf.key}, "LimitExceeded"},
		{"UploadServerCertificate", &api.UploadServerCertificateInput{ServerCertificateName: "x", Path: ptr("team"), CertificateBody: leaf.cert, PrivateKey: leaf.key}, "ValidationError"},
		{"UpdateServerCertificate", &api.UpdateServerCertificateInput{ServerCertificateName: "c-1", NewServerCertificateName: ptr("C-2")}, "EntityAlreadyExists"},
		{"UpdateServerCertificate", &api.UpdateServerCertificateInput{ServerCertificateName: "none", NewPath: ptr("/")}, "NoSuchEntity"},
		{"UpdateServerCertificate", &api.UpdateServerCertificateInput{ServerCertificateName: "c-1", NewServerCertificateName: ptr("C-1")}, ""},
	} {
		if got := code(p, ctx, tc.operation, tc.in); got != tc.want {
			t.Errorf("%s %+v = %q, want %q", tc.operation, tc.in, got, tc.want)
		}
	}
}

func TestAnRSAKeyFitsItsCertificate(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start, NotAfter: start.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	call[api.UploadServerCertificateOutput](t, p, ctx, "UploadServerCertificate", &api.UploadServerCertificateInput{
		ServerCertificateName: "rsa", CertificateBody: encode("CERTIFICATE", der), PrivateKey: encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
	})
}

func TestPoliciesNameServerCertificatesWithTheirPath(t *testing.T) {
	p, ctx := newPlatform(t), as(root)
	leaf := newPair(t, "api.example.com", nil, start)
	call[api.CreateUserOutput](t, p, ctx, "CreateUser", &api.CreateUserInput{UserName: "ann"})
	call[api.PutUserPolicyOutput](t, p, ctx, "PutUserPolicy", &api.PutUserPolicyInput{
		UserName: "ann", PolicyName: "p",
		PolicyDocument: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::` + account + `:server-certificate/team/*"}]}`,
	})
	ann := as(service.Principal{Kind: service.User, Account: account, ARN: "arn:aws:iam::" + account + ":user/ann"})
	for _, tc := range []struct{ name, path, want string }{{"own", "/team/", ""}, {"other", "/", "AccessDenied"}} {
		in := &api.UploadServerCertificateInput{ServerCertificateName: tc.name, Path: &tc.path, CertificateBody: leaf.cert, PrivateKey: leaf.key}
		if got := code(p, ann, "UploadServerCertificate", in); got != tc.want {
			t.Errorf("upload %s = %q", tc.name, got)
		}
		if tc.want != "" {
			call[api.UploadServerCertificateOutput](t, p, ctx, "UploadServerCertificate", in)
		}
		if got := code(p, ann, "GetServerCertificate", &api.GetServerCertificateInput{ServerCertificateName: tc.name}); got != tc.want {
			t.Errorf("get %s = %q", tc.name, got)
		}
	}
}
