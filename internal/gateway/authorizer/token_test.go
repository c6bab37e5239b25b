package authorizer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/authorizer"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const issuerURL = "https://issuer.example/pool"

// provider is an issuer of tokens that counts how often it is asked.
type provider struct {
	mu     sync.Mutex // guards the fields below
	keys   []jose.JSONWebKey
	asked  int
	broken bool
}

// RoundTrip implements [http.RoundTripper].
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.broken {
		return nil, errors.New("connection refused")
	}
	var doc any = map[string]string{"issuer": issuerURL, "jwks_uri": "https://issuer.example/keys"}
	if r.URL.Path == "/keys" {
		var public []any
		for i := range p.keys {
			public = append(public, p.keys[i].Public())
		}
		doc = map[string]any{"keys": append(public, map[string]string{"kty": "unheard-of"})}
	}
	b, err := json.Marshal(doc)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(b)))}, err
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *provider) set(fn func(p *provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn(p)
}

func rsaKey(t testing.TB, id string) jose.JSONWebKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"}
}

func sign(t testing.TB, k jose.JSONWebKey, claims map[string]any) string {
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

func claims(changes ...any) map[string]any {
	c := map[string]any{
		"iss": issuerURL, "aud": "app", "exp": start.Add(time.Hour).Unix(), "iat": start.Unix(), "sub": "alice", "scope": "read write",
		"groups": []string{"a", "b"}, "admin": true,
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(c, changes[i].(string))
		} else {
			c[changes[i].(string)] = changes[i+1]
		}
	}
	return c
}

func newTokens(p *provider) (*authorizer.Tokens, *clock.Fake) {
	c := clock.NewFake(start)
	return authorizer.NewTokens(authorizer.TokensOptions{HTTP: &http.Client{Transport: p}, Clock: c}), c
}

