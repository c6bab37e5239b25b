package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
)

func TestServersForMailsAreChecked(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ server, from, password, refused string }{
		{"", "", "", ""},
		{"smtp://ann@mail.example.com:587", "Orders <orders@example.com>", password, ""},
		{"smtp://ann@mail.example.com:587", "orders@example.com", password + "-gone", "mail-password"},
		{"mail.example.com", "orders@example.com", "", "mail-server"},
	} {
		cfg := config.Default()
		cfg.MailServer, cfg.MailFrom, cfg.MailPassword = test.server, test.from, test.password
		got, err := mailServer(cfg)
		if (err != nil) != (test.refused != "") || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%+v: %v", test, err)
		}
		if err == nil && (got == nil) != (test.server == "") {
			t.Errorf("%+v: the server is %v", test, got)
		}
	}
}
