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

func TestS3Control(t *testing.T) {
	s := startS3(t)
	key := s.RootKey()
	out, err := python(t, "s3_control.py", map[string]any{"url": s.URL(), "key": key.AccessKeyID, "secret": key.Secret, "account": key.Account})
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.TrimSpace(out))
	}
	t.Log(strings.TrimSpace(out))
}
