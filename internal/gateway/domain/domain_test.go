package domain_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

var own = domain.Scope{Account: "000000000000", Region: "us-east-1"}

// plane answers with where it was sent to.
type plane struct{}

func (plane) Has(_ store.Reader, s domain.Scope, api, stage string) (domain.Found, error) {
	return domain.Found{API: s == own && api != "none", Stage: stage == "prod", Private: strings.HasPrefix(api, "private")}, nil
}

func (plane) ServeDomain(w http.ResponseWriter, _ *http.Request, t domain.Target) {
	_, _ = io.WriteString(w, t.API+" "+t.BasePath+" "+t.Path)
}

// objects holds the one trust store.
type objects struct{ body []byte }

func (o *objects) OpenObject(context.Context, string, string, string) (io.ReadCloser, int64, error) {
	return io.NopCloser(bytes.NewReader(o.body)), int64(len(o.body)), nil
}

func newDomains(t *testing.T, o *objects) *domain.Domains {
	t.Helper()
	d := domain.New(service.Deps{
		Store: mem.New(), Clock: clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)), Random: mathrand.NewChaCha8([32]byte{2}), Log: slog.New(slog.DiscardHandler),
		Door: &fake.Door{},
	}, domain.Options{Objects: o, Endpoints: &vpcendpoint.Endpoints{Networks: networks{}, Heard: true}})
	d.Register("test", plane{})
	t.Cleanup(d.Close)
	return d
}

func create(t *testing.T, d *domain.Domains, n domain.Name) {
	t.Helper()
	if n.Endpoint == "" {
		n.Endpoint = domain.Regional
	}
	if err := d.Create(t.Context(), own, &n); err != nil {
		t.Fatal(err)
	}
}

