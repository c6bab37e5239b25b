package events

import (
	"embed"
	"encoding/xml"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed localstack/*.txt
var localstack embed.FS

// TestLocalStack runs the tests whose answers were recorded of AWS, as they run against AWS: those of a service against a server of its own.
func TestLocalStack(t *testing.T) {
	t.Parallel()
	dir, python := os.Getenv("RECORDED_SUITE"), os.Getenv("RECORDED_PYTHON")
	if dir == "" || python == "" {
		t.Skip("RECORDED_SUITE is not set: run make compat-recorded-events")
	}
	for _, name := range []string{"events", "sqs", "sns", "kinesis", "scheduler", "firehose"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time of these tests is waiting
			list, err := localstack.ReadFile("localstack/" + name + ".txt")
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			judge(t, record(t, dir, python, name), parseReasons(t, string(list)))
		})
	}
}

// record runs the tests of a service and returns what came of them.
func record(t *testing.T, dir, python, name string) (r report) {
	t.Helper()
	s := start(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.CommandContext(t.Context(), python, "-m", "pytest", "-q", "-p", "suite", "-p", "recorded", "-p", "no:cacheprovider", "--timeout", "90", "--junitxml", out, "tests/aws/services/"+name)
	cmd.Dir = dir
	path := []string{filepath.Join(here, "recorded"), filepath.Join(filepath.Dir(here), "apigateway"), dir}
	cmd.Env = append(os.Environ(),
		"PYTHONPATH="+strings.Join(path, string(os.PathListSeparator)), "TEST_TARGET=AWS_CLOUD", "DISABLE_EVENTS=1", "AWS_ENDPOINT_URL="+s.URL(), "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "TEST_AWS_ACCOUNT_ID=000000000000",
	)
	output, runErr := cmd.CombinedOutput() // fails when a test does
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("the suite wrote no report: %v (%v)\n%s", err, runErr, output)
	}
	if err := xml.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}