func TestTokensAreCheckedAsHTTPAPIsDo(t *testing.T) {
	k, stranger := rsaKey(t, "k1"), rsaKey(t, "k1")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve := jose.JSONWebKey{Key: private, KeyID: "k2", Algorithm: string(jose.ES256)}
	tokens, _ := newTokens(&provider{keys: []jose.JSONWebKey{k, curve}})
	shared := jose.JSONWebKey{Key: []byte(strings.Repeat("s", 32)), KeyID: "k1", Algorithm: string(jose.HS256)}
	good := sign(t, k, claims())
	rule := func(scopes ...string) *authorizer.Rule {
		return &authorizer.Rule{Issuer: issuerURL, Audiences: []string{"app", "other"}, Scopes: scopes}
	}
	for name, tc := range map[string]struct {
		token  string
		rule   *authorizer.Rule
		status int
		text   string
	}{
		"a good token":              {good, rule(), 0, ""},
		"with the scheme":           {"Bearer " + good, rule(), 0, ""},
		"of a curve":                {sign(t, curve, claims()), rule(), 0, ""},
		"one of the scopes":         {good, rule("delete", "write"), 0, ""},
		"none of the scopes":        {good, rule("delete"), 403, "scopes"},
		"scopes in a list":          {sign(t, k, claims("scope", nil, "scp", []string{"delete"})), rule("delete"), 0, ""},
		"a client and no audience":  {sign(t, k, claims("aud", nil, "client_id", "app")), rule(), 0, ""},
		"no audience at all":        {sign(t, k, claims("aud", nil)), rule(), 401, "audience"},
		"another audience":          {sign(t, k, claims("aud", "x", "client_id", "app")), rule(), 401, "audience"},
		"one of several audiences":  {sign(t, k, claims("aud", []string{"x", "other"})), rule(), 0, ""},
		"another issuer":            {sign(t, k, claims("iss", "https://evil.example")), rule(), 401, "issuer"},
		"expired":                   {sign(t, k, claims("exp", start.Unix())), rule(), 401, "expired"},
		"without an end":            {sign(t, k, claims("exp", nil)), rule(), 401, "no exp"},
		"not valid yet":             {sign(t, k, claims("nbf", start.Add(time.Second).Unix())), rule(), 401, "nbf"},
		"issued in the future":      {sign(t, k, claims("iat", start.Add(time.Minute).Unix())), rule(), 401, "iat"},
		"signed by a stranger":      {sign(t, stranger, claims()), rule(), 401, "signature"},
		"signed with a secret":      {sign(t, shared, claims()), rule(), 401, "HS256"},
		"signed with nothing":       {"eyJhbGciOiJub25lIn0.e30.", rule(), 401, ""},
		"a key that nobody has":     {sign(t, rsaKey(t, "k9"), claims()), rule(), 401, "no such key"},
		"no token":                  {"Bearer ", rule(), 401, "no token"},
		"what is no token":          {"abc", rule(), 401, "segments"},
		"longer than a header is":   {strings.Repeat("a", 20000), rule(), 401, "too long"},
		"changed after it was made": {good[:len(good)-8] + "AAAAAAAA", rule(), 401, "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // cold and remembered
				c, err := tokens.Verify(t.Context(), tc.token, tc.rule)
				var refused *authorizer.TokenError
				if tc.status == 0 {
					if err != nil {
						t.Fatal(err)
					}
					if sub, _ := c.Text("sub"); sub != "alice" {
						t.Errorf("sub = %q", sub)
					}
					continue
				}
				if !errors.As(err, &refused) || refused.Status != tc.status || !strings.Contains(refused.Description, tc.text) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	c, err := tokens.Verify(t.Context(), good, rule())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := c.Text("groups"); text != "[a b]" {
		t.Errorf("groups = %q", text)
	}
	if text, _ := c.Text("admin"); text != "true" {
		t.Errorf("admin = %q", text)
	}
}

func TestKeysAreFetchedOnceAndWhenAKeyIsNew(t *testing.T) {
	first, second := rsaKey(t, "k1"), rsaKey(t, "k2")
	p := &provider{keys: []jose.JSONWebKey{first}}
	tokens, now := newTokens(p)
	rule := &authorizer.Rule{Issuer: issuerURL}
	long := claims("exp", start.Add(48*time.Hour).Unix())
	for range 3 {
		if _, err := tokens.Verify(t.Context(), sign(t, first, long), rule); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.count(); n != 2 { // discovery and keys
		t.Errorf("the issuer was asked %d times", n)
	}
	p.set(func(p *provider) { p.keys = []jose.JSONWebKey{second} })
	rotated := sign(t, second, long)
	if _, err := tokens.Verify(t.Context(), rotated, rule); err == nil {
		t.Error("the issuer was asked again at once")
	}
	now.Advance(11 * time.Second)
	if _, err := tokens.Verify(t.Context(), rotated, rule); err != nil {
		t.Error(err)
	}
	now.Advance(11 * time.Second)
	if _, err := tokens.Verify(t.Context(), sign(t, first, claims("jti", "1")), rule); err == nil {
		t.Error("a key that the issuer withdrew is still accepted")
	}
	p.set(func(p *provider) { p.broken = true })
	now.Advance(3 * time.Hour)
	if _, err := tokens.Verify(t.Context(), rotated, rule); err != nil {
		t.Errorf("the issuer is away, and its last keys do not count: %v", err)
	}
}

func TestIssuerThatIsAwayIsAnAnswer(t *testing.T) {
	p := &provider{broken: true}
	tokens, now := newTokens(p)
	token := sign(t, rsaKey(t, "k1"), claims())
	for range 5 {
		if _, err := tokens.Verify(t.Context(), token, &authorizer.Rule{Issuer: issuerURL}); err == nil || !strings.Contains(err.Error(), "JWKS communication error") {
			t.Fatalf("got %v", err)
		}
	}
	if n := p.count(); n != 1 {
		t.Errorf("an issuer that is away was asked %d times", n)
	}
	now.Advance(11 * time.Second)
	_, _ = tokens.Verify(t.Context(), token, &authorizer.Rule{Issuer: issuerURL})
	if n := p.count(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestKeysOfALocalIssuerNeedNoFetch(t *testing.T) {
	k := rsaKey(t, "k1")
	tokens := authorizer.NewTokens(authorizer.TokensOptions{Clock: clock.NewFake(start), Local: func(_ context.Context, issuer string) ([]byte, bool, error) {
		doc, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.Public()}})
		return doc, issuer == issuerURL, err
	}})
	if _, err := tokens.Verify(t.Context(), sign(t, k, claims()), &authorizer.Rule{Issuer: issuerURL}); err != nil {
		t.Error(err)
	}
}

func BenchmarkVerifyWarm(b *testing.B) {
	k := rsaKey(b, "k1")
	tokens, _ := newTokens(&provider{keys: []jose.JSONWebKey{k}})
	token, rule := "Bearer "+sign(b, k, claims()), &authorizer.Rule{Issuer: issuerURL, Audiences: []string{"app"}, Scopes: []string{"read"}}
	for b.Loop() {
		if _, err := tokens.Verify(b.Context(), token, rule); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzTokensNeverPanic(f *testing.F) {
	k := rsaKey(f, "k1")
	tokens, _ := newTokens(&provider{keys: []jose.JSONWebKey{k}})
	f.Add(sign(f, k, claims()))
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		_, _ = tokens.Verify(t.Context(), token, &authorizer.Rule{Issuer: issuerURL})
	})
}
