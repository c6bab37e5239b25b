package clients

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/server"
)

// startS3 starts a platform that runs no functions.
func startS3(t *testing.T) (s *server.Server, dataDir string) {
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
	return s, cfg.DataDir
}

// TestOddKeysThroughEveryDoor uses boto3 over HTTP and TLS, with the bucket in the path and in the host.
func TestOddKeysThroughEveryDoor(t *testing.T) {
	s, dataDir := startS3(t)
	key := s.RootKey()
	out, err := python(t, "s3_matrix.py", map[string]any{
		"urls": []string{s.URL(), "https" + strings.TrimPrefix(s.URL(), "http")}, "ca": filepath.Join(dataDir, "keys", "root.pem"),
		"key": key.AccessKeyID, "secret": key.Secret,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.TrimSpace(out))
	}
	t.Log(strings.TrimSpace(out))
}

func TestS3Control(t *testing.T) {
	s, _ := startS3(t)
	key := s.RootKey()
	out, err := python(t, "s3_control.py", map[string]any{"url": s.URL(), "key": key.AccessKeyID, "secret": key.Secret, "account": key.Account})
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.TrimSpace(out))
	}
	t.Log(strings.TrimSpace(out))
}
