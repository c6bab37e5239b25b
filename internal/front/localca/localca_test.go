package localca_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/front/localca"
)

func TestLeavesVerifyAgainstTheRootThatSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	c := clock.NewFake(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	if _, err := localca.Open(dir, c); err != nil {
		t.Fatal(err)
	}
	ca, err := localca.Open(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(ca.RootPath())
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("root certificate: %v", err)
	}
	for _, name := range []string{"pics.s3.localhost", "127.0.0.1"} {
		hello := &tls.ClientHelloInfo{ServerName: name, Conn: &net.TCPConn{}}
		leaf, err := ca.Config().GetCertificate(hello)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: c.Now()}); err != nil {
			t.Errorf("leaf of %s: %v", name, err)
		}
		again, err := ca.Config().GetCertificate(hello)
		if err != nil || again != leaf {
			t.Errorf("second leaf of %s is another one (%v)", name, err)
		}
	}
	c.Advance(7 * 24 * time.Hour)
	leaf, err := ca.Config().GetCertificate(&tls.ClientHelloInfo{ServerName: "127.0.0.1"})
	if err != nil || !leaf.Leaf.NotAfter.After(c.Now()) {
		t.Errorf("leaf after a week: not after %v (%v)", leaf.Leaf.NotAfter, err)
	}
	info, err := os.Stat(filepath.Join(dir, "root-key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key mode %v (%v), want 0600", info.Mode(), err)
	}
}
