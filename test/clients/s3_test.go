package clients

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/server"
)

// startS3 starts a platform that runs no functions.
func startS3(t *testing.T) *server.Server {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.Sandbox = t.TempDir(), "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestS3Control(t *testing.T) { runS3(t, "s3_control.py") }

func TestS3AccessGrants(t *testing.T) { runS3(t, "s3_access_grants.py") }

// runS3 runs a script that gets the root's key.
func runS3(t *testing.T, script string) {
	t.Helper()
	s := startS3(t)
	key := s.RootKey()
	out, err := python(t, script, map[string]any{"url": s.URL(), "key": key.AccessKeyID, "secret": key.Secret, "account": key.Account})
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.TrimSpace(out))
	}
	t.Log(strings.TrimSpace(out))
}
