package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"lambent.dev/lambent/internal/auth/oidc"
	"lambent.dev/lambent/internal/auth/oidc/oidctest"
	"lambent.dev/lambent/internal/clock"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const issuerURL = "https://issuer.example/pool"

func newVerifier(i *oidctest.Issuer) (*oidc.Verifier, *clock.Fake) {
	c := clock.NewFake(start)
	return oidc.New(oidc.Options{HTTP: i.Client(), Clock: c}), c
}

func claims(id string) map[string]any { return map[string]any{"sub": "alice", "jti": id} }

// reason returns why a token is not proven; -1 for one that is.
func reason(t *testing.T, v *oidc.Verifier, token string) oidc.Reason {
	t.Helper()
	_, _, err := v.Prove(t.Context(), token, issuerURL)
	var unproven *oidc.Error
	if err != nil && !errors.As(err, &unproven) {
		t.Fatal(err)
	}
	if unproven != nil {
		return unproven.Reason
	}
	return -1
}

func TestTokensAreProvenByTheirIssuersKeys(t *testing.T) {
	k, stranger := oidctest.RSAKey(t, "k1"), oidctest.RSAKey(t, "k1")
	v, _ := newVerifier(oidctest.New(issuerURL, k))
	good := oidctest.Sign(t, k, claims("1"))
	shared := jose.JSONWebKey{Key: []byte(strings.Repeat("s", 32)), KeyID: "k1", Algorithm: string(jose.HS256)}
	for name, tc := range map[string]struct {
		token string
		want  oidc.Reason
	}{
		"good":                 {good, -1},
		"changed":              {good[:len(good)-8] + "AAAAAAAA", oidc.Forged},
		"of a stranger":        {oidctest.Sign(t, stranger, claims("1")), oidc.Forged},
		"of a key nobody has":  {oidctest.Sign(t, oidctest.RSAKey(t, "k9"), claims("1")), oidc.NoKey},
		"signed with a secret": {oidctest.Sign(t, shared, claims("1")), oidc.Malformed},
		"signed with nothing":  {"eyJhbGciOiJub25lIn0.e30.", oidc.Malformed},
		"no token":             {"abc", oidc.Malformed},
		"too long":             {strings.Repeat("a", 20001), oidc.Malformed},
	} {
		if got := reason(t, v, tc.token); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	body, err := oidc.Unproven(good)
	if err != nil || !strings.Contains(string(body), `"alice"`) {
		t.Errorf("unproven claims = %s, %v", body, err)
	}
}

func TestKeysAreFetchedOnceAndWhenAKeyIsNew(t *testing.T) {
	first, second := oidctest.RSAKey(t, "k1"), oidctest.RSAKey(t, "k2")
	issuer := oidctest.New(issuerURL, first)
	v, now := newVerifier(issuer)
	for range 3 {
		if r := reason(t, v, oidctest.Sign(t, first, claims("1"))); r != -1 {
			t.Fatal(r)
		}
	}
	if n := issuer.Asked(); n != 2 { // discovery and keys
		t.Errorf("the issuer was asked %d times", n)
	}
	issuer.Rotate(second)
	rotated := oidctest.Sign(t, second, claims("1"))
	if reason(t, v, rotated) != oidc.NoKey {
		t.Error("the issuer was asked again at once")
	}
	now.Advance(11 * time.Second)
	if r := reason(t, v, rotated); r != -1 {
		t.Error(r)
	}
	now.Advance(11 * time.Second)
	if reason(t, v, oidctest.Sign(t, first, claims("2"))) != oidc.NoKey {
		t.Error("a key that the issuer withdrew is still accepted")
	}
	issuer.Leave()
	now.Advance(3 * time.Hour)
	if r := reason(t, v, rotated); r != -1 {
		t.Errorf("the issuer is away, and its last keys do not count: %v", r)
	}
}

func TestIssuerThatIsAwayIsAnAnswer(t *testing.T) {
	issuer := oidctest.New(issuerURL)
	issuer.Leave()
	v, now := newVerifier(issuer)
	token := oidctest.Sign(t, oidctest.RSAKey(t, "k1"), claims("1"))
	for range 5 {
		if r := reason(t, v, token); r != oidc.Unreachable {
			t.Fatalf("got %v", r)
		}
	}
	if n := issuer.Asked(); n != 1 {
		t.Errorf("an issuer that is away was asked %d times", n)
	}
	now.Advance(11 * time.Second)
	reason(t, v, token)
	if n := issuer.Asked(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestKeysOfALocalIssuerNeedNoFetch(t *testing.T) {
	k := oidctest.RSAKey(t, "k1")
	v := oidc.New(oidc.Options{Clock: clock.NewFake(start), Local: func(_ context.Context, issuer string) ([]byte, bool, error) {
		doc, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.Public()}})
		return doc, issuer == issuerURL, err
	}})
	if r := reason(t, v, oidctest.Sign(t, k, claims("1"))); r != -1 {
		t.Error(r)
	}
}
