// Package oidctest has an issuer of tokens for tests, which needs no network.
package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Issuer is an issuer of tokens that counts how often it is asked. It implements [http.RoundTripper].
type Issuer struct {
	// URL is the issuer's.
	URL string

	mu     sync.Mutex // guards the fields below
	keys   []jose.JSONWebKey
	asked  int
	broken bool
}

// New returns an issuer with keys.
func New(url string, keys ...jose.JSONWebKey) *Issuer { return &Issuer{URL: url, keys: keys} }

// RoundTrip answers with the discovery document or the key set.
func (i *Issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked++
	if i.broken {
		return nil, errors.New("connection refused")
	}
	var doc any = map[string]string{"issuer": i.URL, "jwks_uri": "https://" + r.URL.Host + "/keys"}
	if r.URL.Path == "/keys" {
		var public []any
		for n := range i.keys {
			public = append(public, i.keys[n].Public())
		}
		doc = map[string]any{"keys": append(public, map[string]string{"kty": "unheard-of"})}
	}
	b, err := json.Marshal(doc)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(b)))}, err
}

// Client returns a client that reaches the issuer alone.
func (i *Issuer) Client() *http.Client { return &http.Client{Transport: i} }

// Asked returns how many documents were asked for.
func (i *Issuer) Asked() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// Rotate replaces the keys.
func (i *Issuer) Rotate(keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// Leave makes the issuer unreachable.
func (i *Issuer) Leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.broken = true
}

// RSAKey returns a new key for RS256.
func RSAKey(t testing.TB, id string) jose.JSONWebKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"}
}

// Sign returns a token of claims.
func Sign(t testing.TB, k jose.JSONWebKey, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
