package clients

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestTokensAndPagesUseAnHTTPAPI(t *testing.T) {
	modules := filepath.Join("..", "js", "node_modules", "jose")
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("the pinned clients are missing (%v); run: make clients", err)
	}
	s := start(t)
	key := s.RootKey()
	args := []string{filepath.Join("..", "js", "httpapi.mjs"), s.URL(), key.AccessKeyID, key.Secret}
	if _, err := exec.LookPath("chromium"); err == nil {
		args = append(args, "page")
	} else {
		t.Log("there is no chromium, so no page uses the API; apt-get install chromium")
	}
	cmd := exec.CommandContext(t.Context(), "node", args...)
	var talk bytes.Buffer // the SDK warns of old versions of Node.js
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("%v\n%s%s", err, out, talk.String())
	}
}
