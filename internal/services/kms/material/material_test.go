package material

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

func make1(t *testing.T, s Spec) []byte {
	t.Helper()
	b, err := New(s, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(b); err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	return b
}

func TestWhatAKeySignedVerifiesAndNothingElse(t *testing.T) {
	message := []byte("a message")
	for _, s := range Specs() {
		if s.Signing == nil {
			continue
		}
		b := make1(t, s)
		if public, err := s.Public(b); err != nil || len(public) < 40 {
			t.Errorf("%s has the public key %x, %v", s.Name, public, err)
		}
		for _, algorithm := range s.Signing {
			signature, err := s.Sign(b, algorithm, Raw, message)
			if err != nil {
				t.Fatal(s.Name, algorithm, err)
			}
			if err := s.Verify(b, algorithm, Raw, message, signature); err != nil {
				t.Errorf("%s %s: %v", s.Name, algorithm, err)
			}
			if err := s.Verify(b, algorithm, Raw, []byte("another"), signature); !errors.Is(err, ErrSignature) {
				t.Errorf("%s %s of another message: %v", s.Name, algorithm, err)
			}
			h, digest, err := toBeSigned(algorithm, Raw, message)
			if err != nil || h == 0 {
				continue
			}
			if signature, err = s.Sign(b, algorithm, Digest, digest); err != nil || s.Verify(b, algorithm, Raw, message, signature) != nil {
				t.Errorf("%s %s: the signature of a digest is not that of the message: %v", s.Name, algorithm, err)
			}
			if _, err := s.Sign(b, algorithm, Digest, digest[1:]); !errors.Is(err, ErrDigest) {
				t.Errorf("%s %s of a short digest: %v", s.Name, algorithm, err)
			}
		}
	}
}

func TestMaterialOfAnotherSpecIsRefused(t *testing.T) {
	var all [][]byte
	// Any secret of the right length is material for a key that is a secret.
	specs := slices.DeleteFunc(Specs(), func(s Spec) bool { return s.rsa > 2048 || s.MAC != nil })
	for _, s := range specs {
		all = append(all, make1(t, s))
	}
	for i, s := range specs {
		for j, b := range all {
			if err := s.Check(b); (err == nil) != (i == j) {
				t.Errorf("%s takes the material of %s: %v", s.Name, specs[j].Name, err)
			}
		}
	}
}

func TestACiphertextIsBoundToItsContext(t *testing.T) {
	s, _ := SpecOf(Symmetric)
	b := make1(t, s)
	head := bytes.Repeat([]byte{9}, SaltSize+3)
	context := map[string]string{"a": "bc", "d": ""}
	sealed, err := Seal(b, head, []byte("hello"), context)
	if err != nil {
		t.Fatal(err)
	}
	body := sealed[len(head):]
	if plain, err := Open(b, head, body, map[string]string{"d": "", "a": "bc"}); err != nil || string(plain) != "hello" {
		t.Errorf("opened %q, %v", plain, err)
	}
	for _, other := range []map[string]string{nil, {"ab": "c", "d": ""}, {"a": "bc"}, {"a": "bc", "d": "", "e": ""}, {"a": "b", "cd": ""}} {
		if _, err := Open(b, head, body, other); !errors.Is(err, ErrCiphertext) {
			t.Errorf("with %v: %v", other, err)
		}
	}
	for i := range sealed {
		changed := slices.Clone(sealed)
		changed[i] ^= 1
		if _, err := Open(b, changed[:len(head)], changed[len(head):], context); !errors.Is(err, ErrCiphertext) {
			t.Errorf("with byte %d changed: %v", i, err)
		}
	}
}

func TestTwoKeysAgree(t *testing.T) {
	for _, s := range Specs() {
		if s.Agreement == nil {
			continue
		}
		a, b := make1(t, s), make1(t, s)
		publicA, _ := s.Public(a)
		publicB, _ := s.Public(b)
		one, err := s.Agree(a, publicB)
		two, err2 := s.Agree(b, publicA)
		if err := errors.Join(err, err2); err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s: %x and %x, %v", s.Name, one, two, err)
		}
		if _, err := s.Agree(a, []byte("no key")); !errors.Is(err, ErrPublicKey) {
			t.Errorf("%s with no key: %v", s.Name, err)
		}
	}
}

// The examples of RFC 5649, section 6.
func TestPaddedKeyWrapOpensTheExamplesOfItsSpecification(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key := unhex("5840df6e29b02af1 ab493b705bf16ea1 ae8338f4dcc176a8")
	for wrapped, want := range map[string]string{
		"138bdeaa9b8fa7fc 61f97742e72248ee 5ae6ae5360d1ae6a 5f54f373fa543b6a": "c37b7e6492584340 bed1220780894115 5068f738",
		"afbeb0f07dfbf541 9200f2ccb50bb24f":                                   "466f7250617369",
	} {
		got, err := unwrapPadded(key, unhex(wrapped))
		if err != nil || !bytes.Equal(got, unhex(want)) {
			t.Errorf("%s opens as %x, %v", wrapped, got, err)
		}
		broken := unhex(wrapped)
		broken[3] ^= 1
		if _, err := unwrapPadded(key, broken); !errors.Is(err, ErrCiphertext) {
			t.Errorf("a changed one: %v", err)
		}
	}
}

func TestAnImportIsUnwrapped(t *testing.T) {
	w, ok := WrappingOf("RSA_2048")
	if !ok {
		t.Fatal("no wrapping RSA_2048")
	}
	private := make1(t, w.spec)
	secret := []byte("0123456789abcdef0123456789abcdef")
	for _, algorithm := range []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"} {
		wrapped, err := w.spec.Encrypt(private, algorithm, secret)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.Unwrap(private, algorithm, wrapped); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%s: %x, %v", algorithm, got, err)
		}
	}
	key := []byte("5840df6e29b02af1ab493b70")
	wrapped, err := w.spec.Encrypt(private, "RSAES_OAEP_SHA_256", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Unwrap(private, "RSA_AES_KEY_WRAP_SHA_256", append(wrapped, make([]byte, 16)...)); !errors.Is(err, ErrCiphertext) {
		t.Error(err)
	}
}