func get(d *domain.Domains, host, path string, headers ...string) (int, string) {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestTheLongestMappingWins(t *testing.T) {
	d := newDomains(t, nil)
	create(t, d, domain.Name{Domain: "API.example.com"})
	create(t, d, domain.Name{Domain: "*.wild.example.com"})
	for path, api := range map[string]string{"": "root", "orders": "short", "orders/v1": "long"} {
		if err := d.PutMapping(t.Context(), own, "api.example.com", &domain.Mapping{Path: path, API: api, Stage: "prod"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.PutMapping(t.Context(), own, "*.wild.example.com", &domain.Mapping{Path: "only", API: "wild", Stage: "prod"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, path string
		status     int
		want       string
	}{
		{"api.example.com", "/", 200, "root  /"},
		{"api.example.com:4566", "/ordersx?q", 200, "root  /ordersx"},
		{"Api.Example.Com.", "/orders", 200, "short orders /"},
		{"api.example.com", "/orders/v2/a%2Fb", 200, "short orders /v2/a%2Fb"},
		{"api.example.com", "/orders/v1/", 200, "long orders/v1 /"},
		{"a.wild.example.com", "/only/x", 200, "wild only /x"},
		{"a.wild.example.com", "/other", 403, `{"message":"Forbidden"}`},
		{"b.a.wild.example.com", "/only", 404, `{"message":"Not Found"}`},
	} {
		if status, body := get(d, c.host, c.path); status != c.status || body != c.want {
			t.Errorf("%s%s: %d %q, want %d %q", c.host, c.path, status, body, c.status, c.want)
		}
	}
	if !d.Knows(t.Context(), "x.wild.example.com") || d.Knows(t.Context(), "localhost") || d.Knows(t.Context(), "127.0.0.1") {
		t.Error("hosts are not told apart")
	}
	if err := d.Delete(t.Context(), own, "api.example.com"); err != nil {
		t.Fatal(err)
	}
	if d.Knows(t.Context(), "api.example.com") {
		t.Error("a deleted name is still served")
	}
}

func TestRulesAreAskedByPriority(t *testing.T) {
	d := newDomains(t, nil)
	create(t, d, domain.Name{Domain: "api.example.com", RoutingMode: domain.RuleFirst})
	for _, r := range []domain.Rule{
		{Priority: 20, API: "second", Stage: "prod", BasePaths: []string{"v1"}},
		{Priority: 10, API: "first", Stage: "prod", BasePaths: []string{"v1"}, Headers: []domain.Header{{Name: "X-Beta", Glob: "ye*"}}, Strip: true},
	} {
		if err := d.PutRule(t.Context(), own, "api.example.com", &r); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.PutMapping(t.Context(), own, "api.example.com", &domain.Mapping{API: "mapped", Stage: "prod"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, header, want string
	}{
		{"/v1/a", "yes", "first v1 /a"}, {"/v1/a", "no", "second  /v1/a"}, {"/v2", "yes", "mapped  /v2"},
	} {
		if status, body := get(d, "api.example.com", c.path, "X-Beta", c.header); status != http.StatusOK || body != c.want {
			t.Errorf("%s with %s: %d %q, want %q", c.path, c.header, status, body, c.want)
		}
	}
	if _, err := d.Change(t.Context(), own, "api.example.com", func(n *domain.Name) error { n.RoutingMode = domain.RuleOnly; return nil }); err != nil {
		t.Fatal(err)
	}
	if status, _ := get(d, "api.example.com", "/v2"); status != http.StatusForbidden {
		t.Errorf("without a rule: %d", status)
	}
	for _, bad := range []domain.Rule{
		{Priority: 0, API: "a", Stage: "prod"},
		{Priority: 1, API: "none", Stage: "prod"},
		{Priority: 1, API: "a", Stage: "prod", BasePaths: []string{"/x"}},
		{Priority: 1, API: "a", Stage: "prod", Headers: []domain.Header{{Name: "a", Glob: "b*c"}}},
		{Priority: 20, API: "a", Stage: "prod"},
	} {
		if err := d.PutRule(t.Context(), own, "api.example.com", &bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// authority makes a root and a client's certificate of it.
func authority(t *testing.T) (root []byte, client *x509.Certificate) {
	t.Helper()
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: now, NotAfter: now.Add(48 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "client"}, NotBefore: now, NotAfter: now.Add(48 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, parent, parent, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if client, err = x509.ParseCertificate(leafDER); err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), client
}

func TestMutualTLSAsksForACertificateOfTheTrustStore(t *testing.T) {
	root, client := authority(t)
	_, stranger := authority(t)
	d := newDomains(t, &objects{append(root, []byte("-----BEGIN OTHER-----\nAAAA\n-----END OTHER-----\n")...)})
	create(t, d, domain.Name{Domain: "mtls.example.com", MutualTLS: &domain.MutualTLS{URI: "s3://bucket/roots.pem"}})
	if err := d.PutMapping(t.Context(), own, "mtls.example.com", &domain.Mapping{API: "a", Stage: "prod"}); err != nil {
		t.Fatal(err)
	}
	n, err := d.Get(t.Context(), own, "mtls.example.com")
	if err != nil || len(n.MutualTLS.Warnings) != 1 {
		t.Errorf("warnings: %+v, %v", n.MutualTLS, err)
	}
	if d.ClientCAs(t.Context(), "mtls.example.com") == nil || d.ClientCAs(t.Context(), "other.example.com") != nil {
		t.Error("the wrong hosts ask for certificates")
	}
	for name, c := range map[string]struct {
		state *tls.ConnectionState
		want  int
	}{
		"plain":       {nil, http.StatusForbidden},
		"none":        {&tls.ConnectionState{}, http.StatusForbidden},
		"a stranger":  {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{stranger}}, http.StatusForbidden},
		"its own one": {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{client}}, http.StatusOK},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Host, r.TLS = "mtls.example.com", c.state
		w := httptest.NewRecorder()
		if d.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
	for _, bad := range []string{"http://x", "s3://bucket", "s3:///key"} {
		if err := d.Create(t.Context(), own, &domain.Name{Domain: "b.example.com", Endpoint: domain.Regional, MutualTLS: &domain.MutualTLS{URI: bad}}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
