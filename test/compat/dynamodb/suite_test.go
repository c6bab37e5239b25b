package dynamodb

import (
	"context"
	_ "embed"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

var (
	//go:embed failures.txt
	failures string
	//go:embed stale.txt
	stale string
)

// TestMain lets this binary be the child process that the server's sandbox starts.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// expected returns the tests of a list that have to fail, one a line.
func expected(t *testing.T, list string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if out[line] {
			t.Errorf("%q is listed twice", line)
		}
		out[line] = true
	}
	return out
}

// report is the part of vitest's JSON report that is needed.
type report struct {
	TestResults []struct {
		Name             string
		AssertionResults []struct {
			Title, Status   string
			FailureMessages []string
		}
	}
}

// start starts a durable server.
func start(t *testing.T) *server.Server {
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

// environ returns the environment of a suite.
func environ(s *server.Server) []string {
	key := s.RootKey()
	return append(os.Environ(), "DYNAMODB_ENDPOINT="+s.URL(), "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.Secret, "AWS_REGION=us-east-1")
}

func TestConformanceSuite(t *testing.T) {
	dir := os.Getenv("DYNAMODB_SUITE")
	if dir == "" {
		t.Skip("DYNAMODB_SUITE is not set: run make test-dynamodb")
	}
	s := start(t)
	out := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.CommandContext(t.Context(), "npx", "vitest", "run", "--reporter=json", "--outputFile="+out)
	cmd.Dir = dir
	cmd.Env = environ(s)
	output, runErr := cmd.CombinedOutput() // fails when a test does
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("the suite wrote no report: %v (%v)\n%s", err, runErr, output)
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	judge(t, r)
}

// judge compares a report with the list of expected failures.
func judge(t *testing.T, r report) {
	t.Helper()
	want := expected(t, failures)
	counts := map[string]int{}
	for _, f := range r.TestResults {
		_, file, _ := strings.Cut(filepath.ToSlash(f.Name), "/tests/")
		for _, a := range f.AssertionResults {
			counts[a.Status]++
			id := file + " :: " + a.Title
			switch {
			case a.Status == "failed" && !want[id]:
				t.Errorf("%s failed: %s", id, strings.Join(a.FailureMessages, "\n"))
			case a.Status == "passed" && want[id]:
				t.Errorf("%s passes: remove it from failures.txt", id)
			}
			delete(want, id)
		}
	}
	for id := range want {
		t.Errorf("%s is listed in failures.txt and not in the suite", id)
	}
	t.Logf("passed %d, failed as expected %d, skipped %d", counts["passed"], counts["failed"], counts["pending"]+counts["skipped"])
}
