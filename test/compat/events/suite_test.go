package events

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

var (
	//go:embed ministack.txt
	ministack string
	//go:embed floci.txt
	floci string
)

// TestMain lets this binary be the child process that the server's sandbox starts.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// reasons are those of the tests that are expected to fail, by name, which may end with *.
type reasons map[string]string

func parseReasons(t *testing.T, list string) reasons {
	t.Helper()
	out := reasons{}
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok || reason == "" {
			t.Fatalf("%q has no reason", line)
		}
		out[name] = reason
	}
	return out
}

// of returns the name in the list that stands for a test.
func (r reasons) of(test string) (name string, listed bool) {
	for n := range r {
		before, all := strings.CutSuffix(n, "*")
		if n == test || all && strings.HasPrefix(test, before) {
			return n, true
		}
	}
	return "", false
}

// report is the part of pytest's JUnit report that is needed.
type report struct {
	Suites []struct {
		Cases []struct {
			Name    string    `xml:"name,attr"`
			Class   string    `xml:"classname,attr"`
			Failure *problem  `xml:"failure"`
			Error   *problem  `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

type problem struct {
	Text string `xml:",chardata"`
}

// judge compares a report with the list of expected failures.
func judge(t *testing.T, r report, want reasons) {
	t.Helper()
	var passed, failed, skipped int
	met := map[string]bool{}
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			id := c.Class[strings.LastIndexByte(c.Class, '.')+1:] + "::" + c.Name
			name, listed := want.of(id)
			broken := c.Failure
			if broken == nil {
				broken = c.Error
			}
			switch {
			case c.Skipped != nil:
				skipped++
			case broken == nil:
				passed++
				if listed && name == id {
					t.Errorf("%s passes: remove it from the list", id)
				}
			default:
				failed++
				met[name] = true
				if !listed {
					t.Errorf("%s failed:\n%s", id, broken.Text)
				}
			}
		}
	}
	for name := range want {
		if !met[name] {
			t.Errorf("%s is listed, and no such test fails", name)
		}
	}
	t.Logf("passed %d, failed as expected %d, skipped %d", passed, failed, skipped)
}

// suite is a suite of pytest in a folder.
type suite struct {
	folder string // in that of the repository
	files  []string
	env    string // the variable that names the server
}

// run runs a suite that has been fetched into the folder that a variable names, against a server of its own.
func (x suite) run(t *testing.T, variable, list string) {
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skipf("%s is not set: run make compat-events", variable)
	}
	s := start(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "report.xml")
	args := append([]string{"-m", "pytest", "-q", "-p", "suite", "-p", "no:cacheprovider", "--timeout", "90", "--junitxml", out}, x.files...)
	cmd := exec.CommandContext(t.Context(), os.Getenv("EVENTS_PYTHON"), args...)
	cmd.Dir = filepath.Join(dir, filepath.FromSlash(x.folder))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+here, "AWS_ENDPOINT_URL="+s.URL(), x.env+"="+s.URL(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=us-east-1")
	output, runErr := cmd.CombinedOutput() // fails when a test does
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("the suite wrote no report: %v (%v)\n%s", err, runErr, output)
	}
	var r report
	if err := xml.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	judge(t, r, parseReasons(t, list))
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

func TestMiniStack(t *testing.T) {
	suite{folder: ".", env: "MINISTACK_ENDPOINT", files: []string{
		"tests/test_sqs.py", "tests/test_sns.py", "tests/test_eventbridge.py", "tests/test_scheduler.py", "tests/test_pipes.py", "tests/test_kinesis.py", "tests/test_firehose.py",
		"tests/test_ec2.py",
	}}.run(t, "MINISTACK", ministack)
}

func TestFloci(t *testing.T) {
	suite{folder: "compatibility-tests/sdk-test-python", env: "FLOCI_ENDPOINT", files: []string{
		"tests/test_sqs.py", "tests/test_sns.py", "tests/test_pipes.py", "tests/test_kinesis.py", "tests/test_s3_notifications.py",
	}}.run(t, "FLOCI", floci)
}
