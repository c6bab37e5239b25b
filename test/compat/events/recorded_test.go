package events

import (
	_ "embed"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed localstack.txt
var localstack string

// TestLocalStack runs the tests whose answers were recorded of AWS, as they run against AWS.
func TestLocalStack(t *testing.T) {
	dir, python := os.Getenv("RECORDED_SUITE"), os.Getenv("RECORDED_PYTHON")
	if dir == "" || python == "" {
		t.Skip("RECORDED_SUITE is not set: run make compat-recorded-events")
	}
	s := start(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "report.xml")
	args := []string{"-m", "pytest", "-q", "-p", "suite", "-p", "recorded", "-p", "no:cacheprovider", "--timeout", "90", "--junitxml", out}
	for _, name := range []string{"sqs", "sns", "events", "kinesis", "scheduler", "firehose"} {
		args = append(args, "tests/aws/services/"+name)
	}
	cmd := exec.CommandContext(t.Context(), python, args...)
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
	var r report
	if err := xml.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	judge(t, r, parseReasons(t, localstack))
}
