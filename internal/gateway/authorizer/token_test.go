package authorizer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"lambent.dev/lambent/internal/auth/oidc"
	"lambent.dev/lambent/internal/auth/oidc/oidctest"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/authorizer"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const issuerURL = "https://issuer.example/pool"

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

func newTokens(keys ...jose.JSONWebKey) *authorizer.Tokens {
	c := clock.NewFake(start)
	return authorizer.NewTokens(oidc.New(oidc.Options{HTTP: oidctest.New(issuerURL, keys...).Client(), Clock: c}), c)
}

func TestTokensAreCheckedAsHTTPAPIsDo(t *testing.T) {
	k, stranger := oidctest.RSAKey(t, "k1"), oidctest.RSAKey(t, "k1")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve := jose.JSONWebKey{Key: private, KeyID: "k2", Algorithm: string(jose.ES256)}
	tokens := newTokens(k, curve)
	shared := jose.JSONWebKey{Key: []byte(strings.Repeat("s", 32)), KeyID: "k1", Algorithm: string(jose.HS256)}
	good := oidctest.Sign(t, k, claims())
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
		"of a curve":                {oidctest.Sign(t, curve, claims()), rule(), 0, ""},
		"one of the scopes":         {good, rule("delete", "write"), 0, ""},
		"none of the scopes":        {good, rule("delete"), 403, "scopes"},
		"scopes in a list":          {oidctest.Sign(t, k, claims("scope", nil, "scp", []string{"delete"})), rule("delete"), 0, ""},
		"a client and no audience":  {oidctest.Sign(t, k, claims("aud", nil, "client_id", "app")), rule(), 0, ""},
		"no audience at all":        {oidctest.Sign(t, k, claims("aud", nil)), rule(), 401, "audience"},
		"another audience":          {oidctest.Sign(t, k, claims("aud", "x", "client_id", "app")), rule(), 401, "audience"},
		"one of several audiences":  {oidctest.Sign(t, k, claims("aud", []string{"x", "other"})), rule(), 0, ""},
		"an issuer that is away":    {good, &authorizer.Rule{Issuer: "https://away.example"}, 401, "JWKS communication error"},
		"another issuer":            {oidctest.Sign(t, k, claims("iss", "https://evil.example")), rule(), 401, "issuer"},
		"expired":                   {oidctest.Sign(t, k, claims("exp", start.Unix())), rule(), 401, "expired"},
		"without an end":            {oidctest.Sign(t, k, claims("exp", nil)), rule(), 401, "no exp"},
		"not valid yet":             {oidctest.Sign(t, k, claims("nbf", start.Add(time.Second).Unix())), rule(), 401, "nbf"},
		"an audience of its own":    {oidctest.Sign(t, k, claims("aud", nil, "AUD", "app")), rule(), 401, "audience"},
		"a scope of its own":        {oidctest.Sign(t, k, claims("scope", nil, "Scope", "delete")), rule("delete"), 403, "scopes"},
		"issued in the future":      {oidctest.Sign(t, k, claims("iat", start.Add(time.Minute).Unix())), rule(), 401, "iat"},
		"signed by a stranger":      {oidctest.Sign(t, stranger, claims()), rule(), 401, "signature"},
		"signed with a secret":      {oidctest.Sign(t, shared, claims()), rule(), 401, "HS256"},
		"signed with nothing":       {"eyJhbGciOiJub25lIn0.e30.", rule(), 401, ""},
		"a key that nobody has":     {oidctest.Sign(t, oidctest.RSAKey(t, "k9"), claims()), rule(), 401, "no such key"},
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

func BenchmarkVerifyWarm(b *testing.B) {
	k := oidctest.RSAKey(b, "k1")
	tokens := newTokens(k)
	token, rule := "Bearer "+oidctest.Sign(b, k, claims()), &authorizer.Rule{Issuer: issuerURL, Audiences: []string{"app"}, Scopes: []string{"read"}}
	for b.Loop() {
		if _, err := tokens.Verify(b.Context(), token, rule); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzTokensNeverPanic(f *testing.F) {
	k := oidctest.RSAKey(f, "k1")
	tokens := newTokens(k)
	f.Add(oidctest.Sign(f, k, claims()))
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		_, _ = tokens.Verify(t.Context(), token, &authorizer.Rule{Issuer: issuerURL})
	})
}
