package cloudformation

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
	"lambent.dev/lambent/test/driver"
	"lambent.dev/lambent/test/recorded"
)

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// live is a platform that boto3 speaks to.
type live struct {
	boto3  *driver.Driver
	server *server.Server
}

// Advance implements [recorded.Platform]: the cases wait for statuses, not for times.
func (*live) Advance(time.Duration) {}

// position is what Lambent adds to CloudFormation's messages: the line of the fault.
var position = regexp.MustCompile(` \(line \d+\)$`)

// Call implements [recorded.Platform].
func (l *live) Call(api, operation, input string) (string, *recorded.Failure, error) {
	key := l.server.RootKey()
	name, region, _ := strings.Cut(api, "@")
	input = strings.ReplaceAll(input, "{{base}}", l.server.URL())
	a, err := l.boto3.Call(driver.Request{
		Service: name, Region: region, Raw: name == "cloudformation", Operation: operation, Input: json.RawMessage(input), Endpoint: l.server.URL(), Key: key.AccessKeyID, Secret: key.Secret,
	})
	if err != nil {
		return "", nil, err
	}
	if a.Code != "" {
		return "", &recorded.Failure{Code: a.Code, Message: position.ReplaceAllString(a.Message, ""), Status: a.Status, Detail: a.Detail}, nil
	}
	if out, ok := a.Output.(map[string]any); ok {
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
	recorded.ReplayLive(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		// The cases use the same names: each has a platform of its own.
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
		return &live{boto3, s}
	})
}
