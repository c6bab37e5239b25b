// Package localca is the platform's own certificate authority: a root made at first run and leaves minted for the
// names that clients ask for by SNI.
//
// The root's key lies in the data directory with mode 0600 and never leaves it. Leaves live in memory only, for at most
// [leafLifetime], in a cache of at most [maxLeaves] names; a client that asks for names without end makes the cache start over, not grow.
// Nothing here is trusted by anybody until a user installs the root.
package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

const (
	rootLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime = 7 * 24 * time.Hour
	renewBefore  = 24 * time.Hour
	maxLeaves    = 1024
)

// CA mints certificates. It is safe for concurrent use.
type CA struct {
	clock clock.Clock
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
	path  string

	mu     sync.Mutex // guards the field below
	leaves map[string]*tls.Certificate
}

// Open loads the root from dir, and makes one there when there is none: root.pem and root-key.pem.
func Open(dir string, c clock.Clock) (*CA, error) {
	ca := &CA{clock: c, path: filepath.Join(dir, "root.pem"), leaves: make(map[string]*tls.Certificate)}
	err := ca.load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = ca.create(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("local certificate authority in %s: %w", dir, err)
	}
	return ca, nil
}

// RootPath returns the file that holds the root certificate, for clients that shall trust it; empty for a nil authority.
func (ca *CA) RootPath() string {
	if ca == nil {
		return ""
	}
	return ca.path
}

// Config returns a TLS configuration that serves a certificate for every name; nil for a nil authority.
func (ca *CA) Config() *tls.Config {
	if ca == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: ca.certificate}
}

func (ca *CA) load(dir string) error {
	cert, err := readPEM(ca.path, "CERTIFICATE")
	if err != nil {
		return err
	}
	key, err := readPEM(filepath.Join(dir, "root-key.pem"), "PRIVATE KEY")
	if err != nil {
		return err
	}
	if ca.root, err = x509.ParseCertificate(cert); err != nil {
		return fmt.Errorf("parse %s: %w", ca.path, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("parse root-key.pem: %w", err)
	}
	var ok bool
	if ca.key, ok = parsed.(*ecdsa.PrivateKey); !ok {
		return fmt.Errorf("root-key.pem holds a %T, not an ECDSA key", parsed)
	}
	return nil
}

// create writes the key before the certificate, so that a crash in between leaves no certificate without a key.
func (ca *CA) create(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	now := ca.clock.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Lambent local root", Organization: []string{"Lambent"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(rootLifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if ca.root, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	ca.key = key
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writePEM(filepath.Join(dir, "root-key.pem"), "PRIVATE KEY", keyDER, 0o600); err != nil {
		return err
	}
	return writePEM(ca.path, "CERTIFICATE", der, 0o644)
}

// certificate returns the leaf for the name that a client asks for, or for the address that it reached.
func (ca *CA) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hello.ServerName
	if name == "" {
		name = "127.0.0.1"
		if a, ok := hello.Conn.LocalAddr().(*net.TCPAddr); ok {
			name = a.IP.String()
		}
	}
	now := ca.clock.Now()
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if leaf, ok := ca.leaves[name]; ok && now.Before(leaf.Leaf.NotAfter.Add(-renewBefore)) {
		return leaf, nil
	}
	leaf, err := ca.mint(name, now)
	if err != nil {
		return nil, fmt.Errorf("mint a certificate for %q: %w", name, err)
	}
	if len(ca.leaves) >= maxLeaves {
		clear(ca.leaves)
	}
	ca.leaves[name] = leaf
	return leaf, nil
}

func (ca *CA) mint(name string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.root, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.root.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}

func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s holds no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

func writePEM(path, kind string, der []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	err = pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
