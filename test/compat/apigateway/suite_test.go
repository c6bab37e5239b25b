package apigateway

import (
	"context"
	_ "embed"
	"encoding/xml"
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

//go:embed unmet.txt
var unmet string

// TestMain lets the sandbox of the server start its helper from this binary.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// reasons returns the reasons of the tests that are listed.
func reasons(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(unmet) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok || reason == "" || out[name] != "" {
			t.Fatalf("%q has no reason, or is listed twice", line)
		}
		out[name] = reason
	}
	return out
}

// report is what is needed of pytest's JUnit report.
type report struct {
	Cases []struct {
		Name    string    `xml:"name,attr"`
		Class   string    `xml:"classname,attr"`
		Failure *problem  `xml:"failure"`
		Error   *problem  `xml:"error"`
		Skipped *struct{} `xml:"skipped"`
	} `xml:"testsuite>testcase"`
}

type problem struct {
	Text string `xml:",chardata"`
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	suite, python := os.Getenv("APIGATEWAY_SUITE"), os.Getenv("APIGATEWAY_PYTHON")
	if suite == "" || python == "" {
		t.Skip("APIGATEWAY_SUITE is not set: run make compat-apigateway")
	}
	got := run(t, suite, python)
	listed, passed, met := reasons(t), 0, map[string]bool{}
	for _, c := range got.Cases {
		id := c.Class[strings.Index(c.Class, "test_apigateway"):] + "::" + c.Name
		broken := c.Failure
		if broken == nil {
			broken = c.Error
		}
		_, expected := listed[id]
		switch {
		case c.Skipped != nil:
		case broken == nil && expected:
			t.Errorf("%s passes: take it out of unmet.txt", id)
		case broken == nil:
			passed++
		case expected:
			met[id] = true
		default:
			t.Errorf("%s failed:\n%s", id, broken.Text)
		}
	}
	for id := range listed {
		if !met[id] {
			t.Errorf("%s is listed in unmet.txt, and no such test fails", id)
		}
	}
	t.Logf("%d passed, %d failed as expected, of %d", passed, len(met), len(got.Cases))
}

// run runs the suite against a server of its own.
func run(t *testing.T, suite, python string) (out report) {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Ephemeral, cfg.Listen, cfg.Sandbox = t.TempDir(), true, "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.CommandContext(t.Context(), python, "-m", "pytest", "-q", "-p", "suite", "-p", "no:cacheprovider", "--timeout", "90", "--junitxml", file, "tests/aws/services/apigateway")
	cmd.Dir = suite
	cmd.Env = append(os.Environ(),
		"PYTHONPATH="+here+string(os.PathListSeparator)+suite, "TEST_TARGET=AWS_CLOUD", "DISABLE_EVENTS=1", "AWS_ENDPOINT_URL="+s.URL(), "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "TEST_AWS_ACCOUNT_ID="+cfg.Account,
	)
	output, runErr := cmd.CombinedOutput() // fails when a test does
	b, err := os.ReadFile(file)
	if err == nil {
		err = xml.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatalf("the suite did not run: %v\n%v\n%s", err, runErr, output)
	}
	return out
}
