package s3

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/server"
	"lambent.dev/lambent/test/driver"
	"lambent.dev/lambent/test/recorded"
)

// live is a platform that boto3 speaks to.
type live struct {
	boto3  *driver.Driver
	server *server.Server
}

// Advance implements [recorded.Platform]: none of the cases waits.
func (*live) Advance(time.Duration) {}

// Call implements [recorded.Platform].
func (l *live) Call(api, operation, input string) (string, *recorded.Failure, error) {
	key := l.server.RootKey()
	name, region, _ := strings.Cut(api, "@")
	a, err := l.boto3.Call(driver.Request{
		Service: name, Region: region, Raw: true, Operation: operation, Input: json.RawMessage(input), Endpoint: l.server.URL(), Key: key.AccessKeyID, Secret: key.Secret,
	})
	if err != nil {
		return "", nil, err
	}
	if a.Code != "" {
		return "", &recorded.Failure{Code: a.Code, Message: a.Message, Status: a.Status, Detail: a.Detail}, nil
	}
	if out, ok := a.Output.(map[string]any); ok {
		if meta, ok := out["ResponseMetadata"].(map[string]any); ok {
			out["HTTPStatusCode"] = meta["HTTPStatusCode"]
		}
		delete(out, "ResponseMetadata")
	}
	text, err := json.Marshal(a.Output)
	return string(text), nil, err
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	python := filepath.Join("..", "..", "..", ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("boto3 is not installed (%v); make clients installs it", err)
	}
	boto3, err := driver.Start(python, filepath.Join("..", "..", "driver", "boto3_driver.py"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(boto3.Close)
	// One platform is enough: the cases have buckets of names of their own.
	cfg := config.Default()
	cfg.DataDir, cfg.Ephemeral, cfg.Listen, cfg.Sandbox = t.TempDir(), true, "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	recorded.ReplayLive(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(*testing.T) recorded.Platform { return &live{boto3, s} })
}
