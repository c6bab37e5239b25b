package cloudformation

import (
	"context"
	_ "embed"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/server"
	"lambent.dev/lambent/test/pytest"
)

//go:embed localstack.txt
var unmet string

// TestLocalStack runs LocalStack's tests of CloudFormation (localstack/localstack, Apache-2.0), most of which compare what is answered with what was recorded of AWS.
func TestLocalStack(t *testing.T) {
	dir, python := os.Getenv("RECORDED_SUITE"), os.Getenv("RECORDED_PYTHON")
	if dir == "" || python == "" {
		t.Skip("RECORDED_SUITE is not set: run make compat-recorded-cloudformation")
	}
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
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Dir(here)
	path := []string{filepath.Join(here, "suite"), filepath.Join(beside, "apigateway"), filepath.Join(beside, "events", "recorded"), dir}
	env := []string{
		"PYTHONPATH=" + strings.Join(path, string(os.PathListSeparator)), "PYTHONDONTWRITEBYTECODE=1", "TEST_TARGET=AWS_CLOUD", "DISABLE_EVENTS=1", "AWS_ENDPOINT_URL=" + s.URL(),
		"AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "TEST_AWS_ACCOUNT_ID=" + cfg.Account,
	}
	r := pytest.Run(t, python, dir, env, "-p", "suite", "-p", "recorded", "-p", "cloudformation", "--timeout", "120", "tests/aws/services/cloudformation")
	pytest.Judge(t, r, unmet, func(c pytest.Case) string {
		return c.Class[strings.Index(c.Class, "cloudformation.")+len("cloudformation."):] + "::" + c.Name
	})
}
