package keyfile_test

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/auth/keyfile"
)

func TestKeysSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := keyfile.Open(dir, "000000000000", rand.Reader)
	if err != nil || !first.Created {
		t.Fatalf("created %v, %v", first, err)
	}
	info, err := os.Stat(keyfile.Path(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	sealed, err := first.Ring.Seal("x", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := keyfile.Open(dir, "000000000000", rand.Reader)
	if err != nil || again.Created || again.Root != first.Root {
		t.Fatalf("again: %+v, %v", again, err)
	}
	if plain, err := again.Ring.Open("x", sealed); err != nil || string(plain) != "secret" {
		t.Errorf("opened %q, %v", plain, err)
	}
}

func TestAFileThatOthersMayReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := keyfile.Open(dir, "000000000000", rand.Reader); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(keyfile.Path(dir), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.Open(dir, "000000000000", rand.Reader); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("error = %v, want one that names the fix", err)
	}
}
