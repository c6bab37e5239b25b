package token_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/auth/token"
)

func ring(t testing.TB, current uint32) *token.Keyring {
	t.Helper()
	k, err := token.NewKeyring(map[uint32][]byte{1: bytes.Repeat([]byte{1}, 32), 2: bytes.Repeat([]byte{2}, 32)}, current, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSessionRoundTrip(t *testing.T) {
	want := &token.Session{
		AccessKeyID: "ASIAX", Account: "000000000000", ARN: "arn:aws:sts::000000000000:assumed-role/r/s", RoleARN: "arn:aws:iam::000000000000:role/r",
		UserID: "AROAX:s", Policies: []string{"{}"}, Tags: map[string]string{"a": "b"}, SourceIdentity: "me", Issued: 1, Expires: 2,
	}
	tok, secret, err := ring(t, 1).SealSession(want)
	if err != nil {
		t.Fatal(err)
	}
	got, secret2, err := ring(t, 2).OpenSession(tok) // After a rotation, the old key still opens.
	if err != nil || secret2 != secret || len(secret) != 40 {
		t.Fatalf("secret %q, %q, %v", secret, secret2, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i := range len(tok) {
		m := []byte(tok)
		m[i] ^= 1
		if _, _, err := ring(t, 1).OpenSession(string(m)); !errors.Is(err, token.ErrInvalid) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

func TestSealedTextIsBoundToItsPurpose(t *testing.T) {
	k := ring(t, 1)
	sealed, err := k.Seal("secret of AKIA1", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open("secret of AKIA1", sealed); err != nil || string(got) != "secret" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if _, err := k.Open("secret of AKIA2", sealed); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("opened for another purpose: %v", err)
	}
	if k.Stale(sealed) || !ring(t, 2).Stale(sealed) {
		t.Error("Stale does not follow the current key")
	}
}

func TestAccessKeyIDCarriesTheAccount(t *testing.T) {
	for _, account := range []string{"000000000000", "123456789012", "999999999999"} {
		id, err := token.NewAccessKeyID(token.PrefixAccessKey, account, rand.Reader)
		if err != nil || len(id) != 20 || !strings.HasPrefix(id, "AKIA") {
			t.Fatalf("id %q, %v", id, err)
		}
		if got, ok := token.AccountOf(id); !ok || got != account {
			t.Errorf("AccountOf(%s) = %s, %v; want %s", id, got, ok, account)
		}
	}
	// A published example: https://awsteele.com/blog/2020/09/26/aws-access-key-format.html
	if got, ok := token.AccountOf("ASIAQNZGKIQY56JQ7WML"); !ok || got != "029608264753" {
		t.Errorf("AccountOf of a key of AWS = %s, %v", got, ok)
	}
	for _, id := range []string{"", "test", "AKIAIOSFODNN7EXAMPLE", "AKIA1111111111111111"} {
		if got, ok := token.AccountOf(id); ok {
			t.Errorf("AccountOf(%q) = %s", id, got)
		}
	}
}

func FuzzOpenSession(f *testing.F) {
	k := ring(f, 1)
	tok, _, err := k.SealSession(&token.Session{AccessKeyID: "A"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tok)
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if got, _, err := k.OpenSession(s); err == nil && got.AccessKeyID != "A" {
			t.Errorf("opened %q", s)
		}
	})
}
