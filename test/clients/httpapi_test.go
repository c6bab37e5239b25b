package clients

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestTokensAndPagesUseAnHTTPAPI(t *testing.T) {
	module(t, "jose")
	module(t, "openid-client")
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
